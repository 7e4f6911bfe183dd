//! The server's end of a frame.

use std::sync::Arc;

use super::{NEAR_BITS, NEAR_OFFSET, SHIFT_BITS, SHIFT_OFFSET};
use crate::model::limits::{EVENTS_PER_FRAME_MAX, FRAME_BYTES_MAX};
use crate::model::{Cell, Pos};
use crate::protocol::bits::BitWriter;
use crate::protocol::event::{Event, write_text};
use crate::protocol::message::TAG_FRAME;
use crate::protocol::view::{ActorView, ItemView, KIND_PLAYER, Me, View, moved, write_pos};

/// What a frame is made from.
#[derive(Debug)]
pub struct Input<'a> {
    pub number: u32,
    /// The frame the client has and what it showed; `None` makes a keyframe.
    pub baseline: Option<(u32, &'a View)>,
    pub view: View,
    /// Events since the baseline, the first numbered `first_event`.
    pub events: &'a [Event],
    pub first_event: u32,
    /// Cells changed since the baseline, by rising index.
    pub cells: &'a [(usize, Cell)],
    /// The sum over all cells as sent, if the client has them all once this frame is applied;
    /// asks for a self-healing hash.
    pub cells_sum: Option<u32>,
    /// Whether to carry a hash.
    pub hash: bool,
}

/// A frame and what of its input it carries.
#[derive(Debug)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    /// The view the client has once the frame is applied: what did not fit is as it was before.
    pub view: View,
    pub events: usize,
    pub cells: usize,
}

const BITS_MAX: usize = FRAME_BYTES_MAX * 8;
/// Actors and events stop here, so that cells always get some room.
const ACTOR_BITS_MAX: usize = BITS_MAX * 2 / 3;
const EVENT_BITS_MAX: usize = BITS_MAX * 4 / 5;
/// Hash, end mark and the last byte.
const TAIL_BITS: usize = 48;

/// Encodes a frame of at most `limits::FRAME_BYTES_MAX` bytes. What does not fit is left for the
/// next frame; [`Encoded`] says what that is.
#[must_use]
pub fn encode(input: Input<'_>) -> Encoded {
    let Input { number, baseline, mut view, events, first_event, cells, cells_sum, hash } = input;
    let empty = View::default();
    let before = baseline.map_or(&empty, |(_, view)| view);
    let distance = baseline.map_or(0, |(n, _)| u8::try_from(number - n).expect("within history"));
    let mut bytes = Vec::with_capacity(64);
    bytes.push(TAG_FRAME);
    bytes.extend_from_slice(&(number as u16).to_le_bytes());
    bytes.push(distance);
    let mut w = BitWriter::after(bytes);
    if baseline.is_some() {
        let ticks = view.tick.saturating_sub(before.tick + 1);
        w.gamma(u32::try_from(ticks).expect("frames of one history are close"));
        w.gamma(view.last_command - before.last_command);
    } else {
        w.bits(number, 32);
        w.bits(view.tick as u32, 32);
        w.bits((view.tick >> 32) as u32, 32);
        w.bits(view.last_command, 32);
        w.bits(view.place.zone.0, 32);
        w.bits(view.place.depth.into(), 8);
        w.bits(view.place.width.into(), 11);
        w.bits(view.place.height.into(), 11);
        write_text(&mut w, &view.place.name);
    }
    write_me(&mut w, &before.me, &view.me, view.tick);
    write_actors(&mut w, &before.actors, &mut view.actors, view.me.pos);
    write_inventory(&mut w, &before.inventory, &view.inventory);
    let events = write_events(&mut w, events, first_event);
    w.flag(hash);
    if hash {
        w.flag(cells_sum.is_some());
        w.bits(view.hash().wrapping_add(cells_sum.unwrap_or(0)), 32);
    }
    let cells = write_cells(&mut w, cells, view.place.width.into());
    Encoded { bytes: w.finish(), view, events, cells }
}

