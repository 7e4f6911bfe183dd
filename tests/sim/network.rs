//! A network in which a message may be late, lost or doubled, as its carrier allows.

use std::collections::BTreeMap;
use std::time::Duration;

use undercroft::game::rng::Rng;

/// What a message or its absence means to the one it reaches.
#[derive(Clone, Debug)]
pub enum Packet {
    ToServer {
        connection: u64,
        bytes: Vec<u8>,
    },
    ToClient {
        connection: u64,
        bytes: Vec<u8>,
    },
    /// The server learns that the connection is gone.
    ServerClosed {
        connection: u64,
    },
    /// The client learns it.
    ClientClosed {
        connection: u64,
    },
    /// A connection reaches the server.
    Open {
        client: usize,
        connection: u64,
    },
}

/// Chances in a hundred of one network.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub loss: u32,
    pub duplicate: u32,
    /// Longest delay; datagrams of one connection overtake each other within it.
    pub delay_ms: u32,
}

/// Packets under way.
#[derive(Debug)]
pub struct Network {
    pub weather: Weather,
    rng: Rng,
    queue: BTreeMap<(Duration, u64), Packet>,
    sent: u64,
    /// When the last ordered packet of a direction of a connection arrives.
    ordered: BTreeMap<(u64, bool), Duration>,
}

impl Network {
    pub fn new(seed: u64, weather: Weather) -> Self {
        let rng = Rng::new(seed, 1, 0);
        Self { weather, rng, queue: BTreeMap::new(), sent: 0, ordered: BTreeMap::new() }
    }

    fn push(&mut self, at: Duration, packet: Packet) {
        self.sent += 1;
        self.queue.insert((at, self.sent), packet);
    }

    fn delay(&mut self) -> Duration {
        Duration::from_millis(u64::from(1 + self.rng.below(self.weather.delay_ms.max(1))))
    }

    /// Sends what arrives surely and in order, unless the connection ends before.
    pub fn send_ordered(&mut self, now: Duration, connection: u64, up: bool, packet: Packet) {
        let last = self.ordered.get(&(connection, up)).copied().unwrap_or_default();
        let at = (now + self.delay()).max(last);
        self.ordered.insert((connection, up), at);
        self.push(at, packet);
    }

    /// Sends what may get lost, overtaken or doubled.
    pub fn send_datagram(&mut self, now: Duration, packet: Packet) {
        if self.rng.chance(self.weather.loss) {
            return;
        }
        if self.rng.chance(self.weather.duplicate) {
            let at = now + self.delay();
            self.push(at, packet.clone());
        }
        let at = now + self.delay();
        self.push(at, packet);
    }

    /// Drops everything under way on a connection, in both directions.
    pub fn cut(&mut self, connection: u64) {
        self.queue.retain(|_, packet| match packet {
            Packet::ToServer { connection: c, .. }
            | Packet::ToClient { connection: c, .. }
            | Packet::Open { connection: c, .. } => *c != connection,
            Packet::ServerClosed { .. } | Packet::ClientClosed { .. } => true,
        });
    }

    /// Drops what is under way to a server that has died.
    pub fn cut_all(&mut self) {
        self.queue.clear();
        self.ordered.clear();
    }

    /// The next packet that has arrived by `now`.
    pub fn arrived(&mut self, now: Duration) -> Option<Packet> {
        let entry = self.queue.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
