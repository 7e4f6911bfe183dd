//! A zone is a log: inputs, ticks, journal entries, snapshots, frames, moves between zones.
//!
//! [`Zone`] is a state machine. A tick has three parts: [`Zone::begin_tick`] hands out the journal
//! entry, [`Zone::job`] the step, which a [`sim::Executor`] makes, and [`Zone::end_tick`] prepares what
//! others are told; that is held back until [`Zone::handle_durable`] says that the entry is on disk.
//! It must never see a clock, a socket or a file, and never let out a frame of a tick that a crash
//! could take back.

mod entry;
mod from_wire;
mod replay;
mod seal;
mod stream;
#[cfg(test)]
mod tests;
mod to_wire;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::game::items::Looks;
use crate::game::state::{
    Arrive, Bout, Departure, DepartureKey, Destination, Event, Happening, Input, STORE, Sheet,
    Subject, ZoneState,
};
use crate::model::limits::HASH_INTERVAL_TICKS;
use crate::model::{CharacterId, GatewayId, Tick, ZoneId};
use crate::protocol::bus::{Bundle, FromZone, ToZone};
use crate::protocol::{ItemView, Place};
use crate::sim::{self, Job, Scratch, StepOutput, Visible};
pub use entry::{Entry, EntryError};
pub use replay::{Recording, RecordingError, ReplayError, Replayer, encode_snapshot};
pub use seal::seal;
use stream::Stream;
use to_wire::{Crowd, Teller};

/// What a zone wants done. Everything in it is durable.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "departures are few and gone at once")]
pub enum Output {
    Bundle {
        gateway: GatewayId,
        bundle: Bundle,
    },
    /// A character leaves for another zone or the store; answered by [`Zone::handle_confirmed`].
    Depart(Departure),
    /// An arrival is durable here: the zone (or store) it came from may forget it.
    Confirm {
        key: DepartureKey,
        character: CharacterId,
    },
    /// For the store; answered by [`Zone::handle_recorded`].
    Fought(Bout),
}

/// What waits for a tick to be durable.
#[derive(Debug)]
struct Held {
    tick: Tick,
    outputs: Vec<Output>,
}

/// A player's hold on a character, through a gateway.
#[derive(Debug)]
struct Attached {
    gateway: GatewayId,
    attach: u64,
    stream: Stream,
    /// The inventory as shown last.
    inventory: Arc<Vec<ItemView>>,
    /// Whether the gateway has been told.
    answered: bool,
}

/// Counts of one tick, for the metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct TickCounts {
    pub commands: u32,
    pub frames: u32,
    pub frame_bytes: u32,
    pub keyframes: u32,
    /// Blows, spells and kills between two actors.
    pub blows: u32,
}

/// One zone and its attached players.
#[derive(Debug)]
pub struct Zone {
    state: ZoneState,
    scratch: Scratch,
    step: StepOutput,
    place: Arc<Place>,
    looks: Looks,
    /// Of the players here, shared with the pictures they are in.
    names: BTreeMap<CharacterId, Arc<str>>,
    nameless: Arc<str>,
    /// What came in since the last tick.
    inbox: Vec<Input>,
    /// Arrivals among `inbox`.
    arriving: Vec<DepartureKey>,
    /// Told to gateways with the next tick.
    replies: Vec<(GatewayId, FromZone)>,
    attached: BTreeMap<CharacterId, Attached>,
    /// The inputs of the tick that has begun.
    begun: Vec<Input>,
    held: VecDeque<Held>,
    outputs: VecDeque<Output>,
    counts: TickCounts,
}

