//! The client's end of a frame.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{NEAR_BITS, NEAR_OFFSET, SHIFT_BITS, SHIFT_OFFSET};
use crate::model::limits::{
    ACTORS_IN_VIEW_MAX, EVENTS_PER_FRAME_MAX, FRAME_HISTORY, INVENTORY_SLOTS, NAME_BYTES_MAX,
    ZONE_SIDE_MAX,
};
use crate::model::{Cell, CellMap, Direction, Pos, ZoneId};
use crate::protocol::DecodeError;
use crate::protocol::bits::BitReader;
use crate::protocol::event::{Event, read_text};
use crate::protocol::view::{
    ActorView, EffectView, ItemView, KIND_PLAYER, Me, Place, View, read_pos,
};

/// What one frame brought.
#[derive(Debug)]
pub struct Applied {
    pub number: u32,
    /// Whether it is newer than all frames before; an older one only fills gaps.
    pub newest: bool,
    pub keyframe: bool,
    /// Events not seen before.
    pub events: Vec<Event>,
    /// Indices of the cells it carried.
    pub cells: Vec<usize>,
}

/// Applies frames in whatever order they come, if at all.
#[derive(Debug, Default)]
pub struct FrameReader {
    history: VecDeque<(u32, Arc<View>)>,
    cells: Option<CellMap>,
    /// Some cell is known not to be as the server has it.
    amiss: bool,
    /// Number of the next event not seen yet.
    next_event: u32,
}

impl FrameReader {
    /// The newest view, if there was a frame yet.
    #[must_use]
    pub fn view(&self) -> Option<&Arc<View>> {
        self.history.back().map(|(_, view)| view)
    }

    /// Number of the newest frame, 0 before the first.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.history.back().map_or(0, |&(number, _)| number)
    }

    /// The cells known of the present zone.
    #[must_use]
    pub fn cells(&self) -> Option<&CellMap> {
        self.cells.as_ref()
    }

    /// Applies one frame, given without its tag byte. `Ok(None)`: it is older than a keyframe
    /// applied since and has nothing to say. On [`DecodeError::NoBaseline`] and
    /// [`DecodeError::Hash`] the client asks for a keyframe; state is as before, but for a failed
    /// hash, after which nothing is built on this frame.
    pub fn apply(&mut self, bytes: &[u8]) -> Result<Option<Applied>, DecodeError> {
        let [n0, n1, distance, rest @ ..] = bytes else { return Err(DecodeError::Truncated) };
        let low = u16::from_le_bytes([*n0, *n1]);
        let mut r = BitReader::new(rest);
        if *distance == 0 {
            return self.apply_keyframe(&mut r);
        }
        let newest = self.newest();
        let number = newest.wrapping_add_signed(low.wrapping_sub(newest as u16) as i16 as i32);
        if self.history.iter().any(|&(n, _)| n == number) {
            return Ok(None);
        }
        let baseline = number.wrapping_sub((*distance).into());
        let Some((_, before)) = self.history.iter().find(|&&(n, _)| n == baseline) else {
            return match self.history.front() {
                Some(&(oldest, _)) if number < oldest => Ok(None),
                _ => Err(DecodeError::NoBaseline(baseline)),
            };
        };
        let before = before.clone();
        let mut view = View { place: before.place.clone(), ..View::default() };
        let passed = 1 + u64::from(r.gamma()?);
        view.tick = before.tick.checked_add(passed).ok_or(DecodeError::OutOfRange("tick"))?;
        view.last_command = before.last_command.wrapping_add(r.gamma()?);
        self.read_body(&mut r, number, &before, view, false).map(Some)
    }

    fn apply_keyframe(&mut self, r: &mut BitReader<'_>) -> Result<Option<Applied>, DecodeError> {
        let number = r.bits(32)?;
        let tick = u64::from(r.bits(32)?) | u64::from(r.bits(32)?) << 32;
        let last_command = r.bits(32)?;
        let zone = ZoneId(r.bits(32)?);
        match self.view() {
            // Late or twice. Frame numbers say nothing here: they begin anew when a zone moves.
            Some(shown) if shown.place.zone == zone && tick <= shown.tick => return Ok(None),
            // Each zone numbers its events.
            Some(shown) if shown.place.zone != zone => self.next_event = 0,
            _ => {}
        }
        let depth = r.bits(8)? as u8;
        let (width, height) = (r.bits(11)? as u16, r.bits(11)? as u16);
        if !(1..=ZONE_SIDE_MAX).contains(&width) || !(1..=ZONE_SIDE_MAX).contains(&height) {
            return Err(DecodeError::OutOfRange("zone side"));
        }
        let name = read_text(r, NAME_BYTES_MAX)?;
        let place = Arc::new(Place { zone, depth, width, height, name });
        let view = View { place, tick, last_command, ..View::default() };
        self.read_body(r, number, &View::default(), view, true).map(Some)
    }

    fn read_body(
        &mut self,
        r: &mut BitReader<'_>,
        number: u32,
        before: &View,
        mut view: View,
        keyframe: bool,
    ) -> Result<Applied, DecodeError> {
        view.me = read_me(r, &before.me, view.tick)?;
        view.actors = read_actors(r, &before.actors, view.me.pos)?;
        view.inventory = read_inventory(r, &before.inventory)?;
        let (first_event, mut events) = read_events(r)?;
        let hash = if r.flag()? { Some((r.flag()?, r.bits(32)?)) } else { None };
        let sides = (view.place.width.into(), view.place.height.into());
        let cells = read_cells(r, sides)?;

        let newest = keyframe || number > self.newest();
        if keyframe {
            let elsewhere = self.view().is_none_or(|shown| shown.place != view.place);
            self.history.clear();
            if elsewhere || self.amiss {
                self.cells = Some(CellMap::new(view.place.width, view.place.height));
                self.amiss = false;
            }
        }
        let map = self.cells.get_or_insert_with(|| CellMap::new(1, 1));
        if newest {
            for &(index, cell) in &cells {
                map.set(index, cell);
            }
        }
        if let Some((covers_cells, hash)) = hash.filter(|_| newest) {
            let sum = if covers_cells { map.sum() } else { 0 };
            if view.hash().wrapping_add(sum) != hash {
                self.amiss = true;
                return Err(DecodeError::Hash);
            }
        }
        if keyframe && self.next_event == 0 {
            self.next_event = u32::from(first_event);
        }
        let skip = (self.next_event as u16).wrapping_sub(first_event) as i16;
        let skip = usize::try_from(skip).unwrap_or(0).min(events.len());
        if !events.is_empty() {
            let end = first_event.wrapping_add(events.len() as u16);
            let ahead = end.wrapping_sub(self.next_event as u16) as i16;
            self.next_event = self.next_event.wrapping_add_signed(i32::from(ahead.max(0)));
        }
        events.drain(..skip);
        let at = self.history.partition_point(|&(n, _)| n < number);
        self.history.insert(at, (number, Arc::new(view)));
        if self.history.len() > FRAME_HISTORY {
            self.history.pop_front();
        }
        let cells = cells.into_iter().map(|(index, _)| index).collect();
        Ok(Applied { number, newest, keyframe, events, cells })
    }
}

