//! What the units of a purchase cost: shares, and parts of what was expected.
//! Always true: nothing is lost or made by dividing. Not here: what needs a database.

use entity::currency::Currency;
use proptest::prelude::*;

use super::*;

const fn dollars(micros: i64) -> Cost {
    Cost { micros, currency: Currency::USD }
}

fn micros(costs: &[Cost]) -> Vec<i64> {
    costs.iter().map(|cost| cost.micros).collect()
}

#[test]
fn a_cost_is_shared_out_to_the_last_millionth() {
    let cases: [(i64, usize, &[i64]); 7] = [
        (10, 0, &[]),
        (10, 1, &[10]),
        (10, 3, &[4, 3, 3]),
        (11, 3, &[4, 4, 3]),
        (12, 3, &[4, 4, 4]),
        (2, 3, &[1, 1, 0]),
        (0, 2, &[0, 0]),
    ];
    for (cost, units, expected) in cases {
        assert_eq!(micros(&shares(dollars(cost), units)), expected, "{cost} over {units}");
    }
}

#[test]
fn what_is_expected_of_some_units_is_their_part_of_the_whole() {
    for (all, quantity, units, expected) in [
        (9, 3, 3, 9),
        (9, 3, 2, 6),
        (10, 3, 1, 3),
        (10, 3, 2, 6),
        (10, 3, 0, 0),
        (i64::MAX, 1_000, 1_000, i64::MAX),
    ] {
        assert_eq!(
            part_of(dollars(all), quantity, units),
            dollars(expected),
            "{units} of {quantity} for {all}"
        );
    }
}

proptest! {
    #[test]
    fn shares_sum_to_the_cost_and_differ_by_one_at_most(cost in 0..=i64::MAX, units in 1..=1_000_usize) {
        let shares = micros(&shares(dollars(cost), units));
        prop_assert_eq!(shares.len(), units);
        prop_assert_eq!(shares.iter().map(|share| i128::from(*share)).sum::<i128>(), i128::from(cost));
        let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
        prop_assert!((0..=1).contains(&(most - least)));
    }

    #[test]
    fn all_units_are_expected_to_cost_all_and_parts_no_more(all in 0..=i64::MAX, quantity in 1..=1_000_i32, cut in 0..=1_000_i32) {
        let cut = cut.min(quantity);
        let of = |units: i32| part_of(dollars(all), quantity, usize::try_from(units).unwrap()).micros;
        prop_assert_eq!(of(quantity), all);
        let rest = all - of(cut) - of(quantity - cut);
        prop_assert!((0..=1).contains(&rest), "{} is left", rest);
    }
}
