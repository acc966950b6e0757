//! The alarm before rates are too old.
//! Always true: it is raised once and ended once, whatever looks how often. Not here: what is refused for a rate that is too old
//! (`charges/rates.rs`).

use std::net::TcpListener;

use octopus_cards::config::RateSource::CurrencyApi;
use octopus_cards::domain::pricing::Age;

use super::Node;
use super::replica::{Replica, currency_api};
use crate::support::poll::until;
use crate::support::process::Binary;

const MAKE_PRODUCTION: &str = "UPDATE installation SET environment = 'production'";
const TELL_SERVERS: &str = "UPDATE versions SET version = version + 1 WHERE subject = 'rates'";
const ALARMS: &str = "SELECT count(*) FROM rate_troubles WHERE kind = 'AGING'";

both_databases! {
    async fn an_alarm_begins_a_day_before_rates_are_too_old_and_ends_with_fresh_ones(app: SmallCatalog) {
        app.stop().await;
        let all: Vec<String> = include_str!("../../../data/fx-rates.csv").lines().skip(1)
            .map(|line| line.split(',').nth(1).unwrap().to_lowercase()).collect();
        let rates: Vec<(&str, &str)> = include_str!("../../../data/fx-rates.csv").lines().skip(1).zip(&all)
            .map(|(line, code)| (code.as_str(), line.split(',').nth(2).unwrap())).collect();
        let replica = Replica::telling(currency_api("2026-11-22", &rates)).await;
        let nodes = [Node::asking(&app, CurrencyApi, &replica).await, Node::asking(&app, CurrencyApi, &replica).await];
        app.database.execute(MAKE_PRODUCTION).await;
        app.database.execute(TELL_SERVERS).await;
        let ages = async |age: Age| nodes[1].status().await.rates.iter().filter(|rate| rate.age == age).count();
        assert_eq!(ages(Age::Stale).await, 154);
        assert_eq!(nodes[0].tend().await.unwrap().taken, 154);
        assert_eq!((ages(Age::Fresh).await, app.database.number(ALARMS).await), (154, 0));
        // From here on the provider tells nothing any more. The rates are of midnight, twelve hours ago; they may be four days
        // old, and the alarm is a day before.
        replica.tell("");
        app.advance_secs(2 * 86_400 + 43_200);
        nodes[0].tend().await;
        assert_eq!((ages(Age::Fresh).await, app.database.number(ALARMS).await), (154, 0));
        app.advance_secs(1);
        nodes[0].tend().await;
        nodes[1].tend().await;
        assert_eq!((ages(Age::Aging).await, app.database.number(ALARMS).await), (154, 154));
        let since = format!("SELECT count(*) FROM rate_troubles WHERE since = {}", app.now().micros());
        app.advance_secs(86_400);
        nodes[1].tend().await;
        assert_eq!((ages(Age::Stale).await, app.database.number(&since).await), (154, 154));
        replica.tell(currency_api("2026-11-26", &rates));
        nodes[1].poll().await;
        nodes[0].tend().await;
        assert_eq!((ages(Age::Fresh).await, app.database.number(ALARMS).await), (154, 0));
        for node in nodes {
            node.close().await;
        }
    }

    async fn in_a_sandbox_nothing_ages(app: SmallCatalog) {
        app.stop().await;
        let replica = Replica::telling("").await;
        let node = Node::asking(&app, CurrencyApi, &replica).await;
        app.advance_secs(400 * 86_400);
        node.tend().await;
        assert_eq!(app.database.number(ALARMS).await, 0);
        assert!(node.status().await.rates.iter().all(|rate| rate.age == Age::Fresh));
        node.close().await;
    }

    /// The real binary: the bundled rates are too old by any clock.
    async fn an_operator_reads_of_an_alarm_once_in_the_log_and_always_in_the_metrics(app: SmallCatalog) {
        app.stop().await;
        app.database.execute(MAKE_PRODUCTION).await;
        let spare = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let binary = Binary::on(&app.database).with("OCTOPUS_OPS_LISTEN", &spare.to_string());
        let counted = async || {
            let page = reqwest::get(format!("http://{spare}/metrics")).await.ok()?.text().await.ok()?;
            page.contains("octopus_rates{state=\"stale\"} 154").then_some(page)
        };
        let process = binary.serve().await;
        let page = until("the rates are counted", counted).await;
        assert!(page.contains("octopus_rates{state=\"fresh\"} 0"), "{page}");
        until("the alarm is raised", async || (app.database.number(ALARMS).await == 154).then_some(())).await;
        until("it is told", async || process.log().contains("rates are too old").then_some(())).await;
        assert_eq!(process.stop().await, Some(0));
        // The next server finds it told.
        let process = binary.serve().await;
        until("the rates are counted", counted).await;
        assert_eq!(process.log().matches("rates are too old").count(), 0);
        assert_eq!(process.stop().await, Some(0));
        let people = binary.run(&["rates", "status"]).await.expect_code(0).stdout;
        assert!(people.starts_with("provider: none\nAED  3.6725  2026-09-29T00:00:00.000000Z  currency-api  stale\n"), "{people}");
    }
}