fn read_me(r: &mut BitReader<'_>, before: &Me, tick: u64) -> Result<Me, DecodeError> {
    let mut me = before.clone();
    if !r.flag()? {
        return Ok(me);
    }
    if r.flag()? {
        me.pos = if r.flag()? { stepped(me.pos, r.bits(3)?)? } else { read_pos(r)? };
    }
    if !r.flag()? {
        return Ok(me);
    }
    if r.flag()? {
        me.id = r.bits(16)? as u16;
    }
    let mut number = |before: u32| -> Result<u32, DecodeError> {
        if r.flag()? { Ok(before.wrapping_add_signed(r.signed()?)) } else { Ok(before) }
    };
    me.hp = number(me.hp.into())? as u16;
    me.hp_max = number(me.hp_max.into())? as u16;
    me.level = number(me.level.into())? as u8;
    me.xp = number(me.xp)?;
    me.xp_next = number(me.xp_next)?;
    me.gold = number(me.gold)?;
    if r.flag()? {
        me.strength = r.bits(8)? as u8;
        me.armor = r.bits(8)? as u8;
    }
    if r.flag()? {
        me.stealth = r.bits(8)? as u8;
        me.flags = r.bits(8)? as u8;
    }
    if r.flag()? {
        let count = r.bits(4)?;
        me.effects.clear();
        for _ in 0..count {
            let kind = r.bits(5)? as u8;
            let until = (tick as u32).wrapping_add_signed(r.signed()?);
            me.effects.push(EffectView { kind, until });
        }
    }
    Ok(me)
}

fn stepped(pos: Pos, direction: u32) -> Result<Pos, DecodeError> {
    let direction =
        Direction::from_number(direction as u8).ok_or(DecodeError::OutOfRange("step"))?;
    pos.step(direction, u16::MAX, u16::MAX).ok_or(DecodeError::OutOfRange("step"))
}

