//! Counts what strangers hold, in total and by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why nothing was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// All are in use.
    All,
    /// The address has its share.
    Address,
}

/// A bounded number of places, of which one address may hold only some.
#[derive(Debug)]
pub(super) struct Slots {
    max: usize,
    per_address_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One place, free again when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    address: IpAddr,
}

impl Slots {
    pub(super) fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { max, per_address_max, held: Mutex::default() })
    }

    pub(super) fn hold(self: &Arc<Self>, address: IpAddr) -> Result<Slot, Refused> {
        let address = share_of(address);
        let mut held = self.lock();
        if held.total >= self.max {
            return Err(Refused::All);
        }
        let count = held.by_address.entry(address).or_default();
        if *count >= self.per_address_max {
            return Err(Refused::Address);
        }
        *count += 1;
        held.total += 1;
        Ok(Slot { slots: Arc::clone(self), address })
    }

    /// Whether [`Self::hold`] would refuse this address now.
    pub(super) fn is_full_for(&self, address: IpAddr) -> bool {
        let held = self.lock();
        let count = held.by_address.get(&share_of(address)).copied().unwrap_or(0);
        held.total >= self.max || count >= self.per_address_max
    }

    pub(super) fn held(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // The counts are whole at every point where a holder could panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.slots.lock();
        held.total -= 1;
        if let Some(count) = held.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.by_address.remove(&self.address);
            }
        }
    }
}

/// Whoever has one IPv6 address has its whole /64.
fn share_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_total_are_kept() {
        let slots = Slots::new(3, 2);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = slots.hold(address("2001:db8::1")).unwrap();
        let _second = slots.hold(address("2001:db8::2")).unwrap();
        assert_eq!(slots.hold(address("2001:db8::3")).unwrap_err(), Refused::Address);
        let _third = slots.hold(address("192.0.2.1")).unwrap();
        assert_eq!(slots.hold(address("::ffff:192.0.2.1")).unwrap_err(), Refused::All);
        assert!(slots.is_full_for(address("192.0.2.9")));
        drop(first);
        assert_eq!(slots.held(), 2);
        assert!(slots.hold(address("2001:db8::3")).is_ok());
    }
}
