//! What lives here: the playground, a web page that is built into the binary from `playground/dist` and served at `/`.
//! What is always true: it loads nothing from elsewhere, and its policy forbids the browser to; a file whose name holds
//! the hash of its content is cached for ever, the page itself never without asking.
//! What is not here: the page's sources (`playground/`) and the API that it calls.

use axum::{
    Router,
    extract::Path,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The built page. A release holds the files, a debug build reads them from the folder; either works before they exist.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/playground/dist"]
#[allow_missing = true]
struct Built;

/// `'self'` covers the websocket too, which has the same host. Monaco, the editor inside GraphiQL, writes styles inline,
/// starts workers and carries its font as data; nothing else is let in.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; \
    font-src 'self' data:; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_FIRST: &str = "no-cache";

const NOT_BUILT: &str = "The playground is not built into this binary.\n\n\
    Build it with `make playground` (it needs Node.js), then build the server again.\n\
    The API itself is at /graphql, and the REST API is described at /openapi.json.\n";

/// A form of a file's bytes: how HTTP names it, and how the built file's name ends.
struct Coding {
    name: &'static str,
    suffix: &'static str,
}

/// The forms in which files were built, best first.
const CODINGS: [Coding; 2] = [Coding { name: "br", suffix: ".br" }, Coding { name: "gzip", suffix: ".gz" }];

/// The routes of the playground: the page at `/`, what it loads under `/assets/`.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(|headers: HeaderMap| async move { page(&headers) })).route(
        "/assets/{file}",
        get(|Path(file): Path<String>, headers: HeaderMap| async move { asset(&file, &headers) }),
    )
}

/// A file that the page loads. They lie side by side: a slash in a name, however it was written, leads nowhere.
fn asset(file: &str, request: &HeaderMap) -> Response {
    let is_plain = !file.contains(['/', '\\']);
    let found = is_plain.then(|| serve(&format!("assets/{file}"), FOR_EVER, request)).flatten();
    found.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

fn page(request: &HeaderMap) -> Response {
    serve("index.html", ASK_FIRST, request).unwrap_or_else(|| {
        (StatusCode::SERVICE_UNAVAILABLE, [(CACHE_CONTROL, "no-store")], NOT_BUILT).into_response()
    })
}

/// A built file in the best form that the caller takes, or 304 if it holds that already; none if there is no such file.
fn serve(path: &str, caching: &'static str, request: &HeaderMap) -> Option<Response> {
    let content_type = content_type(path)?;
    let (file, coding) = CODINGS
        .iter()
        .filter(|coding| accepts(request, coding.name))
        .find_map(|coding| Some((Built::get(&format!("{path}{}", coding.suffix))?, Some(coding.name))))
        .or_else(|| Some((Built::get(path)?, None)))?;
    let tag = entity_tag(&file);
    let known = request.get(IF_NONE_MATCH).is_some_and(|tags| names(tags, &tag));

    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = file.data.into_owned().into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(coding) = coding {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    for (name, value) in guards() {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

fn guards() -> [(HeaderName, &'static str); 6] {
    [
        (VARY, "Accept-Encoding"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ]
}

/// The type of a file that the page may ask for; none for anything else, its compressed forms included.
fn content_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "ttf" => "font/ttf",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

/// The content's own hash, so that each form of a file has its own tag, as HTTP asks.
fn entity_tag(file: &EmbeddedFile) -> HeaderValue {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hash}\"")).expect("hexadecimal digits in quotes are a header value")
}

/// Whether an If-None-Match names the tag. Weak and strong compare alike there (RFC 9110, 13.1.2).
fn names(tags: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(tag)) = (tags.to_str(), tag.to_str()) else { return false };
    tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// Whether the caller takes a content coding: named without `q=0`.
fn accepts(request: &HeaderMap, coding: &str) -> bool {
    request
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
            let refused = parts
                .filter_map(|parameter| parameter.strip_prefix("q="))
                .any(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
            named && !refused
        })
}
