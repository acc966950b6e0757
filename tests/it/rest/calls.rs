//! What each operation answers when it works.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::catalog::{DIRECT_PLAYER, EURO_20, RANGE_USD, STEAM_50, stock_csv};

both_databases! {
    /// The calls are written out as a shell would send them.
    async fn the_two_curl_calls_work_as_written(app: SmallCatalog) {
        let account = app.database.seed.partners[0].clone();
        let body = format!("{{\"username\":\"{}\",\"password\":\"{}\"}}", account.username, account.password);
        let signed_in = app.post_text("/auth/login", "", "application/json", body).await;
        signed_in.expect_status(200);
        assert!(signed_in.body["token"].as_str().unwrap().starts_with("eyJhbGciOiJIUzI1NiIs"), "{signed_in:#?}");
        assert_eq!(signed_in.body["expires_in"], 3_600);
        let token = signed_in.body["token"].as_str().unwrap();

        let body = r#"{"product_id":"steam_wallet_50_usd","quantity":1,"reference":"ord_abc123"}"#;
        let first = app.post_text("/api/v1/orders", token, "application/json", body).await;
        first.expect_status(201);
        assert_eq!(first.body["status"], "DELIVERED");
        assert_eq!(first.body["reference"], "ord_abc123");
        assert_eq!(first.body["total"], json!({ "amount": "49.40", "currency": "USD" }));
        assert_eq!(first.body["created_at"], "2026-11-22T12:00:00.000000Z");
        assert_eq!(first.body["vouchers"].as_array().map(Vec::len), Some(1));
        assert!(first.body["vouchers"][0]["code"].as_str().is_some_and(|code| !code.is_empty()), "{first:#?}");
        let id = first.body["id"].as_str().unwrap();
        assert_eq!(first.header("location"), format!("/api/v1/orders/{id}"));
        assert_eq!(app.reveal_count().await, 1);

        let replay = app.post_text("/api/v1/orders", token, "application/json", body).await;
        replay.expect_status(200);
        assert_eq!(replay.body, first.body);
        assert_eq!(app.order_count().await, 1);
        assert_eq!(app.reveal_count().await, 2);
    }

    async fn tokens_are_refreshed_and_sessions_end(app: SmallCatalog) {
        let partner = app.partner().await;
        let body = json!({ "refresh_token": partner.session.refresh_token });
        let refreshed = partner.post("/auth/refresh", &body).await;
        refreshed.expect_status(200);
        let token = refreshed.body["token"].as_str().unwrap();
        app.client.rest(Method::GET, "/api/v1/wallets", token, &Value::Null).await.expect_status(200);

        let ended = app.post_text("/auth/logout", token, "application/json", "").await;
        assert_eq!(ended.expect_status(200).body, json!({ "logged_out": true }));
        let closed = app.client.rest(Method::GET, "/api/v1/wallets", token, &Value::Null).await;
        closed.expect_problem(401, "UNAUTHENTICATED");
        assert_eq!(closed.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        let unknown = app.post_text("/auth/refresh", "", "application/json", r#"{"refresh_token":"ocr_none"}"#).await;
        unknown.expect_problem(401, "INVALID_REFRESH_TOKEN");
        assert_eq!(unknown.body["field"], "refresh_token");
    }

    async fn an_expired_token_is_told_to_refresh(app: SmallCatalog) {
        let partner = app.partner().await;
        app.advance_secs(3_700);
        let refused = partner.get("/api/v1/wallets").await;
        refused.expect_problem(401, "UNAUTHENTICATED");
        // The refresh itself needs no good token.
        let body = json!({ "refresh_token": partner.session.refresh_token });
        partner.post("/auth/refresh", &body).await.expect_status(200);
    }

    async fn products_are_found_page_by_page_and_say_what_graphql_says(app: SmallCatalog) {
        let partner = app.partner().await;
        let mut found = Vec::new();
        let mut address = "/api/v1/products?category=gaming&limit=5".to_owned();
        loop {
            let page = partner.get(&address).await;
            let items = page.expect_status(200).body["data"].as_array().unwrap().clone();
            assert!(items.len() <= 5);
            found.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page.body["next_cursor"].as_str() else { break };
            address = format!("/api/v1/products?category=gaming&limit=5&cursor={cursor}");
        }
        const QUERY: &str = "{ products(filter: { category: \"gaming\" }, first: 100) { nodes { id } } }";
        let told = partner.graphql(QUERY, Value::Null).await;
        let told: Vec<_> = told.list("products.nodes").iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, told);
        assert!(found.len() > 5, "{found:?}");

        let narrow = partner.get("/api/v1/products?country=US&brand=steam_wallet&search=STEAM%2050").await;
        assert_eq!(narrow.body["data"][0]["id"], STEAM_50);
        let product = partner.get(&format!("/api/v1/products/{STEAM_50}")).await;
        assert_eq!(product.body, narrow.body["data"][0]);
        assert_eq!(product.body["price"]["unit_price"], json!({ "amount": "49.40", "currency": "USD" }));
        assert_eq!(product.body["stock"]["available"], 200);
        let direct = partner.get(&format!("/api/v1/products/{DIRECT_PLAYER}")).await;
        assert_eq!(direct.body["required_inputs"][0]["field"], "recipient.player_id");
        partner.get(&format!("/api/v1/products/{RANGE_USD}")).await.expect_status(200);
    }

    async fn a_charge_binds_the_price_that_an_order_pays(app: SmallCatalog) {
        let partner = app.partner().await;
        let body = json!({ "product_id": STEAM_50, "quantity": 2, "currency": "JPY" });
        let charge = partner.post("/api/v1/charges", &body).await;
        charge.expect_status(201);
        let id = charge.body["id"].as_str().unwrap();
        assert_eq!(charge.header("location"), format!("/api/v1/charges/{id}"));
        assert_eq!(charge.body["total"]["currency"], "JPY");
        assert!(!charge.body["total"]["amount"].as_str().unwrap().contains('.'), "{charge:#?}");

        let order = partner.post("/api/v1/orders", &json!({ "charge_id": id, "reference": "r1" })).await;
        assert_eq!(order.expect_status(201).body["total"], charge.body["total"]);
        assert_eq!(order.body["charge_id"], id);
        assert_eq!(order.body["vouchers"].as_array().map(Vec::len), Some(2));
        let used = partner.get(&format!("/api/v1/charges/{id}")).await;
        assert_eq!(used.body["order_id"], order.body["id"]);
        let again = partner.post("/api/v1/orders", &json!({ "charge_id": id, "reference": "r2" })).await;
        again.expect_problem(409, "CHARGE_USED");
        assert_eq!(again.body["field"], "charge_id");
    }

    async fn every_input_of_an_order_is_taken_and_fingerprinted_as_in_graphql(app: SmallCatalog) {
        let partner = app.partner().await;
        let body = json!({ "product_id": RANGE_USD, "quantity": 1, "reference": "r1", "face_value": "25.0",
            "currency": "USD", "max_total": "1000.00", "wait_ms": 0, "failure_policy": "ALL_OR_NOTHING" });
        let placed = partner.post("/api/v1/orders", &body).await;
        placed.expect_status(201);
        const CREATE: &str = "mutation Create($input: CreateOrderInput!) { createOrder(input: $input) {
            replayed order { id total { amount currency } createdAt } userErrors { code field } } }";
        let input = json!({ "productId": RANGE_USD, "quantity": 1, "reference": "r1", "faceValue": "25",
            "currency": "USD", "maxTotal": "1000", "failurePolicy": "ALL_OR_NOTHING" });
        let replay = partner.graphql(CREATE, json!({ "input": input })).await;
        assert_eq!(replay.payload("createOrder")["replayed"], true);
        assert_eq!(replay.at("createOrder.order.id"), &placed.body["id"]);
        assert_eq!(replay.at("createOrder.order.total"), &placed.body["total"]);
        assert_eq!(replay.at("createOrder.order.createdAt"), &placed.body["created_at"]);

        let body = json!({ "product_id": DIRECT_PLAYER, "reference": "r2", "recipient": { "player_id": "12345" } });
        partner.post("/api/v1/orders", &body).await.expect_problem(409, "OUT_OF_STOCK");
    }

    async fn orders_are_read_by_id_by_reference_and_by_time(app: SmallCatalog) {
        let partner = app.partner().await;
        for number in 1..=3 {
            let body = json!({ "product_id": STEAM_50, "reference": format!("r{number}") });
            partner.post("/api/v1/orders", &body).await.expect_status(201);
            app.advance_secs(60);
        }
        let before = app.reveal_count().await;
        let listed = partner.get("/api/v1/orders?created_since=2026-11-22T12:01:00Z&limit=1").await;
        assert_eq!(references(&listed), ["r3"]);
        assert!(listed.body["data"][0].get("vouchers").is_none(), "{listed:#?}");
        let cursor = listed.body["next_cursor"].as_str().unwrap();
        let address = format!("/api/v1/orders?created_since=2026-11-22T12:01:00Z&limit=1&cursor={cursor}");
        let rest = partner.get(&address).await;
        assert_eq!(references(&rest), ["r2"]);
        assert_eq!(rest.body["next_cursor"], Value::Null);
        assert_eq!(references(&partner.get("/api/v1/orders").await), ["r3", "r2", "r1"]);
        assert_eq!(references(&partner.get("/api/v1/orders?sort=newest_first").await), ["r3", "r2", "r1"]);
        let oldest = partner.get("/api/v1/orders?sort=oldest_first&limit=2").await;
        assert_eq!(references(&oldest), ["r1", "r2"]);
        let cursor = oldest.body["next_cursor"].as_str().unwrap();
        let rest = partner.get(&format!("/api/v1/orders?sort=oldest_first&limit=2&cursor={cursor}")).await;
        assert_eq!((references(&rest), &rest.body["next_cursor"]), (vec!["r3".to_owned()], &Value::Null));
        assert_eq!(app.reveal_count().await, before);

        let named = partner.get("/api/v1/orders?reference=r1").await;
        assert_eq!(references(&named), ["r1"]);
        let order = partner.get(&format!("/api/v1/orders/{}", named.body["data"][0]["id"].as_str().unwrap())).await;
        assert_eq!(order.body, named.body["data"][0]);
        assert_eq!(order.body["vouchers"].as_array().map(Vec::len), Some(1));
        assert_eq!(app.reveal_count().await, before + 2);
        assert_eq!(references(&partner.get("/api/v1/orders?reference=unknown").await), Vec::<String>::new());
    }

    async fn an_order_is_seen_without_codes_by_those_who_may_not_reveal_them(app: SmallCatalog) {
        let partner = app.partner_that_may(&["ORDERS_READ", "ORDERS_WRITE"]).await;
        let body = json!({ "product_id": STEAM_50, "reference": "r1" });
        let placed = partner.post("/api/v1/orders", &body).await;
        assert!(placed.expect_status(201).body.get("vouchers").is_none(), "{placed:#?}");
        let read = partner.get(&format!("/api/v1/orders/{}", placed.body["id"].as_str().unwrap())).await;
        assert_eq!(read.body, placed.body);
        assert_eq!(app.reveal_count().await, 0);
    }

    async fn what_is_open_is_cancelled_and_paid_back(app: SmallCatalog) {
        app.load_stock(&stock_csv(EURO_20, "20", 1, 1)).await;
        let partner = app.partner().await;
        let body = json!({ "product_id": EURO_20, "quantity": 3, "reference": "r1", "currency": "EUR", "wait_ms": 0 });
        let placed = partner.post("/api/v1/orders", &body).await;
        assert_eq!(placed.expect_status(201).body["status"], "PROCESSING");
        assert_eq!(placed.body["vouchers"].as_array().map(Vec::len), Some(1));
        let wallets = partner.get("/api/v1/wallets").await;
        let euro = wallets.body["data"].as_array().unwrap().iter().find(|wallet| wallet["currency"] == "EUR").unwrap();
        assert_ne!(euro["held"]["amount"], "0.00");

        let address = format!("/api/v1/orders/{}/cancel", placed.body["id"].as_str().unwrap());
        let cancelled = partner.post(&address, &Value::Null).await;
        assert_eq!(cancelled.expect_status(200).body["status"], "PARTIALLY_DELIVERED");
        assert_eq!(cancelled.body["refunded_quantity"], 2);
        assert_eq!(cancelled.body["failure"]["code"], "CANCELLED");
        partner.post(&address, &Value::Null).await.expect_problem(409, "NOT_CANCELLABLE");
        let wallets = partner.get("/api/v1/wallets?limit=100").await;
        let held: Vec<_> = wallets.body["data"].as_array().unwrap().iter().map(|wallet| &wallet["held"]["amount"]).collect();
        assert_eq!(held, ["0.00", "0", "0.000", "0.00"]);
    }

    async fn wallets_come_in_pages_with_what_they_hold(app: SmallCatalog) {
        let partner = app.partner().await;
        let first = partner.get("/api/v1/wallets?limit=3").await;
        let cursor = first.expect_status(200).body["next_cursor"].as_str().unwrap();
        let rest = partner.get(&format!("/api/v1/wallets?limit=3&cursor={cursor}")).await;
        let wallets = [first.body["data"].as_array().unwrap().clone(), rest.body["data"].as_array().unwrap().clone()].concat();
        let balances: Vec<_> = wallets.iter().map(|wallet| wallet["balance"]["amount"].as_str().unwrap()).collect();
        assert_eq!(balances, ["900000.00", "150000000", "300000.000", "1000000.00"]);
        assert_eq!(rest.body["next_cursor"], Value::Null);
    }

    async fn events_are_pulled_in_order_and_the_last_cursor_goes_on(app: SmallCatalog) {
        let partner = app.partner().await;
        let all = partner.get("/api/v1/events?limit=100").await;
        let begin = all.expect_status(200).body["next_cursor"].as_str().unwrap().to_owned();
        partner.post("/api/v1/orders", &json!({ "product_id": STEAM_50, "reference": "r1" })).await.expect_status(201);
        let new = partner.get(&format!("/api/v1/events?after={begin}&limit=1")).await;
        assert_eq!(kinds(&new).len(), 1);
        assert_eq!(new.body["has_more"], true);
        let cursor = new.body["next_cursor"].as_str().unwrap();
        let rest = partner.get(&format!("/api/v1/events?after={cursor}")).await;
        assert_eq!(rest.body["has_more"], false);
        let mut seen = [kinds(&new), kinds(&rest)].concat();
        seen.sort();
        assert_eq!(seen, ["order.created", "order.delivered", "wallet.debited"]);
        let end = rest.body["next_cursor"].as_str().unwrap();
        let nothing = partner.get(&format!("/api/v1/events?after={end}")).await;
        assert_eq!((&nothing.body["data"], &nothing.body["next_cursor"]), (&json!([]), &json!(end)));

        let some = partner.get("/api/v1/events?types=order.delivered,order.failed").await;
        assert_eq!(kinds(&some), ["order.delivered"]);
        let unknown = partner.get("/api/v1/events?types=order.lost").await;
        unknown.expect_problem(422, "BAD_USER_INPUT");
        assert_eq!(unknown.body["field"], "types");
    }
}

fn references(answer: &Answer) -> Vec<String> {
    let orders = answer.body["data"].as_array().unwrap_or_else(|| panic!("no list in {answer:#?}"));
    orders.iter().map(|order| order["reference"].as_str().unwrap().to_owned()).collect()
}

fn kinds(answer: &Answer) -> Vec<String> {
    let events = answer.body["data"].as_array().unwrap_or_else(|| panic!("no list in {answer:#?}"));
    events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}
