//! Which pages may open sockets.
//!
//! Lives here: [`is_own`]. Always true: a page of another origin is not the server's own, whatever it says of its host.
//! Not here: requests by HTTP, which need a content type and a header that a foreign page cannot send unasked.

/// Whether a page of this origin is the server's own: the public address, or the loopback address that it was itself
/// loaded from.
pub(super) fn is_own(origin: &str, public_url: &str, host: Option<&str>) -> bool {
    let origin = origin.trim_end_matches('/');
    let public = public_url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    if origin.eq_ignore_ascii_case(&public) {
        return true;
    }
    let loopback = |host: &str| {
        let name = host.strip_prefix('[').map_or_else(
            || host.rsplit_once(':').map_or(host, |(name, _)| name),
            |rest| rest.split(']').next().unwrap_or_default(),
        );
        matches!(name, "localhost" | "127.0.0.1" | "::1")
    };
    host.is_some_and(|host| loopback(host) && origin.strip_prefix("http://") == Some(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_may_open_sockets() {
        for (origin, public_url, host, own) in [
            ("https://cards.example", "https://cards.example", None, true),
            ("https://cards.example", "https://cards.example/shop", None, true),
            ("https://cards.example:8443", "https://cards.example", None, false),
            ("http://cards.example", "https://cards.example", None, false),
            ("https://evil.example", "https://cards.example", Some("evil.example"), false),
            ("http://evil.example", "http://localhost:8080", Some("evil.example"), false),
            ("http://127.0.0.1:4000", "http://localhost:8080", Some("127.0.0.1:4000"), true),
            ("http://[::1]:4000", "http://localhost:8080", Some("[::1]:4000"), true),
            ("http://localhost:4000", "http://localhost:8080", Some("localhost:5000"), false),
            ("null", "http://localhost:8080", Some("localhost:8080"), false),
        ] {
            assert_eq!(is_own(origin, public_url, host), own, "{origin} {public_url} {host:?}");
        }
    }
}
