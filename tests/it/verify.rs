//! The proof of the books, proven: each check is seen to fail, alone, in each of the ways in which it can be broken.
//! Always true: the data is broken beside a stopped server, with the database's own guards taken away first, since they refuse
//! most of this. Not here: that honest use passes; every other test of the suite shows that at its end.

use std::collections::BTreeSet;

use entity::state::{OrderFailureCode, OrderStatus};
use octopus_cards::domain::orders::model::{Tally, Work, may_follow, status_of};
use octopus_cards::domain::verify;
use serde_json::json;

use super::support::app::TestApp;
use super::support::catalog::STEAM_50;
use super::support::process::Binary;
use breaking::{break_books, findings};
use scenes::sell;

mod breakers;
pub mod breaking;
mod guards;
pub mod scenes;

#[test]
fn every_invariant_is_one_named_check() {
    let numbered: Vec<&str> = verify::checks().filter_map(|check| check.invariant).collect();
    let expected: BTreeSet<&str> = [
        "I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13", "I14", "I15", "I16",
        "I17", "I18", "I21",
    ]
    .into();
    assert_eq!(numbered.len(), expected.len());
    assert_eq!(numbered.into_iter().collect::<BTreeSet<_>>(), expected);
    let names: BTreeSet<&str> = verify::checks().map(|check| check.name).collect();
    assert_eq!(names.len(), verify::checks().count());
}

#[test]
fn every_breach_of_every_check_has_a_test_that_breaks_it() {
    let known: BTreeSet<(&str, &str)> = verify::checks()
        .flat_map(|check| check.breaches.iter().map(|breach| (check.name, breach.name)))
        .collect();
    let mut broken: BTreeSet<(&str, &str)> = breakers::BROKEN.iter().copied().collect();
    broken.insert(guards::BROKEN);
    assert_eq!(known, broken);
}

/// The findings of one check, as offender and reason.
async fn told_by(app: &TestApp, check: &str) -> Vec<(String, String)> {
    let found = findings(app).await.into_iter().find(|finding| finding.check == check);
    let found = found.map(|finding| {
        assert!(!finding.more, "{check} tells more than it names");
        finding.offenders.into_iter().map(|row| (row.offender, row.reason)).collect()
    });
    found.unwrap_or_default()
}

