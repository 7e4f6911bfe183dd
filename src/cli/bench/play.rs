//! A zone full of scripted players, without sockets: what the tick and replay benchmarks run.

use std::sync::Arc;

use super::measure::Scene;
use crate::game::rng::Rng;
use crate::game::state::{Arrive, DepartureKey, Input, ZoneKind, ZoneState};
use crate::game::turn::Turn;
use crate::model::limits::NO_ACTOR;
use crate::model::{
    AccountId, CharacterId, Command, Direction, GatewayId, Pos, SessionId, Tick, ZoneId,
};
use crate::protocol::View;
use crate::protocol::bus::{FromZone, ToZone};
use crate::protocol::frame::FrameReader;
use crate::sim::{self, Scratch, StepOutput, ZoneSpec};
use crate::zone::{Entry, Output, Zone};

/// What to play.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Stage {
    #[arg(long, value_enum, default_value_t = Scene::Cave)]
    pub scene: Scene,
    /// Sides of the zone, in cells.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(32..=1_024))]
    pub width: u16,
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(32..=1_024))]
    pub height: u16,
    /// Monsters, all of them awake.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(..=40_000))]
    pub monsters: u32,
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub players: u32,
    /// Floor, which decides the kinds of monsters.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=25))]
    pub depth: u8,
    /// Seeds the zone and every player.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Leave the players around the stair they come by, in sight of each other.
    #[arg(long)]
    pub clustered: bool,
}

const GATEWAY: GatewayId = GatewayId(1);
/// Health that makes the players last as long as the benchmark.
const HEALTH: i32 = 30_000;
/// Ticks between two commands of a player: ten a second.
const TICKS_PER_COMMAND: u64 = 2;

/// What the players of one tick were sent and saw.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    pub frames: u64,
    pub keyframes: u64,
    pub bytes: u64,
    /// Actors in view, and those of them that have moved since the frame before.
    pub actors: u64,
    pub moving: u64,
}

impl Shown {
    pub(super) fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.keyframes += other.keyframes;
        self.bytes += other.bytes;
        self.actors += other.actors;
        self.moving += other.moving;
    }
}

/// One player's end.
#[derive(Debug)]
struct Scripted {
    character: CharacterId,
    reader: FrameReader,
    number: u32,
    heading: u8,
    /// Where it was at its last command.
    stood: Pos,
    wants_keyframe: bool,
    /// What the frame before showed.
    before: Option<Arc<View>>,
}

/// The zone and its players.
#[derive(Debug)]
pub(super) struct Play {
    seed: u64,
    pub zone: Zone,
    players: Vec<Scripted>,
}

impl Stage {
    /// The zone before the first tick of the play: made, and the players in it.
    pub(super) fn state(&self) -> ZoneState {
        let mut state = sim::generate(&ZoneSpec {
            zone: ZoneId(self.depth.into()),
            world_seed: self.seed,
            depth: self.depth,
            width: self.width,
            height: self.height,
            kind: match self.scene {
                Scene::Cave => ZoneKind::Floor,
                Scene::Hall => ZoneKind::Hall,
            },
            monsters: Some(self.monsters),
        });
        sim::restore(&mut state);
        let arrivals: Vec<Input> = self
            .characters()
            .map(|character| {
                let mut sheet = sim::new_sheet(character, &format!("p{character}"), self.seed);
                (sheet.hp, sheet.hp_max) = (HEALTH, HEALTH);
                let key = DepartureKey { zone: ZoneId(0), tick: Tick(0), character };
                Input::Arrive { key, at: Arrive::Up, sheet }
            })
            .collect();
        let (mut scratch, mut output) = (Scratch::default(), StepOutput::default());
        sim::step(&mut state, &arrivals, &mut scratch, &mut output);
        if !self.clustered {
            self.spread(&mut state);
        }
        state
    }

    /// Moves every player to a free cell somewhere: they would stand around one stair else.
    fn spread(&self, state: &mut ZoneState) {
        let cells = u32::from(self.width) * u32::from(self.height);
        let mut rng = Rng::new(self.seed, 0, 1);
        let bodies: Vec<u16> = state.players.values().map(|player| player.slot).collect();
        let mut turn = Turn { state, events: &mut Vec::new() };
        for slot in bodies.into_iter().filter(|&slot| slot != NO_ACTOR) {
            let free = (0..1_000).find_map(|_| turn.state.free_cell_near(rng.below(cells), 0));
            if let Some(cell) = free {
                turn.relocate(slot, cell);
            }
        }
    }

