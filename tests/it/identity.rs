//! Identity through the endpoint and the command line: signing in, sessions, tokens, credentials.

mod credentials;
mod sessions;
mod sign_in;
mod throttling;
mod tokens;

use octopus_cards::domain::identity::Identity;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;

const LOGIN: &str = "mutation Login($input: LoginInput!) {
    login(input: $input) { token expiresIn refreshToken secondFactor { challengeToken } userErrors { code message field } }
}";
const REFRESH: &str = "mutation Refresh($input: RefreshTokenInput!) {
    refreshToken(input: $input) { token expiresIn refreshToken userErrors { code message field } }
}";
const LOGOUT: &str = "mutation { logout { loggedOut userErrors { code } } }";
const VIEWER: &str = "{ viewer {
    partner { id name defaultCurrency createdAt } credential { id name username scopes lastUsedAt revokedAt }
    admin { id username } scopes sessionExpiresAt
} }";

impl TestApp {
    /// Tries to sign in.
    async fn try_login(&self, username: &str, password: &str) -> Answer {
        let input = json!({ "username": username, "password": password });
        self.client.graphql("", LOGIN, json!({ "input": input })).await
    }

    /// Exchanges a refresh token.
    async fn refresh(&self, refresh_token: &str) -> Answer {
        self.client.graphql("", REFRESH, json!({ "input": { "refreshToken": refresh_token } })).await
    }

    /// Asks who a token speaks for.
    async fn viewer(&self, token: &str) -> Answer {
        self.client.graphql(token, VIEWER, Value::Null).await
    }

    /// Asserts that a token opens nothing: 401, and one UNAUTHENTICATED.
    async fn expect_unauthenticated(&self, token: &str) {
        let answer = self.viewer(token).await;
        answer.expect_status(401);
        assert_eq!(answer.body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer:#?}");
        assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(1), "{answer:#?}");
    }

    /// How many passwords the server has compared.
    fn password_checks(&self) -> u64 {
        self.deps.feature::<Identity>().password_checks()
    }

    /// How many rows the audit log has of an action.
    async fn audited(&self, action: &str) -> i64 {
        self.database.number(&format!("SELECT count(*) FROM audit_log WHERE action = '{action}'")).await
    }
}
