//! A world that changes at random, for the tests that send it in frames: here and, by path, in
//! `tests/web`. Names come from whoever includes it.

use std::sync::Arc;

use super::{
    ActorView, Cell, CellMap, Direction, EffectView, Event, ItemView, Place, Pos, Rng, View, Who,
    ZoneId,
};

pub(super) const WIDTH: u16 = 96;
pub(super) const HEIGHT: u16 = 64;

/// What somebody sees first in a zone.
pub(super) fn first_view(zone: ZoneId) -> View {
    let name = format!("Floor {zone} ü");
    let place = Place { zone, depth: 3, width: WIDTH, height: HEIGHT, name };
    let mut view = View { place: Arc::new(place), tick: (1 << 33) + 5, ..View::default() };
    view.me.pos = Pos::new(40, 30);
    view
}

/// Changes something of everything now and then.
pub(super) fn change(view: &mut View, rng: &mut Rng) {
    view.tick += u64::from(1 + rng.below(3));
    view.last_command += rng.below(3);
    let me = &mut view.me;
    let direction = Direction::from_number(rng.below(8) as u8).unwrap();
    me.pos = me.pos.step(direction, WIDTH, HEIGHT).unwrap_or(me.pos);
    if rng.chance(8) {
        me.pos = spot(rng);
    }
    (me.id, me.hp_max, me.level, me.xp_next) = (12, 60, 1 + rng.below(2) as u8, 3_000_000_000);
    (me.hp, me.xp) = (rng.below(60) as u16, me.xp.wrapping_add(rng.below(900_000_000)));
    me.gold += rng.below(2) * 7;
    if rng.chance(20) {
        (me.strength, me.armor) = (rng.below(20) as u8, rng.below(256) as u8);
        (me.stealth, me.flags) = (rng.below(15) as u8, rng.below(16) as u8);
        let until = (view.tick as u32).wrapping_add(rng.below(500)).wrapping_sub(40);
        me.effects = vec![EffectView { kind: rng.below(20) as u8, until }];
    }
    for actor in &mut view.actors {
        let direction = Direction::from_number(rng.below(8) as u8).unwrap();
        match rng.below(9) {
            0..=4 => actor.pos = actor.pos.step(direction, WIDTH, HEIGHT).unwrap_or(actor.pos),
            5 => (actor.health, actor.pos) = (rng.below(16) as u8, spot(rng)),
            6 => actor.state = rng.below(256) as u8,
            _ => {}
        }
    }
    if rng.chance(30) && view.actors.len() > 2 {
        view.actors.remove(rng.below(view.actors.len() as u32) as usize);
    }
    if rng.chance(50) {
        appear(view, rng);
    }
    if rng.chance(30) {
        carry(view, rng);
    }
}

fn spot(rng: &mut Rng) -> Pos {
    Pos::new(rng.below(u32::from(WIDTH)) as u16, rng.below(u32::from(HEIGHT)) as u16)
}

fn appear(view: &mut View, rng: &mut Rng) {
    let id = rng.below(300) as u16;
    view.actors.retain(|a| a.id != id);
    let kind = rng.below(3) as u8;
    let name: Arc<str> = if kind == 0 { "Åse".into() } else { "".into() };
    let (generation, pos, state) = (rng.below(256) as u8, spot(rng), rng.below(256) as u8);
    view.actors.push(ActorView { id, generation, kind, pos, health: 15, state, name });
    view.actors.sort_unstable_by_key(|a| a.id);
}

fn carry(view: &mut View, rng: &mut Rng) {
    let slot = rng.below(26) as u8;
    let mut items = view.inventory.as_ref().clone();
    items.retain(|i| i.slot != slot);
    if rng.chance(70) {
        let (look, count) = (rng.below(256) as u8, 1 + rng.below(255) as u8);
        let (enchant, flags) = (rng.between(-3, 3) as i8, rng.below(64) as u8);
        items.push(ItemView { slot, look, count, enchant, flags });
    }
    items.sort_unstable_by_key(|i| i.slot);
    view.inventory = Arc::new(items);
}

/// Adds an event, mostly.
pub(super) fn happen(events: &mut Vec<Event>, rng: &mut Rng) {
    let who = Who::Actor { id: rng.below(65_000) as u16, kind: rng.below(60) as u8 };
    let event = match rng.below(8) {
        0 => Event::Note { code: 200, who, other: Who::You, look: 9, number: -7 },
        1 => Event::Note { code: 4, who: Who::Something, other: who, look: 0, number: i32::MAX },
        2 => Event::Note { code: 0, who: Who::You, other: Who::Nobody, look: 255, number: 0 },
        3 => Event::Bolt { look: 3, from: spot(rng), to: spot(rng) },
        4 => Event::Burst { look: 255, at: spot(rng), radius: rng.below(16) as u8 },
        5 => Event::Chat { from: "Åse".into(), text: "watch out – lava".into() },
        _ => return,
    };
    events.push(event);
}

/// Changes some cells and returns those that really changed.
pub(super) fn change_cells(memory: &mut CellMap, rng: &mut Rng) -> Vec<usize> {
    let start = rng.below(u32::from(WIDTH) * u32::from(HEIGHT) - 40) as usize;
    let count = rng.below(14) as usize;
    let mut changed = Vec::new();
    for n in 0..count {
        let index = start + n * (1 + n % 3);
        let gas = (rng.below(4) as u8, rng.below(3) as u8 * 3);
        let item = if rng.chance(20) { rng.below(256) as u8 } else { 0 };
        let terrain = if rng.chance(70) { 2 } else { rng.below(64) as u8 };
        if memory.set(index, Cell::new(terrain, item, gas, rng.chance(10))) {
            changed.push(index);
        }
    }
    changed
}
