//! A 64-bit hash of a zone's state, to compare two runs of one journal.
//!
//! It covers terrain, gas, fire, scent, actors, items, players, departures, arrivals, matches,
//! bouts, noises and the ledger. What players remember goes in as its own order-free sum; the
//! distance maps are left out: they follow from the rest and show in what monsters do.

use serde::Serialize;

use super::rng::mix;
use super::state::ZoneState;

/// Hashes a state; two states that step alike have the same hash.
#[must_use]
pub fn hash(state: &ZoneState) -> u64 {
    let mut h = Hasher { sum: mix(state.seed ^ state.tick.0.rotate_left(32)), bytes: Vec::new() };
    h.octets(state.terrain.iter().map(|&t| t as u8));
    for plane in &state.gas {
        h.octets(plane.iter().copied());
    }
    h.octets(state.fire.iter().copied());
    h.words(state.scent.iter().copied());
    for actor in &state.actors {
        let flags = u64::from(actor.alive) | u64::from(actor.generation) << 8;
        h.word(flags | u64::from(actor.kind) << 16 | (actor.mode as u64) << 24);
        if !actor.alive {
            continue;
        }
        h.word(u64::from(actor.cell) | u64::from(actor.goal) << 32);
        h.word(u64::from(actor.hp as u32) | u64::from(actor.hp_max as u32) << 32);
        h.word(actor.ready_at ^ u64::from(actor.leader) << 48);
        h.word(u64::from(actor.noticed) | u64::from(actor.special_at) << 32);
        h.word(actor.character.0);
        h.words(actor.effects.iter().copied());
        if actor.carried.is_some() {
            h.value(&actor.carried);
        }
    }
    h.value(&(&state.zone, &state.items, &state.departures, &state.arrivals));
    h.value(&(&state.ledger, &state.noises, &state.vaults));
    h.value(&(&state.matches, &state.bouts));
    for (character, player) in &state.players {
        h.value(&(character, &player.sheet, player.slot, player.connected));
        h.value(&(player.guarded_until, player.sneaking, player.respawn_at, &player.death));
        h.value(&(player.fought_at, player.rested_at, player.memory.sum()));
    }
    for (character, memory) in &state.remembered {
        h.value(&(character, memory.sum()));
    }
    mix(h.sum)
}

struct Hasher {
    sum: u64,
    bytes: Vec<u8>,
}

impl Hasher {
    fn word(&mut self, word: u64) {
        self.sum = (self.sum.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn words(&mut self, mut words: impl Iterator<Item = u32>) {
        while let Some(low) = words.next() {
            let high = words.next().unwrap_or(0);
            self.word(u64::from(low) | u64::from(high) << 32);
        }
    }

    fn octets(&mut self, octets: impl Iterator<Item = u8>) {
        self.bytes.clear();
        self.bytes.extend(octets);
        self.drain();
    }

    fn value(&mut self, value: &impl Serialize) {
        let bytes = std::mem::take(&mut self.bytes);
        let cleared = {
            let mut bytes = bytes;
            bytes.clear();
            bytes
        };
        self.bytes = postcard::to_extend(value, cleared)
            .expect("a state has no value that postcard cannot write");
        self.drain();
    }

    /// Four sums side by side, for speed, over eight bytes at a time; zeroes cost as little.
    fn drain(&mut self) {
        let mut lanes = [1_u64, 2, 3, 4];
        let (blocks, rest) = self.bytes.as_chunks::<32>();
        for block in blocks {
            for (lane, eight) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                *lane = (lane.rotate_left(29) ^ u64::from_le_bytes(*eight))
                    .wrapping_mul(0xd6e8_feb8_6659_fd93);
            }
        }
        let mut last = [0; 32];
        last[..rest.len()].copy_from_slice(rest);
        let length = self.bytes.len() as u64;
        for (lane, eight) in lanes.into_iter().zip(last.as_chunks::<8>().0) {
            self.word(lane);
            self.word(u64::from_le_bytes(*eight));
        }
        self.word(length);
    }
}
