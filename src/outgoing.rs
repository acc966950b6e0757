//! Calls to the servers of others.
//!
//! What lives here: the one HTTP client that adapters use, and what a call can end in.
//! What is always true: an answer is cut off at a size and a call at a time, whatever the other side sends, compressed or not;
//! redirects are not followed, nothing is sent twice, no proxy of the environment stands between; a failure says whether the
//! request may have arrived; addresses, which may carry keys, are in no message.
//! What is not here: what an answer means; each adapter says that.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use zeroize::Zeroizing;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection that nobody uses is kept: shorter than what servers keep theirs, so that none is closed under a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// How much an answer may hold, and how long a call may take with all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body, decompressed.
    pub bytes: usize,
    /// From the first byte sent to the last byte received.
    pub time: Duration,
}

/// What was answered, whatever the status.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Whether it says that it is JSON.
    pub is_json: bool,
    /// After how many seconds to ask again, if it says so.
    pub retry_after_secs: Option<u64>,
    /// The body, which may hold codes: wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// No connection came to be: nothing was sent.
    #[error("not connected: {0}")]
    NotSent(String),
    /// It took longer than it may. It may have arrived.
    #[error("no whole answer in time")]
    TimedOut,
    /// The answer is larger than it may be. It arrived.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection or the answer broke. It may have arrived.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Why no calls can be made to an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// It is no http:// or https:// address with a host.
    #[error("must be an http:// or https:// address with a host, without user, query or fragment")]
    NoAddress,
    /// No client could be made, for want of root certificates for instance.
    #[error("no client could be made: {0}")]
    NoClient(String),
}

/// A request.
#[derive(Debug)]
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// What follows the address of the other side, beginning with `/`, its query included.
    pub path: &'a str,
    /// Headers by name.
    pub headers: &'a [(&'static str, &'a str)],
    /// A JSON body, if any.
    pub json: Option<Zeroizing<Vec<u8>>>,
}

/// Whether what is sent to an address can be read by others on the way: it is neither https nor this machine.
pub fn is_in_the_open(address: &str) -> bool {
    let Ok(url) = address.parse::<Url>() else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "http" && !is_here
}

/// Calls one server.
#[derive(Debug, Clone)]
pub struct Caller {
    client: Client,
    base: String,
}

impl Caller {
    /// A caller of the server at an address; its path, if it has one, begins the path of each call.
    ///
    /// # Errors
    /// See `BadTarget`.
    pub fn of(address: &str) -> Result<Self, BadTarget> {
        let url: Url = address.parse().map_err(|_| BadTarget::NoAddress)?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(BadTarget::NoAddress);
        }
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .user_agent(concat!("octopus-cards/", env!("CARGO_PKG_VERSION")));
        // Without TLS no root certificates are needed, and a machine may have none.
        let client = if url.scheme() == "http" { client.tls_certs_only([]) } else { client };
        install_cryptography();
        let client = client.build().map_err(|error| BadTarget::NoClient(error.to_string()))?;
        Ok(Self { client, base: address.trim_end_matches('/').to_owned() })
    }

    /// Makes a call.
    ///
    /// # Errors
    /// See `CallFailure`; an answer of any status is none.
    pub async fn call(&self, call: Call<'_>, limits: Limits) -> Result<Answer, CallFailure> {
        let whole = self.exchange(call, limits.bytes);
        tokio::time::timeout(limits.time, whole).await.unwrap_or(Err(CallFailure::TimedOut))
    }

    async fn exchange(&self, call: Call<'_>, bytes: usize) -> Result<Answer, CallFailure> {
        let mut request = self.client.request(call.method, format!("{}{}", self.base, call.path));
        let mut headers = HeaderMap::new();
        for (name, value) in call.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| CallFailure::NotSent(format!("the header {name} cannot be sent")))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        if let Some(json) = &call.json {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            request = request.body(json.to_vec());
        }
        let mut response = request.headers(headers).send().await.map_err(failure)?;
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len().saturating_add(chunk.len()) > bytes {
                return Err(CallFailure::TooLarge(bytes));
            }
            grow(&mut body, &chunk);
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let is_json = header(CONTENT_TYPE).is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
        });
        let retry_after_secs = header(RETRY_AFTER).and_then(|secs| secs.trim().parse().ok());
        Ok(Answer { status: response.status().as_u16(), is_json, retry_after_secs, body })
    }
}

/// Appends, and wipes what a buffer that became too small leaves behind.
fn grow(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    if body.capacity() - body.len() < chunk.len() {
        let capacity = body.len().saturating_add(chunk.len()).saturating_mul(2);
        let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

fn failure(error: reqwest::Error) -> CallFailure {
    let is_connect = error.is_connect() || error.is_builder();
    let is_timeout = error.is_timeout();
    let told = reason(&error.without_url());
    match (is_connect, is_timeout) {
        (true, _) => CallFailure::NotSent(told),
        (false, true) => CallFailure::TimedOut,
        (false, false) => CallFailure::Broken(told),
    }
}

/// The innermost cause: the others say only that something failed.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Names the one implementation of TLS's ciphers; another part of the process may have done so. Without it no client of any kind
/// can be made.
pub fn install_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
