//! What processes tell each other over the bus, and under which subjects.
//!
//! Each message begins with a byte for its format; one of another format is not understood, and
//! counts as lost. All that gets lost is said again by whoever needs it.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::game::state::{Arrive, Departure, DepartureKey};
use crate::gateway::{Present, Used};
use crate::model::{AccountId, CharacterId, GatewayId, InstanceId, Tick, ZoneId};
use crate::protocol::bus::{Bundle, ToZone};

/// The format of what this version says.
const FORMAT: u8 = 4;

/// Heard by all gateways, and by instances whose zones wait for others.
pub const GATEWAYS: &str = "gateways";
/// Heard by all instances and the services: which gateways there are.
pub const GATEWAYS_ALIVE: &str = "alive";
/// Heard by all gateways: what each has let through.
pub const USAGE: &str = "usage";
/// Heard by whoever watches the cluster.
pub const FIGURES: &str = "figures";
/// Asked by gateways, answered by the services.
pub const ACCOUNT: &str = "services.account";

/// Heard by the instance that runs the zone.
#[must_use]
pub fn zone(zone: ZoneId) -> String {
    format!("zone.{zone}")
}

/// Heard by one gateway.
#[must_use]
pub fn gateway(gateway: GatewayId) -> String {
    format!("gateway.{gateway}")
}

/// Asked by admins, answered by one instance.
#[must_use]
pub fn instance(instance: InstanceId) -> String {
    format!("instance.{instance}")
}

/// Asked by admins, answered by one gateway.
#[must_use]
pub fn gateway_orders(gateway: GatewayId) -> String {
    format!("orders.{gateway}")
}

/// What is said to a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "departures are few and gone at once")]
pub enum ToZoneMail {
    Gateway { gateway: GatewayId, messages: Vec<ToZone> },
    Arrival(Departure),
    Confirmed(DepartureKey),
    Call { character: CharacterId, to: ZoneId, arrive: Arrive },
    Recorded { tick: Tick, loser: CharacterId },
}

/// What is said to a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGatewayMail {
    /// `number` rises by one with each message of this sender to this gateway. `early_us`: how long
    /// before the tick its players' inputs were there, if there were any.
    Bundles { sender: u64, number: u64, early_us: Option<i32>, bundles: Vec<Bundle> },
    /// A zone goes to another instance.
    ZoneDown(ZoneId),
    /// An instance has taken a zone over.
    ZoneUp(ZoneId),
}

/// What a gateway says of itself, every second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    pub gateway: GatewayId,
    /// `host:port` of WebSocket and QUIC, as players reach them.
    pub websocket: String,
    pub quic: String,
    /// SHA-256 of the certificates that it may show over QUIC, in base64.
    pub certificate_hashes: Vec<String>,
    pub players: u32,
    /// It lets nobody in any more.
    pub is_draining: bool,
}

/// What a gateway has let through, a few times a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageMail {
    pub gateway: GatewayId,
    pub used: Vec<Used>,
}

/// What an instance or a gateway has to do, every second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Figures {
    Instance {
        instance: InstanceId,
        /// Those that it runs, and how many players are in each.
        zones: Vec<(ZoneId, u32)>,
        /// The work of a tick in microseconds, of late: half of them take at most the first, 99 of
        /// 100 the second. Nothing where no zone ticks.
        tick: Option<(u32, u32)>,
    },
    Gateway {
        gateway: GatewayId,
        /// Where players reach it.
        websocket: String,
        connections: u32,
        players: u32,
    },
}

/// What an admin asks of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GatewayOrder {
    /// Say who plays.
    Players,
    /// Close the connection of a character, and say this to its player.
    Kick { character: CharacterId, reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GatewayAnswer {
    Players(Vec<Present>),
    /// Whether there was such a connection.
    Kicked(bool),
    Unknown,
}

/// A question about an account's characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountQuestion {
    pub account: AccountId,
}

/// The answer: those that the account has, newest first, or that nobody can say now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountAnswer {
    Characters(Vec<CharacterId>),
    Unavailable,
}

/// What an admin asks of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceOrder {
    /// Hand a zone to another instance.
    Move { zone: ZoneId, to: InstanceId },
    /// Have a zone followed by another instance, or no more.
    SetStandby { zone: ZoneId, has_standby: bool },
    /// Hand all zones to others and take no more.
    Drain,
}

/// `Err`: why not, in one sentence.
pub type InstanceAnswer = Result<(), String>;

#[must_use]
pub fn encode(message: &impl Serialize) -> Bytes {
    let head = vec![FORMAT];
    postcard::to_extend(message, head).expect("a message is plain data").into()
}

/// `None` for what this version does not understand.
#[must_use]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (&format, rest) = bytes.split_first()?;
    (format == FORMAT).then(|| postcard::from_bytes(rest).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_and_other_formats_do_not() {
        let down = ToGatewayMail::ZoneDown(ZoneId(7));
        let mut bytes = encode(&down).to_vec();
        assert_eq!(decode(&bytes), Some(down));
        bytes[0] = FORMAT + 1;
        assert_eq!(decode::<ToGatewayMail>(&bytes), None);
        assert_eq!(decode::<ToGatewayMail>(&[]), None);
        assert_eq!(decode::<ToGatewayMail>(&[FORMAT, 0xff]), None);
    }
}
