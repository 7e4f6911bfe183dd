//! The journal's twin for tests: a disk in memory that fails and crashes when told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Entry, Keep, PRUNE_STEP_TICKS, SNAPSHOT_PART_BYTES,
    Snapshot, SnapshotHead, WriteError,
};
use crate::model::{Tick, ZoneId};

/// What goes wrong, at most once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next so many writes fail and leave nothing; then all is well.
    FailWrites(u32),
    /// The next write leaves nothing, and no later one works until the disk is opened again.
    CrashBeforeCommit,
    /// The next write is kept, but its caller is told that it failed; so do all later ones, which
    /// leave nothing, until the disk is opened again.
    CrashAfterCommit,
}

/// A disk that outlives its journals; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<(ZoneId, Tick), Entry>,
    snapshots: BTreeMap<(ZoneId, Tick), Snapshot>,
    fault: Option<Fault>,
    is_down: bool,
}

impl MemoryDisk {
    /// Opens the journal on this disk, after a crash too.
    #[must_use]
    pub fn open(&self) -> MemoryJournal {
        let mut state = self.state();
        state.is_down = false;
        state.fault = None;
        MemoryJournal { disk: self.clone() }
    }

    /// Makes something go wrong with the next write.
    pub fn inject(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a journal in memory.
#[derive(Debug)]
pub struct MemoryJournal {
    disk: MemoryDisk,
}

impl MemoryJournal {
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), WriteError> {
        self.disk.state().write(|state| {
            let mut new = BTreeMap::new();
            for entry in entries {
                let Entry { zone, tick, .. } = *entry;
                let before = new.range((zone, Tick(0))..=(zone, Tick(u64::MAX))).next_back();
                let last = before.map(|(&(_, tick), _)| tick).max(state.last_tick(zone));
                if let Some(expected) = last.map(Tick::next).filter(|&expected| expected != tick) {
                    return Err(WriteError::OutOfSequence { zone, expected, got: tick });
                }
                new.insert((zone, tick), entry.clone());
            }
            state.entries.append(&mut new);
            Ok(())
        })
    }

    pub(super) fn save_part(
        &mut self,
        snapshot: &Snapshot,
        offset: usize,
    ) -> Result<usize, WriteError> {
        let end = snapshot.bytes.len().min(offset + SNAPSHOT_PART_BYTES);
        self.disk.state().write(|state| {
            if end == snapshot.bytes.len() {
                let key = (snapshot.zone, snapshot.tick);
                state.snapshots.entry(key).or_insert_with(|| snapshot.clone());
            }
            Ok(end)
        })
    }

    pub(super) fn prune_step(&mut self, zone: ZoneId, keep: Keep) -> Result<bool, WriteError> {
        self.disk.state().write(|state| {
            let ticks: Vec<Tick> = state.ticks(zone).collect();
            let kept = keep.kept(&ticks, state.last_tick(zone).unwrap_or_default());
            let Some(&oldest) = kept.first() else { return Ok(false) };
            if let Some(&tick) = ticks.iter().find(|tick| kept.binary_search(tick).is_err()) {
                state.snapshots.remove(&(zone, tick));
                return Ok(true);
            }
            let mut old = state.entries.range((zone, Tick(0))..=(zone, oldest));
            let Some((&(_, first), _)) = old.next() else { return Ok(false) };
            let end = oldest.min(Tick(first.0 + PRUNE_STEP_TICKS));
            state.entries.retain(|&(z, tick), _| z != zone || tick > end);
            Ok(end < oldest)
        })
    }

    pub(super) fn size_bytes(&self) -> u64 {
        let state = self.disk.state();
        let entries = state.entries.values().map(|e| e.bytes.len() as u64).sum::<u64>();
        entries + state.snapshots.values().map(|s| s.bytes.len() as u64).sum::<u64>()
    }

    pub(super) fn reader(&self) -> MemoryReader {
        MemoryReader { disk: self.disk.clone() }
    }
}

impl State {
    fn write<T>(
        &mut self,
        commit: impl FnOnce(&mut Self) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        if self.is_down {
            return Err(WriteError::Injected);
        }
        match self.fault.take() {
            None | Some(Fault::FailWrites(0)) => return commit(self),
            Some(Fault::FailWrites(left)) => {
                self.fault = (left > 1).then(|| Fault::FailWrites(left - 1));
            }
            Some(Fault::CrashBeforeCommit) => self.is_down = true,
            Some(Fault::CrashAfterCommit) => {
                commit(self)?;
                self.is_down = true;
            }
        }
        Err(WriteError::Injected)
    }

    fn last_tick(&self, zone: ZoneId) -> Option<Tick> {
        let all = (zone, Tick(0))..=(zone, Tick(u64::MAX));
        let entry = self.entries.range(all).next_back().map(|(&(_, tick), _)| tick);
        entry.max(self.ticks(zone).last())
    }

    /// The ticks of a zone's snapshots, oldest first.
    fn ticks(&self, zone: ZoneId) -> impl Iterator<Item = Tick> {
        let all = (zone, Tick(0))..=(zone, Tick(u64::MAX));
        self.snapshots.range(all).map(|(&(_, tick), _)| tick)
    }
}

/// Reads a journal in memory.
#[derive(Debug)]
pub struct MemoryReader {
    disk: MemoryDisk,
}

impl MemoryReader {
    pub(super) fn zones(&self) -> Vec<ZoneId> {
        let state = self.disk.state();
        let keys = state.entries.keys().chain(state.snapshots.keys());
        let mut zones: Vec<ZoneId> = keys.map(|&(zone, _)| zone).collect();
        zones.sort_unstable();
        zones.dedup();
        zones
    }

    pub(super) fn last_tick(&self, zone: ZoneId) -> Option<Tick> {
        self.disk.state().last_tick(zone)
    }

    pub(super) fn snapshots(&self, zone: ZoneId) -> Vec<SnapshotHead> {
        let state = self.disk.state();
        let all = (zone, Tick(0))..=(zone, Tick(u64::MAX));
        let newest_first = state.snapshots.range(all).rev();
        newest_first
            .map(|(_, s)| SnapshotHead {
                tick: s.tick,
                version: s.version,
                hash: s.hash,
                size_bytes: s.bytes.len(),
            })
            .collect()
    }

    pub(super) fn snapshot(&self, zone: ZoneId, tick: Tick) -> Option<Snapshot> {
        self.disk.state().snapshots.get(&(zone, tick)).cloned()
    }

    pub(super) fn batch(&self, zone: ZoneId, after: Option<Tick>) -> Vec<Entry> {
        let state = self.disk.state();
        let first = after.map_or(Tick(0), Tick::next);
        let mut size = 0;
        let rest = state.entries.range((zone, first)..=(zone, Tick(u64::MAX))).map(|(_, e)| e);
        rest.take(BATCH_ENTRIES_MAX)
            .take_while(|entry| {
                let is_room = size < BATCH_BYTES_MAX;
                size += entry.bytes.len();
                is_room
            })
            .cloned()
            .collect()
    }
}
