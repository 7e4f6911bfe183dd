//! Walks that go on by themselves.

use super::app::{App, Errand};
use crate::client::Knowledge;
use crate::model::limits::INVENTORY_SLOTS;
use crate::model::{Command, Pos};

/// Ticks after which a command that has moved nobody is taken for done. A command is acknowledged
/// when it is queued, turns before it is carried out.
const STEP_PATIENCE_TICKS: u64 = 8;

impl App {
    /// Begins an errand.
    pub(super) fn set_out(&mut self, known: &Knowledge<'_>, errand: Errand) {
        if known.hostiles().next().is_some() && errand == Errand::Explore {
            self.say("Not while enemies are in view.".to_owned(), false);
            return;
        }
        self.watch = (known.view.me.hp, known.hostiles().count());
        self.errand = Some(errand);
    }

    /// The next step of the errand; it ends when it is done, when the player is hurt or when
    /// another enemy comes into view. To be asked when no command waits.
    pub(super) fn run_errand(&mut self, known: &Knowledge<'_>) -> Option<Command> {
        let errand = self.errand?;
        let hostiles = known.hostiles().count();
        let disturbed = known.view.me.hp < self.watch.0 || hostiles > self.watch.1;
        self.watch = (known.view.me.hp, hostiles);
        if disturbed || known.is_dead() {
            self.errand = None;
            return None;
        }
        let tick = known.view.tick;
        let under_way = self.given.is_some_and(|(from, since)| {
            from == known.here() && tick < since + STEP_PATIENCE_TICKS
        });
        if under_way {
            return None;
        }
        self.given = Some((known.here(), tick));
        if errand == Errand::Explore
            && let Some(command) = self.collect(known)
        {
            return Some(command);
        }
        let way = self.way(known, errand);
        let step = way.as_ref().and_then(|way| way.first());
        let Some(direction) = step.and_then(|&to| known.here().direction_to(to)) else {
            self.errand = None;
            match (errand, way) {
                (Errand::Explore, _) => self.say("Nothing more to explore.".to_owned(), false),
                (_, None) => self.say("No way there is known.".to_owned(), false),
                (_, Some(_)) => {}
            }
            return None;
        };
        Some(Command::Move(direction))
    }

    /// Picks up what lies here, once.
    fn collect(&mut self, known: &Knowledge<'_>) -> Option<Command> {
        let here = known.here();
        let lies = known.cell(here).is_some_and(|cell| cell.item() != 0);
        let room = known.view.inventory.len() < INVENTORY_SLOTS;
        if !lies || !room || self.left_lying.contains(&here) {
            return None;
        }
        self.left_lying.push(here);
        Some(Command::PickUp)
    }

    fn way(&mut self, known: &Knowledge<'_>, errand: Errand) -> Option<Vec<Pos>> {
        let Self { finder, left_lying, .. } = self;
        match errand {
            Errand::Explore => finder
                .to_item(known, 30, |pos| !left_lying.contains(&pos))
                .or_else(|| finder.to_frontier(known)),
            Errand::Terrain(terrain) => finder.to_terrain(known, terrain),
            Errand::To(pos) => finder.to(known, pos),
        }
    }
}
