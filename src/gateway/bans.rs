//! Who may not come in.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::AccountId;

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    /// Its bits beyond `bits` are 0.
    address: IpAddr,
    bits: u8,
}

/// Why a text names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address and no network; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")]
pub struct NetworkError {
    text: String,
}

impl Network {
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.bits) == Some(self.address)
    }
}

/// An address with all bits beyond the first ones 0; none if it has fewer.
fn masked(address: IpAddr, bits: u8) -> Option<IpAddr> {
    let keep = u32::from(bits);
    Some(match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(keep)?).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(keep)?).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    })
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parse = || {
            let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
            let address: IpAddr = address.parse().ok()?;
            let all = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Some(all), |bits| bits.parse().ok())?;
            let address = masked(address, bits)?;
            Some(Self { address, bits })
        };
        parse().ok_or_else(|| NetworkError { text: text.to_owned() })
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = if self.address.is_ipv4() { 32 } else { 128 };
        if self.bits == all {
            return self.address.fmt(f);
        }
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Whom a ban is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    Account(AccountId),
    Address(Network),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "account {account}"),
            Self::Address(network) => write!(f, "address {network}"),
        }
    }
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    pub target: Target,
    /// For whoever is banned to read.
    pub reason: String,
    /// When it ends, on the clock of whoever holds it; `None`: never by itself.
    pub until: Option<Duration>,
}

impl Ban {
    /// How long it still holds; zero for one without an end.
    #[must_use]
    pub fn rest(&self, now: Duration) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_sub(now))
    }
}

/// All bans; few enough to be looked through one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bans(Vec<Ban>);

impl Bans {
    #[must_use]
    pub fn new(bans: Vec<Ban>) -> Self {
        Self(bans)
    }

    /// The ban that holds now for somebody, the longest if there are several.
    #[must_use]
    pub fn find(&self, now: Duration, account: Option<AccountId>, from: IpAddr) -> Option<&Ban> {
        let is_meant = |target: Target| match target {
            Target::Account(banned) => account == Some(banned),
            Target::Address(network) => network.contains(from),
        };
        let holds = |ban: &&Ban| ban.until.is_none_or(|until| now < until) && is_meant(ban.target);
        self.0.iter().filter(holds).max_by_key(|ban| ban.until.unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_hold_what_begins_like_them() {
        // What is written, how it is shown, whom it holds, whom not.
        for (text, shown, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.7/24", "192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("0.0.0.0/0", "0.0.0.0/0", "203.0.113.9", "::1"),
            ("192.0.2.7/32", "192.0.2.7", "::ffff:192.0.2.7", "::ffff:192.0.2.6"),
            ("2001:db8::5/32", "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::5", "2001:db8::5", "2001:db8::5", "2001:db8::4"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), shown);
            assert_eq!(shown.parse(), Ok(network), "{text}");
            assert!(network.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{text} {outside}");
        }
        for text in ["", "here", "192.0.2.7/33", "192.0.2.7/", "2001:db8::/129", "192.0.2/24", "/8"]
        {
            let error = text.parse::<Network>().unwrap_err();
            assert!(error.to_string().contains("192.0.2.0/24"), "{error}");
        }
    }

    #[test]
    fn of_several_bans_the_longest_that_holds_is_found() {
        let at = Duration::from_secs;
        let here: IpAddr = "192.0.2.7".parse().unwrap();
        let elsewhere: IpAddr = "203.0.113.1".parse().unwrap();
        let ban = |target, until: Option<u64>| Ban {
            target,
            reason: String::new(),
            until: until.map(at),
        };
        let network = Target::Address("192.0.2.0/24".parse().unwrap());
        let bans = Bans::new(vec![
            ban(Target::Account(AccountId(1)), Some(10)),
            ban(network, Some(20)),
            ban(Target::Account(AccountId(2)), None),
        ]);
        for (now, account, from, expected) in [
            (0, None, elsewhere, None),
            (0, Some(1), elsewhere, Some(Some(10))),
            (9, Some(1), here, Some(Some(20))),
            (10, Some(1), elsewhere, None),
            (19, None, here, Some(Some(20))),
            (20, None, here, None),
            (0, Some(2), here, Some(None)),
            (999, Some(2), elsewhere, Some(None)),
            (0, Some(3), elsewhere, None),
        ] {
            let found = bans.find(at(now), account.map(AccountId), from);
            let expected = expected.map(|until: Option<u64>| until.map(at));
            assert_eq!(found.map(|ban| ban.until), expected, "{now} {account:?} {from}");
        }
    }
}
