//! Identifiers and the tick counter.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id! {
    /// Names a zone: floors are 1 to [`crate::model::limits::FLOORS`], arenas have higher numbers.
    ZoneId(u32)
}
id! {
    /// Names an account in the store; 0 is never given out.
    AccountId(u64)
}
id! {
    /// Names a character (what a player plays); 0 is never given out.
    CharacterId(u64)
}
id! {
    /// Names an authenticated session, which outlives its connections.
    SessionId(u64)
}
id! {
    /// Names a gateway process on the bus.
    GatewayId(u32)
}
id! {
    /// Names an instance: a process that runs zones.
    InstanceId(u32)
}
id! {
    /// Counts the steps of one zone since it was made. Zones count for themselves.
    Tick(u64)
}

impl Tick {
    /// The tick after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
