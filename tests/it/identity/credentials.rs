//! API credentials: making, listing and revoking them, what their scopes allow, and the command line beside a server.

use octopus_cards::domain::identity::{self, CreateCredential};
use serde_json::{Value, json};

use crate::support::app::{Partner, TestApp};
use crate::support::process::Binary;

const CREATE: &str = "mutation Create($input: CreateApiCredentialInput!) {
    createApiCredential(input: $input) { credential { id name username scopes } password userErrors { code message field } }
}";
const REVOKE: &str = "mutation Revoke($input: RevokeApiCredentialInput!) {
    revokeApiCredential(input: $input) { credential { id revokedAt } userErrors { code message field } }
}";
const LIST: &str = "query List($first: Int, $after: String, $last: Int, $before: String) {
    apiCredentials(first: $first, after: $after, last: $last, before: $before) {
        nodes { name } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount
    }
}";

fn create(name: &str, scopes: &Value) -> Value {
    json!({ "input": { "name": name, "scopes": scopes } })
}

fn names(answer: &crate::support::answer::Answer) -> Vec<&str> {
    answer.list("apiCredentials.nodes").iter().filter_map(|node| node["name"].as_str()).collect()
}

/// A session whose credential may do only this.
async fn limited(app: &TestApp, partner: &Partner, scopes: &str) -> String {
    let scopes = identity::parse_scopes(scopes);
    let command = CreateCredential { name: "limited".to_owned(), scopes: Some(scopes) };
    let id = partner.account.id.parse().expect("the id of a partner");
    let made = identity::create_credential_for(&app.system(), id, command).await.expect("it may be made");
    app.client.login(&made.credential.username, made.secret.expose()).await.token
}