fn write_me(w: &mut BitWriter, before: &Me, now: &Me, tick: u64) {
    w.flag(before != now);
    if before == now {
        return;
    }
    w.flag(before.pos != now.pos);
    if before.pos != now.pos {
        let step = before.pos.direction_to(now.pos);
        w.flag(step.is_some());
        match step {
            Some(direction) => w.bits(direction as u32, 3),
            None => write_pos(w, now.pos),
        }
    }
    let only_moved = before == &Me { pos: before.pos, ..now.clone() };
    w.flag(!only_moved);
    if only_moved {
        return;
    }
    w.flag(before.id != now.id);
    if before.id != now.id {
        w.bits(now.id.into(), 16);
    }
    let mut number = |before: u32, now: u32| {
        w.flag(before != now);
        if before != now {
            w.signed(now.wrapping_sub(before) as i32);
        }
    };
    number(before.hp.into(), now.hp.into());
    number(before.hp_max.into(), now.hp_max.into());
    number(before.level.into(), now.level.into());
    number(before.xp, now.xp);
    number(before.xp_next, now.xp_next);
    number(before.gold, now.gold);
    let pack = |me: &Me| u32::from(me.strength) | u32::from(me.armor) << 8;
    w.flag(pack(before) != pack(now));
    if pack(before) != pack(now) {
        w.bits(pack(now), 16);
    }
    let pack = |me: &Me| u32::from(me.stealth) | u32::from(me.flags) << 8;
    w.flag(pack(before) != pack(now));
    if pack(before) != pack(now) {
        w.bits(pack(now), 16);
    }
    w.flag(before.effects != now.effects);
    if before.effects != now.effects {
        w.bits(now.effects.len().min(15) as u32, 4);
        for effect in now.effects.iter().take(15) {
            w.bits(effect.kind.into(), 5);
            w.signed(effect.until.wrapping_sub(tick as u32) as i32);
        }
    }
}

/// Writes the actors by rising id and leaves them as the client then has them.
fn write_actors(w: &mut BitWriter, before: &[ActorView], now: &mut Vec<ActorView>, me: Pos) {
    w.flag(before != now.as_slice());
    if before == now.as_slice() {
        return;
    }
    let most_move = moved(before, now) * 2 > before.len();
    w.flag(most_move);
    let mut fresh = Vec::new();
    // The actor that the next new one is told apart from.
    let mut last = None;
    let mut old = before.iter().peekable();
    for (index, actor) in now.iter_mut().enumerate() {
        while old.next_if(|o| o.id < actor.id).is_some() {
            w.bits(0b0111, 4);
        }
        match old.next_if(|o| o.id == actor.id) {
            Some(o) if same_actor(o, actor) => {
                if w.bit_count() > ACTOR_BITS_MAX {
                    write_same(w, most_move);
                    actor.clone_from(o);
                } else {
                    write_change(w, o, actor, me, most_move);
                }
                last = Some(index);
            }
            Some(_) => {
                w.bits(0b0111, 4);
                fresh.push(index);
            }
            None => fresh.push(index),
        }
    }
    for _ in old {
        w.bits(0b0111, 4);
    }
    let room = ACTOR_BITS_MAX.saturating_sub(w.bit_count());
    let mut bits = 32;
    let fits = |&&index: &&usize| {
        bits += 69 + 8 * (1 + now[index].name.len());
        bits <= room
    };
    let count = fresh.iter().take_while(fits).count();
    w.gamma(count as u32);
    for &index in &fresh[..count] {
        let actor = &now[index];
        let last = last.replace(index).map(|last: usize| &now[last]);
        w.bits(actor.id.into(), 16);
        let alike = last.is_some_and(|last| last.generation == actor.generation);
        w.flag(alike);
        if !alike {
            w.bits(actor.generation.into(), 8);
        }
        let alike = last.is_some_and(|last| last.kind == actor.kind);
        w.flag(alike);
        if !alike {
            w.bits(actor.kind.into(), 8);
        }
        write_near(w, actor.pos, me);
        let alike =
            last.is_some_and(|last| (last.health, last.state) == (actor.health, actor.state));
        w.flag(alike);
        if !alike {
            w.bits(actor.health.min(15).into(), 4);
            w.bits(actor.state.into(), 8);
        }
        if actor.kind == KIND_PLAYER {
            write_text(w, &actor.name);
        }
    }
    // From behind, so that the numbers of those before stay right.
    for &index in fresh[count..].iter().rev() {
        now.remove(index);
    }
}

fn same_actor(a: &ActorView, b: &ActorView) -> bool {
    a.generation == b.generation && a.kind == b.kind && a.name == b.name
}

/// The actor is as before: the short code unless most move.
fn write_same(w: &mut BitWriter, most_move: bool) {
    if most_move {
        w.bits(0b01, 2);
    } else {
        w.flag(false);
    }
}

fn write_change(w: &mut BitWriter, before: &ActorView, now: &ActorView, me: Pos, most_move: bool) {
    if before == now {
        return write_same(w, most_move);
    }
    if before.health == now.health && before.state == now.state {
        if let Some(direction) = before.pos.direction_to(now.pos) {
            if most_move {
                w.flag(false);
            } else {
                w.bits(0b01, 2);
            }
            return w.bits(direction as u32, 3);
        }
        if let Some((x, y)) = offsets(now.pos, before.pos, SHIFT_BITS, SHIFT_OFFSET) {
            w.bits(0b011, 3);
            w.bits(x, SHIFT_BITS);
            return w.bits(y, SHIFT_BITS);
        }
    }
    w.bits(0b1111, 4);
    w.flag(before.pos != now.pos);
    if before.pos != now.pos {
        write_near(w, now.pos, me);
    }
    w.flag(before.health != now.health);
    if before.health != now.health {
        w.bits(now.health.min(15).into(), 4);
    }
    w.flag(before.state != now.state);
    if before.state != now.state {
        w.bits(now.state.into(), 8);
    }
}

