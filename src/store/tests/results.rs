//! Lists of the best, and duels.

use super::*;
use crate::model::ZoneId;

/// Half of the difference and ten, so that a test can tell what was rated with what.
fn points(winner: i32, loser: i32) -> i32 {
    10 + (loser - winner) / 2
}

fn characters<const N: usize>(store: &Store, names: [&str; N]) -> [CharacterId; N] {
    let account = store.create_guest(1).unwrap().id;
    names.map(|name| store.create_character(account, name, 2).unwrap().id)
}

fn bout<'a>(winners: &'a [CharacterId], losers: &'a [CharacterId], at: u64) -> Bout<'a> {
    Bout { arena: ZoneId(1_001), winners, losers, at }
}

#[test]
fn the_best_of_a_whole_life_counts() {
    check("best", |store| {
        let [ada, eve, _new] = characters(store, ["Ada", "Eve", "New"]);
        let names = |by| -> Vec<String> {
            store.leaderboard(by, 10).unwrap().into_iter().map(|row| row.name).collect()
        };
        assert_eq!(names(Board::Depth), [""; 0]);
        store.save_sheet("a", ada, summary(5, 3, 90), 9, &sheet(1, "")).unwrap();
        store.save_sheet("b", ada, summary(2, 1, 0), 2, &sheet(2, "")).unwrap();
        let death = Death { summary: summary(4, 12, 70), cause: "a fall".into(), at: 9 };
        store.record_death("c", eve, &death).unwrap();
        assert_eq!(names(Board::Depth), ["Eve", "Ada"]);
        assert_eq!(names(Board::Gold), ["Ada", "Eve"]);
        assert_eq!(names(Board::Level), ["Ada", "Eve"]);
        assert_eq!(names(Board::Rating), [""; 0]);
        let first = store.leaderboard(Board::Gold, 1).unwrap();
        let expected = Ranked {
            character: ada,
            name: "Ada".into(),
            best: summary(5, 9, 90),
            rating: RATING_FIRST,
            wins: 0,
            losses: 0,
        };
        assert_eq!(first, [expected]);
    });
}

#[test]
fn a_duel_counts_once_for_both() {
    check("duels", |store| {
        let [ada, eve] = characters(store, ["Ada", "Eve"]);
        let record = |key: &str, winner, loser, at| {
            store.record_bout(key, &bout(&[winner], &[loser], at), points).unwrap()
        };
        assert_eq!(record("one", ada, eve, 70), Applied::Now);
        assert_eq!(record("one", eve, ada, 71), Applied::Before);
        assert_eq!(record("two", eve, ada, 72), Applied::Now);
        assert_eq!(record("three", ada, eve, 73), Applied::Now);
        // 1510 and 1490; then 20 the other way, then 20 back.
        assert_eq!((store.rating(ada).unwrap(), store.rating(eve).unwrap()), (1_510, 1_490));
        let board = store.leaderboard(Board::Rating, 9).unwrap();
        let rows: Vec<_> =
            board.iter().map(|it| (it.character, it.rating, it.wins, it.losses)).collect();
        assert_eq!(rows, [(ada, 1_510, 2, 1), (eve, 1_490, 1, 2)]);

        let all = store.duels(eve, u64::MAX, 9).unwrap();
        let rows: Vec<_> = all.iter().map(|it| (it.at, it.is_won, it.change, it.rating)).collect();
        assert_eq!(rows, [(73, false, -20, 1_490), (72, true, 20, 1_510), (70, false, -10, 1_490)]);
        assert!(all.iter().all(|it| it.opponent == "Ada" && it.arena == ZoneId(1_001)));
        assert!(all.is_sorted_by(|a, b| a.number > b.number));
        assert_eq!(store.duels(eve, u64::MAX, 2).unwrap(), all[..2]);
        assert_eq!(store.duels(eve, all[1].number, 9).unwrap(), all[2..]);
        assert_eq!(store.duels(eve, 0, 9).unwrap(), []);

        for (winner, loser) in [(ada, CharacterId(99)), (CharacterId(99), ada)] {
            let nobody = store.record_bout("x", &bout(&[winner], &[loser], 1), points);
            assert!(matches!(nobody, Err(StoreError::NoCharacter { .. })));
        }
        let nobody = store.duels(CharacterId(99), u64::MAX, 9);
        assert!(matches!(nobody, Err(StoreError::NoCharacter { .. })));
    });
}

#[test]
fn duels_that_come_at_once_are_all_rated() {
    check("duels-at-once", |store| {
        let [ada, eve] = characters(store, ["Ada", "Eve"]);
        let fight = |n: usize| {
            let both = if n.is_multiple_of(2) { (ada, eve) } else { (eve, ada) };
            let key = format!("{}", n / 2 * 2);
            store.record_bout(&key, &bout(&[both.0], &[both.1], 1), |_, _| 7).unwrap()
                == Applied::Now
        };
        assert_eq!(at_once(16, fight), 8);
        let (one, two) = (store.rating(ada).unwrap(), store.rating(eve).unwrap());
        assert_eq!(one + two, 2 * RATING_FIRST);
        assert_eq!(store.duels(ada, u64::MAX, 99).unwrap().len(), 8);
    });
}

#[test]
fn teams_are_rated_by_their_means() {
    check("teams", |store| {
        let [ada, eve, bob, joe] = characters(store, ["Ada", "Eve", "Bob", "Joe"]);
        store.record_bout("one", &bout(&[ada], &[joe], 1), |_, _| 100).unwrap();
        // 1600 and 1500 against 1500 and 1400: 10 less half of the difference of 100.
        let record = || store.record_bout("two", &bout(&[ada, eve], &[bob, joe], 2), points);
        assert_eq!(record().unwrap(), Applied::Now);
        assert_eq!(record().unwrap(), Applied::Before);
        let ratings = [ada, eve, bob, joe].map(|who| store.rating(who).unwrap());
        assert_eq!(ratings, [1_560, 1_460, 1_540, 1_440]);
        let of_joe = store.duels(joe, u64::MAX, 1).unwrap();
        assert_eq!((of_joe[0].opponent.as_str(), of_joe[0].is_won), ("Eve", false));
    });
}