both_databases! {
    async fn the_command_says_all_is_well_with_exit_code_0_and_names_what_is_not_with_1(app: SmallCatalog) {
        sell(&app).await;
        let well = Binary::on(&app.database).run(&["verify", "--json"]).await.json();
        assert_eq!(well["findings"], json!([]));
        break_books(&app, &[], "UPDATE wallets SET available = available + 1 WHERE currency = 'USD'").await;
        let ended = Binary::on(&app.database).run(&["verify", "--json"]).await.expect_code(1);
        let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(told["findings"][0]["check"], "wallets_are_their_entries");
        assert_eq!(told["findings"][0]["offenders"].as_array().unwrap().len(), 2);
        let ended = Binary::on(&app.database).run(&["verify"]).await.expect_code(1);
        assert!(ended.stdout.contains("BAD  I2  wallets_are_their_entries"), "{ended:?}");
        assert!(ended.stdout.contains("ok   I1  transactions_balance"), "{ended:?}");
        assert!(ended.stderr.contains("wallets_are_their_entries"), "{ended:?}");
    }

    /// The rule stands twice, in Rust and in SQL: all pairs of states, and the beginning, must be judged alike.
    async fn the_steps_that_are_found_are_those_that_the_model_forbids(app: SmallCatalog) {
        break_books(&app, &["order_transitions"], "DELETE FROM order_transitions").await;
        for from in OrderStatus::ALL.iter().copied().map(Some).chain([None]) {
            let rows: Vec<String> = OrderStatus::ALL
                .iter()
                .map(|to| {
                    let from = from.map_or("NULL".to_owned(), |from| format!("'{from}'"));
                    format!("('{to}', 2, {from}, '{to}', '', 0)")
                })
                .collect();
            let sql = format!("DELETE FROM order_transitions; INSERT INTO order_transitions
                (order_id, version, from_status, to_status, reason, at) VALUES {}", rows.join(", "));
            breaking::without_guards(&app, &sql).await;
            let found: BTreeSet<String> = told_by(&app, "orders_move_only_as_allowed").await.into_iter()
                .filter(|(_, reason)| reason.starts_with("step 2 goes from"))
                .map(|(offender, _)| offender).collect();
            let forbidden: BTreeSet<String> = OrderStatus::ALL.iter().filter(|to| !may_follow(from, **to))
                .map(ToString::to_string).collect();
            assert_eq!(found, forbidden, "from {from:?}");
        }
    }

    /// As above: every tally of two units, asked of a vendor or not, with every reason of failure, in every state.
    async fn the_states_that_are_found_are_those_that_do_not_follow_from_the_units(app: SmallCatalog) {
        sell(&app).await;
        break_books(&app, &["orders"], "SELECT 1").await;
        let tallies = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)];
        for work in [Work::IsAhead, Work::HasBegun] {
            if work == Work::HasBegun {
                breaking::without_guards(&app, &tallies.map(attempt_at).join("; ")).await;
            }
            let failures = OrderFailureCode::ALL.iter().copied().map(Some).chain([None]);
            for (failure, status) in failures.flat_map(|failure| OrderStatus::ALL.iter().map(move |status| (failure, *status))) {
                let copies = tallies.map(|tally| order_of(tally, status, failure));
                let sql = format!("DELETE FROM orders WHERE id LIKE 'tally%'; {}", copies.join("; "));
                breaking::without_guards(&app, &sql).await;
                let found: BTreeSet<String> = told_by_units(&app).await;
                let wrong: BTreeSet<String> = tallies.into_iter()
                    .filter(|(delivered, refunded)| {
                        let tally = Tally { quantity: 2, delivered: *delivered, refunded: *refunded };
                        status_of(tally, work, failure) != status
                    })
                    .map(id_of).collect();
                assert_eq!(found, wrong, "{status} with {failure:?}, {work:?}");
            }
        }
    }

    /// Of 1, 2, 2, 4 there are as many as the last one says. The balances of the two with one number cannot follow either.
    async fn a_gap_in_the_entries_that_a_duplicate_hides_is_found(app: SmallCatalog) {
        let partner = sell(&app).await;
        for reference in ["third", "fourth"] {
            scenes::order(&partner, STEAM_50, 1, reference).await;
        }
        break_books(&app, &["postings"], "UPDATE postings SET wallet_sequence = 2 WHERE wallet_sequence = 3").await;
        let told = told_by(&app, "entries_number_without_gaps").await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].1, "its sequence is 4, its 4 entries have 3 numbers from 1 to 4");
    }
}

/// The id of the order of two units of which so many are delivered and refunded.
fn id_of((delivered, refunded): (i32, i32)) -> String {
    format!("tally {delivered} {refunded}")
}

/// Makes it.
fn order_of(tally: (i32, i32), status: OrderStatus, failure: Option<OrderFailureCode>) -> String {
    breaking::copy_of_an_order(&[
        ("id", format!("'{}'", id_of(tally))),
        ("status", format!("'{status}'")),
        ("delivered_quantity", tally.0.to_string()),
        ("refunded_quantity", tally.1.to_string()),
        ("failure_code", failure.map_or("NULL".to_owned(), |failure| format!("'{failure}'"))),
    ])
}

/// Has a vendor have been asked for one of its units.
fn attempt_at(tally: (i32, i32)) -> String {
    format!(
        "INSERT INTO attempts (order_id, unit_index, number, purchase_id, outcome, opened_at, ended_at)
         VALUES ('{}', 1, 1, 'pur_x', 'REFUSED', 0, 0)",
        id_of(tally)
    )
}

async fn told_by_units(app: &TestApp) -> BTreeSet<String> {
    let told = told_by(app, "orders_move_only_as_allowed").await;
    told.into_iter().filter(|(_, reason)| reason.contains("its units make it")).map(|(id, _)| id).collect()
}
