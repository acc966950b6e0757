//! The rules of fulfillment: costs, routes, schedules, and when a vendor is believed not to know a purchase.
//! Always true: every rule is tried on both sides of its edge.
//! Not here: what needs a database.

use entity::currency::Currency;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_795_348_800_000_000);

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn vendor(number: u128) -> VendorId {
    VendorId::from_uuid(Uuid::from_u128(number))
}

/// A vendor that is well, has no limits, and takes so much.
fn candidate(number: u128, cost: i64) -> Candidate {
    Candidate {
        vendor: vendor(number),
        cost: Some(Cost { micros: cost, currency: Currency::USD }),
        cost_base: Some(cost),
        priority: 0,
        obstacle: None,
        failures: 0,
        open_until: NOW,
        capacity: i32::MAX,
        refused: false,
        lost: false,
    }
}

#[test]
fn a_unit_costs_its_face_times_the_factor_and_the_fee() {
    // Source of the first two: prices that a vendor's sandbox was seen to take.
    let cases = [
        ("5.00", "USD", "0.95", 1_000_000, 5_750_000),
        ("5.00", "EUR", "1.176776", 1_000_000, 6_883_880),
        ("500", "JPY", "0.0066666", 0, 3_333_300),
        ("1.250", "KWD", "0", 2_000_000, 2_000_000),
        ("0.01", "USD", "0.00005", 0, 1),
        ("0.01", "USD", "0.000049", 0, 0),
    ];
    for (face, of, factor, fee_micros, expected) in cases {
        let rule = CostRule { currency: Currency::USD, factor: decimal(factor), fee_micros };
        let face = Money::parse(face, currency(of)).unwrap();
        assert_eq!(rule.unit_cost(face).unwrap().micros, expected, "{face} × {factor}");
    }
    let endless = CostRule { currency: Currency::USD, factor: decimal("1000000000"), fee_micros: 0 };
    assert_eq!(endless.unit_cost(Money::from_minor(i64::MAX, Currency::USD)), None);
}

#[test]
fn own_stock_goes_first_then_the_cheapest_the_healthiest_and_the_preferred() {
    let dear = candidate(1, 11);
    let failing = Candidate { failures: 1, ..candidate(2, 10) };
    let second = Candidate { priority: 2, ..candidate(3, 10) };
    let first = Candidate { priority: 1, capacity: 3, ..candidate(4, 10) };
    let found = plan(20, 5, Some(100), &[dear, failing, second.clone(), first], NOW);
    assert_eq!(found.from_stock, 5);
    assert_eq!(found.from_vendors, [(3, 3), (2, 12)]);
    assert_eq!(found.unsourced, 0);
    let order: Vec<&str> = found.considered.iter().map(|one| one.vendor.as_str()).collect();
    let expected = [4, 3, 2, 1].map(|number| vendor(number).to_string());
    assert_eq!(order, expected.each_ref().map(String::as_str));

    let lost = Candidate { lost: true, ..candidate(5, 1) };
    let after = plan(1, 0, Some(100), &[lost, second.clone()], NOW);
    assert_eq!(after.from_vendors, [(1, 1)], "whom a purchase did not reach is tried last");

    let few = plan(4, 9, Some(100), &[second], NOW);
    assert_eq!((few.from_stock, few.from_vendors.len()), (4, 0));
}

#[test]
fn a_vendor_is_skipped_for_a_reason_that_is_told() {
    let well = candidate(1, 10);
    let cases = [
        (Candidate { obstacle: Some(Skip::Paused), ..well.clone() }, Skip::Paused, Prospect::Stock),
        (Candidate { obstacle: Some(Skip::SoldOut), ..well.clone() }, Skip::SoldOut, Prospect::Stock),
        (Candidate { cost_base: None, ..well.clone() }, Skip::NoRate, Prospect::Stock),
        (Candidate { cost_base: Some(101), ..well.clone() }, Skip::BelowCost, Prospect::Stock),
        (Candidate { refused: true, ..well.clone() }, Skip::Refused, Prospect::Refused),
        (Candidate { open_until: NOW.plus_seconds(1), ..well.clone() }, Skip::CircuitOpen, Prospect::Failing),
        (Candidate { capacity: 0, ..well.clone() }, Skip::AtCapacity, Prospect::Busy),
    ];
    for (candidate, reason, prospect) in cases {
        let found = plan(2, 0, Some(100), &[candidate], NOW);
        assert_eq!(found.considered[0].skipped, Some(reason));
        assert_eq!(
            (found.from_vendors.len(), found.unsourced, found.prospect),
            (0, 2, prospect),
            "{reason:?}"
        );
    }
    // Where another one may have it again a little later, who was refused waits.
    let refused = Candidate { refused: true, ..candidate(2, 9) };
    for (other, prospect) in [
        (Candidate { obstacle: Some(Skip::SoldOut), ..well.clone() }, Prospect::Stock),
        (Candidate { cost_base: None, ..well.clone() }, Prospect::Stock),
        (Candidate { obstacle: Some(Skip::Paused), ..well.clone() }, Prospect::Refused),
        (Candidate { cost_base: Some(101), ..well.clone() }, Prospect::Refused),
    ] {
        assert_eq!(plan(1, 0, Some(100), &[refused.clone(), other], NOW).prospect, prospect);
    }
    // On the other side of each edge.
    let at_cost = Candidate { cost_base: Some(100), open_until: NOW, capacity: 2, ..well };
    assert_eq!(plan(2, 0, Some(100), std::slice::from_ref(&at_cost), NOW).from_vendors, [(0, 2)]);
    assert_eq!(
        plan(2, 0, None, std::slice::from_ref(&at_cost), NOW).considered[0].skipped,
        Some(Skip::NoRate)
    );
    let partly = plan(3, 0, Some(100), &[at_cost], NOW);
    assert_eq!((partly.unsourced, partly.prospect), (1, Prospect::Busy));
    assert_eq!(plan(1, 0, Some(1), &[], NOW).prospect, Prospect::Stock);
}

