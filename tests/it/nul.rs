//! Text with a NUL, which PostgreSQL takes nowhere: at every door by which a caller's text reaches a statement.
//! Always true: it is answered like what is unknown or malformed, alike on both databases, and is no fault of the server.
//! Not here: what each door answers otherwise (the features' files).

use reqwest::Method;
use serde_json::{Value, json};

use super::orders::order;
use super::support::catalog::{DIRECT_USERNAME, STEAM_50};
use super::support::socket::Frame;

/// A cursor that is well-formed, and holds a NUL.
const CURSOR: &str = "AA";

both_databases! {
    async fn what_is_looked_for_by_it_is_not_there(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "r1" })).await.payload("createOrder");
        for (document, expected) in [
            // As the document itself writes it, and below by a variable.
            ("{ order(reference: \"\\u0000\") { id } }", json!({ "order": null })),
            ("query($x: String!) { order(reference: $x) { id } }", json!({ "order": null })),
            ("query($x: ID!) { order(id: $x) { id } }", json!({ "order": null })),
            ("query($x: ID!) { orders(filter: { productId: $x }) { nodes { id } totalCount } }",
                json!({ "orders": { "nodes": [], "totalCount": 0 } })),
            ("query($x: ID!) { node(id: $x) { id } nodes(ids: [$x]) { id } }", json!({ "node": null, "nodes": [null] })),
            ("query($x: ID!) { charge(id: $x) { id } }", json!({ "charge": null })),
            ("query($x: ID!) { product(id: $x) { id } }", json!({ "product": null })),
            ("query($x: String!) { products(filter: { category: $x }) { totalCount } brands(category: $x) { totalCount } }",
                json!({ "products": { "totalCount": 0 }, "brands": { "totalCount": 0 } })),
        ] {
            let answer = partner.graphql(document, json!({ "x": "\0" })).await;
            assert_eq!(answer.data(), &expected, "{document}");
        }
        for field in ["orders", "wallets", "apiCredentials", "products", "events"] {
            let document = format!("query($x: String!) {{ {field}(after: $x) {{ totalCount }} }}");
            for cursor in [CURSOR, "\0"] {
                let answer = partner.graphql(&document, json!({ "x": cursor })).await;
                answer.expect_errors(&[("BAD_USER_INPUT", field)]);
            }
        }
        let answer = partner.graphql("{ events(types: [\"\\u0000\"]) { totalCount } }", Value::Null).await;
        answer.expect_errors(&[("BAD_USER_INPUT", "events")]);
    }

    async fn what_is_done_with_it_is_refused_by_field(app: SmallCatalog) {
        let partner = app.partner().await;
        order(&partner, json!({ "productId": STEAM_50, "reference": "r1" })).await.payload("createOrder");
        for (input, code, field) in [
            (json!({ "productId": STEAM_50, "reference": "\0" }), "INVALID_INPUT", "input.reference"),
            (json!({ "productId": "\0", "reference": "r2" }), "PRODUCT_NOT_FOUND", "input.productId"),
            (json!({ "chargeId": "\0", "reference": "r2" }), "CHARGE_NOT_FOUND", "input.chargeId"),
            (json!({ "productId": DIRECT_USERNAME, "reference": "r2", "recipient": { "username": "a\0b" } }),
                "INVALID_RECIPIENT", "input.recipient.username"),
            (json!({ "productId": "\0", "reference": "r1" }), "IDEMPOTENCY_MISMATCH", "input.reference"),
        ] {
            order(&partner, input).await.expect_user_errors("createOrder", &[(code, field)]);
        }
        for (mutation, of, input, code, field) in [
            ("cancelOrder", "CancelOrderInput", json!({ "reference": "\0" }), "NOT_FOUND", "input.reference"),
            ("cancelOrder", "CancelOrderInput", json!({ "orderId": "\0" }), "NOT_FOUND", "input.orderId"),
            ("createCharge", "CreateChargeInput", json!({ "productId": "\0" }), "PRODUCT_NOT_FOUND", "input.productId"),
            ("createApiCredential", "CreateApiCredentialInput", json!({ "name": "a\0b" }), "INVALID_INPUT", "input.name"),
            ("revokeApiCredential", "RevokeApiCredentialInput", json!({ "id": "crd_\0" }), "NOT_FOUND", "input.id"),
            ("login", "LoginInput", json!({ "username": "oc_\0", "password": "\0" }), "INVALID_CREDENTIALS", ""),
            ("login", "LoginInput", json!({ "username": "\0", "password": "x" }), "INVALID_CREDENTIALS", ""),
            ("refreshToken", "RefreshTokenInput", json!({ "refreshToken": "ocr_\0" }), "INVALID_REFRESH_TOKEN",
                "input.refreshToken"),
        ] {
            let document = format!("mutation M($input: {of}!) {{ {mutation}(input: $input) {{ userErrors {{ code message field }} }} }}");
            let answer = partner.graphql(&document, json!({ "input": input })).await;
            answer.expect_user_errors(mutation, &[(code, field)]);
        }
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 1);
    }

    async fn a_stream_of_it_is_that_of_an_unknown_order(app: SmallCatalog) {
        let mut socket = app.partner().await.socket().await;
        for (id, variables) in [
            ("1", json!({ "reference": "unknown" })),
            ("2", json!({ "reference": "\0" })),
            ("3", json!({ "orderId": "\0" })),
            ("4", json!({ "reference": "\0", "after": CURSOR })),
        ] {
            let document = "subscription($orderId: ID, $reference: String, $after: String) {
                orderStatus(orderId: $orderId, reference: $reference, after: $after) { cursor } }";
            socket.subscribe(id, document, variables).await;
            let Frame::Message(told) = socket.receive().await else { panic!("the socket was closed") };
            assert_eq!((&told["id"], &told["type"]), (&json!(id), &json!("error")), "{told}");
            assert_eq!(told["payload"][0]["extensions"]["code"], "NOT_FOUND", "{told}");
        }
    }

    async fn the_facade_answers_it_like_what_is_unknown(app: SmallCatalog) {
        let partner = app.partner().await;
        for address in ["/api/v1/orders?reference=%00", "/api/v1/products?brand=%00", "/api/v1/products?category=%00"] {
            let answer = partner.rest(Method::GET, address, &Value::Null).await;
            assert_eq!(answer.expect_status(200).body["data"], json!([]), "{address}");
        }
        for (method, address, status, code) in [
            (Method::GET, "/api/v1/orders/%00", 404, "NOT_FOUND"),
            (Method::POST, "/api/v1/orders/%00/cancel", 404, "NOT_FOUND"),
            (Method::GET, "/api/v1/charges/%00", 404, "NOT_FOUND"),
            (Method::GET, "/api/v1/products/%00", 404, "NOT_FOUND"),
            (Method::GET, "/api/v1/products?country=%00", 422, "BAD_USER_INPUT"),
            (Method::GET, "/api/v1/products?cursor=AA", 422, "BAD_USER_INPUT"),
            (Method::GET, "/api/v1/orders?created_since=%00", 422, "BAD_USER_INPUT"),
            (Method::GET, "/api/v1/orders?cursor=AA", 422, "BAD_USER_INPUT"),
            (Method::GET, "/api/v1/wallets?cursor=AA", 422, "BAD_USER_INPUT"),
            (Method::GET, "/api/v1/events?types=%00", 422, "BAD_USER_INPUT"),
            (Method::GET, "/api/v1/events?after=AA", 422, "BAD_USER_INPUT"),
        ] {
            partner.rest(method, address, &Value::Null).await.expect_problem(status, code);
        }
        for (address, body, status, code) in [
            ("/auth/login", json!({ "username": "oc_\0", "password": "\0" }), 401, "INVALID_CREDENTIALS"),
            ("/auth/refresh", json!({ "refresh_token": "\0" }), 401, "INVALID_REFRESH_TOKEN"),
            ("/api/v1/charges", json!({ "product_id": "\0" }), 422, "PRODUCT_NOT_FOUND"),
            ("/api/v1/orders", json!({ "product_id": STEAM_50, "reference": "\0" }), 422, "INVALID_INPUT"),
        ] {
            partner.rest(Method::POST, address, &body).await.expect_problem(status, code);
        }
    }
}
