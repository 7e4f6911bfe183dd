//! What accounts and addresses use, here and at the other gateways.
//!
//! Each gateway tells the others now and then what it let through ([`Usage::tell`]), and takes what
//! they tell out of its own buckets, below nothing where need be. So a limit holds over all of them
//! in the long run; at once, each may let through what it has not heard of yet.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Config;
use super::bucket::Bucket;
use crate::model::{AccountId, GatewayId};

/// An account may do what so many connections may that do all they can.
const ACCOUNT_CONNECTIONS: u32 = 4;
/// Joins of an account: so many at once, and so many a minute.
const ACCOUNT_JOINS_AT_ONCE: u32 = 30;
const ACCOUNT_JOINS_PER_MINUTE: u32 = 60;
/// Of all that its connections might do, an address may do this part: few do all they can.
const ADDRESS_PART: u32 = 2;
/// A part of a limit so small is not told.
const UNTOLD_PART: u32 = 16;
/// What another gateway told counts for so long.
const TOLD_FOR: Duration = Duration::from_secs(5);

/// Who uses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum User {
    Account(AccountId),
    /// Of version 4 one address, of version 6 a network of 64 bits.
    Address(IpAddr),
}

impl User {
    pub(super) fn address(from: IpAddr) -> Self {
        Self::Address(match from.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

/// What is counted beside connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    pub joins: u32,
    pub commands: u32,
    pub bytes: u32,
}

/// What one gateway says of somebody: the connections there are now, and what was let through
/// since it last said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    pub user: User,
    pub connections: u32,
    pub amounts: Amounts,
}

/// Who uses what.
#[derive(Debug)]
pub(super) struct Usage {
    account: Limits,
    address: Limits,
    users: HashMap<User, Entry>,
    /// Connections elsewhere, and when that was heard.
    elsewhere: HashMap<GatewayId, (Duration, HashMap<User, u32>)>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    connections: u32,
    joins_at_once: u32,
    joins_per_minute: u32,
    commands_per_second: u32,
    bytes_per_second: u32,
}

#[derive(Debug)]
struct Entry {
    connections: u32,
    joins: Bucket,
    commands: Bucket,
    bytes: Bucket,
    untold: Amounts,
}

impl Usage {
    pub(super) fn new(config: &Config) -> Self {
        let all = u32::try_from(config.connections_per_address_max).unwrap_or(u32::MAX);
        let by = |one: u32, connections: u32| one.saturating_mul(connections);
        let account = Limits {
            // Each plays a character, which one connection holds at a time.
            connections: u32::MAX,
            joins_at_once: ACCOUNT_JOINS_AT_ONCE,
            joins_per_minute: ACCOUNT_JOINS_PER_MINUTE,
            commands_per_second: by(config.commands_per_second, ACCOUNT_CONNECTIONS),
            bytes_per_second: by(config.bytes_per_second, ACCOUNT_CONNECTIONS),
        };
        let busy = all.div_ceil(ADDRESS_PART);
        let address = Limits {
            connections: all,
            // All that may be connected may come back at once.
            joins_at_once: all,
            joins_per_minute: all,
            commands_per_second: by(config.commands_per_second, busy),
            bytes_per_second: by(config.bytes_per_second, busy),
        };
        Self { account, address, users: HashMap::new(), elsewhere: HashMap::new() }
    }

    #[cfg(test)]
    pub(super) fn users(&self) -> usize {
        self.users.len()
    }

    fn limits(&self, user: User) -> Limits {
        match user {
            User::Account(_) => self.account,
            User::Address(_) => self.address,
        }
    }

    fn entry(&mut self, now: Duration, user: User) -> &mut Entry {
        let limits = self.limits(user);
        self.users.entry(user).or_insert_with(|| Entry::new(limits, now))
    }

