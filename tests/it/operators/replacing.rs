//! Another code for one that does not work: `octopus replace-voucher`.
//! Not here: giving the money back of units that got none (`goodwill.rs`).

use reqwest::Method;
use serde_json::{Value, json};

use super::{input, order, run, told};
use crate::orders::{codes, unheld_funds};
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{STEAM_50, code};

const ORDER: &str = "query($reference: String!) { order(reference: $reference) {
    id status deliveredQuantity statusHistory { status } vouchers { id unitIndex code replaces replacedBy } } }";
const VOUCHER: &str =
    "query($id: ID!) { node(id: $id) { ... on Voucher { id unitIndex code replaces replacedBy } } }";
const LAST_EVENT: &str = "{ events(types: [\"order.voucher_replaced\"]) { nodes { type
    ... on OrderEvent { reference status previousStatus deliveredQuantity voucherId } } } }";
/// What the posting of a replacement says.
const POSTED: &str = "SELECT p.account || ' ' || p.amount || ' ' || p.currency || ' ' || p.scale || ' ' || t.note AS line
    FROM postings p JOIN ledger_transactions t ON t.id = p.transaction_id WHERE t.kind = 'REPLACEMENT' ORDER BY p.line";

/// A code that has a cost and expires, and so is the next to go.
async fn load_costly(app: &TestApp, number: usize) {
    let header = "sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot";
    let row = format!("{STEAM_50},50,BETTER-{number},,,,2035-01-01T00:00:0{number}Z,40.5,USD,costly");
    app.load_stock(&format!("{header}\n{row}\n")).await;
}

/// Sells two units, and tells their vouchers' ids.
async fn sell(partner: &Partner, reference: &str) -> Vec<String> {
    let sold = order(partner, input(STEAM_50, 2, reference)).await;
    let id = |voucher: &Value| voucher["id"].as_str().unwrap().to_owned();
    sold.list("createOrder.order.vouchers").iter().map(id).collect()
}

async fn replace(app: &TestApp, order: &str, voucher: &str) -> Value {
    let line = format!("replace-voucher --json {order} {voucher} --operator Ada --reason");
    run(app, &line, &["redeemed before"]).await.json()
}

async fn refuse(app: &TestApp, line: &str) -> (String, String) {
    told(run(app, &format!("replace-voucher --json {line} --operator Ada --reason it"), &[]).await, 3)
}

