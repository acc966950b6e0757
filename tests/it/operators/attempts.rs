//! Seeing what was asked of vendors: `octopus attempts list`.
//! Not here: deciding about it (`resolving.rs`).

use octopus_cards::domain::fulfillment;
use serde_json::{Value, json};

use super::{place_in_doubt, run, stage, told};
use crate::support::app::TestApp;
use crate::support::catalog::EURO_20;
use crate::support::vendor::TestVendor;

async fn listed(app: &TestApp, more: &str) -> Vec<Value> {
    let line = format!("attempts list --json {more}");
    run(app, line.trim(), &[]).await.json().as_array().unwrap().clone()
}

both_databases! {
    async fn attempts_tell_why_there_for_whom_and_what_was_answered(app: SmallCatalog) {
        let (partner, _silent) = stage(&app, EURO_20).await;
        let idle = TestVendor::open(&app, "idle").await;
        idle.sell_for(&app, &[(EURO_20, "sandbox_ok")], "0.80").await;
        run(&app, "vendor pause idle", &[]).await.expect_code(0);
        fulfillment::refresh(&app.deps).await.unwrap();
        let purchase = place_in_doubt(&app, &partner, EURO_20, 2).await;
        let all = listed(&app, "").await;
        assert_eq!(all.len(), 1);
        let one = &all[0];
        assert_eq!(one["id"], purchase);
        assert_eq!((&one["vendor"], &one["state"], &one["quantity"]), (&json!("silent"), &json!("UNKNOWN"), &json!(2)));
        assert_eq!((&one["expected_cost"], &one["cost"], &one["cost_currency"]), (&json!("36"), &json!(null), &json!("EUR")));
        let route: Vec<(&Value, &Value, &Value)> = one["route"].as_array().unwrap().iter()
            .map(|it| (&it["vendor"], &it["units"], &it["skipped"])).collect();
        assert_eq!(route, [(&json!("idle"), &json!(0), &json!("PAUSED")), (&json!("silent"), &json!(2), &json!(null))]);
        let units: Vec<(&Value, &Value, &Value)> = one["units"].as_array().unwrap().iter()
            .map(|it| (&it["unit"], &it["number"], &it["outcome"])).collect();
        assert_eq!(units, [(&json!(1), &json!(1), &json!(null)), (&json!(2), &json!(1), &json!(null))]);
        let call = &one["calls"][0];
        assert_eq!((&call["n"], &call["kind"]), (&json!(1), &json!("SEND")));
        assert!(call["actor"].as_str().unwrap().starts_with("wkr_"), "{call}");
        assert!(call["duration_micros"].is_i64() && call["at"].is_string(), "{call}");
        let text = run(&app, "attempts list", &[]).await.expect_code(0).stdout;
        for part in [&format!("{purchase}  UNKNOWN at silent"), "idle was left out: PAUSED", "silent got 2 units",
            "unit 2, attempt 1: open", "SEND by wkr_"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    async fn attempts_are_found_by_order_vendor_and_state(app: SmallCatalog) {
        let (partner, _silent) = stage(&app, EURO_20).await;
        let purchase = place_in_doubt(&app, &partner, EURO_20, 1).await;
        let order = app.database.texts("SELECT id AS line FROM orders").await.remove(0);
        for (more, found) in [("--open", 1), ("--state unknown", 1), ("--state review --state unknown", 1),
            ("--state delivered", 0), ("--order one", 1), ("--vendor silent --limit 1", 1)] {
            assert_eq!(listed(&app, more).await.len(), found, "{more}");
        }
        assert_eq!(listed(&app, &format!("--order {order}")).await[0]["id"], purchase);
        let text = run(&app, "attempts list --state delivered", &[]).await.expect_code(0).stdout;
        assert_eq!(text.trim(), "nothing was asked of vendors");
        let missing = told(run(&app, "attempts list --json --order two", &[]).await, 3);
        assert_eq!(missing, ("NOT_FOUND".to_owned(), "there is no order \"two\"".to_owned()));
        let missing = told(run(&app, "attempts list --json --vendor nobody", &[]).await, 3);
        assert_eq!(missing.1, "there is no vendor \"nobody\": `octopus vendor list` shows them");
    }
}