both_databases! {
    async fn a_new_credential_signs_in_and_has_every_scope_but_the_last_unless_asked(app: SmallCatalog) {
        let partner = app.partner().await;
        let made = partner.graphql(CREATE, json!({ "input": { "name": " Shop " } })).await;
        made.payload("createApiCredential");
        assert_eq!(made.text("createApiCredential.credential.name"), "Shop");
        let expected = json!(["CATALOG_READ", "CHARGES_WRITE", "ORDERS_READ", "ORDERS_WRITE", "VOUCHERS_REVEAL",
            "WALLET_READ", "WEBHOOKS_WRITE"]);
        assert_eq!(made.at("createApiCredential.credential.scopes"), &expected);
        let (username, password) =
            (made.text("createApiCredential.credential.username"), made.text("createApiCredential.password"));
        assert!(username.starts_with("oc_") && password.starts_with("ocs_") && password.len() == 56);
        let session = app.client.login(username, password).await;
        assert_eq!(app.viewer(&session.token).await.at("viewer.scopes"), &expected);
        assert_eq!(app.audited("credential.created").await, 3);
    }

    async fn a_credential_gets_no_more_than_its_maker_may(app: SmallCatalog) {
        let partner = app.partner().await;
        let maker = limited(&app, &partner, "catalog:read account:write").await;
        let try_create = async |scopes: Value| app.client.graphql(&maker, CREATE, create("x", &scopes)).await;
        try_create(json!(["CATALOG_READ", "ORDERS_WRITE"])).await
            .expect_user_errors("createApiCredential", &[("SCOPE_NOT_GRANTED", "input.scopes")]);
        try_create(json!([])).await
            .expect_user_errors("createApiCredential", &[("INVALID_INPUT", "input.scopes")]);
        let made = try_create(Value::Null).await;
        assert_eq!(made.at("createApiCredential.credential.scopes"), &json!(["CATALOG_READ"]));
        partner.graphql(CREATE, create("  ", &Value::Null)).await
            .expect_user_errors("createApiCredential", &[("INVALID_INPUT", "input.name")]);
        // Of the default, such a maker has nothing to give.
        let maker = limited(&app, &partner, "account:write").await;
        app.client.graphql(&maker, CREATE, json!({ "input": { "name": "x" } })).await
            .expect_user_errors("createApiCredential", &[("INVALID_INPUT", "input.scopes")]);
        assert_eq!(app.database.number("SELECT count(*) FROM api_credentials WHERE name = 'x'").await, 1);
    }

    async fn without_account_write_credentials_are_neither_seen_nor_changed(app: SmallCatalog) {
        let partner = app.partner().await;
        let token = limited(&app, &partner, "catalog:read").await;
        for (document, variables, path) in [
            (LIST, json!({}), "apiCredentials"),
            (CREATE, create("x", &Value::Null), "createApiCredential"),
            (REVOKE, json!({ "input": { "id": "crd_x" } }), "revokeApiCredential"),
        ] {
            app.client.graphql(&token, document, variables).await.expect_errors(&[("FORBIDDEN", path)]);
        }
        // Who it is, it may see all the same.
        assert_eq!(app.viewer(&token).await.text("viewer.credential.name"), "limited");
        assert_eq!(app.database.number("SELECT count(*) FROM api_credentials WHERE name = 'x'").await, 0);
    }

    async fn a_revoked_credential_loses_its_sessions_at_once_and_stays_revoked(app: SmallCatalog) {
        let partner = app.partner().await;
        let made = partner.graphql(CREATE, create("Shop", &Value::Null)).await;
        let id = made.text("createApiCredential.credential.id").to_owned();
        let username = made.text("createApiCredential.credential.username").to_owned();
        let password = made.text("createApiCredential.password").to_owned();
        let session = app.client.login(&username, &password).await;
        app.viewer(&session.token).await.data();

        let revoke = json!({ "input": { "id": id } });
        let other = app.other_partner().await;
        other.graphql(REVOKE, revoke.clone()).await
            .expect_user_errors("revokeApiCredential", &[("NOT_FOUND", "input.id")]);
        app.viewer(&session.token).await.data();

        let answer = partner.graphql(REVOKE, revoke.clone()).await;
        answer.payload("revokeApiCredential");
        assert_eq!(answer.text("revokeApiCredential.credential.revokedAt"), "2026-11-22T12:00:00.000000Z");
        app.expect_unauthenticated(&session.token).await;
        app.refresh(&session.refresh_token).await
            .expect_user_errors("refreshToken", &[("INVALID_REFRESH_TOKEN", "input.refreshToken")]);
        app.try_login(&username, &password).await
            .expect_user_errors("login", &[("INVALID_CREDENTIALS", "")]);
        app.viewer(&partner.session.token).await.data();

        app.advance_secs(60);
        let again = partner.graphql(REVOKE, revoke).await;
        assert_eq!(again.text("revokeApiCredential.credential.revokedAt"), "2026-11-22T12:00:00.000000Z");
        assert_eq!(app.audited("credential.revoked").await, 1);
    }

    async fn of_two_made_at_once_one_is_the_hundredth_and_the_other_refused(app: SmallCatalog) {
        let partner = app.partner().await;
        app.database.execute(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 98)
             INSERT INTO api_credentials (id, partner_id, name, username, secret_hash, scopes, created_at)
             SELECT 'crd_' || i, '{}', 'bulk', 'oc_' || i, '', 'catalog:read', 0 FROM n", partner.account.id)).await;
        let [x, y] = ["x", "y"].map(|name| partner.graphql(CREATE, create(name, &Value::Null)));
        let (left, right) = tokio::join!(x, y);
        let refused = [&left, &right].into_iter().filter(|answer| {
            answer.list("createApiCredential.userErrors").iter().any(|error| error["code"] == "INVALID_INPUT")
        });
        assert_eq!(refused.count(), 1, "{left:#?} {right:#?}");
        let working = "SELECT count(*) FROM api_credentials WHERE name IN ('x', 'y')";
        assert_eq!(app.database.number(working).await, 1);
    }

    async fn node_shows_the_callers_accounts_and_nobody_elses(app: SmallCatalog) {
        let (partner, other) = (app.partner().await, app.other_partner().await);
        let credential = app.viewer(&partner.session.token).await.text("viewer.credential.id").to_owned();
        let ids = json!({ "ids": [credential, partner.account.id, "crd_x", "adm_00000000000000000000000000"] });
        let nodes = "query Nodes($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }";
        let own = partner.graphql(nodes, ids.clone()).await;
        let expected = json!([{ "id": credential, "__typename": "ApiCredential" },
            { "id": partner.account.id, "__typename": "Partner" }, null, null]);
        assert_eq!(own.at("nodes"), &expected);
        assert_eq!(other.graphql(nodes, ids.clone()).await.at("nodes"), &json!([null, null, null, null]));
        // Without account:write a caller still knows its own credential, and no other of its partner's.
        let token = limited(&app, &partner, "catalog:read").await;
        let seen = app.client.graphql(&token, nodes, ids).await;
        assert_eq!(seen.at("nodes.0"), &Value::Null);
        assert_eq!(seen.at("nodes.1.id"), &json!(partner.account.id));
    }

    async fn credentials_come_newest_first_in_pages(app: SmallCatalog) {
        let partner = app.partner().await;
        for name in ["a", "b", "c"] {
            app.advance_secs(1);
            partner.graphql(CREATE, create(name, &Value::Null)).await.payload("createApiCredential");
        }
        let page = partner.graphql(LIST, json!({ "first": 2 })).await;
        assert_eq!(names(&page), ["c", "b"]);
        assert_eq!(page.number("apiCredentials.totalCount"), 4);
        assert_eq!(page.at("apiCredentials.pageInfo.hasNextPage"), &json!(true));
        let after = page.text("apiCredentials.pageInfo.endCursor");
        let rest = partner.graphql(LIST, json!({ "first": 9, "after": after })).await;
        assert_eq!(names(&rest), ["a", "tests"]);
        assert_eq!(rest.at("apiCredentials.pageInfo.hasNextPage"), &json!(false));
        let before = rest.text("apiCredentials.pageInfo.startCursor");
        let back = partner.graphql(LIST, json!({ "last": 1, "before": before })).await;
        assert_eq!(names(&back), ["b"]);
        let cursor = json!({ "after": "bm90IGFuIGlk" });
        partner.graphql(LIST, cursor).await.expect_errors(&[("BAD_USER_INPUT", "apiCredentials")]);
        assert_eq!(names(&app.other_partner().await.graphql(LIST, json!({})).await), ["tests"]);
    }

    async fn the_command_line_manages_accounts_beside_a_server(app: SmallCatalog) {
        let octopus = Binary::on(&app.database);
        let partner =
            octopus.run(&["partner", "create", "--name", "Cli Shop", "--currency", "EUR", "--json"]).await.json();
        let id = partner["id"].as_str().expect("an id");
        let scopes = ["--name", "till", "--scopes", "catalog:read,wallet:read", "--json"];
        let made =
            octopus.run(&[&["partner", "credential", "create", id], scopes.as_slice()].concat()).await.json();
        let (username, password) = (made["username"].as_str().unwrap(), made["password"].as_str().unwrap());
        let session = app.client.login(username, password).await;
        let viewer = app.viewer(&session.token).await;
        assert_eq!(viewer.text("viewer.partner.name"), "Cli Shop");
        assert_eq!(viewer.at("viewer.scopes"), &json!(["CATALOG_READ", "WALLET_READ"]));

        let listed = octopus.run(&["partner", "credential", "list", id, "--json"]).await.json();
        assert_eq!(listed[0]["username"], username);
        assert_eq!(listed[0].get("password"), None);
        let credential = made["id"].as_str().unwrap();
        octopus.run(&["partner", "credential", "revoke", credential]).await.expect_code(0);
        // It was another process that revoked: this one notices within 5 s.
        app.advance_secs(5);
        app.expect_unauthenticated(&session.token).await;

        octopus.run(&["partner", "suspend", id]).await.expect_code(0);
        let partners = octopus.run(&["partner", "list", "--json"]).await.json();
        assert_eq!(partners[2]["status"], "SUSPENDED");
        octopus.run(&["partner", "suspend", "prt_00000000000000000000000000"]).await.expect_code(3);
        octopus.run(&["partner", "create", "--name", "x", "--currency", "XXX"]).await.expect_code(2);
        let admin = octopus.run(&["admin", "create", "ada", "--json"]).await.json();
        app.client.login("ada", admin["password"].as_str().unwrap()).await;
        octopus.run(&["admin", "create", "oc_ada"]).await.expect_code(3);
        assert_eq!(octopus.run(&["admin", "list", "--json"]).await.json()[0]["username"], "ada");
    }
}