impl Zone {
    /// Takes a zone over: fresh from the generator, or as [`Replayer`] left it. Whoever was
    /// connected is not any more, and departures on their way and bouts that nobody has
    /// recorded are told again.
    #[must_use]
    pub fn new(mut state: ZoneState, name: &str) -> Self {
        sim::restore(&mut state);
        let place = Arc::new(Place {
            zone: state.zone,
            depth: state.depth,
            width: state.width,
            height: state.height,
            name: name.to_owned(),
        });
        let connected = state.players.iter().filter(|(_, p)| p.connected);
        let inbox = connected.map(|(&character, _)| Input::Disconnect { character }).collect();
        let departed = state.departures.iter().cloned().map(Output::Depart);
        let outputs = departed.chain(state.bouts.iter().cloned().map(Output::Fought)).collect();
        Self {
            scratch: Scratch::default(),
            step: StepOutput::default(),
            looks: Looks::of_world(state.world_seed),
            names: BTreeMap::new(),
            nameless: Arc::from(""),
            place,
            inbox,
            arriving: Vec::new(),
            replies: Vec::new(),
            attached: BTreeMap::new(),
            begun: Vec::new(),
            held: VecDeque::new(),
            outputs,
            counts: TickCounts::default(),
            state,
        }
    }

    #[must_use]
    pub fn id(&self) -> ZoneId {
        self.state.zone
    }

    #[must_use]
    pub fn state(&self) -> &ZoneState {
        &self.state
    }

