//! In which media type an answer goes out, and with which HTTP status.
//!
//! Lives here: [`Media`], the reading of Accept and Content-Type, and [`status`].
//! Always true: `application/json` gets 200 for every well-formed request, whatever became of it, since old clients
//! take any other status for a broken network; `application/graphql-response+json` gets a 4xx for request errors.
//! Not here: what the answer says (answer.rs).
//!
//! Source: GraphQL over HTTP, draft, sections 3.2 (media types), 6.1 (Accept) and 6.4 (status codes).

use axum::http::StatusCode;

use crate::problem::ErrorCode;

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`
    GraphqlResponse,
    /// `application/json`
    Json,
}

impl Media {
    /// The value of Content-Type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    /// The best media type that the caller takes: by quality, then by the order in which they are named. No Accept
    /// and `*/*` get `application/json`, for the sake of tools that know no other. `None`: neither is taken.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Option<Self> {
        let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Some(Self::Json) };
        let mut best: Option<(Self, u16)> = None;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/graphql-response+json" => Self::GraphqlResponse,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            let mut quality = 1_000;
            let mut readable = true;
            for parameter in parts {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = thousandths(value.trim()),
                    "charset" => readable = is_utf8(value),
                    _ => {}
                }
            }
            if readable && quality > 0 && best.is_none_or(|(_, other)| quality > other) {
                best = Some((media, quality));
            }
        }
        best.map(|(media, _)| media)
    }
}

/// Whether a body of this content type is read: JSON in UTF-8, and nothing that a browser's form could send.
#[must_use]
pub fn is_json(content_type: Option<&str>) -> bool {
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    if !parts.next().unwrap_or_default().eq_ignore_ascii_case("application/json") {
        return false;
    }
    parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => is_utf8(value),
        _ => true,
    })
}

/// The HTTP status of a refused request.
#[must_use]
pub fn status(code: ErrorCode, media: Media) -> StatusCode {
    match code {
        ErrorCode::BadRequest => StatusCode::BAD_REQUEST,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Timeout | ErrorCode::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
        _ => match media {
            Media::Json => StatusCode::OK,
            Media::GraphqlResponse => StatusCode::BAD_REQUEST,
        },
    }
}

fn is_utf8(charset: &str) -> bool {
    matches!(charset.trim().trim_matches('"').to_ascii_lowercase().as_str(), "utf-8" | "utf8")
}

/// A quality value in thousandths; what is malformed counts as 1.
fn thousandths(value: &str) -> u16 {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse::<u16>()) {
        ("0", Ok(thousandths)) => thousandths,
        _ => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_accept() {
        use Media::{GraphqlResponse, Json};
        for (accept, media) in [
            (None, Some(Json)),
            (Some(""), Some(Json)),
            (Some("*/*"), Some(Json)),
            (Some("application/*"), Some(Json)),
            (Some("application/json"), Some(Json)),
            (Some("Application/JSON; charset=utf-8"), Some(Json)),
            (Some("application/graphql-response+json"), Some(GraphqlResponse)),
            (
                Some("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8"),
                Some(GraphqlResponse),
            ),
            (Some("application/graphql-response+json;q=0.5, application/json;q=0.9"), Some(Json)),
            (Some("application/json;q=0.8, application/graphql-response+json"), Some(GraphqlResponse)),
            (Some("text/html, application/json;q=0.1"), Some(Json)),
            (Some("application/json, application/graphql-response+json"), Some(Json)),
            (Some("application/json;q=0"), None),
            (Some("application/json; charset=iso-8859-1"), None),
            (Some("text/html"), None),
            (Some("text/event-stream"), None),
        ] {
            assert_eq!(Media::accepted(accept), media, "{accept:?}");
        }
    }

    #[test]
    fn reads_content_type() {
        for (content_type, json) in [
            (Some("application/json"), true),
            (Some("application/json; charset=utf-8"), true),
            (Some("application/json;charset=\"UTF-8\""), true),
            (Some("application/json; charset=latin1"), false),
            (Some("application/jsonp"), false),
            (Some("text/plain"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("multipart/form-data; boundary=x"), false),
            (None, false),
        ] {
            assert_eq!(is_json(content_type), json, "{content_type:?}");
        }
    }

    #[test]
    fn the_status_depends_on_the_media_type_for_request_errors_alone() {
        for (code, json, graphql) in [
            (ErrorCode::GraphqlParseFailed, 200, 400),
            (ErrorCode::GraphqlValidationFailed, 200, 400),
            (ErrorCode::BadUserInput, 200, 400),
            (ErrorCode::Unauthenticated, 200, 400),
            (ErrorCode::BadRequest, 400, 400),
            (ErrorCode::PayloadTooLarge, 413, 413),
            (ErrorCode::RateLimited, 429, 429),
            (ErrorCode::Timeout, 503, 503),
            (ErrorCode::InternalServerError, 500, 500),
        ] {
            assert_eq!(status(code, Media::Json).as_u16(), json, "{code:?}");
            assert_eq!(status(code, Media::GraphqlResponse).as_u16(), graphql, "{code:?}");
        }
    }
}
