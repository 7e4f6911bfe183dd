//! What admins have settled for all processes, as the services see it now.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::cluster::bans;
use super::cluster::flags::{self, Flags};
use super::registrar::unix_now;
use crate::gateway::{Ban, Bans};
use crate::model::AccountId;
use crate::nats::Nats;
use crate::nats::table::TableError;

/// Bans and flags; where there are none, nobody is banned and all flags are as they are by default.
#[derive(Debug, Default)]
pub struct Rules {
    /// On a clock that says the seconds since 1970.
    bans: RwLock<Bans>,
    flags: RwLock<Flags>,
}

impl Rules {
    /// Those of a cluster, from now on.
    pub fn follow(nats: &Nats) -> Result<Arc<Self>, TableError> {
        let rules = Arc::new(Self::default());
        let told = rules.clone();
        bans::follow(nats, move |records| {
            let now = unix_now();
            told.ban(bans::on_clock(&records, now, Duration::from_secs(now)));
        })?;
        let told = rules.clone();
        flags::follow(nats, move |flags| told.set_flags(flags))?;
        Ok(rules)
    }

    pub(super) fn ban(&self, bans: Bans) {
        *self.bans.write().unwrap_or_else(PoisonError::into_inner) = bans;
    }

    pub(super) fn set_flags(&self, flags: Flags) {
        *self.flags.write().unwrap_or_else(PoisonError::into_inner) = flags;
    }

    #[must_use]
    pub fn flags(&self) -> Flags {
        self.flags.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ban that holds now for somebody.
    #[must_use]
    pub fn banned(&self, account: Option<AccountId>, from: IpAddr) -> Option<Ban> {
        let bans = self.bans.read().unwrap_or_else(PoisonError::into_inner);
        bans.find(Duration::from_secs(unix_now()), account, from).cloned()
    }
}
