//! What lives here: the playground's files as the server sends them.
//! What is always true: these tests want the page to be built; `make playground` does that.
//! What is not here: whether the page works (`browser.rs`).

use std::collections::BTreeSet;

use octopus_cards::transport::playground;
use reqwest::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, VARY,
};
use reqwest::{Response, StatusCode};

/// The playground's routes alone, on a spare port.
struct Served {
    url: String,
    http: reqwest::Client,
}

impl Served {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, playground::router()).await });
        // A client wants ciphers at hand even where it will only speak http://; another may have named them already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { url, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.http.get(format!("{}{path}", self.url));
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .send()
            .await
            .unwrap()
    }

    /// The page, which must have been built.
    async fn page(&self) -> String {
        let response = self.get("/", &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "build the page: make playground");
        response.text().await.unwrap()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &reqwest::header::HeaderName) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// The addresses that the page loads.
fn loaded(page: &str) -> BTreeSet<String> {
    let values = page.split(['"', '\'']);
    values.filter(|value| value.starts_with("/assets/")).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_page_is_asked_for_each_time_and_sent_only_when_it_changed() {
    let served = Served::start().await;
    let page = served.page().await;
    assert!(page.starts_with("<!doctype html>"), "{page}");

    let response = served.get("/", &[]).await;
    let headers = response.headers();
    assert_eq!(text(headers, &CONTENT_TYPE), "text/html; charset=utf-8");
    assert_eq!(text(headers, &CACHE_CONTROL), "no-cache");
    assert_eq!(text(headers, &VARY), "Accept-Encoding");

    let tag = text(headers, &ETAG).to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = served.get("/", &[("if-none-match", &known)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(text(again.headers(), &ETAG), tag);
        assert_eq!(again.text().await.unwrap(), "");
    }
    let changed = served.get("/", &[("if-none-match", "\"other\"")]).await;
    assert_eq!(changed.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_policy_lets_nothing_in_from_elsewhere() {
    let served = Served::start().await;
    let page = served.page().await;
    let paths = loaded(&page);
    assert!(paths.len() >= 2, "a script and a style at least: {paths:?}");
    for path in paths.iter().map(String::as_str).chain(["/"]) {
        let response = served.get(path, &[]).await;
        let policy = text(response.headers(), &CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'self';"), "{path}: {policy}");
        assert!(
            policy.contains("connect-src 'self';") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(
            !policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe-eval"),
            "{path}: {policy}"
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn what_the_page_loads_is_cached_for_ever_in_its_right_type() {
    let served = Served::start().await;
    for path in loaded(&served.page().await) {
        let response = served.get(&path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(text(response.headers(), &CACHE_CONTROL), "public, max-age=31536000, immutable", "{path}");
        let expected =
            if path.ends_with(".js") { "text/javascript; charset=utf-8" } else { "text/css; charset=utf-8" };
        assert_eq!(text(response.headers(), &CONTENT_TYPE), expected, "{path}");
    }
}

#[tokio::test]
async fn the_best_accepted_form_is_sent_as_it_was_built() {
    let served = Served::start().await;
    served.page().await;
    let mut tags = BTreeSet::new();
    for (accepted, sent) in [
        ("gzip, deflate, br", "br"),
        ("gzip;q=1.0, br;q=0.5", "br"),
        ("br;q=0, gzip", "gzip"),
        ("GZIP", "gzip"),
        ("identity", ""),
        ("br;q=0, gzip;q=0", ""),
    ] {
        let response = served.get("/", &[("accept-encoding", accepted)]).await;
        assert_eq!(text(response.headers(), &CONTENT_ENCODING), sent, "{accepted}");
        assert_eq!(text(response.headers(), &CONTENT_TYPE), "text/html; charset=utf-8", "{accepted}");
        tags.insert(text(response.headers(), &ETAG).to_owned());
    }
    assert_eq!(tags.len(), 3, "each form has a tag of its own: {tags:?}");
}

#[tokio::test]
async fn nothing_but_the_built_files_is_there() {
    let served = Served::start().await;
    let page = served.page().await;
    let script = loaded(&page).into_iter().find(|path| path.ends_with(".js")).unwrap();
    for path in [
        "/assets/none.js",
        "/assets/",
        "/assets/..%2findex.html",
        "/assets/..%2f..%2f..%2fCargo.toml",
        "/assets/%2e%2e%2f%2e%2e%2fpackage.json",
        &format!("{script}.br"),
        "/index.html.gz",
    ] {
        assert_eq!(served.get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