/// The coordinates of `pos` relative to `base` with `offset` added, if they fit `bits`.
fn offsets(pos: Pos, base: Pos, bits: u32, offset: i32) -> Option<(u32, u32)> {
    let one = |a: u16, b: u16| {
        u32::try_from(i32::from(a) - i32::from(b) + offset).ok().filter(|&n| n < 1 << bits)
    };
    one(pos.x, base.x).zip(one(pos.y, base.y))
}

/// A position near the player: flag 1 and two offsets; any other: flag 0 and the position.
fn write_near(w: &mut BitWriter, pos: Pos, me: Pos) {
    let near = offsets(pos, me, NEAR_BITS, NEAR_OFFSET);
    w.flag(near.is_some());
    match near {
        Some((x, y)) => {
            w.bits(x, NEAR_BITS);
            w.bits(y, NEAR_BITS);
        }
        None => write_pos(w, pos),
    }
}

fn write_inventory(w: &mut BitWriter, before: &Arc<Vec<ItemView>>, now: &Arc<Vec<ItemView>>) {
    let same = Arc::ptr_eq(before, now) || before == now;
    w.flag(!same);
    if same {
        return;
    }
    let at = |items: &[ItemView], slot: u8| items.iter().find(|i| i.slot == slot).copied();
    let changed: Vec<_> = (0..crate::model::limits::INVENTORY_SLOTS as u8)
        .map(|slot| (slot, at(before, slot), at(now, slot)))
        .filter(|(_, before, now)| before != now)
        .collect();
    w.gamma(changed.len() as u32);
    for (slot, _, item) in changed {
        w.bits(slot.into(), 5);
        w.flag(item.is_some());
        if let Some(item) = item {
            w.bits(item.look.into(), 8);
            w.bits(item.count.into(), 8);
            w.bits(u32::from(item.enchant as u8), 8);
            w.bits(item.flags.into(), 8);
        }
    }
}

fn write_events(w: &mut BitWriter, events: &[Event], first: u32) -> usize {
    let room = EVENT_BITS_MAX.saturating_sub(w.bit_count() + 64);
    let mut bits = 0;
    let fits = |event: &&Event| {
        bits += event.bits_max();
        bits <= room
    };
    let count = events.iter().take(EVENTS_PER_FRAME_MAX).take_while(fits).count();
    w.flag(count > 0);
    if count > 0 {
        w.bits(first & 0xffff, 16);
        w.gamma(count as u32 - 1);
        for event in &events[..count] {
            event.write(w);
        }
    }
    count
}

fn write_cells(w: &mut BitWriter, cells: &[(usize, Cell)], width: usize) -> usize {
    let mut next = 0;
    // The row of the cell before, and the column of the first cell sent of it.
    let (mut row, mut start) = (0, 0);
    let mut recent = [Cell(0); 2];
    let mut count = 0;
    for &(index, cell) in cells {
        if w.bit_count() + 1 + 46 + 2 + Cell::BITS as usize + TAIL_BITS > BITS_MAX {
            break;
        }
        w.flag(true);
        let (y, x) = (index / width, index % width);
        if index == next {
            w.bits(0b1, 1);
        } else if y > row {
            w.bits(0b10, 2);
            w.gamma((y - row - 1) as u32);
            w.signed(x as i32 - start as i32);
        } else {
            w.bits(0b00, 2);
            w.gamma((index - next - 1) as u32);
        }
        next = index + 1;
        if y != row {
            (row, start) = (y, x);
        }
        if cell == recent[0] {
            w.bits(0b1, 1);
        } else if cell == recent[1] {
            w.bits(0b10, 2);
            recent.swap(0, 1);
        } else {
            w.bits(0b00, 2);
            write_cell(w, cell);
            recent = [cell, recent[0]];
        }
        count += 1;
    }
    w.flag(false);
    count
}

/// Terrain 6; flag and item look 8; flag and gas kind 2, level 3; fire flag.
fn write_cell(w: &mut BitWriter, cell: Cell) {
    w.bits(cell.terrain().into(), 6);
    w.flag(cell.item() != 0);
    if cell.item() != 0 {
        w.bits(cell.item().into(), 8);
    }
    let (kind, level) = cell.gas();
    w.flag(level != 0);
    if level != 0 {
        w.bits(kind.into(), 2);
        w.bits(level.into(), 3);
    }
    w.flag(cell.burns());
}