fn read_actors(
    r: &mut BitReader<'_>,
    before: &[ActorView],
    me: Pos,
) -> Result<Vec<ActorView>, DecodeError> {
    if !r.flag()? {
        return Ok(before.to_vec());
    }
    let mut actors = Vec::with_capacity(before.len());
    let most_move = r.flag()?;
    for old in before {
        let mut actor = old.clone();
        let longer = r.flag()?;
        if !longer || !r.flag()? {
            if longer != most_move {
                actor.pos = stepped(actor.pos, r.bits(3)?)?;
            }
        } else if !r.flag()? {
            actor.pos = read_offsets(r, actor.pos, SHIFT_BITS, SHIFT_OFFSET)?;
        } else if !r.flag()? {
            continue;
        } else {
            if r.flag()? {
                actor.pos = read_near(r, me)?;
            }
            if r.flag()? {
                actor.health = r.bits(4)? as u8;
            }
            if r.flag()? {
                actor.state = r.bits(8)? as u8;
            }
        }
        actors.push(actor);
    }
    let fresh = r.gamma()? as usize;
    if actors.len() + fresh > ACTORS_IN_VIEW_MAX {
        return Err(DecodeError::OutOfRange("number of actors"));
    }
    for _ in 0..fresh {
        let id = r.bits(16)? as u16;
        let last =
            actors.last().map_or((0, 0, 0, 0), |a| (a.generation, a.kind, a.health, a.state));
        let generation = if r.flag()? { last.0 } else { r.bits(8)? as u8 };
        let kind = if r.flag()? { last.1 } else { r.bits(8)? as u8 };
        let pos = read_near(r, me)?;
        let (health, state) =
            if r.flag()? { (last.2, last.3) } else { (r.bits(4)? as u8, r.bits(8)? as u8) };
        let name = if kind == KIND_PLAYER { read_text(r, NAME_BYTES_MAX)? } else { String::new() };
        actors.push(ActorView { id, generation, kind, pos, health, state, name: name.into() });
    }
    actors.sort_unstable_by_key(|a| a.id);
    Ok(actors)
}

fn read_near(r: &mut BitReader<'_>, me: Pos) -> Result<Pos, DecodeError> {
    if !r.flag()? {
        return read_pos(r);
    }
    read_offsets(r, me, NEAR_BITS, NEAR_OFFSET)
}

fn read_offsets(
    r: &mut BitReader<'_>,
    base: Pos,
    bits: u32,
    offset: i32,
) -> Result<Pos, DecodeError> {
    let mut coordinate = |base: u16| {
        let value = i32::from(base) + r.bits(bits)? as i32 - offset;
        u16::try_from(value).map_err(|_| DecodeError::OutOfRange("position"))
    };
    Ok(Pos::new(coordinate(base.x)?, coordinate(base.y)?))
}

fn read_inventory(
    r: &mut BitReader<'_>,
    before: &Arc<Vec<ItemView>>,
) -> Result<Arc<Vec<ItemView>>, DecodeError> {
    if !r.flag()? {
        return Ok(before.clone());
    }
    let mut items = before.as_ref().clone();
    let count = r.gamma()? as usize;
    if count > INVENTORY_SLOTS {
        return Err(DecodeError::OutOfRange("number of slots"));
    }
    for _ in 0..count {
        let slot = r.bits(5)? as u8;
        if usize::from(slot) >= INVENTORY_SLOTS {
            return Err(DecodeError::OutOfRange("slot"));
        }
        items.retain(|i| i.slot != slot);
        if r.flag()? {
            let (look, count) = (r.bits(8)? as u8, r.bits(8)? as u8);
            let (enchant, flags) = (r.bits(8)? as u8 as i8, r.bits(8)? as u8);
            items.push(ItemView { slot, look, count, enchant, flags });
        }
    }
    items.sort_unstable_by_key(|i| i.slot);
    Ok(Arc::new(items))
}

fn read_events(r: &mut BitReader<'_>) -> Result<(u16, Vec<Event>), DecodeError> {
    if !r.flag()? {
        return Ok((0, Vec::new()));
    }
    let first = r.bits(16)? as u16;
    let count = r.gamma()? as usize + 1;
    if count > EVENTS_PER_FRAME_MAX {
        return Err(DecodeError::OutOfRange("number of events"));
    }
    let events: Result<_, _> = (0..count).map(|_| Event::read(r)).collect();
    Ok((first, events?))
}

fn read_cells(
    r: &mut BitReader<'_>,
    (width, height): (usize, usize),
) -> Result<Vec<(usize, Cell)>, DecodeError> {
    let mut cells = Vec::new();
    let mut next = 0_usize;
    let (mut row, mut start) = (0, 0);
    let mut recent = [Cell(0); 2];
    while r.flag()? {
        let index = if r.flag()? {
            next
        } else if r.flag()? {
            let y = row + 1 + r.gamma()? as usize;
            let x = (start as i32).checked_add(r.signed()?).and_then(|x| usize::try_from(x).ok());
            let x = x.filter(|&x| x < width).ok_or(DecodeError::OutOfRange("cell"))?;
            y * width + x
        } else {
            next + 1 + r.gamma()? as usize
        };
        if index >= width * height {
            return Err(DecodeError::OutOfRange("cell"));
        }
        next = index + 1;
        if index / width != row {
            (row, start) = (index / width, index % width);
        }
        if r.flag()? {
        } else if r.flag()? {
            recent.swap(0, 1);
        } else {
            recent = [read_cell(r)?, recent[0]];
        }
        cells.push((index, recent[0]));
    }
    Ok(cells)
}

fn read_cell(r: &mut BitReader<'_>) -> Result<Cell, DecodeError> {
    let terrain = r.bits(6)? as u8;
    let item = if r.flag()? { r.bits(8)? as u8 } else { 0 };
    let gas = if r.flag()? { (r.bits(2)? as u8, r.bits(3)? as u8) } else { (0, 0) };
    Ok(Cell::new(terrain, item, gas, r.flag()?))
}
