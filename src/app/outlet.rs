//! Where simulation threads put what their zones say: to the other threads of this process, or
//! into the post.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::cluster::post::Post;
use super::directory::Directory;
use super::gateway::Event;
use super::instance::{Message, Threads};
use super::registrar::Registrar;
use crate::game::state::{Bout, Departure, DepartureKey, STORE};
use crate::model::limits::GATEWAY_EVENTS_MAX;
use crate::model::{CharacterId, GatewayId};
use crate::protocol::bus::Bundle;
use crate::zone::Zone;

/// Clones share what is behind it.
#[derive(Clone, Debug)]
pub enum Outlet {
    /// Everything is in this process.
    Local(Local),
    /// Gateways, the store and other zones are elsewhere.
    Post(Post),
}

/// The threads of this process.
#[derive(Clone, Debug)]
pub struct Local {
    pub threads: Threads,
    pub directory: Arc<Directory>,
    pub registrar: Registrar,
    pub gateway: Sender<Event>,
}

impl Outlet {
    /// Whether time had better stand still than that frames pile up.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        match self {
            Self::Local(local) => local.gateway.len() >= GATEWAY_EVENTS_MAX,
            // What does not fit is dropped there, and said anew in a keyframe.
            Self::Post(_) => false,
        }
    }

    /// Hands on what zones say to gateways, and how early these were with their inputs.
    pub fn bundles(
        &self,
        bundles: BTreeMap<GatewayId, Vec<Bundle>>,
        early_us: &mut BTreeMap<GatewayId, i32>,
    ) {
        match self {
            Self::Local(local) => {
                for bundle in bundles.into_values().flatten() {
                    // The gateway is gone only while the process stops.
                    let _ = local.gateway.send(Event::Bundle(bundle));
                }
            }
            Self::Post(post) => post.bundles(bundles, early_us),
        }
    }

    pub fn depart(&self, departure: Departure) {
        match self {
            Self::Local(local) => local.registrar.depart(departure),
            Self::Post(post) => post.clerk.depart(departure),
        }
    }

    pub fn fought(&self, bout: Bout) {
        match self {
            Self::Local(local) => local.registrar.fought(bout),
            Self::Post(post) => post.clerk.fought(bout),
        }
    }

    /// A character has come into a zone for good.
    pub fn arrived(&self, zone: &Zone, key: DepartureKey, character: CharacterId) {
        match self {
            Self::Local(local) => {
                local.directory.place(character, zone.id());
                if key.zone != STORE {
                    local.threads.send(key.zone, Message::Confirmed(key));
                }
            }
            Self::Post(post) => {
                // One that has gone on already is noted where it goes.
                if let Some(player) = zone.state().players.get(&character) {
                    post.clerk.placed(character, player.sheet.version, zone.id());
                }
                if key.zone != STORE {
                    post.confirm(key);
                }
            }
        }
    }
}
