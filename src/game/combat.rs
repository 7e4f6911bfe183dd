//! Blows: who hits whom, how hard, and what a blow does besides.

use super::catalog::items::{Category, special};
use super::catalog::monsters::flags as is;
use super::catalog::{Effect, Flash, Gas, Kind, Note};
use super::item::Item;
use super::items;
use super::rng::Rng;
use super::state::{Audience, Cause, Mode, Subject, ZoneKind, ZoneState};
use super::turn::{Quarrel, Turn, purpose};
use crate::model::limits::NO_ACTOR;

/// A player's blow takes so many times the ticks of its weapon: time to see what happens.
const BLOW_PACE: u64 = 3;
/// Cells to which the fall of a monster is experience shared by the players.
const SHARING_RADIUS: u16 = 20;

/// Chance in a thousand that a blow of 100 percent accuracy gets past each tenth of a point of
/// protection: 0.987 to the power of the protection.
static PAST_ARMOR: [u16; 256] = {
    let mut table = [0; 256];
    let mut chance: u32 = 1_000_000;
    let mut i = 0;
    while i < 256 {
        table[i] = (chance / 1_000) as u16;
        chance = chance * 987 / 1_000;
        i += 1;
    }
    table
};

/// How somebody strikes.
#[derive(Clone, Copy, Debug)]
struct Blow {
    accuracy: i32,
    damage: (i32, i32),
    special: u8,
    verb: Note,
}

impl ZoneState {
    /// Chance in a thousand that a blow of `accuracy` percent hits an actor.
    #[must_use]
    pub fn chance_to_hit(&self, accuracy: i32, target: u16) -> i32 {
        let tenths = match self.player(target) {
            Some(player) => {
                let worn = items::armor_of(&player.sheet);
                if self.is_affected(target, Effect::Weakened) { worn / 2 } else { worn }
            }
            None => self.row(target).defence * 10,
        };
        let past = i32::from(PAST_ARMOR[tenths.clamp(0, 255) as usize]);
        (accuracy * past / 100).clamp(50, 1_000)
    }

    fn blow_of(&self, slot: u16) -> Blow {
        let weak = self.is_affected(slot, Effect::Weakened);
        let halve = |(low, high): (i32, i32)| if weak { (low / 2, high / 2) } else { (low, high) };
        match self.player(slot) {
            Some(player) => {
                let attack = items::attack_of(&player.sheet);
                let bonus = i32::from(player.sheet.level) - 1;
                let (low, high) = halve(attack.damage);
                Blow {
                    accuracy: attack.accuracy + 2 * bonus,
                    damage: (low + bonus / 4, high + bonus / 3),
                    special: attack.special,
                    verb: Note::Hits,
                }
            }
            None => {
                let row = self.row(slot);
                let damage = halve(row.damage);
                Blow { accuracy: row.accuracy, damage, special: 0, verb: row.verb }
            }
        }
    }

    /// Ticks that a blow of an actor takes.
    #[must_use]
    pub fn blow_ticks(&self, slot: u16) -> u64 {
        let ticks = match self.player(slot) {
            Some(player) => items::attack_of(&player.sheet).ticks * BLOW_PACE,
            None => u64::from(self.row(slot).attack_ticks),
        };
        self.pace(slot, ticks as u32)
    }

    /// Whether an actor cannot see a blow coming.
    fn is_unaware(&self, slot: u16, of: u16) -> bool {
        let actor = self.actor(slot);
        actor.kind != 0
            && (matches!(actor.mode, Mode::Asleep | Mode::Wandering)
                || self.is_affected(slot, Effect::Paralysed))
            && self.player_of(of).is_some()
    }
}

