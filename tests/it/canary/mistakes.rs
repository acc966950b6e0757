//! What goes wrong around a secret: requests that are cut, misspelled, mistyped, or sent to the wrong door.
//! Always true: each holds the secret once, where people and programs put it by mistake.
//! Not here: what is answered (`canary.rs` looks for the secret in it).

use reqwest::Method;

/// A request that is wrong.
#[derive(Debug, Clone)]
pub(super) struct Mistake {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) signed_in: bool,
}

/// Bodies to `/graphql`; `~` is the secret.
const BODIES: [&str; 31] = [
    // JSON that is none.
    r#"{"query":"mutation { login(input: { username: \"u\", password: \"~\" }) { token } }"#,
    r#"{"query": ~}"#,
    r#"{"query":"{ viewer { scopes } }","variables":{"password":"~}"#,
    r#"["~"]"#,
    r#"{"query":"{ viewer { scopes } }","variables":"~"}"#,
    r#"{"query":"{ viewer { scopes } }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"~"}}}"#,
    r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"~"}}}"#,
    // Documents that do not parse or do not fit.
    r#"{"query":"mutation { login(input: { username: \"u\", password: \"~\" }) { token "}"#,
    r#"{"query":"mutation { login(input: { username: \"u\", password: \"~ }) { token } }"}"#,
    r#"{"query":"mutation { login(input: { username: \"u\", password: '~' }) { token } }"}"#,
    r#"{"query":"mutation { login(input: { username: \"u\", password: \"~\" }) { token nothing } }"}"#,
    r#"{"query":"mutation { login(input: { username: \"u\", pasword: \"~\" }) { token } }"}"#,
    r#"{"query":"mutation { login(input: \"~\") { token } }"}"#,
    r#"{"query":"mutation { login(input: { username: [\"~\"], password: {is: \"~\"} }) { token } }"}"#,
    r#"{"query":"mutation { createApiCredential(input: { name: \"x\", scopes: [\"~\"] }) { password } }"}"#,
    r#"{"query":"mutation { createOrder(input: { reference: \"r\", maxTotal: \"~\", quantity: \"~\" }) { replayed } }"}"#,
    // Variables that do not fit.
    r#"{"query":"mutation L($input: LoginInput!) { login(input: $input) { token } }","variables":{"input":"~"}}"#,
    r#"{"query":"mutation L($input: LoginInput!) { login(input: $input) { token } }","variables":{"input":{"username":"u","password":["~"]}}}"#,
    r#"{"query":"mutation L($input: LoginInput!) { login(input: $input) { token } }","variables":{"input":{"username":"u","password":"p","more":"~"}}}"#,
    r#"{"query":"mutation C($scopes: [Scope!]) { createApiCredential(input: { name: \"x\", scopes: $scopes }) { password } }","variables":{"scopes":["~"]}}"#,
    r#"{"query":"mutation O($input: CreateOrderInput!) { createOrder(input: $input) { userErrors { message } } }","variables":{"input":{"reference":"r","productId":"steam_wallet_50_usd","quantity":"~"}}}"#,
    r#"{"query":"mutation O($input: CreateOrderInput!) { createOrder(input: $input) { userErrors { message } } }","variables":{"input":{"reference":"r","productId":"steam_wallet_50_usd","quantity":1,"faceValue":"~"}}}"#,
    r#"{"query":"mutation O($input: CreateOrderInput!) { createOrder(input: $input) { userErrors { message } } }","variables":{"input":{"reference":"~ ~","productId":"steam_wallet_50_usd","quantity":1}}}"#,
    // What the business refuses.
    r#"{"query":"mutation { login(input: { username: \"nobody\", password: \"~\" }) { token userErrors { code message } } }"}"#,
    r#"{"query":"mutation { login(input: { username: \"~\", password: \"p\" }) { token userErrors { code message } } }"}"#,
    r#"{"query":"mutation { refreshToken(input: { refreshToken: \"~?\" }) { token userErrors { code message } } }"}"#,
    r#"{"query":"mutation { createOrder(input: { reference: \"r\", productId: \"steam_wallet_50_usd\", quantity: 1, chargeId: \"~\" }) { userErrors { code message } } }"}"#,
    r#"{"query":"mutation { createOrder(input: { reference: \"r\", productId: \"au_topup_jp_1000_jpy\", quantity: 1, recipient: { phone: \"~\" } }) { userErrors { code message } } }"}"#,
    r#"{"query":"mutation { createOrder(input: { reference: \"r\", productId: \"bigo_live_ae_1_usd\", quantity: 1, recipient: { playerId: \"~\" } }) { userErrors { code message } } }"}"#,
    r#"{"query":"{ events(after: \"~\") { nodes { id } } orders(after: \"~\") { nodes { id } } }"}"#,
    r#"{"query":"{ node(id: \"~\") { id } order(reference: \"~\") { id } product(id: \"~\") { id } }"}"#,
];

