//! How good somebody is in an arena, after Elo.

/// Points at stake between two who are equal are half of this.
const STAKE: f64 = 32.0;
/// Whoever is rated so much higher wins ten times as often.
const TENFOLD: f64 = 400.0;

/// The points that the loser's rating gives to the winner's: the more, the less it was expected.
#[must_use]
pub fn points(winner: i32, loser: i32) -> i32 {
    let lead = f64::from(winner) - f64::from(loser);
    let surprise = 1.0 / (1.0 + 10f64.powf(lead / TENFOLD));
    (STAKE * surprise).round() as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_surprise_is_worth_more() {
        for (winner, loser, expected) in [
            (1_500, 1_500, 16),
            (1_900, 1_500, 3),
            (1_500, 1_900, 29),
            (3_000, 100, 0),
            (i32::MIN, i32::MAX, 32),
        ] {
            assert_eq!(points(winner, loser), expected, "{winner} beats {loser}");
        }
    }

    proptest! {
        #[test]
        fn what_is_at_stake_is_bounded_and_shared(one in 0i32..4_000, two in 0i32..4_000) {
            let (wins, loses) = (points(one, two), points(two, one));
            prop_assert!((0..=32).contains(&wins));
            prop_assert!((31..=33).contains(&(wins + loses)));
        }
    }
}