proptest! {
    #[test]
    fn every_unit_has_one_source_or_none(
        wanted in 0..1_000_i32,
        in_stock in 0..1_000_i32,
        vendors in proptest::collection::vec((0..200_i64, 0..7_i32, 0..400_i32, any::<bool>()), 0..6),
    ) {
        let candidates: Vec<Candidate> = (1..)
            .zip(vendors)
            .map(|(number, (cost, failures, capacity, refused))| {
                Candidate { failures, capacity, refused, ..candidate(number, cost) }
            })
            .collect();
        let found = plan(wanted, in_stock, Some(100), &candidates, NOW);
        let bought: i32 = found.from_vendors.iter().map(|(_, units)| units).sum();
        prop_assert_eq!(found.from_stock + bought + found.unsourced, wanted);
        prop_assert_eq!(found.from_stock, wanted.min(in_stock));
        for (place, units) in &found.from_vendors {
            let one = &candidates[*place];
            prop_assert!(*units > 0 && *units <= one.capacity && !one.refused && one.cost_base <= Some(100));
        }
        let costs: Vec<_> = found.from_vendors.iter().map(|(place, _)| candidates[*place].cost_base).collect();
        prop_assert!(costs.is_sorted());
        prop_assert_eq!(&plan(wanted, in_stock, Some(100), &candidates, NOW), &found);
    }
}

#[test]
fn a_purchase_has_the_same_reference_again_and_no_other_has_it() {
    let partner = PartnerId::from_uuid(Uuid::from_u128(7));
    let first = our_ref(partner, "order-1", 1, 1);
    assert_eq!(first, our_ref(partner, "order-1", 1, 1));
    assert_eq!(first.len(), 39);
    assert!(first.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    let other = PartnerId::from_uuid(Uuid::from_u128(8));
    let others = [
        our_ref(other, "order-1", 1, 1),
        our_ref(partner, "order-11", 1, 1),
        our_ref(partner, "order-1", 11, 1),
        our_ref(partner, "order-1", 1, 11),
    ];
    for different in others {
        assert_ne!(different, first);
    }
}

#[test]
fn a_vendor_is_left_alone_longer_and_longer_after_five_failures() {
    let secs: Vec<i64> = [0, 4, 5, 6, 10, 11, 60, i32::MAX].map(circuit_open_secs).to_vec();
    assert_eq!(secs, [0, 0, 5, 10, 160, 300, 300, 300]);
}

#[test]
fn looks_and_tries_become_rarer_and_never_end() {
    let after = |looks| next_look(NOW, looks).micros_since(NOW).div_euclid(1_000_000);
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 900].map(after), [2, 5, 15, 40, 120, 600, 3_600, 3_600, 3_600]);
    let tried = |tries| next_try(NOW, tries).micros_since(NOW).div_euclid(1_000_000);
    assert_eq!([0, 3, 6, 50].map(tried), [1, 10, 120, 120]);
    assert_eq!(resolves_by(NOW, 30).micros_since(NOW), 660_000_000);
}

#[test]
fn not_knowing_a_purchase_counts_three_times_over_the_settle_window() {
    let sent_at = NOW;
    assert!(!Unfound::counts(sent_at, 20_000, NOW.plus_millis(19_999)));
    assert!(Unfound::counts(sent_at, 20_000, NOW.plus_millis(20_000)));
    let since = NOW.plus_seconds(20);
    let unfound = |times| Unfound { times, since, sent_at, settle_window_secs: 30, timeout_ms: 20_000 };
    assert!(!unfound(2).was_not_executed(NOW.plus_seconds(500)), "said twice");
    assert!(!unfound(3).was_not_executed(NOW.plus_seconds(49)), "within the window");
    assert!(unfound(3).was_not_executed(NOW.plus_seconds(50)));
}

#[test]
fn what_was_not_executed_is_sent_once_more_while_it_is_wanted() {
    assert_eq!(after_not_executed(1, true), NotExecuted::SendAgain);
    assert_eq!(after_not_executed(1, false), NotExecuted::End);
    assert_eq!(after_not_executed(2, true), NotExecuted::End);
}
