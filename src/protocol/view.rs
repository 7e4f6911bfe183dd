//! What a player is shown at one tick, apart from the cells.

use std::sync::Arc;

use super::DecodeError;
use super::bits::{BitReader, BitWriter};
use crate::model::{Pos, ZoneId};

/// Kind number of a player among the actors; monsters follow.
pub const KIND_PLAYER: u8 = 0;

/// Bits of [`ActorView::state`].
pub mod state {
    pub const ASLEEP: u8 = 1;
    pub const HUNTING: u8 = 2;
    pub const FLEEING: u8 = 4;
    /// On the player's side.
    pub const FRIENDLY: u8 = 8;
    pub const BURNING: u8 = 16;
    /// A player whose connection is away; nothing can hurt them.
    pub const GUARDED: u8 = 32;
    pub const CONFUSED: u8 = 64;
    /// Held, stuck or paralysed.
    pub const HELD: u8 = 128;
}

/// Bits of [`Me::flags`].
pub mod me {
    pub const SNEAKING: u8 = 1;
    pub const DEAD: u8 = 2;
    pub const GUARDED: u8 = 4;
    pub const ON_STAIRS: u8 = 8;
}

/// Bits of [`ItemView::flags`].
pub mod item {
    pub const EQUIPPED: u8 = 1;
    /// Its enchantment is known.
    pub const IDENTIFIED: u8 = 2;
    /// Known to do harm.
    pub const MALEVOLENT: u8 = 4;
    /// `UseAt` works on it.
    pub const TARGETED: u8 = 8;
    /// `Equip` works on it.
    pub const WEARABLE: u8 = 16;
    /// `Use` works on it.
    pub const USABLE: u8 = 32;
}

/// The zone a player is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub zone: ZoneId,
    pub depth: u8,
    /// Sides in cells.
    pub width: u16,
    pub height: u16,
    /// At most `limits::NAME_BYTES_MAX` bytes.
    pub name: String,
}

/// One effect on the player; it ends at tick `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EffectView {
    pub kind: u8,
    pub until: u32,
}

/// The player's own character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Me {
    pub pos: Pos,
    /// Its actor id, as others see it.
    pub id: u16,
    pub hp: u16,
    pub hp_max: u16,
    pub level: u8,
    pub xp: u32,
    /// Experience at which the next level begins.
    pub xp_next: u32,
    pub gold: u32,
    pub strength: u8,
    pub armor: u8,
    /// Distance in cells at which sleepers may notice.
    pub stealth: u8,
    pub flags: u8,
    /// Sorted by kind; at most 15.
    pub effects: Vec<EffectView>,
}

/// Another actor the player sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorView {
    pub id: u16,
    /// Tells two actors that had the same id one after the other apart.
    pub generation: u8,
    pub kind: u8,
    pub pos: Pos,
    /// Sixteenths of its health, rounded up: 0 to 15, 15 unhurt.
    pub health: u8,
    pub state: u8,
    /// A player's name; empty for monsters.
    pub name: Arc<str>,
}

/// One filled inventory slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemView {
    /// Below `limits::INVENTORY_SLOTS`.
    pub slot: u8,
    pub look: u8,
    pub count: u8,
    /// Enchantment or charges, if [`item::IDENTIFIED`]; else 0.
    pub enchant: i8,
    pub flags: u8,
}

/// Everything but the cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub place: Arc<Place>,
    pub tick: u64,
    /// The newest command of this character that is applied or refused for good.
    pub last_command: u32,
    pub me: Me,
    /// Sorted by id.
    pub actors: Vec<ActorView>,
    /// Sorted by slot.
    pub inventory: Arc<Vec<ItemView>>,
}

impl View {
    /// How many actors stand elsewhere than in `before`; those that were not in it do not count.
    #[must_use]
    pub fn moved_since(&self, before: &Self) -> usize {
        let mut old = before.actors.iter().peekable();
        let moved = |actor: &&ActorView| {
            while old.next_if(|o| o.id < actor.id).is_some() {}
            old.next_if(|o| (o.id, o.generation) == (actor.id, actor.generation))
                .is_some_and(|o| o.pos != actor.pos)
        };
        self.actors.iter().filter(moved).count()
    }

    /// A hash of everything a frame carries, by the order of the fields; part of the wire protocol.
    #[must_use]
    pub fn hash(&self) -> u32 {
        let mut h = 0_u32;
        let mut add = |value: u32| {
            h = (h ^ value).wrapping_mul(0x9e37_79b1);
            h ^= h >> 15;
        };
        let me = &self.me;
        for value in [
            self.place.zone.0,
            self.tick as u32,
            self.last_command,
            u32::from(me.pos.x) | u32::from(me.pos.y) << 16,
            me.id.into(),
            u32::from(me.hp) | u32::from(me.hp_max) << 16,
            u32::from(me.level) | u32::from(me.strength) << 8 | u32::from(me.armor) << 16,
            me.xp,
            me.xp_next,
            me.gold,
            u32::from(me.stealth) | u32::from(me.flags) << 8,
        ] {
            add(value);
        }
        for effect in &me.effects {
            add(effect.kind.into());
            add(effect.until);
        }
        for a in &self.actors {
            add(u32::from(a.id) | u32::from(a.generation) << 16 | u32::from(a.kind) << 24);
            add(u32::from(a.pos.x) | u32::from(a.pos.y) << 16);
            add(u32::from(a.health) | u32::from(a.state) << 8);
        }
        for i in self.inventory.iter() {
            add(u32::from(i.slot) | u32::from(i.look) << 8 | u32::from(i.count) << 16);
            add(u32::from(i.enchant as u8) | u32::from(i.flags) << 8);
        }
        h
    }
}

/// Ten bits of x, then ten of y.
pub(super) fn write_pos(w: &mut BitWriter, pos: Pos) {
    w.bits(u32::from(pos.x) & 1023, 10);
    w.bits(u32::from(pos.y) & 1023, 10);
}

pub(super) fn read_pos(r: &mut BitReader<'_>) -> Result<Pos, DecodeError> {
    Ok(Pos::new(r.bits(10)? as u16, r.bits(10)? as u16))
}