/// Bodies to the REST facade, each with its door.
const REST: [(&str, &str); 6] = [
    ("/auth/login", r#"{"username":"u","password":"~"#),
    ("/auth/login", r#"{"username":"u","password":["~"]}"#),
    ("/auth/login", r#"{"username":"nobody","password":"~"}"#),
    ("/auth/refresh", r#"{"refresh_token":"~?"}"#),
    ("/api/v1/orders", r#"{"reference":"r","product_id":"steam_wallet_50_usd","quantity":"~"}"#),
    ("/api/v1/orders", r#"{"reference":"r","product_id":"steam_wallet_50_usd","quantity":1,"code":"~"}"#),
];

/// What is asked in the address of the REST facade.
const ADDRESSES: [&str; 4] = [
    "/api/v1/products?cursor=~",
    "/api/v1/orders?reference=~",
    "/api/v1/orders/~",
    "/graphql?query=mutation{login(input:{username:%22u%22,password:%22~%22}){token}}",
];

pub(super) fn over_http(secret: &str) -> Vec<Mistake> {
    let put = |text: &str| text.replace('~', secret);
    let json = || vec![("content-type", "application/json".to_owned())];
    let request = |method, path: &str, headers, body: &str, signed_in| Mistake {
        method,
        path: put(path),
        headers,
        body: put(body),
        signed_in,
    };
    let mut mistakes = Vec::new();
    for body in BODIES {
        for signed_in in [false, true] {
            mistakes.push(request(Method::POST, "/graphql", json(), body, signed_in));
        }
    }
    for (path, body) in REST {
        mistakes.push(request(Method::POST, path, json(), body, true));
    }
    for path in ADDRESSES {
        mistakes.push(request(Method::GET, path, Vec::new(), "", true));
    }
    let text = vec![("content-type", "text/plain".to_owned())];
    mistakes.push(request(Method::POST, "/graphql", text, BODIES[0], true));
    for authorization in ["Bearer ~", "Bearer ~.~.~", "Basic ~", "~", "Bearer"] {
        let headers =
            vec![("content-type", "application/json".to_owned()), ("authorization", put(authorization))];
        for path in ["/graphql", "/api/v1/orders", "/auth/refresh"] {
            let body = r#"{"query":"{ viewer { scopes } }"}"#;
            mistakes.push(request(Method::POST, path, headers.clone(), body, false));
        }
    }
    mistakes
}

pub(super) fn over_socket(secret: &str) -> Vec<String> {
    [
        r#"{"type":"connection_init","payload":{"authorization":"Bearer ~"}}"#,
        r#"{"type":"connection_init","payload":{"authorization":["~"]}}"#,
        r#"{"type":"connection_init","payload":"~"}"#,
        r#"{"type":"~"}"#,
        r#"{"type":"subscribe","id":"1","payload":"~"}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"mutation { login(input: { username: \"u\", password: \"~ }) { token } }"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"mutation { login(input: { username: \"u\", pasword: \"~\" }) { token } }"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"mutation L($input: LoginInput!) { login(input: $input) { token } }","variables":{"input":["~"]}}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"mutation { login(input: { username: \"nobody\", password: \"~\" }) { token } }"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"subscription { orderUpdates(after: \"~\") { id } }"}}"#,
        r#"not JSON: ~"#,
    ]
    .map(|text| text.replace('~', secret))
    .into()
}
