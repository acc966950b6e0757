//! When a provider is asked, by whom, and which of its rates are taken.
//! Always true: only the test's clock makes a poll due. Not here: the shapes of answers (`shapes.rs`).

use std::sync::Arc;

use octopus_cards::config::RateSource::{CurrencyApi, Ecb};
use octopus_cards::domain::pricing::{self, PollRefusal};
use octopus_cards::problem::Failure;
use octopus_cards::store::engine_clock;
use serde_json::json;
use tokio::sync::Notify;

use super::replica::{Replica, Reply, currency_api, ecb, open_exchange_rates};
use super::{Node, count, rate, shown};
use crate::support::poll::{until, until_true};
use crate::support::process::Binary;

/// The longest that chance makes of the default interval.
const INTERVAL_SECS: i64 = 3_960;

/// A day's file with yen, and an euro that stays as it is.
fn yen(day: &str, rate: &str) -> String {
    currency_api(day, &[("jpy", rate), ("eur", "0.88022588")])
}

both_databases! {
    async fn of_many_processes_one_asks_and_only_when_it_is_due(app: SmallCatalog) {
        let replica = Replica::telling(yen("2026-11-22", "158")).await;
        let nodes = [Node::asking(&app, CurrencyApi, &replica).await, Node::asking(&app, CurrencyApi, &replica).await];
        let tend = async || {
            let (one, other) = tokio::join!(nodes[0].tend(), nodes[1].tend());
            one.into_iter().chain(other).count()
        };
        assert_eq!((tend().await, replica.asked().len()), (1, 1));
        app.advance_secs(3_599);
        assert_eq!((tend().await, replica.asked().len()), (0, 1));
        app.advance_secs(INTERVAL_SECS - 3_599);
        assert_eq!((tend().await, replica.asked().len()), (1, 2));
        // Polls of the command line do not wait, and put off the next.
        app.advance_secs(3_000);
        assert_eq!(nodes[0].poll().await.unchanged, 2);
        app.advance_secs(3_000);
        assert_eq!((tend().await, replica.asked().len()), (0, 3));
        for node in nodes {
            node.close().await;
        }
    }

    /// A process that slept through its turn must not write what it heard before: another has heard something newer.
    async fn a_turn_that_has_passed_to_another_writes_nothing(app: SmallCatalog) {
        let go = Arc::new(Notify::new());
        let replica = Replica::telling("").await;
        replica.set(Reply::Held(yen("2026-11-22", "150"), Arc::clone(&go)));
        let (slow, quick) =
            (Node::asking(&app, CurrencyApi, &replica).await, Node::asking(&app, CurrencyApi, &replica).await);
        let ctx = slow.ctx();
        let sleeper = tokio::spawn(async move { pricing::poll_rates(&ctx).await });
        until_true("the slow one asks", async || replica.asked().len() == 1).await;
        replica.tell(yen("2026-11-22", "158"));
        let refused = pricing::poll_rates(&quick.ctx()).await;
        assert!(matches!(refused, Err(Failure::Refused(PollRefusal::Busy))), "{refused:?}");
        app.advance_secs(61);
        assert_eq!(quick.poll().await.taken, 2);
        go.notify_one();
        let late = sleeper.await.unwrap();
        assert!(matches!(late, Err(Failure::Refused(PollRefusal::Busy))), "{late:?}");
        assert_eq!(count(&app, "quote = 'JPY' AND rate = '158'").await, 1);
        slow.close().await;
        quick.close().await;
    }

    async fn a_provider_that_fails_is_asked_again_soon_and_then_ever_later(app: SmallCatalog) {
        let replica = Replica::telling("").await;
        replica.set(Reply::Text(500, String::new()));
        let node = Node::asking(&app, CurrencyApi, &replica).await;
        // Half a minute, one, two, four: each up to a tenth longer.
        for (number, wait) in (1..).zip([30, 60, 120, 240]) {
            assert_eq!(node.tend().await, None);
            assert_eq!(replica.asked().len(), number);
            app.advance_secs(wait - 1);
            node.tend().await;
            assert_eq!(replica.asked().len(), number, "{wait}");
            app.advance_secs(wait / 10 + 1);
        }
        replica.set(Reply::Later(10_000));
        node.tend().await;
        assert_eq!(replica.asked().len(), 5);
        app.advance_secs(9_999);
        node.tend().await;
        assert_eq!(replica.asked().len(), 5, "it was told to come back later than ever by itself");
        replica.tell(yen("2026-11-22", "158"));
        app.advance_secs(1_001);
        assert_eq!(node.tend().await.unwrap().taken, 2);
        app.advance_secs(3_599);
        assert_eq!(node.tend().await, None);
        node.close().await;
    }

    /// A database whose clock was wrong for a while, ahead by years, must not leave rates without polls for as long.
    async fn what_was_written_while_the_clock_was_wrong_holds_nobody_up(app: SmallCatalog) {
        let replica = Replica::telling(yen("2026-11-22", "158")).await;
        let node = Node::asking(&app, CurrencyApi, &replica).await;
        app.database.execute("UPDATE rate_polls SET due_at = 4000000000000000, lease_until = 4000000000000000").await;
        assert_eq!(node.tend().await.unwrap().taken, 2);
        node.close().await;
    }

    async fn a_rate_that_jumps_is_refused_until_somebody_imports_one(app: SmallCatalog) {
        // 157.47729333 and a tenth of it are 173.225022663.
        let replica = Replica::telling(yen("2026-11-22", "173.225022664")).await;
        let node = Node::asking(&app, CurrencyApi, &replica).await;
        let partner = app.partner().await;
        for (taken, unchanged) in [(1, 0), (0, 1)] {
            let report = node.poll().await;
            assert_eq!((report.taken, report.unchanged, report.refused.len()), (taken, unchanged, 1));
            let jump = &report.refused[0];
            assert_eq!((jump.currency.code(), jump.rate.to_string(), jump.kept.to_string()),
                ("JPY", "173.225022664".to_owned(), "157.47729333".to_owned()));
        }
        assert_eq!(rate(&partner, "USD", "JPY").await, "157.47729333");
        let status = node.status().await;
        let yens = status.rates.iter().find(|rate| rate.currency.code() == "JPY").unwrap();
        assert_eq!(yens.refused.as_ref().unwrap().rate.unwrap().to_string(), "173.225022664");
        assert_eq!(status.rates.iter().filter(|rate| rate.refused.is_some()).count(), 1);
        // Told once, however often it is polled.
        let told = "SELECT count(*) FROM audit_log WHERE action = 'rates.jump_refused' AND subject = 'JPY'
            AND detail LIKE '%\"rate\":\"173.225022664\"%' AND detail LIKE '%\"kept\":\"157.47729333\"%'";
        assert_eq!(app.database.number(told).await, 1);

        let file = "base,quote,rate,as_of,source\nUSD,JPY,170,2026-11-22T01:00:00Z,operator\n";
        pricing::import_rates(&app.system(), file.as_bytes()).await.unwrap();
        assert!(node.status().await.rates.iter().all(|rate| rate.refused.is_none()));
        // What was observed before the import is older than it; the next day's is taken.
        let report = node.poll().await;
        assert_eq!((report.older, report.unchanged, report.refused.len()), (1, 1, 0));
        replica.tell(yen("2026-11-23", "175"));
        assert_eq!(node.poll().await.taken, 2);
        shown(&partner, "USD", "JPY", "175").await;
        node.close().await;
    }

    async fn a_jump_that_was_none_after_all_needs_nobody(app: SmallCatalog) {
        let replica = Replica::telling(yen("2026-11-21", "1.58")).await;
        let node = Node::asking(&app, CurrencyApi, &replica).await;
        assert_eq!(node.poll().await.refused.len(), 1);
        replica.tell(yen("2026-11-22", "158"));
        assert_eq!(node.poll().await.taken, 2);
        assert_eq!(app.database.number("SELECT count(*) FROM rate_troubles").await, 0);
        node.close().await;
    }

    async fn an_older_observation_never_takes_the_place_of_a_newer_one(app: SmallCatalog) {
        let replica = Replica::telling(yen("2026-11-22", "158")).await;
        let node = Node::asking(&app, CurrencyApi, &replica).await;
        node.poll().await;
        replica.tell(yen("2026-11-21", "150"));
        let report = node.poll().await;
        assert_eq!((report.taken, report.older), (0, 2));
        // At the same instant the provider corrects itself, but not what somebody imported.
        replica.tell(yen("2026-11-22", "158.5"));
        assert_eq!(node.poll().await.taken, 1);
        let file = "base,quote,rate,as_of,source\nUSD,JPY,159,2026-11-22,operator\n";
        pricing::import_rates(&app.system(), file.as_bytes()).await.unwrap();
        let report = node.poll().await;
        assert_eq!((report.taken, report.older, report.unchanged), (0, 1, 1));
        assert_eq!(count(&app, "quote = 'JPY' AND rate = '159' AND source = 'operator'").await, 1);
        node.close().await;
    }

    /// From Friday afternoon to Monday afternoon the bank tells the same; that is no fault, and no rate grows too old of it.
    async fn the_bank_s_weekend_is_no_fault(app: SmallCatalog) {
        let friday = [("USD", "1.1623"), ("JPY", "180.29")];
        let replica = Replica::telling(ecb("2026-11-20", &friday)).await;
        let node = Node::asking(&app, Ecb, &replica).await;
        app.database.execute("UPDATE installation SET environment = 'production'").await;
        app.database.execute("UPDATE versions SET version = version + 1 WHERE subject = 'rates'").await;
        assert_eq!(node.tend().await.unwrap().taken, 2);
        // Sunday noon to Monday, half past two in the afternoon.
        for _ in 0..24 {
            app.advance_secs(INTERVAL_SECS);
            let report = node.tend().await.unwrap();
            assert_eq!((report.taken, report.unchanged, report.older), (0, 2, 0));
        }
        let status = node.status().await;
        assert_eq!(status.polls.unwrap().failures, 0);
        let mut of_bank = status.rates.iter().filter(|rate| rate.source == "ecb");
        assert!(of_bank.all(|rate| rate.age == pricing::Age::Aging), "the alarm's last day begins on Monday at two");
        replica.tell(ecb("2026-11-23", &[("USD", "1.17"), ("JPY", "181")]));
        app.advance_secs(INTERVAL_SECS);
        assert_eq!(node.tend().await.unwrap().taken, 2);
        let status = node.status().await;
        let mut of_bank = status.rates.iter().filter(|rate| rate.source == "ecb");
        assert!(of_bank.all(|rate| rate.age == pricing::Age::Fresh));
        node.close().await;
    }

    /// The real binary, by its own clock: a server that asks by itself, and the commands beside it.
    async fn a_server_asks_by_itself_and_commands_beside_it(app: SmallCatalog) {
        app.stop().await;
        let present = format!("SELECT {}", engine_clock(app.deps.database.backend()));
        let seconds = app.database.number(&present).await / 1_000_000;
        let told = |jpy: &str| open_exchange_rates(seconds, &[("JPY", jpy), ("EUR", "0.88"), ("GBP", "7.5")]);
        let replica = Replica::telling(told("158.25")).await;
        let binary = Binary::on(&app.database)
            .with("OCTOPUS_RATE_PROVIDER", "open-exchange-rates")
            .with("OCTOPUS_RATE_PROVIDER_URL", &replica.url)
            .with("OCTOPUS_RATE_PROVIDER_KEY", "s3cretk3y");
        let process = binary.serve().await;
        until("the server has polled", async || (count(&app, "rate = '158.25'").await == 1).then_some(())).await;
        replica.tell(told("158.5"));
        let polled = binary.run(&["--json", "rates", "poll"]).await.json();
        assert_eq!((&polled["taken"], &polled["unchanged"]), (&json!(1), &json!(1)));
        assert_eq!(polled["refused"], json!([{ "currency": "GBP", "rate": "7.5", "kept": "0.75538854" }]));
        let status = binary.run(&["--json", "rates", "status"]).await.json();
        assert_eq!((&status["provider"], &status["max_age_secs"]), (&json!("open-exchange-rates"), &json!(null)));
        assert_eq!(status["polls"]["failures"], 0);
        let yens = status["rates"].as_array().unwrap().iter().find(|rate| rate["currency"] == "JPY").unwrap();
        assert_eq!((&yens["rate"], &yens["source"], &yens["age"]),
            (&json!("158.5"), &json!("open-exchange-rates"), &json!("fresh")));

        replica.set(Reply::Text(401, "{\"message\":\"invalid_app_id\",\"description\":\"s3cretk3y\"}".to_owned()));
        let refused = binary.run(&["rates", "poll"]).await.expect_code(1);
        assert!(refused.stderr.contains("open-exchange-rates: it answered HTTP 401 invalid_app_id"), "{refused:#?}");
        let people = binary.run(&["rates", "status"]).await.expect_code(0);
        assert!(people.stdout.contains("failed 1 times, last: it answered HTTP 401 invalid_app_id"), "{people:#?}");
        assert!(people.stdout.lines().any(|line| line.starts_with("GBP  0.75538854") && line.ends_with("refused: 7.5")));
        let log = process.log();
        assert!(log.contains("a rate jumps and is refused"), "{log}");
        for told in [log, format!("{refused:?}{people:?}{status}")] {
            assert!(!told.contains("s3cretk3y"), "{told}");
        }
        assert_eq!(process.stop().await, Some(0));
    }
}
