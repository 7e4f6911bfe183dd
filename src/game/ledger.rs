//! The books: everything that came into a zone is still there, was used up, or has left.

use super::catalog::items::Category;
use super::item::Item;
use super::state::{Ledger, Sheet, ZoneState};

/// Pieces of items and of gold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub items: u64,
    pub gold: u64,
}

impl Holdings {
    /// Adds a stack.
    pub fn add(&mut self, item: &Item) {
        if item.kind.row().category == Category::Gold {
            self.gold += u64::from(item.count);
        } else {
            self.items += u64::from(item.count);
        }
    }

    /// Adds what a character carries.
    pub fn add_sheet(&mut self, sheet: &Sheet) {
        self.gold += u64::from(sheet.gold);
        sheet.items.values().for_each(|item| self.add(item));
    }

    /// What a character carries.
    #[must_use]
    pub fn of(sheet: &Sheet) -> Self {
        let mut holdings = Self::default();
        holdings.add_sheet(sheet);
        holdings
    }
}

impl Ledger {
    /// Writes down something that came into being.
    pub fn make(&mut self, item: &Item) {
        let mut holdings = Holdings::default();
        holdings.add(item);
        self.items_made += holdings.items;
        self.gold_made += holdings.gold;
    }

    /// Writes down something that is no more.
    pub fn destroy(&mut self, item: &Item) {
        let mut holdings = Holdings::default();
        holdings.add(item);
        self.items_used += holdings.items;
        self.gold_used += holdings.gold;
    }

    /// What should be in the zone.
    #[must_use]
    pub fn balance(&self) -> Holdings {
        Holdings {
            items: (self.items_made + self.items_in).wrapping_sub(self.items_used + self.items_out),
            gold: (self.gold_made + self.gold_in).wrapping_sub(self.gold_used + self.gold_out),
        }
    }
}

/// What is in the zone: on the ground, carried by players and monsters, and leaving unconfirmed.
#[must_use]
pub fn recount(state: &ZoneState) -> Holdings {
    let mut holdings = Holdings::default();
    state.items.values().for_each(|item| holdings.add(item));
    for actor in state.actors.iter().filter(|a| a.alive) {
        actor.carried.iter().for_each(|item| holdings.add(item));
    }
    state.players.values().for_each(|player| holdings.add_sheet(&player.sheet));
    state.departures.iter().for_each(|departure| holdings.add_sheet(&departure.sheet));
    holdings
}

/// Whether the books agree with what is there.
#[must_use]
pub fn check(state: &ZoneState) -> bool {
    recount(state) == state.ledger.balance()
}
