//! How the facade refuses: the status, the code, the field at fault, and nothing changed.

use reqwest::Method;
use serde_json::{Value, json};

use super::shape::Description;
use crate::support::answer::Answer;
use crate::support::catalog::{DIRECT_PLAYER, EURO_20, RANGE_USD, STEAM_50, YEN_1000};

const ORDERS: &str = "/api/v1/orders";

#[track_caller]
fn expect(answer: &Answer, status: u16, code: &str, field: &str) {
    answer.expect_problem(status, code);
    let expected = if field.is_empty() { Value::Null } else { json!(field) };
    assert_eq!(answer.body["field"], expected, "{answer:#?}");
    assert_eq!(answer.body["type"], "about:blank");
    assert!(answer.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{answer:#?}");
}

both_databases! {
    async fn another_body_under_the_same_reference_names_what_differs(app: SmallCatalog) {
        let partner = app.partner().await;
        let body = |quantity: i32| json!({ "product_id": STEAM_50, "quantity": quantity, "reference": "r1" });
        let placed = partner.post(ORDERS, &body(1)).await;
        let refused = partner.post(ORDERS, &body(2)).await;
        expect(&refused, 409, "IDEMPOTENCY_MISMATCH", "reference");
        assert_eq!(refused.body["order_id"], placed.body["id"]);
        assert_eq!(refused.body["differing_fields"], json!(["quantity"]));
        let other = json!({ "product_id": STEAM_50, "quantity": 1, "reference": "r1", "failure_policy": "ALL_OR_NOTHING",
            "max_total": "1000" });
        let refused = partner.post(ORDERS, &other).await;
        assert_eq!(refused.body["differing_fields"], json!(["max_total", "failure_policy"]));
        assert_eq!(app.order_count().await, 1);
    }

    async fn a_business_refusal_tells_its_facts_and_changes_nothing(app: SmallCatalog) {
        let partner = app.partner().await;
        let order = |more: Value| {
            let mut body = json!({ "product_id": STEAM_50, "reference": "r1" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let stock = partner.post(ORDERS, &order(json!({ "product_id": EURO_20, "currency": "EUR" }))).await;
        expect(&stock, 409, "OUT_OF_STOCK", "quantity");
        assert_eq!(stock.body["available"], 0);

        let price = partner.post(ORDERS, &order(json!({ "max_total": "1.00" }))).await;
        expect(&price, 409, "PRICE_CHANGED", "max_total");
        assert_eq!(price.body["total"], json!({ "amount": "49.40", "currency": "USD" }));
        let charge = partner.get(&format!("/api/v1/charges/{}", price.body["charge_id"].as_str().unwrap())).await;
        assert_eq!(charge.body["total"], price.body["total"]);

        for (more, status, code, field) in [
            (json!({ "product_id": "nothing" }), 422, "PRODUCT_NOT_FOUND", "product_id"),
            (json!({ "quantity": 0 }), 422, "QUANTITY_OUT_OF_RANGE", "quantity"),
            (json!({ "quantity": 1_001 }), 422, "QUANTITY_OUT_OF_RANGE", "quantity"),
            (json!({ "quantity": -1 }), 422, "QUANTITY_OUT_OF_RANGE", "quantity"),
            (json!({ "face_value": "49.99" }), 422, "INVALID_FACE_VALUE", "face_value"),
            (json!({ "product_id": RANGE_USD }), 422, "INVALID_FACE_VALUE", "face_value"),
            (json!({ "currency": "AED" }), 422, "CURRENCY_NOT_SUPPORTED", "currency"),
            (json!({ "product_id": DIRECT_PLAYER }), 422, "INVALID_RECIPIENT", "recipient.player_id"),
            (json!({ "charge_id": "chg_none" }), 409, "CHARGE_NOT_FOUND", "charge_id"),
            (json!({ "reference": "a b" }), 422, "INVALID_INPUT", "reference"),
            (json!({ "wait_ms": 30_001 }), 422, "INVALID_INPUT", "wait_ms"),
            (json!({ "quantity": null }), 422, "INVALID_INPUT", "quantity"),
            (json!({ "max_total": "-1" }), 422, "INVALID_INPUT", "max_total"),
            (json!({ "max_total": "0.00" }), 422, "INVALID_INPUT", "max_total"),
        ] {
            expect(&partner.post(ORDERS, &order(more)).await, status, code, field);
        }
        let charges = "SELECT count(*) FROM charges";
        assert_eq!(app.database.number(charges).await, 1, "the one of PRICE_CHANGED");
        let no_number = json!({ "product_id": STEAM_50, "quantity": null });
        expect(&partner.post("/api/v1/charges", &no_number).await, 422, "BAD_USER_INPUT", "quantity");
        assert_eq!((app.order_count().await, app.database.number(charges).await), (0, 1));
    }

    async fn an_empty_wallet_is_402_with_what_it_has_and_what_is_due(app: SmallCatalog) {
        let partner = app.partner_with("USD", 1_000).await;
        let body = json!({ "product_id": STEAM_50, "reference": "r1" });
        let refused = partner.post(ORDERS, &body).await;
        expect(&refused, 402, "INSUFFICIENT_FUNDS", "");
        assert_eq!(refused.body["required"], json!({ "amount": "49.40", "currency": "USD" }));
        assert_eq!(refused.body["available"], json!({ "amount": "10.00", "currency": "USD" }));
        assert_eq!(app.order_count().await, 0);
        let wallets = partner.get("/api/v1/wallets").await;
        assert_eq!(wallets.body["data"][0]["available"], refused.body["available"]);
    }

    async fn a_member_that_is_unknown_or_of_another_type_is_named(app: SmallCatalog) {
        let partner = app.partner().await;
        for (body, field) in [
            (json!({ "product_id": STEAM_50, "reference": "r1", "productId": STEAM_50 }), "productId"),
            (json!({ "product_id": STEAM_50 }), "reference"),
            (json!({ "product_id": STEAM_50, "reference": null }), "reference"),
            (json!({ "product_id": STEAM_50, "reference": 7 }), "reference"),
            (json!({ "product_id": 7, "reference": "r1" }), "product_id"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "quantity": "1" }), "quantity"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "quantity": 1.5 }), "quantity"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "face_value": 50 }), "face_value"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "max_total": "1e3" }), "max_total"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "currency": "usd" }), "currency"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "failure_policy": "HOPE" }), "failure_policy"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "recipient": "me" }), "recipient"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "recipient": {} }), "recipient"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "recipient": { "mail": "x" } }), "recipient.mail"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "recipient": { "phone": 1 } }), "recipient.phone"),
            (json!({ "product_id": STEAM_50, "reference": "r1", "recipient": { "phone": "1", "username": "2" } }), "recipient"),
        ] {
            expect(&partner.post(ORDERS, &body).await, 422, "BAD_USER_INPUT", field);
        }
        for (address, field) in [
            ("/api/v1/products?limit=0", "limit"),
            ("/api/v1/products?limit=101", "limit"),
            ("/api/v1/products?limit=ten", "limit"),
            ("/api/v1/products?cursor=*", "cursor"),
            ("/api/v1/products?cursor=b3RoZXI", "cursor"),
            ("/api/v1/products?page=2", "page"),
            ("/api/v1/products?country=usa", "country"),
            ("/api/v1/products?country=us", "country"),
            ("/api/v1/products?country=", "country"),
            ("/api/v1/products?cursor=", "cursor"),
            ("/api/v1/products?limit=", "limit"),
            ("/api/v1/products?limit=1&limit=2", "limit"),
            ("/api/v1/wallets?cursor=b3RoZXI", "cursor"),
            ("/api/v1/orders?cursor=b3RoZXI", "cursor"),
            ("/api/v1/orders?created_since=yesterday", "created_since"),
            ("/api/v1/orders?sort=random", "sort"),
            ("/api/v1/orders?sort=oldest_first&cursor=*", "cursor"),
            ("/api/v1/orders?sort=oldest_first&cursor=b3RoZXI", "cursor"),
            ("/api/v1/products?currency=usd", "currency"),
            ("/api/v1/orders?created_since=2026-11-22T10:00:00+02:00", "created_since"),
            ("/api/v1/orders?reference=r1&limit=5", "limit"),
            ("/api/v1/events?after=b3RoZXI", "after"),
            ("/api/v1/events?limit=101", "limit"),
        ] {
            expect(&partner.get(address).await, 422, "BAD_USER_INPUT", field);
        }
        let unescaped = partner.get("/api/v1/orders?created_since=2026-11-22T10:00:00+02:00").await;
        let detail = "`created_since` must be an RFC 3339 instant, in which `+` is written as %2B in an address";
        assert_eq!(unescaped.body["detail"], detail);
        partner.get("/api/v1/orders?created_since=2026-11-22T10:00:00%2B02:00").await.expect_status(200);
        let long = "x".repeat(101);
        expect(&partner.get(&format!("/api/v1/products?search={long}")).await, 422, "BAD_USER_INPUT", "search");
        // What is well-formed and unknown is an empty page.
        for address in ["country=ZZ", "category=nothing", "brand=nothing", "search=nothing", "category=", "brand="] {
            assert_eq!(partner.get(&format!("/api/v1/products?{address}")).await.body["data"], json!([]), "{address}");
        }
        assert_eq!(app.order_count().await, 0);
    }

    async fn a_request_that_is_no_json_is_refused_before_it_is_read(app: SmallCatalog) {
        let partner = app.partner().await;
        let token = &partner.session.token;
        let good = json!({ "product_id": STEAM_50, "reference": "r1" }).to_string();
        for content_type in ["", "text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
            let refused = app.post_text(ORDERS, token, content_type, good.clone()).await;
            expect(&refused, 415, "BAD_REQUEST", "");
        }
        for body in ["", "{", "[]", "null", "\"text\"", "{\"product_id\":\"a\"} {}"] {
            let refused = app.post_text(ORDERS, token, "application/json", body).await;
            expect(&refused, 400, "BAD_REQUEST", "");
        }
        let empty = app.post_text(ORDERS, token, "application/json", "").await;
        let told = empty.body["detail"].as_str().unwrap();
        assert!(told.starts_with("the body is empty: send a JSON object; taken are: product_id, quantity, "), "{told}");
        for (body, name) in [
            (format!(r#"{{"product_id":"{STEAM_50}","reference":"r1","quantity":1,"quantity":2}}"#), "quantity"),
            (format!(r#"{{"product_id":"{STEAM_50}","reference":"r1","recipient":{{"phone":"1","phone":"2"}}}}"#), "phone"),
        ] {
            let refused = app.post_text(ORDERS, token, "application/json", body).await;
            expect(&refused, 400, "BAD_REQUEST", "");
            let told = refused.body["detail"].as_str().unwrap();
            assert!(told.starts_with(&format!("the member `{name}` stands there twice at line 1")), "{told}");
        }
        let accepted = app.post_text(ORDERS, token, "application/json; charset=utf-8", "{}").await;
        expect(&accepted, 422, "BAD_USER_INPUT", "reference");
        let large = json!({ "product_id": STEAM_50, "reference": "r".repeat(1_000_000) }).to_string();
        expect(&app.post_text(ORDERS, token, "application/json", large).await, 413, "PAYLOAD_TOO_LARGE", "");
        assert_eq!(app.order_count().await, 0);
    }

    async fn who_may_not_is_told_what_is_missing(app: SmallCatalog) {
        let body = json!({ "product_id": STEAM_50, "reference": "r1" });
        let nobody = app.client.rest(Method::POST, ORDERS, "", &body).await;
        expect(&nobody, 401, "UNAUTHENTICATED", "");
        let forged = app.client.rest(Method::POST, ORDERS, "eyJhbGciOiJub25lIn0.e30.", &body).await;
        expect(&forged, 401, "UNAUTHENTICATED", "");
        let wrong = json!({ "username": "oc_nobody", "password": "guess" });
        expect(&app.client.rest(Method::POST, "/auth/login", "", &wrong).await, 401, "INVALID_CREDENTIALS", "");

        let narrow = app.partner_that_may(&["WALLET_READ"]).await;
        narrow.get("/api/v1/wallets").await.expect_status(200);
        expect(&narrow.post(ORDERS, &body).await, 403, "FORBIDDEN", "");
        for address in ["/api/v1/products", "/api/v1/orders", "/api/v1/orders?reference=r1", "/api/v1/charges/chg_x"] {
            expect(&narrow.get(address).await, 403, "FORBIDDEN", "");
        }
        assert_eq!(app.order_count().await, 0);
    }

    async fn what_is_not_there_and_what_is_another_s_read_the_same(app: SmallCatalog) {
        let (owner, other) = (app.partner().await, app.other_partner().await);
        let order = owner.post(ORDERS, &json!({ "product_id": STEAM_50, "reference": "r1" })).await;
        let charge = owner.post("/api/v1/charges", &json!({ "product_id": STEAM_50 })).await;
        let (order, charge) = (order.body["id"].as_str().unwrap(), charge.body["id"].as_str().unwrap());
        let mut told = Vec::new();
        for address in [
            format!("/api/v1/orders/{order}"),
            "/api/v1/orders/ord_none".to_owned(),
            format!("/api/v1/charges/{charge}"),
            "/api/v1/products/nothing".to_owned(),
            "/api/v1/products/%FF".to_owned(),
        ] {
            let answer = other.get(&address).await;
            expect(&answer, 404, "NOT_FOUND", "");
            told.push(answer.body);
        }
        assert!(told.iter().all(|body| *body == told[0]), "{told:#?}");
        let cancel = other.post(&format!("/api/v1/orders/{order}/cancel"), &Value::Null).await;
        expect(&cancel, 404, "NOT_FOUND", "");
        assert_eq!(other.get("/api/v1/orders?reference=r1").await.body["data"], json!([]));
    }

    async fn other_methods_and_addresses_are_problems_too(app: SmallCatalog) {
        let wrong = app.client.rest(Method::DELETE, ORDERS, "", &Value::Null).await;
        expect(&wrong, 405, "BAD_REQUEST", "");
        let mut allowed: Vec<&str> = wrong.header("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["GET", "HEAD", "POST"]);
        let wrong = app.client.rest(Method::GET, "/auth/login", "", &Value::Null).await;
        expect(&wrong, 405, "BAD_REQUEST", "");
        expect(&app.client.rest(Method::GET, "/api/v1/nothing", "", &Value::Null).await, 404, "NOT_FOUND", "");
    }

    /// A person reads a problem as it was sent: what it is comes first.
    async fn the_members_of_a_problem_come_in_reading_order(app: SmallCatalog) {
        app.books_are_broken();
        let partner = app.partner_with("USD", 1_000).await;
        let (rich, token) = (app.partner().await.session.token, partner.session.token.as_str());
        // More than there are: it stays open, and an open order can still be broken.
        let open = json!({ "product_id": YEN_1000, "quantity": 51, "reference": "r1", "wait_ms": 0 });
        let placed = app.client.rest(Method::POST, ORDERS, &rich, &open).await;
        let order = json!({ "product_id": STEAM_50, "reference": "r1" });
        let id = placed.body["id"].as_str().unwrap();
        app.database.execute("UPDATE orders SET product_snapshot = 'nothing'").await;
        let begin = |title: &str, status: u16| format!("{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{status},\"detail\":\"");
        for (method, address, token, body, beginning, end) in [
            (Method::GET, ORDERS, "", "", begin("Unauthorized", 401),
                "sign in first: this needs a valid access token\",\"code\":\"UNAUTHENTICATED\"}"),
            (Method::GET, "/nothing", "", "", begin("Not Found", 404),
                "there is nothing at this address: /openapi.json lists every address of the REST facade, and GraphQL is at \
                /graphql\",\"code\":\"NOT_FOUND\"}"),
            (Method::DELETE, ORDERS, "", "", begin("Method Not Allowed", 405),
                "this address takes other methods: see Allow\",\"code\":\"BAD_REQUEST\"}"),
            (Method::POST, ORDERS, token, "[]", begin("Bad Request", 400),
                "the body must be one JSON object\",\"code\":\"BAD_REQUEST\"}"),
            (Method::GET, "/api/v1/orders?limit=0", token, "", begin("Unprocessable Entity", 422),
                "`limit` must be 1 to 100\",\"code\":\"BAD_USER_INPUT\",\"field\":\"limit\"}"),
            (Method::POST, ORDERS, token, &order.to_string(), begin("Payment Required", 402),
                "the order costs 49.40 USD and the wallet has 10.00 USD available\",\"code\":\"INSUFFICIENT_FUNDS\",\
                \"required\":{\"amount\":\"49.40\",\"currency\":\"USD\"},\"available\":{\"amount\":\"10.00\",\"currency\":\"USD\"}}"),
            (Method::GET, &format!("{ORDERS}/{id}"), &rich, "", begin("Internal Server Error", 500),
                "The server met a fault of its own. Tell its operator the request id.\",\"code\":\"INTERNAL_SERVER_ERROR\",\
                \"request_id\":\"req_"),
        ] {
            let mut request = app.client.request(method, address).header("content-type", "application/json");
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            let answer = request.body(body.to_owned()).send().await.expect("the server answers");
            let text = answer.text().await.expect("the body arrives whole");
            let expected = beginning + end;
            assert_eq!(text.get(..expected.len()), Some(expected.as_str()), "{text}");
        }
    }

    async fn too_many_sign_ins_are_told_when_to_return(app: SmallCatalog) {
        let account = app.database.seed.partners[0].clone();
        let wrong = json!({ "username": account.username, "password": "guess" });
        let mut limited = None;
        for _ in 0..31 {
            let answer = app.client.rest(Method::POST, "/auth/login", "", &wrong).await;
            Description::read().check("POST", "/auth/login", &answer);
            limited = Some(answer);
        }
        let limited = limited.unwrap();
        expect(&limited, 429, "RATE_LIMITED", "");
        assert_eq!(limited.body["retry_after_ms"], 2_000);
        assert_eq!(limited.header("retry-after"), "2");
    }

    async fn a_fault_of_the_server_says_nothing_but_its_request(app: SmallCatalog) {
        app.books_are_broken();
        let partner = app.partner().await;
        let order = partner.post(ORDERS, &json!({ "product_id": STEAM_50, "quantity": 201, "reference": "r1", "wait_ms": 0 })).await;
        // Open, since the database lets nobody touch an order that has ended.
        app.database.execute("UPDATE orders SET product_snapshot = 'nothing'").await;
        let address = format!("/api/v1/orders/{}", order.body["id"].as_str().unwrap());
        let failed = partner.get(&address).await;
        expect(&failed, 500, "INTERNAL_SERVER_ERROR", "");
        assert_eq!(failed.body["request_id"], failed.header("x-request-id"));
        assert!(!failed.body.to_string().contains("expected"), "{failed:#?}");
    }
}
