use crate::model::Tick;

/// What of a zone's past stays.
///
/// The newest `snapshots` stay (at least one), and as many older ones as it takes to re-run any
/// of the last `history_ticks`: the newest before them, and from there one each quarter of it.
/// Entries stay from the oldest snapshot that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    pub snapshots: usize,
    pub history_ticks: u64,
}

impl Keep {
    /// Which of the snapshots stay. `ticks` and the answer rise; `last` is the zone's newest tick.
    ///
    /// It looks from the oldest to the newest: from the newest on, the gaps that decide would move
    /// with every snapshot, and none would ever grow old.
    pub(super) fn kept(self, ticks: &[Tick], last: Tick) -> Vec<Tick> {
        let floor = Tick(last.0.saturating_sub(self.history_ticks));
        let newest = ticks.len().saturating_sub(self.snapshots.max(1));
        let base = ticks.iter().rposition(|&tick| tick <= floor).unwrap_or(0);
        let mut kept: Vec<Tick> = Vec::new();
        for (index, &tick) in ticks.iter().enumerate().skip(base.min(newest)) {
            let gap = kept.last().map(|before| tick.0 - before.0);
            let is_apart = gap.is_none_or(|gap| gap >= self.history_ticks / 4);
            if index >= newest || (index >= base && is_apart) {
                kept.push(tick);
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(snapshots: usize, history_ticks: u64, ticks: &[u64], last: u64, expected: &[u64]) {
        let ticks: Vec<Tick> = ticks.iter().copied().map(Tick).collect();
        let kept = Keep { snapshots, history_ticks }.kept(&ticks, Tick(last));
        assert_eq!(kept, expected.iter().copied().map(Tick).collect::<Vec<_>>());
    }

    #[test]
    fn what_stays() {
        check(2, 0, &[], 9, &[]);
        check(0, 0, &[10, 20, 30], 35, &[30]);
        check(2, 0, &[10, 20, 30], 35, &[20, 30]);
        check(5, 0, &[10, 20, 30], 35, &[10, 20, 30]);
        check(1, 16, &[10, 20, 30], 35, &[10, 20, 30]);
        check(1, 100, &[10, 20, 30, 40, 130], 135, &[30, 130]);
        check(1, 100, &[100, 110, 120, 130, 140], 145, &[100, 130, 140]);
    }

    proptest! {
        #[test]
        fn a_long_run_keeps_its_history_and_little_more(
            snapshots in 1usize..4, history in 0u64..400, every in 1u64..50, rounds in 1u64..200,
        ) {
            let keep = Keep { snapshots, history_ticks: history };
            let mut kept: Vec<Tick> = Vec::new();
            for round in 1..=rounds {
                let last = Tick(round * every);
                kept.push(last);
                let all = kept.len();
                kept = keep.kept(&kept, last);
                prop_assert!(kept.len() >= snapshots.min(all));
                prop_assert_eq!(kept.last(), Some(&last));
                let oldest = kept[0].0;
                prop_assert!(oldest <= every || oldest <= last.0.saturating_sub(history));
                prop_assert!(kept.len() <= 8 + snapshots, "{} stay", kept.len());
                // The oldest that stays is not far behind what has to stay.
                let wanted = last.0.saturating_sub(history);
                let slack = history / 4 + every * (snapshots as u64 + 2);
                prop_assert!(oldest + slack >= wanted, "{oldest} is far behind {wanted}");
            }
        }
    }
}