both_databases! {
    async fn a_code_that_does_not_work_gives_way_to_another(app: SmallCatalog) {
        app.meet_the_machine();
        let partner = app.partner().await;
        let first = sell(&partner, "one").await;
        let before = partner.graphql(ORDER, json!({ "reference": "one" })).await;
        let paid = unheld_funds(&partner, "USD").await;
        load_costly(&app, 1).await;
        let done = replace(&app, "one", &first[1]).await;
        let better = done["voucher"].as_str().unwrap();
        assert_eq!((&done["unit"], &done["replaced"], &done["order"]), (&json!(2), &json!(first[1]), before.at("order.id")));

        let after = partner.graphql(ORDER, json!({ "reference": "one" })).await;
        for field in ["id", "status", "deliveredQuantity", "statusHistory"] {
            assert_eq!(after.at("order")[field], before.at("order")[field], "{field}");
        }
        let stand = json!([
            { "id": first[0], "unitIndex": 1, "code": code(STEAM_50, 1), "replaces": null, "replacedBy": null },
            { "id": better, "unitIndex": 2, "code": "BETTER-1", "replaces": first[1], "replacedBy": null },
        ]);
        assert_eq!(after.at("order.vouchers"), &stand);
        let old = partner.graphql(VOUCHER, json!({ "id": first[1] })).await;
        let replaced =
            json!({ "id": first[1], "unitIndex": 2, "code": code(STEAM_50, 2), "replaces": null, "replacedBy": better });
        assert_eq!(old.at("node"), &replaced);
        let found = partner.graphql(VOUCHER, json!({ "id": better })).await;
        assert_eq!(found.at("node"), &stand[1]);
        let rest = partner.rest(Method::GET, "/api/v1/orders?reference=one", &Value::Null).await;
        let vouchers = rest.body["data"][0]["vouchers"].as_array().unwrap();
        assert_eq!(vouchers.len(), 2);
        assert_eq!((&vouchers[1]["code"], &vouchers[1]["replaces"]), (&json!("BETTER-1"), &json!(first[1])));
        let replay = order(&partner, input(STEAM_50, 2, "one")).await;
        assert_eq!(codes(&replay), [code(STEAM_50, 1), "BETTER-1".to_owned()]);

        assert_eq!(unheld_funds(&partner, "USD").await, paid, "nobody pays again");
        let posted = ["INVENTORY -40500000 USD 6 redeemed before", "COST_OF_GOODS 40500000 USD 6 redeemed before"];
        assert_eq!(app.database.texts(POSTED).await, posted);
        let event = partner.graphql(LAST_EVENT, Value::Null).await;
        let expected = json!([{ "type": "order.voucher_replaced", "reference": "one", "status": "DELIVERED",
            "previousStatus": "DELIVERED", "deliveredQuantity": 2, "voucherId": better }]);
        assert_eq!(event.at("events.nodes"), &expected);
        let events = partner.rest(Method::GET, "/api/v1/events?types=order.voucher_replaced", &Value::Null).await;
        assert_eq!(events.body["data"][0]["voucher_id"], better);
        let audited = "SELECT detail AS line FROM audit_log WHERE action = 'orders.voucher_replaced'";
        let audited: Value = serde_json::from_str(&app.database.texts(audited).await.concat()).unwrap();
        assert_eq!((&audited["operator"], &audited["reason"]), (&json!("Ada"), &json!("redeemed before")));
        assert_eq!((&audited["replaced"], &audited["by"]), (&json!(first[1]), &json!(better)));
    }

    async fn a_voucher_is_replaced_once_and_its_replacement_in_turn(app: SmallCatalog) {
        app.meet_the_machine();
        let partner = app.partner().await;
        let first = sell(&partner, "one").await.remove(0);
        let line = |operator: &str| format!("replace-voucher --json one {first} --operator {operator} --reason it");
        let (by_ada, by_bob) = (line("Ada"), line("Bob"));
        let (one, other) = tokio::join!(run(&app, &by_ada, &[]), run(&app, &by_bob, &[]));
        let (done, late) = if one.code == Some(0) { (one, other) } else { (other, one) };
        let second = done.json()["voucher"].as_str().unwrap().to_owned();
        let by = format!("it was replaced before, by {second}: if that does not work either, replace that");
        assert_eq!(told(late, 3), ("INVALID_INPUT".to_owned(), by));
        let third = replace(&app, "one", &second).await["voucher"].as_str().unwrap().to_owned();
        let now = partner.graphql(ORDER, json!({ "reference": "one" })).await;
        assert_eq!(now.list("order.vouchers").len(), 2);
        assert_eq!(now.text("order.vouchers.0.id"), third);
        assert_eq!(now.text("order.vouchers.0.replaces"), second);
        let middle = partner.graphql(VOUCHER, json!({ "id": second })).await;
        assert_eq!((middle.text("node.replaces"), middle.text("node.replacedBy")), (first.as_str(), third.as_str()));
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'DELIVERED'").await, 4);
        assert_eq!(app.database.number("SELECT count(*) FROM events WHERE kind = 'order.voucher_replaced'").await, 2);
        let stranger = app.other_partner().await.graphql(VOUCHER, json!({ "id": third })).await;
        assert_eq!(stranger.at("node"), &Value::Null);
    }

    async fn what_is_not_to_be_replaced_is_told_why(app: SmallCatalog) {
        app.meet_the_machine();
        let partner = app.partner().await;
        let own = sell(&partner, "one").await;
        let other = sell(&partner, "other").await.remove(0);
        let stock = app.database.texts("SELECT id AS line FROM vouchers WHERE state = 'AVAILABLE' LIMIT 1").await.remove(0);
        app.database.execute("UPDATE vouchers SET expires_at = 1, usable_until = 1 WHERE state = 'AVAILABLE'").await;
        let refunded = run(&app, "refund-unit --json --operator Ada one 1 --reference T-1 --note it", &[]).await.json();
        let transaction = refunded["transaction"].as_str().unwrap();
        let unknown = || "no unit of the order was delivered with this voucher".to_owned();
        for (what, code, message) in [
            (format!("one {}", own[0]), "INVALID_INPUT",
                format!("the unit's money was given back, by {transaction}: it gets no other code")),
            (format!("one {other}"), "NOT_FOUND", unknown()),
            (format!("one {stock}"), "NOT_FOUND", unknown()),
            (format!("two {}", own[1]), "NOT_FOUND", "there is no order \"two\"".to_owned()),
            (format!("one {}", own[1]), "OUT_OF_STOCK", "no code of this product and face value is in stock".to_owned()),
        ] {
            assert_eq!(refuse(&app, &what).await, (code.to_owned(), message), "{what}");
        }
        let line = format!("replace-voucher --json one {} --operator Ada --reason", own[1]);
        let empty = told(run(&app, &line, &[""]).await, 3);
        assert_eq!(empty.1, "the reason must have 1 to 500 printable characters");
        for (written, count) in [("vouchers WHERE replaces IS NOT NULL", 0),
            ("ledger_transactions WHERE kind = 'REPLACEMENT'", 0), ("events WHERE kind = 'order.voucher_replaced'", 0),
            ("audit_log WHERE action = 'orders.voucher_replaced'", 0)] {
            assert_eq!(app.database.number(&format!("SELECT count(*) FROM {written}")).await, count, "{written}");
        }
    }

    async fn the_money_of_a_unit_with_another_code_goes_back_only_by_the_name_of_that_code(app: SmallCatalog) {
        app.meet_the_machine();
        let partner = app.partner().await;
        let first = sell(&partner, "one").await;
        let refund = "refund-unit --json --operator Ada one 1 --reference T-1 --note it";
        let none = told(run(&app, &format!("{refund} --replacement {}", first[0]), &[]).await, 3);
        assert_eq!(none.1, "the unit has its first code: none was given in its place");
        let second = replace(&app, "one", &first[0]).await["voucher"].as_str().unwrap().to_owned();
        let blind = format!("the unit was given another code, {second}: if that does not work either, say so with \
            --replacement {second}");
        assert_eq!(told(run(&app, refund, &[]).await, 3), ("INVALID_INPUT".to_owned(), blind.clone()));
        assert_eq!(told(run(&app, &format!("{refund} --replacement {}", first[0]), &[]).await, 3).1, blind);
        assert_eq!(app.database.number("SELECT count(*) FROM goodwill_refunds").await, 0);
        let named = format!("{refund} --replacement {second}");
        assert_eq!(run(&app, &named, &[]).await.json()["replayed"], false);
        assert_eq!(run(&app, &named, &[]).await.json()["replayed"], true);
        let late = refuse(&app, &format!("one {second}")).await;
        assert!(late.1.ends_with("it gets no other code"), "{late:?}");
    }
}