    /// One more connection; false if that is more than there may be.
    pub(super) fn connect(&mut self, now: Duration, user: User) -> bool {
        let elsewhere: u32 = self
            .elsewhere
            .values()
            .filter(|(heard, _)| now.saturating_sub(*heard) < TOLD_FOR)
            .filter_map(|(_, users)| users.get(&user))
            .sum();
        let most = self.limits(user).connections;
        let entry = self.entry(now, user);
        entry.connections += 1;
        entry.connections.saturating_add(elsewhere) <= most
    }

    /// A connection is gone.
    pub(super) fn disconnect(&mut self, user: User) {
        if let Some(entry) = self.users.get_mut(&user) {
            entry.connections = entry.connections.saturating_sub(1);
        }
    }

    /// One joins, or has to wait so long.
    pub(super) fn join(&mut self, now: Duration, user: User) -> Result<(), Duration> {
        let entry = self.entry(now, user);
        if !entry.joins.take(now, 1) {
            return Err(entry.joins.wait(now));
        }
        entry.untold.joins += 1;
        Ok(())
    }

    /// Takes commands, if there may be so many.
    pub(super) fn command(&mut self, now: Duration, user: User, count: usize) -> bool {
        let entry = self.entry(now, user);
        let may = entry.commands.take(now, count);
        if may {
            add(&mut entry.untold.commands, count);
        }
        may
    }

    /// Takes bytes, if there may be so many.
    pub(super) fn receive(&mut self, now: Duration, user: User, bytes: usize) -> bool {
        let entry = self.entry(now, user);
        let may = entry.bytes.take(now, bytes);
        if may {
            add(&mut entry.untold.bytes, bytes);
        }
        may
    }

    /// What the other gateways have to know, in order, and forgets whoever uses nothing.
    pub(super) fn tell(&mut self, now: Duration) -> Vec<Used> {
        let (account, address) = (self.account, self.address);
        self.elsewhere.retain(|_, (heard, _)| now.saturating_sub(*heard) < TOLD_FOR);
        self.users.retain(|_, entry| entry.connections > 0 || !entry.is_full(now));
        let tell = |(&user, entry): (&User, &mut Entry)| {
            let limits = if matches!(user, User::Account(_)) { account } else { address };
            limits.is_worth_telling(entry).then(|| {
                let amounts = std::mem::take(&mut entry.untold);
                Used { user, connections: entry.connections, amounts }
            })
        };
        let mut told: Vec<Used> = self.users.iter_mut().filter_map(tell).collect();
        told.sort_unstable_by_key(|used| used.user);
        told
    }

    /// Another gateway tells what it let through.
    pub(super) fn hear(&mut self, now: Duration, from: GatewayId, told: Vec<Used>) {
        let mut connections = HashMap::new();
        for Used { user, connections: there, amounts } in told {
            connections.insert(user, there);
            let entry = self.entry(now, user);
            entry.joins.owe(now, amounts.joins as usize);
            entry.commands.owe(now, amounts.commands as usize);
            entry.bytes.owe(now, amounts.bytes as usize);
        }
        self.elsewhere.insert(from, (now, connections));
    }
}

impl Limits {
    fn is_worth_telling(&self, entry: &Entry) -> bool {
        let is_much = |amount: u32, most: u32| amount > 0 && amount >= most / UNTOLD_PART;
        is_much(entry.connections, self.connections)
            || is_much(entry.untold.joins, self.joins_at_once)
            || is_much(entry.untold.commands, self.commands_per_second)
            || is_much(entry.untold.bytes, self.bytes_per_second)
    }
}

impl Entry {
    fn new(limits: Limits, now: Duration) -> Self {
        Self {
            connections: 0,
            joins: Bucket::new(limits.joins_per_minute, limits.joins_at_once, now),
            commands: Bucket::per_second(limits.commands_per_second, now),
            bytes: Bucket::per_second(limits.bytes_per_second, now),
            untold: Amounts::default(),
        }
    }

    fn is_full(&mut self, now: Duration) -> bool {
        self.joins.is_full(now) && self.commands.is_full(now) && self.bytes.is_full(now)
    }
}

fn add(sum: &mut u32, count: usize) {
    *sum = sum.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
}
