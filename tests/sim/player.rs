//! One player of a run: its client, its wits, and every command it gave.

use std::collections::BTreeMap;
use std::time::Duration;

use undercroft::client::{
    Behaviour, Brain, Client, Config, Credentials, Knowledge, Legend, Output,
};
use undercroft::game::catalog::Terrain;
use undercroft::game::catalog::terrain::flags;
use undercroft::game::rng::{Rng, mix};
use undercroft::game::state::ZoneState;
use undercroft::model::limits::COMMAND_QUEUE_MAX;
use undercroft::model::{CharacterId, Command, Direction};

use crate::reference::Reference;

/// The reference model of one player: every command it gave, by number.
pub struct Player {
    pub client: Client,
    brain: Brain,
    pub connection: Option<u64>,
    pub ordered: bool,
    pub given: BTreeMap<u32, Command>,
    acknowledged: u32,
}

impl Player {
    /// Number `n`, with the character of that number.
    pub fn new(seed: u64, n: u64) -> Self {
        let ordered = n.is_multiple_of(2);
        let credentials =
            Credentials { token: n.to_string(), character: CharacterId(n), ..Default::default() };
        let mut config = Config::new(credentials, !ordered, mix(seed ^ n));
        config.patience = Duration::from_secs(3_600);
        Self {
            client: Client::new(config),
            brain: Brain::new(mix(seed.wrapping_add(n)), Behaviour::Play),
            connection: None,
            ordered,
            given: BTreeMap::new(),
            acknowledged: 0,
        }
    }

    /// Lets time come to `now`; gives commands where it decides. Nothing told is taken back.
    pub fn tick(
        &mut self,
        seed: u64,
        now: Duration,
        decides: Option<&Legend>,
        rng: &mut Rng,
    ) -> Vec<Output> {
        self.client.handle_timeout(now);
        if let Some(legend) = decides {
            give_commands(self, legend, now, rng);
        }
        let (before, after) = (self.acknowledged, self.client.last_acknowledged());
        assert!(after >= before, "seed {seed}: somebody was told {before} and then {after}");
        self.acknowledged = after;
        self.client.take_events();
        std::iter::from_fn(|| self.client.poll_output()).collect()
    }

    /// Compares what the zones have with what the player did and sees.
    pub fn check(&self, seed: u64, states: &[&ZoneState], reference: &mut Reference) {
        let character = self.client.session().unwrap().character;
        let mut holders = states.iter().filter(|z| z.players.contains_key(&character));
        let zone = holders.next().unwrap_or_else(|| panic!("seed {seed}: {character} is nowhere"));
        assert!(holders.next().is_none(), "seed {seed}: {character} is in two zones");
        let state = &zone.players[&character];
        assert_eq!(state.sheet.last_command, self.acknowledged, "seed {seed}: {character}");
        let cells = self.client.cells().unwrap();
        let differ = (0..zone.area()).find(|&i| cells.cell(i) != state.memory.cell(i));
        let differ = differ.map(|i| (i, cells.cell(i), state.memory.cell(i)));
        let stats = self.client.stats();
        assert_eq!(differ, None, "seed {seed}: {character} sees a cell wrongly, {stats:?}");
        let view = self.client.view().unwrap();
        assert_eq!(view.place.zone, zone.zone, "seed {seed}");
        assert_eq!(view.me.gold, state.sheet.gold, "seed {seed}");
        let took = reference.taken.remove(&character).unwrap_or_default();
        for (number, command) in &self.given {
            assert_eq!(took.get(number), Some(command), "seed {seed}: {character} {number}");
        }
        assert_eq!(took.len(), self.given.len(), "seed {seed}: {character}");
    }
}

/// What somebody who walks has to know.
pub fn legend() -> Legend {
    let has = |mask| Terrain::ALL.iter().map(|t| t.apparent().has(mask)).collect();
    Legend {
        solid: has(flags::BLOCKS_MOVE),
        opaque: has(flags::BLOCKS_SIGHT),
        hazard: has(flags::LAVA | flags::DEEP_WATER),
        stairs_down: Some(Terrain::StairsDown as u8),
        stairs_up: Some(Terrain::StairsUp as u8),
        gate: Some(Terrain::ArenaGate as u8),
        bad_gas: [true, true, true, false],
    }
}

/// Chance in a hundred that more commands are given at once than wait for a turn, and the same
/// behind a stair.
const BURST_CHANCE: u32 = 3;
const BURST_CHANCE_AT_STAIRS: u32 = 80;
const RETURN_CHANCE: u32 = 30;

fn give_commands(player: &mut Player, legend: &Legend, now: Duration, rng: &mut Rng) {
    let Some(view) = player.client.view().cloned() else { return };
    let waiting = player.client.waiting();
    let command = {
        let Some(cells) = player.client.cells() else { return };
        player.brain.decide(now, &Knowledge { legend, view: &view, cells }, waiting)
    };
    let Some(command) = command else { return };
    let at_stairs = command == Command::UseStairs;
    give(player, now, command);
    // Where a stair ends, another begins: who takes it at once is elsewhere before the move is over.
    if at_stairs && rng.chance(RETURN_CHANCE) {
        give(player, now, Command::UseStairs);
    }
    if rng.chance(if at_stairs { BURST_CHANCE_AT_STAIRS } else { BURST_CHANCE }) {
        for _ in 0..rng.below(COMMAND_QUEUE_MAX as u32) {
            give(player, now, any_command(rng));
        }
    }
}

fn give(player: &mut Player, now: Duration, command: Command) {
    if let Some(number) = player.client.command(now, command.clone()) {
        let before = player.given.insert(number, command);
        assert_eq!(before, None, "a number given twice");
    }
}

fn any_command(rng: &mut Rng) -> Command {
    match rng.below(10) {
        0 => Command::Search,
        1 => Command::PickUp,
        2 => Command::Drop { slot: rng.below(4) as u8 },
        3 => Command::UseStairs,
        4 => Command::Chat { text: format!("line {}", rng.below(1_000)) },
        _ => Command::Move(Direction::ALL[rng.below(8) as usize]),
    }
}
