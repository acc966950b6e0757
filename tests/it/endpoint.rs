//! The endpoint over HTTP, judged from outside.
//! Always true: what is refused has changed nothing, and says so with the code and the status that DESIGN.md gives it.
//! Not here: sockets (`ws.rs`), what operations do (the features' files).

mod cost;
mod hostile;
mod values;

use std::path::Path;
use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use super::support::answer::Answer;
use super::support::catalog::STEAM_50;
use super::support::client::Client;

/// Runs one of the npm programs in `tests/judges`, and hands its input to it.
pub async fn judge(program: &str, arguments: &[&str], input: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges");
    assert!(folder.join("node_modules").is_dir(), "the judges are not installed: `make judges`");
    let mut command = Command::new("node");
    command.arg(program).args(arguments).current_dir(folder);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node starts");
    let mut stdin = child.stdin.take().expect("its input is ours");
    tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await.expect("it reads its input");
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} judged:\n{told}\n{errors}");
    told
}

fn code(answer: &Answer) -> &str {
    answer.body["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_else(|| panic!("no code in {answer:#?}"))
}

async fn post(client: &Client, content_type: &str, accept: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = client
        .request(Method::POST, "/graphql")
        .header("content-type", content_type)
        .header("accept", accept)
        .body(body);
    Answer::read(request.send().await.expect("the server answers")).await
}

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";

both_databases! {
    async fn passes_every_audit_of_graphql_over_http(app: SmallCatalog) {
        let told = judge("audits.mjs", &[&format!("{}/graphql", app.client.url)], "").await;
        assert_eq!(told.trim(), "61 passed, 0 failed");
    }

    async fn refuses_what_is_no_request(app: SmallCatalog) {
        let client = &app.client;
        let large = format!("{{\"query\":\"{{__typename}}\",\"x\":\"{}\"}}", "x".repeat(1 << 20));
        let nested = format!("{{\"query\":\"{{__typename}}\",\"variables\":{{\"x\":{}1{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
        for (content_type, accept, body, status, expected) in [
            (JSON, JSON, "{", 400, "BAD_REQUEST"),
            (JSON, GRAPHQL, "{", 400, "BAD_REQUEST"),
            (JSON, JSON, "", 400, "BAD_REQUEST"),
            (JSON, JSON, "[{\"query\":\"{__typename}\"}]", 400, "BAD_REQUEST"),
            (JSON, JSON, "{\"query\":\"{__typename}\",\"variables\":[]}", 400, "BAD_REQUEST"),
            (JSON, JSON, &nested, 400, "BAD_REQUEST"),
            ("text/plain", JSON, "{\"query\":\"{__typename}\"}", 415, "BAD_REQUEST"),
            ("application/x-www-form-urlencoded", JSON, "query={__typename}", 415, "BAD_REQUEST"),
            ("multipart/form-data; boundary=x", JSON, "--x--", 415, "BAD_REQUEST"),
            (JSON, "text/html", "{\"query\":\"{__typename}\"}", 406, "BAD_REQUEST"),
            (JSON, JSON, &large, 413, "PAYLOAD_TOO_LARGE"),
            (JSON, JSON, "{\"query\":\"{\"}", 200, "GRAPHQL_PARSE_FAILED"),
            (JSON, GRAPHQL, "{\"query\":\"{\"}", 400, "GRAPHQL_PARSE_FAILED"),
            (JSON, JSON, "{\"query\":\"{nothing}\"}", 200, "GRAPHQL_VALIDATION_FAILED"),
            (JSON, GRAPHQL, "{\"query\":\"{nothing}\"}", 400, "GRAPHQL_VALIDATION_FAILED"),
            (JSON, GRAPHQL, "{\"query\":\"query($id: ID!){product(id: $id){id}}\"}", 400, "BAD_USER_INPUT"),
            (JSON, GRAPHQL, "{\"query\":\"query a{__typename} query b{__typename}\"}", 400, "BAD_REQUEST"),
            (JSON, GRAPHQL, "{\"query\":\"subscription {orderUpdates{cursor}}\"}", 400, "BAD_REQUEST"),
        ] {
            let answer = post(client, content_type, accept, body.to_owned()).await;
            let shown: String = body.chars().take(100).collect();
            assert_eq!(answer.status.as_u16(), status, "{shown}: {answer:#?}");
            assert_eq!(code(&answer), expected, "{shown}: {answer:#?}");
            assert!(answer.body.get("data").is_none(), "{shown}: {answer:#?}");
        }
    }

    async fn every_answer_carries_its_headers(app: SmallCatalog) {
        let answer = post(&app.client, JSON, GRAPHQL, "{\"query\":\"{__typename}\"}").await;
        assert_eq!(answer.data(), &json!({ "__typename": "Query" }));
        for (name, value) in [
            ("content-type", "application/graphql-response+json; charset=utf-8"),
            ("vary", "Accept"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), value, "{name}");
        }
        assert!(answer.header("x-request-id").starts_with("req_"));
        let given = "0190b3a0-0000-7000-8000-000000000001";
        let request = app.client.request(Method::GET, "/healthz").header("x-request-id", given);
        let named = Answer::read(request.send().await.expect("it answers")).await;
        let again = app.client.request(Method::GET, "/healthz").header("x-request-id", named.header("x-request-id"));
        let again = Answer::read(again.send().await.expect("it answers")).await;
        assert_eq!(again.header("x-request-id"), named.header("x-request-id"), "a given id is kept");
        let forged = app.client.request(Method::GET, "/healthz").header("x-request-id", "x\u{7f}y".replace('\u{7f}', " "));
        let forged = Answer::read(forged.send().await.expect("it answers")).await;
        assert!(forged.header("x-request-id").starts_with("req_"), "anything else is replaced");
    }

    async fn methods_that_are_not_taken_are_told_which_are(app: SmallCatalog) {
        let mutation = "/graphql?query=mutation%7Blogout%7BuserErrors%7Bcode%7D%7D%7D";
        for (method, path, allow) in [
            (Method::GET, mutation, "POST"),
            (Method::PUT, "/graphql", "GET, POST"),
            (Method::DELETE, "/graphql", "GET, POST"),
            (Method::OPTIONS, "/graphql", "GET, POST"),
        ] {
            let answer = Answer::read(app.client.request(method.clone(), path).send().await.expect("it answers")).await;
            assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, allow), "{method} {path}");
            assert_eq!(code(&answer), "BAD_REQUEST");
        }
        let query = "/graphql?query=%7B__typename%7D";
        let answer = Answer::read(app.client.request(Method::GET, query).send().await.expect("it answers")).await;
        assert_eq!(answer.data(), &json!({ "__typename": "Query" }));
    }

    async fn without_a_token_only_signing_in_and_introspection_work(app: SmallCatalog) {
        for document in [
            "{ viewer { scopes } }",
            "{ __typename wallets { nodes { id } } }",
            "query { ...F } fragment F on Query { orders { nodes { id } } }",
            "mutation { createOrder(input: { reference: \"r\", productId: \"p\" }) { order { id } } }",
            "mutation { login(input: { username: \"a\", password: \"b\" }) { token } logout { userErrors { code } } }",
        ] {
            let answer = app.client.graphql("", document, json!({})).await;
            assert_eq!(code(&answer), "UNAUTHENTICATED", "{document}");
            assert!(answer.body.get("data").is_none(), "{document}");
        }
        let open = app.client.graphql("", "{ __typename __schema { queryType { name } } }", json!({})).await;
        assert_eq!(open.text("__schema.queryType.name"), "Query");
    }

    async fn a_bad_token_closes_the_endpoint(app: SmallCatalog) {
        let answer = app.client.graphql("not.a.token", "{ __typename }", json!({})).await;
        assert_eq!(answer.status.as_u16(), 401);
        assert_eq!(code(&answer), "UNAUTHENTICATED");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        assert!(answer.body.get("data").is_none());
    }

    async fn an_expired_token_only_refreshes(app: SmallCatalog) {
        let partner = app.partner().await;
        partner.graphql("{ viewer { scopes } }", json!({})).await.data();
        app.advance_secs(3_601);
        for document in ["{ viewer { scopes } }", "{ __typename }", "{ nothing }", "{"] {
            let answer = partner.graphql(document, json!({})).await;
            assert_eq!(answer.status.as_u16(), 401, "{document}");
            assert_eq!(code(&answer), "UNAUTHENTICATED", "{document}");
            assert!(answer.body.get("data").is_none(), "{document}");
        }
        let refresh = "mutation ($input: RefreshTokenInput!) {
            refreshToken(input: $input) { token userErrors { code } }
        }";
        let input = json!({ "input": { "refreshToken": partner.session.refresh_token } });
        let both = refresh.replace("refreshToken(", "logout { userErrors { code } } refreshToken(");
        assert_eq!(partner.graphql(&both, input.clone()).await.status.as_u16(), 401, "nothing beside it");
        let renewed = partner.graphql(refresh, input).await;
        renewed.payload("refreshToken");
        let token = renewed.text("refreshToken.token");
        app.client.graphql(token, "{ viewer { scopes } }", json!({})).await.data();
    }

    async fn a_field_selected_twice_runs_once(app: SmallCatalog) {
        let partner = app.partner().await;
        let input = format!("input: {{ productId: \"{STEAM_50}\", reference: \"twice\" }}");
        let document = format!(
            "mutation {{ a: createOrder({input}) {{ order {{ id }} }} ...F }}
             fragment F on Mutation {{ a: createOrder({input}) {{ order {{ status }} replayed }} }}"
        );
        let answer = partner.graphql(&document, json!({})).await;
        assert_eq!(answer.at("a.replayed"), &json!(false), "a second run would say that it was replayed");
        assert_eq!(answer.text("a.order.status"), "DELIVERED");
        assert!(answer.text("a.order.id").starts_with("ord_"));
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 1);

        let input = format!("input: {{ productId: \"{STEAM_50}\", quantity: 2 }}");
        let document = format!(
            "mutation {{ createCharge({input}) {{ charge {{ id }} }}
             createCharge({input}) {{ charge {{ quantity }} }} }}"
        );
        let answer = partner.graphql(&document, json!({})).await;
        assert_eq!(answer.number("createCharge.charge.quantity"), 2);
        assert!(answer.text("createCharge.charge.id").starts_with("chg_"));
        assert_eq!(app.database.number("SELECT count(*) FROM charges").await, 1, "charges have no reference to save them");

        let conflict = document.replacen("quantity: 2", "quantity: 3", 1);
        let answer = partner.graphql(&conflict, json!({})).await;
        assert_eq!(code(&answer), "GRAPHQL_VALIDATION_FAILED", "two different calls cannot share a key");
        assert_eq!(app.database.number("SELECT count(*) FROM charges").await, 1);
    }

    async fn keys_come_in_the_order_of_the_document(app: SmallCatalog) {
        let partner = app.partner().await;
        for (document, data) in [
            ("{ viewer { partner { name id: __typename } __typename } a: __typename }",
             r#"{"viewer":{"partner":{"name":"Acme Games","id":"Partner"},"__typename":"Viewer"},"a":"Query"}"#),
            ("{ a: __typename viewer { __typename ...F } } fragment F on Viewer { partner { id: __typename name } }",
             r#"{"a":"Query","viewer":{"__typename":"Viewer","partner":{"id":"Partner","name":"Acme Games"}}}"#),
        ] {
            let request = app.client.request(Method::POST, "/graphql").bearer_auth(&partner.session.token);
            let response = request.json(&json!({ "query": document })).send().await.expect("it answers");
            let text = response.text().await.expect("it is text");
            assert!(text.starts_with(&format!("{{\"data\":{data},")), "{text}");
        }
    }

    async fn a_page_outside_its_bounds_is_refused_by_name(app: SmallCatalog) {
        let partner = app.partner().await;
        for (arguments, field) in [
            ("first: 101", "first"),
            ("first: 0", "first"),
            ("first: -1", "first"),
            ("last: 101", "last"),
            ("first: 1, after: \"no cursor\"", "after"),
            ("first: 1, after: \"\"", "after"),
        ] {
            let document = format!("{{ products({arguments}) {{ nodes {{ id }} }} }}");
            let answer = partner.graphql(&document, json!({})).await;
            answer.expect_status(200).expect_errors(&[("BAD_USER_INPUT", "products")]);
            assert_eq!(answer.body["errors"][0]["extensions"]["field"], json!([field]), "{arguments}");
            assert_eq!(answer.body["data"], json!({ "products": null }), "{arguments}");
        }
    }

    async fn a_document_may_be_named_by_its_hash_once_it_was_sent(app: SmallCatalog) {
        let document = "{ __typename }";
        let hash = "7f56e67dd21ab3f30d1ff8b7bed08893f0a0db86449836189b361dd1e56ddb4b";
        let persisted = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        let unknown = app.client.graphql_body("", &json!({ "extensions": persisted })).await;
        assert_eq!(code(&unknown), "PERSISTED_QUERY_NOT_FOUND");
        assert_eq!(unknown.body["errors"][0]["message"], "PersistedQueryNotFound");
        let sent = json!({ "query": document, "extensions": persisted });
        app.client.graphql_body("", &sent).await.data();
        let found = app.client.graphql_body("", &json!({ "extensions": persisted })).await;
        assert_eq!(found.data(), &json!({ "__typename": "Query" }));
        let forged = json!({ "query": "{ a: __typename }", "extensions": persisted });
        assert_eq!(code(&app.client.graphql_body("", &forged).await), "BAD_REQUEST");
    }

    async fn says_whether_it_lives_and_whether_it_is_ready(app: SmallCatalog) {
        for (path, word) in [("/healthz", "ok"), ("/readyz", "ready")] {
            let answer = app.client.rest(Method::GET, path, "", &Value::Null).await;
            assert_eq!(answer.expect_status(200).body, json!({ "status": word }));
        }
        app.client.rest(Method::GET, "/nowhere", "", &Value::Null).await.expect_problem(404, "NOT_FOUND");
    }
}

#[test]
fn the_page_about_the_endpoint_tells_the_limits_that_hold() {
    use octopus_cards::transport::graphql::pipeline::{count, parse};
    let page = include_str!("../../docs/endpoint.md").replace(',', "");
    for (number, of_what) in [
        (parse::DOCUMENT_BYTES.div_euclid(1_024), "kB"),
        (parse::TOKENS, "tokens"),
        (parse::RECURSION, "levels of nesting"),
        (count::FIELDS, "fields"),
        (count::ALIASES, "aliases"),
        (count::DIRECTIVES, "directives"),
        (count::DEPTH, "levels of fields"),
    ] {
        assert!(page.contains(&format!("{number} {of_what}")), "{number} {of_what}");
    }
    for (number, of_what) in
        [(count::OPERATIONS, "a document's operations"), (count::VARIABLES, "an operation's variables")]
    {
        assert!(page.contains(&format!("| {of_what} | {number} |")), "{number} {of_what}");
    }
}