    /// Whether a tick would change anything but the tick counter: nobody is here and nothing came
    /// in. A zone that sleeps is not ticked.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        self.state.players.is_empty() && self.inbox.is_empty() && self.replies.is_empty()
    }

    /// What the last tick did.
    #[must_use]
    pub fn counts(&self) -> TickCounts {
        self.counts
    }

    /// A gateway speaks.
    pub fn handle_message(&mut self, gateway: GatewayId, message: ToZone) {
        match message {
            ToZone::Attach { character, attach, ordered, sheet, account: _, session: _ } => {
                self.attach(gateway, character, attach, ordered, sheet);
            }
            ToZone::Detach { character, attach, leave } => {
                if self.attached.get(&character).is_some_and(|a| a.attach == attach) {
                    self.attached.remove(&character);
                    self.inbox.push(if leave {
                        Input::Leave { character }
                    } else {
                        Input::Disconnect { character }
                    });
                }
            }
            ToZone::Input { character, attach, last_frame, keyframe, first, commands } => {
                let Some(held) = self.attached.get_mut(&character) else { return };
                if held.attach != attach {
                    return;
                }
                held.stream.handle_ack(last_frame);
                if keyframe {
                    held.stream.request_keyframe();
                }
                self.inbox.extend(from_wire::commands(character, first, commands));
            }
        }
    }

    fn attach(
        &mut self,
        gateway: GatewayId,
        character: CharacterId,
        attach: u64,
        ordered: bool,
        sheet: Option<Vec<u8>>,
    ) {
        if let Some(held) = self.attached.get(&character) {
            if held.attach > attach {
                let reply = FromZone::Superseded { character, attach };
                return self.replies.push((gateway, reply));
            }
            if held.gateway != gateway {
                let reply = FromZone::Superseded { character, attach: held.attach };
                self.replies.push((held.gateway, reply));
            }
        }
        let sheet: Option<Sheet> = sheet.and_then(|bytes| postcard::from_bytes(&bytes).ok());
        if !self.state.players.contains_key(&character) {
            let arriving = self.arriving.iter().any(|key| key.character == character);
            match sheet {
                Some(sheet) if sheet.character == character => {
                    let tick = Tick(sheet.version);
                    let key = DepartureKey { zone: STORE, tick, character };
                    self.arrive(key, Arrive::Up, sheet);
                }
                _ if arriving => {}
                _ => {
                    self.replies.push((gateway, FromZone::NotHere { character, attach }));
                    return;
                }
            }
        }
        self.inbox.push(Input::Connect { character });
        let stream = Stream::new(ordered, attach);
        let inventory = Arc::default();
        let held = Attached { gateway, attach, stream, inventory, answered: false };
        self.attached.insert(character, held);
    }

    /// A gateway is gone: whoever was attached by it is not any more.
    pub fn handle_gateway_lost(&mut self, gateway: GatewayId) {
        let lost = self.attached.extract_if(.., |_, held| held.gateway == gateway);
        self.inbox.extend(lost.map(|(character, _)| Input::Disconnect { character }));
    }

    /// The departures that nobody has confirmed: to be sent again where messages get lost.
    pub fn unconfirmed(&self) -> impl Iterator<Item = &Departure> {
        let durable = self.durable();
        self.state.departures.iter().filter(move |departure| departure.key.tick <= durable)
    }

    /// The bouts that nobody has recorded: to be told again.
    pub fn unrecorded(&self) -> impl Iterator<Item = &Bout> {
        let durable = self.durable();
        self.state.bouts.iter().filter(move |bout| bout.tick <= durable)
    }

    /// The newest tick that the journal has.
    fn durable(&self) -> Tick {
        Tick(self.state.tick.0.saturating_sub(self.held.len() as u64))
    }

    /// A character comes from another zone. Answered by [`Output::Confirm`], also the second time.
    pub fn handle_arrival(&mut self, departure: Departure) {
        let at = match departure.to {
            Destination::Zone { arrive, .. } => arrive,
            Destination::Store => Arrive::Up,
        };
        self.arrive(departure.key, at, departure.sheet);
    }

    fn arrive(&mut self, key: DepartureKey, at: Arrive, sheet: Sheet) {
        self.arriving.push(key);
        self.inbox.push(Input::Arrive { key, at, sheet });
    }

    /// The other side has this departure durably.
    pub fn handle_confirmed(&mut self, key: DepartureKey) {
        let Some(departure) = self.state.departures.iter().find(|d| d.key == key) else { return };
        if let Some(held) = self.attached.remove(&key.character) {
            let (character, attach) = (key.character, held.attach);
            let reply = match departure.to {
                Destination::Zone { zone, .. } => FromZone::Moved { character, attach, zone },
                Destination::Store => FromZone::Left { character, attach },
            };
            self.replies.push((held.gateway, reply));
        }
        self.inbox.push(Input::Arrived { key });
    }

    /// Somebody is wanted in another zone: it goes if nothing keeps it.
    pub fn handle_call(&mut self, character: CharacterId, zone: ZoneId, arrive: Arrive) {
        if self.state.players.contains_key(&character) {
            self.inbox.push(Input::Call { character, zone, arrive });
        }
    }

    /// The store's side has the bout of this tick that this one has lost as the first.
    pub fn handle_recorded(&mut self, tick: Tick, loser: CharacterId) {
        if self.state.bouts.iter().any(|bout| bout.tick == tick) {
            self.inbox.push(Input::Recorded { tick, loser });
        }
    }

    /// Begins a tick with what has come in and hands out its journal entry. Every
    /// `limits::HASH_INTERVAL_TICKS` the entry carries the hash of the state it starts from.
    pub fn begin_tick(&mut self) -> Entry {
        self.begun = std::mem::take(&mut self.inbox);
        let before = self.state.tick;
        let hash = before.0.is_multiple_of(HASH_INTERVAL_TICKS).then(|| sim::hash(&self.state));
        Entry::new(self.state.zone, before.next(), hash, &self.begun)
    }

    /// The step of the tick that has begun, to be made once.
    pub fn job(&mut self) -> Job<'_> {
        Job {
            state: &mut self.state,
            inputs: &self.begun,
            scratch: &mut self.scratch,
            out: &mut self.step,
        }
    }

    /// Does the tick that has begun, on the processor.
    pub fn finish_tick(&mut self) {
        self.job().run();
        self.end_tick();
    }

    /// Ends a tick whose step is made. Its frames and moves come out of [`Zone::poll_output`] once
    /// it is durable.
    pub fn end_tick(&mut self) {
        let inputs = std::mem::take(&mut self.begun);
        self.counts = TickCounts::default();
        let happened = self.step.events.iter();
        let between_actors = |event: &&Event| {
            let Happening::Note { who, other, .. } = event.what else { return false };
            who != Subject::Nobody && other != Subject::Nobody
        };
        let blows = happened.filter(between_actors).count();
        self.counts.blows = u32::try_from(blows).unwrap_or(u32::MAX);
        self.counts.commands =
            u32::try_from(inputs.iter().filter(|i| matches!(i, Input::Command { .. })).count())
                .unwrap_or(u32::MAX);
        let tick = self.state.tick;
        let mut outputs = Vec::new();
        let departed = self.state.departures.iter().filter(|d| d.key.tick == tick);
        outputs.extend(departed.cloned().map(Output::Depart));
        let arrived = self.arriving.drain(..);
        outputs.extend(arrived.map(|key| Output::Confirm { key, character: key.character }));
        let fought = self.state.bouts.iter().filter(|bout| bout.tick == tick);
        outputs.extend(fought.cloned().map(Output::Fought));
        outputs.extend(self.bundles());
        self.held.push_back(Held { tick, outputs });
    }

    /// One bundle for each gateway that has something to be told.
    fn bundles(&mut self) -> Vec<Output> {
        let mut items: BTreeMap<GatewayId, Vec<FromZone>> = BTreeMap::new();
        for (gateway, reply) in self.replies.drain(..) {
            items.entry(gateway).or_default().push(reply);
        }
        let players = &self.state.players;
        self.names.retain(|character, _| players.contains_key(character));
        for (&character, player) in players {
            let name = || player.sheet.name.as_str().into();
            self.names.entry(character).or_insert_with(name);
        }
        let mut teller = Teller {
            state: &self.state,
            scratch: &mut self.scratch,
            looks: &self.looks,
            place: &self.place,
            names: &self.names,
            nameless: &self.nameless,
            crowd: Crowd::new(&self.state, &self.step.events),
        };
        let mut gone = Vec::new();
        for (&character, held) in &mut self.attached {
            let to = items.entry(held.gateway).or_default();
            let attach = held.attach;
            let Some(player) = self.state.players.get(&character) else {
                if !held.answered {
                    to.push(FromZone::NotHere { character, attach });
                    gone.push(character);
                }
                continue;
            };
            if !std::mem::replace(&mut held.answered, true) {
                let (last_command, name) = (player.sheet.last_command, player.sheet.name.clone());
                to.push(FromZone::Attached { character, attach, last_command, name });
            }
            if let Some(news) = self.step.news.get(&character) {
                held.stream.add_cells(news);
            }
            let visible = teller.visible(character);
            teller.tell(player, visible.as_ref(), |event| held.stream.add_event(event));
            let view = teller.view(player, visible.as_ref(), &mut held.inventory);
            let (message, keyframe) = held.stream.next_frame(view, &player.memory, || {
                let cells = visible.iter().flat_map(Visible::iter);
                cells.map(|pos| pos.index(self.place.width) as u32).collect()
            });
            self.counts.frames += 1;
            self.counts.frame_bytes += u32::try_from(message.len()).unwrap_or(0);
            self.counts.keyframes += u32::from(keyframe);
            to.push(FromZone::Frame { character, attach, message });
        }
        for character in gone {
            self.attached.remove(&character);
        }
        let (zone, tick) = (self.state.zone, self.state.tick.0);
        let bundles = items.into_iter().filter(|(_, items)| !items.is_empty());
        bundles
            .map(|(gateway, items)| Output::Bundle {
                gateway,
                bundle: Bundle { zone, tick, items },
            })
            .collect()
    }

    /// The journal has everything up to and including `tick`.
    pub fn handle_durable(&mut self, tick: Tick) {
        while let Some(held) = self.held.pop_front_if(|held| held.tick <= tick) {
            self.outputs.extend(held.outputs);
        }
    }

    /// Ticks done whose entries are not durable yet.
    #[must_use]
    pub fn ticks_in_flight(&self) -> usize {
        self.held.len()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
