//! How often an address may ask.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses remembered for each half of the memory; those beyond share one bucket.
const ADDRESSES_MAX: usize = 32_768;
const MINUTE: Duration = Duration::from_secs(60);

/// A bucket of requests for each address, filled evenly over a minute.
///
/// A bucket that was left alone for a minute is full, which is what an unknown address has: so
/// addresses may be forgotten by generations of a minute, and the memory is bounded.
pub(super) struct Limiter {
    per_minute: f64,
    state: Mutex<State>,
}

struct State {
    begun: Instant,
    young: HashMap<IpAddr, Bucket>,
    old: HashMap<IpAddr, Bucket>,
    shared: Bucket,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Limiter {
    pub(super) fn new(per_minute: u32, now: Instant) -> Self {
        let per_minute = f64::from(per_minute);
        let shared = Bucket { tokens: per_minute, at: now };
        let state = State { begun: now, young: HashMap::new(), old: HashMap::new(), shared };
        Self { per_minute, state: Mutex::new(state) }
    }

    /// Takes one request of an address, or says how long it has to wait for the next.
    pub(super) fn admit(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.turn(now);
        let key = key(address);
        let known = state.young.get(&key).or_else(|| state.old.get(&key)).copied();
        let is_room = state.young.len() < ADDRESSES_MAX || state.young.contains_key(&key);
        let full = Bucket { tokens: self.per_minute, at: now };
        let mut bucket = known.unwrap_or(if is_room { full } else { state.shared });
        let answer = bucket.take(self.per_minute, now);
        if is_room {
            state.young.insert(key, bucket);
        } else if known.is_some() {
            state.old.insert(key, bucket);
        } else {
            state.shared = bucket;
        }
        answer
    }
}

impl State {
    fn turn(&mut self, now: Instant) {
        if now.saturating_duration_since(self.begun) >= MINUTE {
            self.begun = now;
            self.old = std::mem::take(&mut self.young);
        }
    }
}

impl Bucket {
    fn take(&mut self, per_minute: f64, now: Instant) -> Result<(), Duration> {
        let minutes = now.saturating_duration_since(self.at).as_secs_f64() / MINUTE.as_secs_f64();
        self.tokens = (self.tokens + minutes * per_minute).min(per_minute);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.tokens) / per_minute.max(f64::MIN_POSITIVE);
        Err(Duration::try_from_secs_f64(wait * MINUTE.as_secs_f64()).unwrap_or(MINUTE))
    }
}

/// One customer is one address of version 4, or one network of 64 bits of version 6.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    #[test]
    fn so_many_at_once_and_then_one_now_and_then() {
        let start = Instant::now();
        let limiter = Limiter::new(120, start);
        let mut now = start;
        assert_eq!((0..200).filter(|_| limiter.admit(v4(1), now).is_ok()).count(), 120);
        let wait = limiter.admit(v4(1), now).unwrap_err();
        assert!(wait <= Duration::from_millis(501), "{wait:?}");
        now += wait;
        assert!(limiter.admit(v4(1), now).is_ok());
        assert!(limiter.admit(v4(1), now).is_err());
        assert!(limiter.admit(v4(2), now).is_ok());
    }

    #[test]
    fn forgetting_gives_nobody_more() {
        let start = Instant::now();
        let limiter = Limiter::new(60, start);
        let tries = (0..600).map(|n| start + Duration::from_millis(n * 500));
        let admitted = tries.filter(|&now| limiter.admit(v4(1), now).is_ok()).count();
        assert!((355..=361).contains(&admitted), "{admitted} in five minutes");
        let later = start + MINUTE * 9;
        assert_eq!((0..200).filter(|_| limiter.admit(v4(1), later).is_ok()).count(), 60);
        assert!(limiter.state.lock().unwrap().old.len() <= 1);
    }

    #[test]
    fn the_memory_is_bounded_and_known_addresses_keep_their_own() {
        let now = Instant::now();
        let limiter = Limiter::new(10, now);
        for number in 0..ADDRESSES_MAX as u32 + 5 {
            assert!(limiter.admit(v4(number), now).is_ok());
        }
        assert_eq!(limiter.state.lock().unwrap().young.len(), ADDRESSES_MAX);
        let strangers = (0..50).filter(|n| limiter.admit(v4(n + 900_000), now).is_ok()).count();
        assert_eq!(strangers, 5);
        assert!(limiter.admit(v4(3), now).is_ok());
    }

    #[test]
    fn a_network_of_version_6_is_one_customer() {
        let now = Instant::now();
        let limiter = Limiter::new(1, now);
        assert!(limiter.admit("2001:db8:1:2::1".parse().unwrap(), now).is_ok());
        assert!(limiter.admit("2001:db8:1:2:3:4:5:6".parse().unwrap(), now).is_err());
        assert!(limiter.admit("2001:db8:1:3::1".parse().unwrap(), now).is_ok());
        assert!(limiter.admit("::ffff:10.0.0.1".parse().unwrap(), now).is_ok());
        assert!(limiter.admit("10.0.0.1".parse().unwrap(), now).is_err());
    }
}