impl Turn<'_> {
    /// One blow of `slot` against `target`, and whatever its weapon does to others near by.
    pub fn strike(&mut self, slot: u16, target: u16) {
        let (from, to) = (self.state.actor(slot).cell, self.state.actor(target).cell);
        let blow = self.state.blow_of(slot);
        self.strike_one(slot, target, blow, false);
        if blow.special & special::SWEEPS != 0 {
            for at in self.state.around(from, 1) {
                if let Some(other) = self.state.actor_at(at)
                    && other != target
                    && self.state.is_hostile(slot, other)
                    && self.state.is_adjacent(from, at)
                {
                    self.strike_one(slot, other, blow, false);
                }
            }
        }
        if blow.special & special::PIERCES != 0
            && let Some(&behind) = self.state.line(from, to, 2).get(1)
            && let Some(other) = self.state.actor_at(behind)
            && self.state.is_hostile(slot, other)
        {
            self.strike_one(slot, other, blow, false);
        }
    }

    /// A blow that cannot miss and does three times the harm.
    pub fn lunge(&mut self, slot: u16, target: u16) {
        let blow = Blow { verb: Note::LungesAt, ..self.state.blow_of(slot) };
        self.strike_one(slot, target, blow, true);
    }

    fn strike_one(&mut self, slot: u16, target: u16, blow: Blow, lunges: bool) {
        if !self.state.is_up(slot) || !self.state.is_up(target) {
            return;
        }
        let mut rng = self.rng(purpose::STRIKE + (u64::from(slot) << 16) + u64::from(target));
        let unaware = self.state.is_unaware(target, slot);
        let helpless = unaware
            || lunges
            || self.state.is_affected(target, Effect::Paralysed)
            || self.state.is_affected(target, Effect::Held);
        let other = self.state.subject(target);
        self.surface(slot);
        let cell = self.state.actor(slot).cell;
        self.make_quiet_noise(cell);
        let tick = self.state.tick;
        if let Some(player) = self.state.player_mut(slot) {
            player.fought_at = tick;
            items::weapon_used(self, slot);
        }
        items::armor_used(self, target);
        if !helpless && rng.below(1_000) as i32 >= self.state.chance_to_hit(blow.accuracy, target) {
            self.report(slot, Note::Misses, other, 0);
            self.provoke(target);
            return;
        }
        let mut amount = rng.between(blow.damage.0, blow.damage.1);
        let mut verb = blow.verb;
        if unaware {
            amount *= if blow.special & special::ASSASSIN != 0 { 5 } else { 3 };
            verb = Note::SneakAttack;
        } else if lunges {
            amount *= 3;
        } else if rng.chance(5) {
            amount += amount / 2 + 1;
            verb = Note::CriticalHit;
        }
        let source = self.state.subject(slot);
        let done = self.damage(target, amount, source, Cause::Blow);
        self.report(slot, verb, other, done);
        if done > 0 {
            self.after_blow(slot, target, done, &mut rng);
        }
    }

    /// What a blow that hit does besides.
    fn after_blow(&mut self, slot: u16, target: u16, done: i32, rng: &mut Rng) {
        let row = self.state.row(slot);
        let other = self.state.subject(target);
        if row.has(is::POISONS) {
            self.affect(target, Effect::Poisoned, 40 + 10 * done as u32);
        }
        if row.has(is::WEAKENS) && rng.chance(50) && self.affect(target, Effect::Weakened, 600) {
            self.report(slot, Note::DrainsStrength, other, 0);
        }
        if row.has(is::DAZES) && rng.chance(40) {
            self.affect(target, Effect::Confused, 60);
        }
        if row.has(is::GRABS) && self.affect(target, Effect::Held, 40) {
            self.report(slot, Note::Grabs, other, 0);
        }
        if row.has(is::IGNITES) && rng.chance(50) {
            self.catch_fire(target);
        }
        if row.has(is::DRAINS) {
            self.heal(slot, done);
        }
        if row.has(is::CORRODES) {
            self.corrode(slot, target);
        }
        if row.has(is::STEALS) && self.state.actor(slot).carried.is_none() {
            self.steal(slot, target, rng);
        }
        if self.state.row(target).has(is::SPLITS) {
            self.split(target);
        }
    }

    /// Acid takes a point off the armour of a player.
    fn corrode(&mut self, slot: u16, target: u16) {
        let Some(player) = self.state.player_mut(target) else { return };
        let sheet = &mut player.sheet;
        let Some(worn) = sheet.armor.and_then(|inv| sheet.items.get_mut(&inv)) else { return };
        if worn.enchant <= -9 {
            return;
        }
        worn.enchant -= 1;
        let item = Some(worn.clone());
        let (who, other) = (self.state.subject(slot), self.state.subject(target));
        let seen = Audience::Sight(self.state.actor(target).cell);
        self.note(seen, Note::CorrodesArmor, who, other, item, 0);
    }

    /// A thief takes one loose thing or some gold, and runs.
    fn steal(&mut self, slot: u16, target: u16, rng: &mut Rng) {
        let Some(player) = self.state.player_mut(target) else { return };
        let sheet = &mut player.sheet;
        let loose: Vec<u8> = sheet
            .items
            .iter()
            .filter(|(inv, item)| {
                let worn = sheet.weapon == Some(**inv) || sheet.armor == Some(**inv);
                let precious = [Category::Prize, Category::Key];
                !worn && !precious.contains(&item.kind.row().category)
            })
            .map(|(&inv, _)| inv)
            .collect();
        let stolen = match rng.pick(&loose) {
            Some(&inv) if sheet.gold == 0 || rng.chance(60) => sheet.items.remove(&inv),
            _ if sheet.gold > 0 => {
                let gold = (sheet.gold / 4).max(1);
                sheet.gold -= gold;
                Some(Kind::Gold.item(gold))
            }
            _ => None,
        };
        let Some(item) = stolen else { return };
        let (who, other) = (self.state.subject(slot), self.state.subject(target));
        let seen = Audience::Sight(self.state.actor(target).cell);
        let is_gold = item.kind.row().category == Category::Gold;
        let code = if is_gold { Note::StealsGold } else { Note::Steals };
        self.note(seen, code, who, other, Some(item.clone()), item.count as i32);
        let actor = self.state.actor_mut(slot);
        actor.carried = Some(item);
        actor.mode = Mode::Fleeing;
    }

    /// What was struck and lives on divides its health with a new one of its kind.
    pub(super) fn split(&mut self, slot: u16) {
        if !self.state.is_up(slot) || self.state.actor(slot).hp < 2 {
            return;
        }
        let (kind, cell) = (self.state.actor(slot).kind, self.state.actor(slot).cell);
        let Some(at) = self.state.free_cell_for(kind, cell, 1) else { return };
        let Some(twin) = self.spawn_monster(kind, at, Mode::Hunting) else { return };
        let half = self.state.actor(slot).hp / 2;
        self.state.actor_mut(slot).hp -= half;
        let twin = self.state.actor_mut(twin);
        (twin.hp, twin.hp_max) = (half, half.max(1));
        self.report(slot, Note::Splits, Subject::Nobody, 0);
    }

    /// A monster that was attacked knows it.
    fn provoke(&mut self, slot: u16) {
        let now = self.now();
        let actor = self.state.actor_mut(slot);
        if actor.kind != 0 {
            actor.noticed = now;
            if matches!(actor.mode, Mode::Asleep | Mode::Wandering) {
                actor.mode = Mode::Hunting;
            }
        }
    }

    /// Whoever strikes shows itself for a while.
    pub fn surface(&mut self, slot: u16) {
        let until = self.now() + 20;
        if self.state.row(slot).has(is::SUBMERGES) {
            let actor = self.state.actor_mut(slot);
            actor.special_at = actor.special_at.max(until);
        }
    }

    /// The clash of arms: heard near by, not worth a walk.
    fn make_quiet_noise(&mut self, cell: u32) {
        for at in self.state.around(cell, 3) {
            let Some(slot) = self.state.actor_at(at) else { continue };
            let ambush = self.state.row(slot).has(is::AMBUSHES);
            let actor = self.state.actor_mut(slot);
            if actor.kind != 0 && actor.mode == Mode::Asleep && !ambush {
                actor.mode = Mode::Wandering;
            }
        }
    }

    /// Takes away everybody whose health ran out, with all that follows; bursting bodies may take
    /// others with them.
    pub fn settle_deaths(&mut self) {
        while !self.state.derived.dying.is_empty() {
            for dying in std::mem::take(&mut self.state.derived.dying) {
                let actor = self.state.actor(dying.slot);
                if !actor.alive || actor.hp > 0 {
                    continue;
                }
                if actor.kind == 0 {
                    self.player_dies(dying.slot, dying.source, dying.cause);
                } else {
                    self.monster_dies(dying.slot, dying.source, dying.cause);
                }
            }
        }
    }

    fn player_dies(&mut self, slot: u16, source: Subject, cause: Cause) {
        let how = match (source, cause) {
            (Subject::Actor { slot, kind: 0 }, _) => self.state.player(slot).map_or_else(
                || "killed by a fellow delver".into(),
                |p| format!("killed by {}", p.sheet.name),
            ),
            (Subject::Actor { kind, .. }, Cause::Fire) => {
                format!("burnt by {}", article(super::catalog::monsters::row(kind).name))
            }
            (Subject::Actor { kind, .. }, _) => {
                format!("killed by {}", article(super::catalog::monsters::row(kind).name))
            }
            (Subject::Nobody, Cause::Poison) => "died of poison".into(),
            (Subject::Nobody, Cause::Fire) => "burnt to death".into(),
            (Subject::Nobody, Cause::Lava) => "sank into molten rock".into(),
            (Subject::Nobody, Cause::Explosion) => "blown up".into(),
            (Subject::Nobody, Cause::Blow | Cause::Missile | Cause::Spell | Cause::Vanish) => {
                "killed by the dungeon".into()
            }
        };
        let cell = self.state.actor(slot).cell;
        let who = self.state.subject(slot);
        self.note(Audience::Sight(cell), Note::Killed, who, source, None, 0);
        if let (Some(character), Subject::Actor { .. }) = (self.state.player_of(slot), source) {
            // Its own sight ends with it.
            self.note(Audience::One(character), Note::Killed, who, source, None, 0);
        }
        if self.state.kind == ZoneKind::Arena && matches!(source, Subject::Actor { kind: 0, .. }) {
            self.note(Audience::All, Note::ArenaWins, source, who, None, 0);
            self.fell(slot, source);
        }
        self.burst(Flash::Death, cell, 1);
        self.reward(slot, source, cell, 20);
        self.bury(slot, how);
    }

    /// One player has felled another in an arena; what happens in a match counts at its end.
    fn fell(&mut self, slot: u16, source: Subject) {
        let Subject::Actor { slot: by, .. } = source else { return };
        if [by, slot].iter().any(|&slot| self.state.quarrel(slot) != Quarrel::Open) {
            return;
        }
        // Whoever fell in the same moment has won nothing.
        let both = self.state.player_of(by).zip(self.state.player_of(slot));
        if let Some((winner, loser)) = both.filter(|(winner, loser)| winner != loser) {
            self.record(vec![winner], vec![loser]);
        }
    }

    fn monster_dies(&mut self, slot: u16, source: Subject, cause: Cause) {
        let row = self.state.row(slot);
        let (cell, kind) = (self.state.actor(slot).cell, self.state.actor(slot).kind);
        let was_ally = self.state.actor(slot).mode == Mode::Ally;
        let who = Subject::Actor { slot, kind };
        let (code, teller, other) = match (cause, source) {
            (Cause::Vanish, _) => (Note::Destroyed, who, Subject::Nobody),
            (_, Subject::Actor { .. }) => (Note::Kills, source, who),
            (Cause::Poison, _) => (Note::DiesOfPoison, who, Subject::Nobody),
            (Cause::Fire, _) => (Note::BurnsToDeath, who, Subject::Nobody),
            (Cause::Lava, _) => (Note::MeltsInLava, who, Subject::Nobody),
            (Cause::Blow | Cause::Missile | Cause::Spell | Cause::Explosion, _) => {
                (Note::Dies, who, Subject::Nobody)
            }
        };
        self.note(Audience::Sight(cell), code, teller, other, None, 0);
        let carried = self.state.actor_mut(slot).carried.take();
        self.state.remove(slot);
        for actor in &mut self.state.actors {
            if actor.alive && actor.leader == slot {
                actor.leader = NO_ACTOR;
            }
        }
        if let Some(item) = carried {
            self.spill(cell, who, item);
        }
        if cause != Cause::Vanish && !was_ally {
            self.reward(slot, source, cell, row.experience());
        }
        if row.has(is::BURSTS) {
            self.burst_open(cell, row.flags, who);
        }
    }

    fn spill(&mut self, cell: u32, who: Subject, item: Item) {
        self.note(
            Audience::Sight(cell),
            Note::DropsLoot,
            who,
            Subject::Nobody,
            Some(item.clone()),
            item.count as i32,
        );
        self.drop_item(cell, item);
    }

    fn burst_open(&mut self, cell: u32, what: u64, who: Subject) {
        self.note(Audience::Sight(cell), Note::Explodes, who, Subject::Nobody, None, 0);
        self.burst(Flash::Gas, cell, 1);
        for (flag, gas, amount) in [
            (is::BURSTS_METHANE, Gas::Methane, 350),
            (is::BURSTS_POISON, Gas::Poison, 350),
            (is::BURSTS_CONFUSION, Gas::Confusion, 350),
        ] {
            if what & flag != 0 {
                self.add_gas(gas, cell, amount);
            }
        }
        if what & is::BURSTS_FIRE != 0 {
            self.explode(cell, 1, (3, 8), who);
        }
    }

    /// Shares experience among the players near by, if a player or its ally had a hand in it; two
    /// together get more than one alone would, each a little less.
    fn reward(&mut self, victim: u16, source: Subject, cell: u32, xp: u32) {
        let Subject::Actor { slot, .. } = source else { return };
        if slot == victim {
            return;
        }
        let killer = self.state.actor(slot);
        if !killer.alive || !(killer.kind == 0 || killer.mode == Mode::Ally) {
            return;
        }
        let near: Vec<u16> = self
            .state
            .bodies()
            .filter(|&body| {
                body != victim
                    && self.state.is_up(body)
                    && self.state.gap(self.state.actor(body).cell, cell) <= SHARING_RADIUS
            })
            .collect();
        let count = near.len() as u32;
        for body in near {
            self.gain_experience(body, (xp * (count + 1) / (2 * count)).max(1));
        }
    }
}

/// A name with its article.
fn article(name: &str) -> String {
    let vowel = name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {name}", if vowel { "an" } else { "a" })
}
