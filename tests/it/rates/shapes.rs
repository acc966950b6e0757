//! What each provider's answer is read as, and answers that are none.
//! Always true: what is unusable changes no rate, and is told without a key. Not here: when a provider is asked (`polling.rs`).

use octopus_cards::config::RateSource::{CurrencyApi, Ecb, OpenExchangeRates};

use super::replica::{Replica, Reply, currency_api, ecb, open_exchange_rates};
use super::{Node, count, shown};
use crate::support::app::START;

/// A Friday; the tests begin on the Sunday after it.
const FRIDAY: [(&str, &str); 5] =
    [("USD", "1.1623"), ("JPY", "180.29"), ("GBP", "0.8801"), ("IDR", "19385.05"), ("XXQ", "7")];

both_databases! {
    /// The bank's base is the euro, ours the dollar: between two currencies its very rate comes out all the same.
    async fn the_bank_s_rates_are_turned_to_the_dollar_and_lose_no_digit(app: SmallCatalog) {
        let replica = Replica::telling(ecb("2026-11-20", &FRIDAY)).await;
        let node = Node::asking(&app, Ecb, &replica).await;
        let report = node.poll().await;
        assert_eq!((report.source, report.taken, report.older), ("ecb", 4, 0));
        assert_eq!(report.observed_at.to_string(), "2026-11-20T14:00:00.000000Z");
        assert!(report.refused.is_empty() && report.unreadable.is_empty(), "{report:?}");
        assert_eq!(replica.asked(), ["/eurofxref-daily.xml"]);
        let partner = app.partner().await;
        shown(&partner, "EUR", "JPY", "180.29").await;
        shown(&partner, "EUR", "USD", "1.1623").await;
        shown(&partner, "EUR", "IDR", "19385.05").await;
        shown(&partner, "USD", "EUR", "0.860363073216897531").await;
        shown(&partner, "GBP", "JPY", "204.851721395295989").await;
        assert_eq!(count(&app, "source = 'ecb'").await, 4);
        assert_eq!(count(&app, "quote = 'USD' AND source = 'ecb'").await, 0);
        node.close().await;
    }

    async fn of_the_package_only_currencies_are_taken_and_each_digit_as_it_stands(app: SmallCatalog) {
        let told = currency_api("2026-11-22", &[("1inch", "3.1"), ("btc", "1.1E-5"), ("eur", "8.8022588E-1"), ("jpy", "1.5747729333e2"),
            ("EUR", "0.5"), ("frf", "5.7"), ("gbp", "0.75538854000000001"), ("usd", "1"), ("kwd", "0"), ("chf", "\"0.8\"")]);
        let replica = Replica::telling(told).await;
        let node = Node::asking(&app, CurrencyApi, &replica).await;
        let report = node.poll().await;
        assert_eq!((report.source, report.taken), ("currency-api", 3));
        assert_eq!(report.unreadable.iter().map(ToString::to_string).collect::<Vec<_>>(), ["KWD", "CHF"]);
        assert_eq!(replica.asked(), ["/v1/currencies/usd.min.json"]);
        for (quote, rate) in [("EUR", "0.88022588"), ("JPY", "157.47729333"), ("GBP", "0.75538854000000001")] {
            let row = format!("quote = '{quote}' AND rate = '{rate}' AND as_of = {}", START.micros() - 43_200_000_000);
            assert_eq!(count(&app, &row).await, 1, "{quote}");
        }
        // What was told no rate of keeps the one that it had.
        assert_eq!(count(&app, "quote IN ('KWD', 'CHF') AND rate IN ('0.30871186', '0.83337046')").await, 2);
        node.close().await;
    }

    async fn an_account_is_asked_with_its_key_which_nothing_else_tells(app: SmallCatalog) {
        let told = open_exchange_rates(START.seconds() - 60, &[("EUR", "0.88"), ("JPY", "156.001"), ("BTC", "0.00001"), ("USD", "1")]);
        let replica = Replica::telling(told).await;
        let node = Node::asking(&app, OpenExchangeRates, &replica).await;
        let report = node.poll().await;
        assert_eq!((report.source, report.taken), ("open-exchange-rates", 2));
        assert_eq!(report.observed_at.seconds(), START.seconds() - 60);
        assert_eq!(replica.asked(), ["/latest.json?app_id=0123456789abcdef"]);
        assert_eq!(count(&app, "source = 'open-exchange-rates' AND rate IN ('0.88', '156.001')").await, 2);

        let refusal = "{\"error\":true,\"status\":401,\"message\":\"invalid_app_id\",\"description\":\"0123456789abcdef is no App ID\"}";
        replica.set(Reply::Text(401, refusal.to_owned()));
        let why = node.poll_in_vain().await;
        assert_eq!(why, "open-exchange-rates: it answered HTTP 401 invalid_app_id");
        replica.set(Reply::Text(403, "{\"message\":\"/latest.json?app_id=0123456789abcdef\"}".to_owned()));
        assert_eq!(node.poll_in_vain().await, "open-exchange-rates: it answered HTTP 403");
        let status = node.status().await;
        assert_eq!(status.polls.as_ref().unwrap().failure.as_deref(), Some("it answered HTTP 403"));
        assert!(!format!("{status:?}{:?}", node.0.config).contains("0123456789abcdef"));
        let kept = "SELECT count(*) FROM audit_log WHERE detail LIKE '%0123456789abcdef%'";
        assert_eq!(app.database.number(kept).await, 0);
        node.close().await;
    }

    async fn an_answer_that_is_none_changes_no_rate_and_is_counted(app: SmallCatalog) {
        let today = currency_api("2026-11-22", &[("eur", "0.88"), ("jpy", "157")]);
        let replica = Replica::telling("").await;
        let node = Node::asking(&app, CurrencyApi, &replica).await;
        let text = |text: &str| Reply::Text(200, text.to_owned());
        let replies = [
            (text("<!DOCTYPE html><html><body>Sign in</body></html>"), "unusable"),
            (text(""), "unusable"),
            (text(&today[..today.len() - 2]), "unusable"),
            (text("{\"date\":\"2026-11-22\",\"eur\":{\"usd\":1.1}}"), "unusable: missing field `usd`"),
            (text("{\"date\":\"2026-11-22\",\"usd\":[0.88]}"), "unusable"),
            (text("{\"date\":\"2026-11-22\",\"usd\":{\"eur\":0.88,\"eur\":0.89}}"), "a member stands twice"),
            (text("{\"date\":\"yesterday\",\"usd\":{\"eur\":0.88}}"), "its day is none"),
            (text(&currency_api("2026-11-22", &[("btc", "1"), ("usd", "1")])), "no rate of a currency of ours"),
            (text(&currency_api("2026-11-19", &[("eur", "0.88")])), "may be 259200 seconds old"),
            (text(&currency_api("2026-11-24", &[("eur", "0.88")])), "more than a day ahead"),
            (Reply::Text(500, today.clone()), "HTTP 500"),
            (Reply::Text(404, today.clone()), "HTTP 404"),
            (Reply::Elsewhere, "HTTP 302"),
            (Reply::Endless, "larger than 1048576 bytes"),
            (Reply::Bomb, "larger than 1048576 bytes"),
        ];
        let before = count(&app, "source = 'currency-api' AND as_of < 1793000000000000").await;
        for (number, (reply, why)) in (1..).zip(replies) {
            replica.set(reply.clone());
            let told = node.poll_in_vain().await;
            assert!(told.contains(why), "{reply:?}: {told}");
            let polls = node.status().await.polls.unwrap();
            assert_eq!((polls.failures, polls.succeeded_at), (number, None));
        }
        assert_eq!(count(&app, "source = 'currency-api' AND as_of < 1793000000000000").await, before);
        assert_eq!(app.database.number("SELECT count(*) FROM audit_log WHERE action LIKE 'rates.poll%'").await, 0);
        assert!(!replica.asked().iter().any(|path| path == "/elsewhere"));
        replica.tell(today);
        assert_eq!(node.poll().await.taken, 2);
        assert_eq!(node.status().await.polls.unwrap().failures, 0);
        node.close().await;
    }

    async fn a_file_that_is_not_the_bank_s_is_refused(app: SmallCatalog) {
        let replica = Replica::telling("").await;
        let node = Node::asking(&app, Ecb, &replica).await;
        let good = ecb("2026-11-20", &FRIDAY);
        let grows = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>";
        let deep = format!("{}{}", "<a>".repeat(9_000), "</a>".repeat(9_000));
        for (told, why) in [
            ("<html><body>Sign in</body></html>".to_owned(), "not the rates of one day"),
            (good[..good.len() - 20].to_owned(), "no XML"),
            (good.replace("<gesmes:Envelope", &format!("{grows}<gesmes:Envelope")), "no XML"),
            (good.replace("<Cube>", &"<Cube/>".repeat(11_000)), "no XML"),
            (deep, "not the rates of one day"),
            (good.replace("ecb.int", "ecb.example"), "not the rates of one day"),
            (good.replace("2026-11-20", "20 November"), "its day is none"),
            (good.replace("currency='USD'", "currency='CHF'"), "its base is EUR, and it has no USD"),
            (good.replace("currency='GBP'", "currency='JPY'"), "JPY has two rates"),
            (good.replace("rate='0.8801'", "value='0.8801'"), "a currency no rate"),
            (good.replace("<Cube>\n", "<Cube><Cube time='2026-11-19'/>"), "not the rates of one day"),
            (ecb("2026-11-13", &FRIDAY), "may be 518400 seconds old"),
        ] {
            replica.tell(told.clone());
            let refused = node.poll_in_vain().await;
            assert!(refused.contains(why), "{told:.300}: {refused}");
        }
        assert_eq!(count(&app, "source = 'ecb'").await, 0);
        node.close().await;
    }

    async fn a_provider_that_never_answers_is_given_up(app: SmallCatalog) {
        let replica = Replica::telling("").await;
        replica.set(Reply::Silence);
        let node = Node::asking(&app, CurrencyApi, &replica).await;
        assert_eq!(node.poll_in_vain().await, "currency-api: no whole answer in time");
        assert_eq!(node.status().await.polls.unwrap().failures, 1);
        node.close().await;
    }
}
