//! Who plays, over all gateways.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure};
use serde::Serialize;

use super::characters::{Characters, Place, Record};
use super::mail::{self, Alive, GatewayAnswer, GatewayOrder};
use crate::gateway::Present;
use crate::model::{AccountId, CharacterId, GatewayId, SessionId, ZoneId};
use crate::nats::{Bus, Nats};

/// Each gateway says within this time that it lives.
const ALIVE_WITHIN: Duration = Duration::from_millis(1_500);

/// A character and its player.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlayerView {
    pub name: String,
    pub character: CharacterId,
    pub account: AccountId,
    /// `None`: it rests.
    pub zone: Option<ZoneId>,
    /// The session that may be resumed; `None`: none has begun, or it has ended.
    pub session: Option<SessionId>,
    /// Whether somebody plays it now, and from where.
    pub connected: Option<Connected>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Connected {
    pub gateway: GatewayId,
    pub address: IpAddr,
}

impl PlayerView {
    fn new(character: CharacterId, record: Record, connected: Option<Connected>) -> Self {
        Self {
            name: record.name,
            character,
            account: record.account,
            zone: match record.place {
                Place::Zone(zone) => Some(zone),
                Place::Rest(_) => None,
            },
            session: Some(record.session).filter(|session| session.0 != 0),
            connected,
        }
    }
}

/// Those who are connected; takes a second and a half to hear of all gateways.
pub fn connected(nats: &Nats) -> anyhow::Result<Vec<PlayerView>> {
    let present = present(nats)?;
    let mut characters = Characters::open(nats)?.all()?;
    let view = |(character, connected)| {
        let record = characters.remove(&character)?;
        Some(PlayerView::new(character, record, Some(connected)))
    };
    Ok(present.into_iter().filter_map(view).collect())
}

/// A character by its name, whatever its case, connected or not.
pub fn find(nats: &Nats, name: &str) -> anyhow::Result<PlayerView> {
    let (character, record) = by_name(nats, name)?;
    let connected = present(nats)?.remove(&character);
    Ok(PlayerView::new(character, record, connected))
}

/// The account that a character belongs to.
pub fn account_of(nats: &Nats, name: &str) -> anyhow::Result<AccountId> {
    Ok(by_name(nats, name)?.1.account)
}

fn by_name(nats: &Nats, name: &str) -> anyhow::Result<(CharacterId, Record)> {
    let mut all = Characters::open(nats)?.all()?.into_iter();
    let name = name.to_lowercase();
    let found = all.find(|(_, record)| record.name.to_lowercase() == name);
    found.ok_or_else(|| {
        anyhow!("no character that ever played is called {name:?}; give the whole name")
    })
}

/// Closes the connection of a character, wherever it is.
pub(super) fn kick(
    nats: &Nats,
    character: CharacterId,
    name: &str,
    reason: &str,
) -> anyhow::Result<()> {
    let bus = Bus::new(nats);
    let mut is_kicked = false;
    for gateway in alive(&bus) {
        let order = GatewayOrder::Kick { character, reason: reason.to_owned() };
        is_kicked |= ask(&bus, gateway, &order)? == GatewayAnswer::Kicked(true);
    }
    ensure!(is_kicked, "{name} is not connected; `undercroft admin player list` shows who is");
    Ok(())
}

/// Who is connected where. Somebody who changes gateways at this moment may be at both.
fn present(nats: &Nats) -> anyhow::Result<BTreeMap<CharacterId, Connected>> {
    let bus = Bus::new(nats);
    let mut all = BTreeMap::new();
    for gateway in alive(&bus) {
        let GatewayAnswer::Players(players) = ask(&bus, gateway, &GatewayOrder::Players)? else {
            bail!("gateway {gateway} is of another version; use the `undercroft` of that version");
        };
        let place =
            |Present { character, from: address, .. }| (character, Connected { gateway, address });
        all.extend(players.into_iter().map(place));
    }
    Ok(all)
}

/// The gateways that there are.
fn alive(bus: &Bus) -> Vec<GatewayId> {
    let (tell, told) = crossbeam_channel::unbounded();
    let _listening = bus.subscribe(mail::GATEWAYS_ALIVE, move |bytes| {
        if let Some(Alive { gateway, .. }) = mail::decode(&bytes) {
            // An error: enough was heard.
            let _ = tell.send(gateway);
        }
    });
    let until = Instant::now() + ALIVE_WITHIN;
    let mut alive: Vec<_> = std::iter::from_fn(|| told.recv_deadline(until).ok()).collect();
    alive.sort_unstable();
    alive.dedup();
    alive
}

fn ask(bus: &Bus, gateway: GatewayId, order: &GatewayOrder) -> anyhow::Result<GatewayAnswer> {
    let answer = bus.ask(&mail::gateway_orders(gateway), mail::encode(order))?;
    mail::decode(&answer).ok_or_else(|| anyhow!("gateway {gateway} is of another version"))
}
