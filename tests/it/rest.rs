//! The REST facade: what it answers, how it refuses, and that it is what `openapi.json` says.

mod calls;
mod description;
mod problems;
mod shape;

use entity::money::Money;
use entity::state::Scope;
use octopus_cards::domain::{identity, wallet};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::{Partner, TestApp};
use crate::support::seed::SeededPartner;
use shape::Description;

impl Partner {
    /// A GET, whose answer must be as described.
    async fn get(&self, path: &str) -> Answer {
        let answer = self.rest(Method::GET, path, &Value::Null).await;
        Description::read().check("GET", path, &answer);
        answer
    }

    /// A POST, whose answer must be as described.
    async fn post(&self, path: &str, body: &Value) -> Answer {
        let answer = self.rest(Method::POST, path, body).await;
        Description::read().check("POST", path, &answer);
        answer
    }
}

impl TestApp {
    /// A POST of raw text under a token (empty for none), whose answer must be as described.
    async fn post_text(
        &self,
        path: &str,
        token: &str,
        content_type: &str,
        body: impl Into<String>,
    ) -> Answer {
        let mut request = self.client.request(Method::POST, path).header("content-type", content_type);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let answer = Answer::read(request.body(body.into()).send().await.expect("the server answers")).await;
        Description::read().check("POST", path, &answer);
        answer
    }

    /// A session of a new credential of the first partner that may do this much alone.
    async fn partner_that_may(&self, scopes: &[&str]) -> Partner {
        const CREATE: &str =
            "mutation Create($input: CreateApiCredentialInput!) { createApiCredential(input: $input) {
            credential { username } password userErrors { code } } }";
        let owner = self.partner().await;
        let input = json!({ "name": "narrow", "scopes": scopes });
        let made = owner.graphql(CREATE, json!({ "input": input })).await;
        made.payload("createApiCredential");
        let mut account = owner.account.clone();
        account.username = made.text("createApiCredential.credential.username").to_owned();
        account.password = made.text("createApiCredential.password").to_owned();
        self.sign_in(&account).await
    }

    /// A new partner with this much in one wallet, signed in.
    async fn partner_with(&self, currency: &str, minor: i64) -> Partner {
        let (ctx, currency) = (self.system(), currency.parse().expect("a currency"));
        let command = identity::CreatePartner { name: "Small Shop".to_owned(), default_currency: currency };
        let partner = identity::create_partner(&ctx, command).await.expect("the name is good").id;
        let scopes = Some(Scope::ALL.to_vec());
        let command = identity::CreateCredential { name: "tests".to_owned(), scopes };
        let made =
            identity::create_credential_for(&ctx, partner, command).await.expect("the partner is there");
        let amount = Money::from_minor(minor, currency);
        let command = wallet::CreditWallet { partner, amount, reference: "funds".to_owned(), note: None };
        wallet::credit(&ctx, command).await.expect("the amount is good");
        let (username, password) = (made.credential.username, made.secret.expose().to_owned());
        self.sign_in(&SeededPartner { id: partner.to_string(), username, password }).await
    }

    /// How many orders there are.
    async fn order_count(&self) -> i64 {
        self.database.number("SELECT count(*) FROM orders").await
    }

    /// How many readings of codes were audited.
    async fn reveal_count(&self) -> i64 {
        self.database.number("SELECT count(*) FROM audit_log WHERE action = 'vouchers.revealed'").await
    }
}
