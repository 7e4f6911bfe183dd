//! The table of bans, which gateways and services follow.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::settled::{self, Settled};
use crate::app::registrar::unix_now;
use crate::gateway::{Ban, Bans, Target};
use crate::nats::Nats;
use crate::nats::table::TableError;

/// The table's name.
pub const BANS: &str = "bans";

/// A ban as it is written down; times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanRecord {
    pub target: Target,
    /// For whoever is banned to read.
    pub reason: String,
    pub since: u64,
    /// `None`: it never ends by itself.
    pub until: Option<u64>,
    pub by: String,
}

impl BanRecord {
    #[must_use]
    pub fn holds(&self, now: u64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The key of a target: addresses of version 6 have colons, which keys must not.
fn key(target: Target) -> String {
    match target {
        Target::Account(account) => format!("account.{account}"),
        Target::Address(network) => format!("address.{}", network.to_string().replace(':', "_")),
    }
}

/// Writes a ban down, or takes the one of its target back.
pub fn set(nats: &Nats, target: Target, ban: Option<&BanRecord>) -> Result<(), TableError> {
    Settled::open(nats, BANS)?.set(&key(target), ban)
}

/// The bans that hold now.
pub fn list(nats: &Nats) -> Result<Vec<BanRecord>, TableError> {
    let now = unix_now();
    let mut bans = read(&Settled::open(nats, BANS)?.rows()?);
    bans.retain(|ban| ban.holds(now));
    Ok(bans)
}

/// Tells those that are banned, now and whenever that changes.
pub fn follow(
    nats: &Nats,
    tell: impl Fn(Vec<BanRecord>) + Send + 'static,
) -> Result<(), TableError> {
    Settled::open(nats, BANS)?.follow(move |rows| tell(read(rows)))
}

fn read(rows: &BTreeMap<String, Bytes>) -> Vec<BanRecord> {
    rows.iter().filter_map(|(key, value)| settled::read(key, value)).collect()
}

/// Bans as a clock has them that says `now` where it is `unix_now`.
#[must_use]
pub fn on_clock(records: &[BanRecord], unix_now: u64, now: Duration) -> Bans {
    let ban = |record: &BanRecord| Ban {
        target: record.target,
        reason: record.reason.clone(),
        until: record.until.map(|until| now + Duration::from_secs(until - unix_now)),
    };
    Bans::new(records.iter().filter(|record| record.holds(unix_now)).map(ban).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountId;

    #[test]
    fn records_come_back_and_their_ends_are_on_the_clock() {
        let record = |target, until| BanRecord {
            target,
            reason: "cheating".to_owned(),
            since: 100,
            until,
            by: "ada@here".to_owned(),
        };
        let account = record(Target::Account(AccountId(7)), Some(130));
        let text = serde_json::to_string(&account).unwrap();
        assert_eq!(
            text,
            r#"{"target":{"account":7},"reason":"cheating","since":100,"until":130,"by":"ada@here"}"#
        );
        assert_eq!(serde_json::from_str::<BanRecord>(&text).unwrap(), account);
        let network = Target::Address("2001:db8::/32".parse().unwrap());
        assert_eq!(key(network), "address.2001_db8__/32");
        let records = [account, record(network, None)];
        let here = "192.0.2.1".parse().unwrap();
        let bans = on_clock(&records, 120, Duration::from_secs(3));
        let until = |now, account, from| {
            bans.find(Duration::from_secs(now), account, from).map(|ban| ban.until)
        };
        assert_eq!(until(3, Some(AccountId(7)), here), Some(Some(Duration::from_secs(13))));
        assert_eq!(until(13, Some(AccountId(7)), here), None);
        assert_eq!(until(3, None, "2001:db8::9".parse().unwrap()), Some(None));
        let bans = on_clock(&records, 130, Duration::ZERO);
        assert_eq!(bans.find(Duration::ZERO, Some(AccountId(7)), here), None);
    }
}
