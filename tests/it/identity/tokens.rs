//! Access tokens: which are good, and that no secret is left lying about.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{LOGOUT, REFRESH, VIEWER};
use crate::support::app::TestApp;
use crate::support::database::Dialect;

/// The key that the server signs with, derived as it derives it.
fn signing_key(app: &TestApp) -> Vec<u8> {
    let text = std::fs::read_to_string(app.deps.config.keys_dir.join("jwt.key")).expect("there is a key");
    let pairs = text.trim().as_bytes().chunks(2);
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).expect("hex")).expect("a digit");
    let root: Vec<u8> = pairs.map(|pair| digit(pair[0]) * 16 + digit(pair[1])).collect();
    let label = b"octopus access token 1";
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&root).expect("any length");
    mac.update(&u64::try_from(label.len()).expect("short").to_be_bytes());
    mac.update(label);
    mac.finalize().into_bytes().to_vec()
}

fn token(key: &[u8], header: &Value, claims: &Value) -> String {
    let message = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any length");
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn claims_of(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

both_databases! {
    async fn a_token_is_good_only_as_it_was_made(app: SmallCatalog) {
        let session = app.partner().await.session;
        let other = app.other_partner().await.session;
        let (key, good) = (signing_key(&app), claims_of(&session.token));
        let header = json!({ "alg": "HS256", "typ": "at+jwt" });
        // The way of making tokens here is the server's: this one is good, so the others are bad for what they change.
        app.viewer(&token(&key, &header, &good)).await.data();
        for (change, value) in [
            ("aud", json!("another")),
            ("aud", json!(["octopus-cards", "another"])),
            ("aud", Value::Null),
            ("iss", json!("https://evil.example")),
            ("nbf", json!(good["nbf"].as_i64().unwrap() + 60)),
            ("nbf", Value::Null),
            ("exp", Value::Null),
            ("sub", claims_of(&other.token)["sub"].clone()),
            ("sid", json!("ses_00000000000000000000000000")),
            ("sid", Value::Null),
        ] {
            let mut claims = good.clone();
            claims[change] = value;
            app.expect_unauthenticated(&token(&key, &header, &claims)).await;
        }
        for header in [
            json!({ "alg": "none", "typ": "at+jwt" }),
            json!({ "alg": "HS512", "typ": "at+jwt" }),
            json!({ "alg": "RS256", "typ": "at+jwt" }),
            json!({ "alg": "HS256", "typ": "JWT" }),
            json!({ "alg": "HS256" }),
        ] {
            app.expect_unauthenticated(&token(&key, &header, &good)).await;
        }
        app.expect_unauthenticated(&token(b"another key", &header, &good)).await;
        let unsigned = token(&key, &json!({ "alg": "none", "typ": "at+jwt" }), &good);
        app.expect_unauthenticated(unsigned.rsplit_once('.').map(|(message, _)| message).unwrap()).await;
        app.expect_unauthenticated(&format!("{}x", session.token)).await;
        app.expect_unauthenticated("garbage").await;
    }

    async fn a_header_names_a_key_or_another_algorithm_in_vain(app: SmallCatalog) {
        let session = app.partner().await.session;
        let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": "../../dev/null", "jku": "https://evil.example" });
        let forged = token(b"", &header, &claims_of(&session.token));
        app.expect_unauthenticated(&forged).await;
    }

    async fn an_expired_token_is_401_and_lets_its_bearer_do_nothing_but_refresh(app: SmallCatalog) {
        let partner = app.partner().await;
        app.clock.advance_millis(3_599_999);
        partner.graphql(VIEWER, Value::Null).await.data();
        app.clock.advance_millis(1);
        app.expect_unauthenticated(&partner.session.token).await;
        let input = json!({ "input": { "refreshToken": partner.session.refresh_token } });
        let refreshed = partner.graphql(REFRESH, input).await;
        refreshed.payload("refreshToken");
        app.viewer(refreshed.text("refreshToken.token")).await.data();
    }

    async fn no_secret_is_left_in_the_database(app: SmallCatalog) {
        let partner = app.partner().await;
        let second = app.refresh(&partner.session.refresh_token).await;
        app.try_login(&partner.account.password, "my secret as the name").await;
        app.try_login("oc_typo", &partner.account.password).await;
        partner.graphql(LOGOUT, Value::Null).await;
        for secret in [
            partner.account.password.as_str(),
            &partner.session.token,
            &partner.session.refresh_token,
            second.text("refreshToken.token"),
            second.text("refreshToken.refreshToken"),
            "my secret as the name",
        ] {
            assert!(!is_in_database(&app, secret).await, "{secret}");
        }
        // The search finds what is there.
        assert!(is_in_database(&app, &partner.account.username).await);
    }
}

/// Whether a text lies anywhere in the tables of identity, as text or as bytes.
async fn is_in_database(app: &TestApp, text: &str) -> bool {
    if app.database.dialect() == Dialect::Sqlite {
        let files = ["octopus.db", "octopus.db-wal"].map(|name| app.database.folder.path().join(name));
        let contents = files.iter().filter_map(|file| std::fs::read(file).ok()).collect::<Vec<_>>();
        return contents
            .iter()
            .any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()));
    }
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    for table in
        ["api_credentials", "admins", "sessions", "refresh_tokens", "login_throttles", "audit_log", "events"]
    {
        let sql = format!(
            "SELECT count(*) FROM {table} t WHERE strpos(t::text, '{text}') > 0 OR strpos(t::text, '{hex}') > 0"
        );
        if app.database.number(&sql).await > 0 {
            return true;
        }
    }
    false
}
