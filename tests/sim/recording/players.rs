//! Who plays on the recorded floor: bots that now and then do something that no bot would.

use std::collections::BTreeMap;

use undercroft::client::{Behaviour, Brain, Knowledge, Legend};
use undercroft::game::catalog::items::Kind;
use undercroft::game::rng::Rng;
use undercroft::game::state::{Arrive, Departure, DepartureKey, Destination, Sheet};
use undercroft::model::{AccountId, CharacterId, Command, GatewayId, Pos, SessionId, Tick, ZoneId};
use undercroft::protocol::bus::{FromZone, ToZone};
use undercroft::protocol::frame::FrameReader;
use undercroft::sim::{self, ZoneSpec};
use undercroft::zone::{Entry, Output, Recording, Zone, encode_snapshot};

use crate::player::legend;
use crate::world::TICK;

const FLOOR: ZoneId = ZoneId(4);
/// Where everybody who has left comes back from.
const ELSEWHERE: ZoneId = ZoneId(5);
const GATEWAY: GatewayId = GatewayId(1);
const PLAYERS: u64 = 5;
/// Ticks for which somebody who has left stays away.
const AWAY_TICKS: u64 = 60;
/// What everybody has besides the usual: what gases and fires come from.
const KIT: [Kind; 6] = [
    Kind::Caustic,
    Kind::Methane,
    Kind::Confusion,
    Kind::Mending,
    Kind::Incineration,
    Kind::FireDart,
];

struct Player {
    brain: Brain,
    /// Shows nothing while the character is away or on its way out.
    reader: FrameReader,
    /// Counts its holds on the character.
    attach: u64,
    last_command: u32,
}

/// Lets bots play on a fresh floor for so many ticks and records it.
pub(super) fn record(seed: u64, ticks: u64) -> Recording {
    let (width, height) = (96, 64);
    let depth = u8::try_from(FLOOR.0).unwrap();
    let start = sim::generate(&ZoneSpec::floor(FLOOR, seed, depth, width, height));
    let (tick, snapshot) = (start.tick, encode_snapshot(&start));
    let mut floor = Floor::new(seed, Zone::new(start, "floor"));
    let entries = (0..ticks).map(|_| floor.tick()).collect();
    Recording { zone: FLOOR, tick, version: sim::VERSION, snapshot, entries }
}

struct Floor {
    seed: u64,
    zone: Zone,
    legend: Legend,
    players: BTreeMap<CharacterId, Player>,
    /// By the tick at which they come back.
    away: Vec<(u64, Sheet)>,
}

impl Floor {
    fn new(seed: u64, zone: Zone) -> Self {
        let mut floor =
            Self { seed, zone, legend: legend(), players: BTreeMap::new(), away: Vec::new() };
        for number in 1..=PLAYERS {
            let character = CharacterId(number);
            let mut sheet = sim::new_sheet(character, &format!("p{number}"), seed);
            for kind in KIT {
                let slot = (0..26).find(|slot| !sheet.items.contains_key(slot)).unwrap();
                sheet.items.insert(slot, kind.item(1));
            }
            let brain = Brain::new(seed * 100 + number, Behaviour::Play);
            let player =
                Player { brain, reader: FrameReader::default(), attach: 0, last_command: 0 };
            floor.players.insert(character, player);
            floor.attach(character, Some(sheet));
        }
        floor
    }

    fn player(&mut self, character: CharacterId) -> &mut Player {
        self.players.get_mut(&character).unwrap()
    }

    fn attach(&mut self, character: CharacterId, sheet: Option<Sheet>) {
        let player = self.player(character);
        player.attach += 1;
        let message = ToZone::Attach {
            character,
            account: AccountId(1),
            session: SessionId(character.0),
            attach: player.attach,
            ordered: true,
            sheet: sheet.map(|sheet| postcard::to_stdvec(&sheet).unwrap()),
        };
        self.zone.handle_message(GATEWAY, message);
    }