    fn characters(&self) -> impl Iterator<Item = CharacterId> + use<> {
        (1..=u64::from(self.players)).map(CharacterId)
    }
}

impl Play {
    /// Takes the zone over and attaches every player, with datagrams as carrier.
    pub(super) fn new(stage: &Stage, state: ZoneState) -> Self {
        let mut zone = Zone::new(state, "bench");
        let players: Vec<Scripted> = stage
            .characters()
            .map(|character| Scripted {
                character,
                reader: FrameReader::default(),
                number: 0,
                heading: Rng::new(stage.seed, 0, character.0).below(8) as u8,
                stood: Pos::default(),
                wants_keyframe: false,
                before: None,
            })
            .collect();
        for player in &players {
            zone.handle_message(
                GATEWAY,
                ToZone::Attach {
                    character: player.character,
                    account: AccountId(1),
                    session: SessionId(player.character.0),
                    attach: 1,
                    ordered: false,
                    sheet: None,
                },
            );
        }
        Self { seed: stage.seed, zone, players }
    }

    /// The players whose turn it is speak, each with what it has seen.
    pub(super) fn speak(&mut self) {
        let tick = self.zone.state().tick.0;
        for player in &mut self.players {
            if !(tick + player.character.0).is_multiple_of(TICKS_PER_COMMAND) {
                continue;
            }
            player.number += 1;
            let message = ToZone::Input {
                character: player.character,
                attach: 1,
                last_frame: player.reader.newest(),
                keyframe: std::mem::take(&mut player.wants_keyframe),
                first: player.number,
                commands: vec![player.decide(Rng::new(self.seed, tick, player.character.0))],
            };
            self.zone.handle_message(GATEWAY, message);
        }
    }

    /// The tick is durable: its frames reach the players.
    pub(super) fn deliver(&mut self, entry: &Entry) -> Shown {
        self.zone.handle_durable(entry.tick);
        let mut shown = Shown::default();
        while let Some(output) = self.zone.poll_output() {
            let Output::Bundle { bundle, .. } = output else { continue };
            for item in bundle.items {
                let FromZone::Frame { character, message, .. } = item else { continue };
                let index = character.0 as usize - 1;
                self.players[index].handle_frame(&message, &mut shown);
            }
        }
        shown
    }
}

impl Scripted {
    /// Walks on, turns where it is stuck and around whoever stands in the way, now and then looks
    /// about and waits. It fights nobody, so that all monsters last.
    fn decide(&mut self, mut rng: Rng) -> Command {
        let Some(view) = self.reader.view() else { return Command::Rest };
        let stuck = self.stood == view.me.pos;
        self.stood = view.me.pos;
        match rng.below(100) {
            0..=1 => return Command::Search,
            2..=4 => return Command::Rest,
            5..=6 => return Command::PickUp,
            chance if stuck || chance < 15 => self.heading = rng.below(8) as u8,
            _ => {}
        }
        for turn in 0..8 {
            let heading = Direction::ALL[usize::from(self.heading + turn) % 8];
            let next = view.me.pos.step(heading, view.place.width, view.place.height);
            if next.is_some_and(|next| view.actors.iter().all(|actor| actor.pos != next)) {
                return Command::Move(heading);
            }
        }
        Command::Rest
    }

    fn handle_frame(&mut self, message: &[u8], shown: &mut Shown) {
        shown.frames += 1;
        shown.bytes += message.len() as u64;
        match self.reader.apply(&message[1..]) {
            Ok(Some(applied)) => shown.keyframes += u64::from(applied.keyframe),
            Ok(None) => {}
            Err(_) => self.wants_keyframe = true,
        }
        let Some(view) = self.reader.view() else { return };
        shown.actors += view.actors.len() as u64;
        shown.moving += self.before.as_ref().map_or(0, |before| view.moved_since(before) as u64);
        self.before = Some(view.clone());
    }
}
