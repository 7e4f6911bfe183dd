//! What simulation threads are told, and where.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use crate::game::state::{Arrive, Bout, Departure, DepartureKey};
use crate::model::limits::SIMULATION_MESSAGES_MAX;
use crate::model::{CharacterId, GatewayId, InstanceId, Tick, ZoneId};
use crate::protocol::bus::ToZone;
use crate::zone::Zone;

/// What reaches a simulation thread.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "departures are few and gone at once")]
pub enum Message {
    Gateway {
        gateway: GatewayId,
        zone: ZoneId,
        messages: Vec<ToZone>,
    },
    Arrival(Departure),
    Confirmed(DepartureKey),
    /// A character of `zone` is wanted in another.
    Call {
        zone: ZoneId,
        character: CharacterId,
        to: ZoneId,
        arrive: Arrive,
    },
    /// The store's side has a bout of `zone`.
    Recorded {
        zone: ZoneId,
        tick: Tick,
        loser: CharacterId,
    },
    /// The journal has a zone up to a tick; `token` is the request's.
    Durable {
        zone: ZoneId,
        tick: Tick,
        token: u64,
    },
    Loaded(Box<Zone>),
    /// A zone cannot be loaded; the error was logged.
    Unloadable(ZoneId),
    /// The journal takes no more of a zone: somebody else has written it.
    Refused {
        zone: ZoneId,
        token: u64,
    },
    SnapshotSaved {
        zone: ZoneId,
        tick: Tick,
    },
    /// This process runs a zone from now on.
    Gained(ZoneId),
    /// This process runs a zone no more.
    Lost(ZoneId),
    /// Stop running a zone and give it to another process, or to whoever takes it.
    HandOver {
        zone: ZoneId,
        to: Option<InstanceId>,
    },
    /// A gateway is gone.
    GatewayLost(GatewayId),
    /// Some process has begun to run a zone.
    ZoneUp(ZoneId),
    Stop,
}

/// Addresses of all simulation threads: a zone lives on the thread of its number.
#[derive(Clone, Debug)]
pub struct Threads {
    inboxes: Arc<Vec<Sender<Message>>>,
}

impl Threads {
    /// Makes the inboxes of `count` threads.
    #[must_use]
    pub fn new(count: usize) -> (Self, Vec<Receiver<Message>>) {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..count).map(|_| crossbeam_channel::unbounded()).unzip();
        (Self { inboxes: Arc::new(senders) }, receivers)
    }

    /// Sends to the thread that holds `zone`. A thread that has stopped hears nothing.
    pub fn send(&self, zone: ZoneId, message: Message) {
        if self.inbox(zone).send(message).is_err() {
            log::debug!(zone = zone.0; "the simulation has stopped");
        }
    }

    /// Sends what players say to the thread that holds `zone`. If that is far behind, their inputs
    /// are left out: no frame acknowledges them, so the clients send them again.
    pub fn send_batch(&self, gateway: GatewayId, zone: ZoneId, mut messages: Vec<ToZone>) {
        if self.inbox(zone).len() >= SIMULATION_MESSAGES_MAX {
            messages.retain(is_said_once);
        }
        if !messages.is_empty() {
            self.send(zone, Message::Gateway { gateway, zone, messages });
        }
    }

    fn inbox(&self, zone: ZoneId) -> &Sender<Message> {
        &self.inboxes[zone.0 as usize % self.inboxes.len()]
    }

    /// The store's side has a bout.
    pub fn recorded(&self, bout: &Bout) {
        if let Some(&loser) = bout.losers.first() {
            let (zone, tick) = (bout.zone, bout.tick);
            self.send(zone, Message::Recorded { zone, tick, loser });
        }
    }

    /// Tells every thread that a gateway is gone.
    pub fn gateway_lost(&self, gateway: GatewayId) {
        self.tell_all(|| Message::GatewayLost(gateway));
    }

    /// Tells every thread that some process has begun to run a zone.
    pub fn zone_up(&self, zone: ZoneId) {
        self.tell_all(|| Message::ZoneUp(zone));
    }

    fn tell_all(&self, message: impl Fn() -> Message) {
        for inbox in self.inboxes.iter() {
            // A thread that has stopped hears nothing.
            let _ = inbox.send(message());
        }
    }

    /// Asks every thread to stop after its present tick.
    pub fn stop(&self) {
        self.tell_all(|| Message::Stop);
    }
}

/// Whether nobody says it again.
pub(super) fn is_said_once(message: &ToZone) -> bool {
    !matches!(message, ToZone::Input { .. })
}

#[cfg(test)]
mod tests {
    use super::{Message, Threads};
    use crate::model::limits::SIMULATION_MESSAGES_MAX;
    use crate::model::{CharacterId, GatewayId, ZoneId};
    use crate::protocol::bus::ToZone;

    #[test]
    fn a_thread_far_behind_is_told_what_cannot_be_said_again_only() {
        let (threads, inboxes) = Threads::new(1);
        let (character, attach) = (CharacterId(1), 1);
        let input = || ToZone::Input {
            character,
            attach,
            last_frame: 0,
            keyframe: false,
            first: 1,
            commands: Vec::new(),
        };
        let leave = || ToZone::Detach { character, attach, leave: true };
        let send = |messages| threads.send_batch(GatewayId(1), ZoneId(1), messages);
        for _ in 0..SIMULATION_MESSAGES_MAX {
            send(vec![input()]);
        }
        send(vec![input()]);
        send(vec![input(), leave()]);
        let inbox = &inboxes[0];
        assert_eq!(inbox.len(), SIMULATION_MESSAGES_MAX + 1);
        let Some(Message::Gateway { messages, .. }) = inbox.try_iter().last() else {
            panic!("the last is from the gateway")
        };
        assert_eq!(messages, [leave()]);
    }
}