    fn tick(&mut self) -> Entry {
        let tick = self.zone.state().tick;
        self.bring_back(tick);
        self.speak(tick);
        let entry = self.zone.begin_tick();
        self.zone.finish_tick();
        self.zone.handle_durable(entry.tick);
        while let Some(output) = self.zone.poll_output() {
            match output {
                Output::Bundle { bundle, .. } => {
                    bundle.items.into_iter().for_each(|item| self.hear(item));
                }
                Output::Depart(departure) => {
                    self.player(departure.key.character).reader = FrameReader::default();
                    self.zone.handle_confirmed(departure.key);
                    self.away.push((tick.0 + AWAY_TICKS, departure.sheet));
                }
                Output::Confirm { .. } | Output::Fought(_) => {}
            }
        }
        entry
    }

    fn bring_back(&mut self, tick: Tick) {
        let back: Vec<_> = self.away.extract_if(.., |(at, _)| *at <= tick.0).collect();
        for (_, sheet) in back {
            let character = sheet.character;
            self.player(character).last_command = sheet.last_command;
            let key = DepartureKey { zone: ELSEWHERE, tick, character };
            let to = Destination::Zone { zone: FLOOR, arrive: Arrive::Down };
            self.zone.handle_arrival(Departure { key, to, sheet, death: None });
            self.attach(character, None);
        }
    }

    fn hear(&mut self, item: FromZone) {
        let FromZone::Frame { character, message, .. } = item else { return };
        let player = self.player(character);
        player.reader.apply(&message[1..]).unwrap();
    }

    /// Everybody whose turn it is gives a command.
    fn speak(&mut self, tick: Tick) {
        for (&character, player) in &mut self.players {
            let (Some(view), Some(cells)) = (player.reader.view(), player.reader.cells()) else {
                continue;
            };
            if !(tick.0 + character.0).is_multiple_of(4) {
                continue;
            }
            let known = Knowledge { legend: &self.legend, view, cells };
            let waiting = player.last_command.saturating_sub(view.last_command) as usize;
            let now = TICK * u32::try_from(tick.0).unwrap();
            let mut rng = Rng::new(self.seed, tick.0, character.0);
            let (attach, first) = (player.attach, player.last_command + 1);
            if rng.below(500) == 0 {
                let message = ToZone::Detach { character, attach, leave: true };
                self.zone.handle_message(GATEWAY, message);
                player.reader = FrameReader::default();
                continue;
            }
            let command = match rng.below(10) {
                0 if waiting == 0 => Some(whim(&mut rng, &known)),
                _ => player.brain.decide(now, &known, waiting),
            };
            let Some(command) = command else { continue };
            player.last_command = first;
            let message = ToZone::Input {
                character,
                attach,
                last_frame: player.reader.newest(),
                keyframe: false,
                first,
                commands: vec![command],
            };
            self.zone.handle_message(GATEWAY, message);
        }
    }
}

/// Does something with something in the pack, at the nearest foe or close by.
fn whim(rng: &mut Rng, known: &Knowledge<'_>) -> Command {
    let here = known.here();
    let foe = known.hostiles().map(|foe| foe.pos).min_by_key(|pos| pos.chebyshev(here));
    let aside = |rng: &mut Rng, at: u16| (at + rng.below(7) as u16).saturating_sub(3);
    let target = foe.unwrap_or_else(|| Pos::new(aside(rng, here.x), aside(rng, here.y)));
    let slot = rng.pick(&known.view.inventory).map_or(0, |item| item.slot);
    match rng.below(9) {
        0..=3 => Command::Throw { slot, target },
        4 => Command::UseAt { slot, target },
        5 => Command::Use { slot },
        6 => Command::Equip { slot },
        7 => Command::Drop { slot },
        _ => Command::Sneak { on: rng.chance(50) },
    }
}
