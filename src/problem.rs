//! What goes wrong.
//!
//! What lives here: the codes of the contract, `Problem` (the only failure that transports render as an error) and `Refusal`
//! (what a business rule answers).
//! What is always true: the public message and the private cause are different fields; anything unexpected is
//! INTERNAL_SERVER_ERROR with a request id and no more.
//! What is not here: how either is rendered; that is `transport`.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

macro_rules! codes {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// Every code of the contract. Each is described, with whether it is final or retryable, in `schema.graphql`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the contract describes them; a test compares the two lists")]
        pub enum ErrorCode { $($variant),+ }

        impl ErrorCode {
            /// Every code, in the contract's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as answers carry it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

codes! {
    Unauthenticated = "UNAUTHENTICATED",
    Forbidden = "FORBIDDEN",
    IpNotAllowed = "IP_NOT_ALLOWED",
    RateLimited = "RATE_LIMITED",
    BadUserInput = "BAD_USER_INPUT",
    GraphqlParseFailed = "GRAPHQL_PARSE_FAILED",
    GraphqlValidationFailed = "GRAPHQL_VALIDATION_FAILED",
    QueryTooComplex = "QUERY_TOO_COMPLEX",
    PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND",
    BadRequest = "BAD_REQUEST",
    PayloadTooLarge = "PAYLOAD_TOO_LARGE",
    Timeout = "TIMEOUT",
    ServiceUnavailable = "SERVICE_UNAVAILABLE",
    InternalServerError = "INTERNAL_SERVER_ERROR",
    CursorExpired = "CURSOR_EXPIRED",
    InvalidInput = "INVALID_INPUT",
    InvalidCredentials = "INVALID_CREDENTIALS",
    InvalidRefreshToken = "INVALID_REFRESH_TOKEN",
    ScopeNotGranted = "SCOPE_NOT_GRANTED",
    NotFound = "NOT_FOUND",
    ProductNotFound = "PRODUCT_NOT_FOUND",
    ProductUnavailable = "PRODUCT_UNAVAILABLE",
    InvalidFaceValue = "INVALID_FACE_VALUE",
    QuantityOutOfRange = "QUANTITY_OUT_OF_RANGE",
    CurrencyNotSupported = "CURRENCY_NOT_SUPPORTED",
    RatesStale = "RATES_STALE",
    InvalidRecipient = "INVALID_RECIPIENT",
    FailurePolicyNotAllowed = "FAILURE_POLICY_NOT_ALLOWED",
    ChargeNotFound = "CHARGE_NOT_FOUND",
    ChargeExpired = "CHARGE_EXPIRED",
    ChargeUsed = "CHARGE_USED",
    ChargeMismatch = "CHARGE_MISMATCH",
    PriceChanged = "PRICE_CHANGED",
    OutOfStock = "OUT_OF_STOCK",
    InsufficientFunds = "INSUFFICIENT_FUNDS",
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH",
    NotCancellable = "NOT_CANCELLABLE",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A failure that never reached the business, or that the business could not name: rendered in `errors`, or as an HTTP
/// problem.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The code.
    pub code: ErrorCode,
    /// What the caller may read.
    pub message: Cow<'static, str>,
    /// The argument at fault, such as `["first"]`.
    pub field: Option<Vec<String>>,
    /// After how long it is worth trying again.
    pub retry_after_ms: Option<u64>,
    /// What only logs may read.
    pub cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem with a public message.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), field: None, retry_after_ms: None, cause: None }
    }

    /// An argument of a read is wrong: BAD_USER_INPUT, naming the argument.
    pub fn bad_argument(field: &str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(vec![field.to_owned()]), ..Self::new(ErrorCode::BadUserInput, message) }
    }

    /// There is no such thing, or it is not the caller's: the same words for both.
    pub fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "there is no such thing")
    }

    /// The caller has no valid token.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "sign in first: this needs a valid access token")
    }

    /// The caller's token does not allow it.
    pub fn forbidden(needed: &str) -> Self {
        Self::new(ErrorCode::Forbidden, format!("this needs {needed}"))
    }

    /// The caller should come back later.
    pub fn rate_limited(retry_after_ms: u64) -> Self {
        let problem = Self::new(ErrorCode::RateLimited, "too much at once; try again after `retryAfterMs`");
        Self { retry_after_ms: Some(retry_after_ms), ..problem }
    }

    /// The service cannot answer just now.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let problem =
            Self::new(ErrorCode::ServiceUnavailable, "the service cannot answer just now; try again");
        Self { cause: Some(cause.into().into()), retry_after_ms: Some(1_000), ..problem }
    }

    /// A fault of ours.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let problem = Self::new(ErrorCode::InternalServerError, "a fault of the server");
        Self { cause: Some(cause.into().into()), ..problem }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code, self.message)?;
        if let Some(cause) = &self.cause {
            write!(out, " ({cause})")?;
        }
        Ok(())
    }
}

impl Error for Problem {}

impl From<sea_orm::DbErr> for Problem {
    /// A database that is away, full or busy is SERVICE_UNAVAILABLE; any other failure of it is ours.
    fn from(error: sea_orm::DbErr) -> Self {
        if is_passing(&error) { Self::unavailable(error) } else { Self::internal(error) }
    }
}

/// Whether a database failed for a reason that passes: away, full, busy, or asking for the same once more.
///
/// Source: PostgreSQL, appendix A (classes 08, 40, 53, 57 and code 55P03); SQLite result codes BUSY (5), LOCKED (6), IOERR
/// (10) and FULL (13), of which the lowest byte tells the kind.
fn is_passing(error: &sea_orm::DbErr) -> bool {
    use sea_orm::{DbErr, RuntimeErr};
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_));
    };
    let Some(code) = error.as_database_error().and_then(|database| database.code()) else {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
        return matches!(
            error.as_ref(),
            Io(_) | PoolClosed | PoolTimedOut | Protocol(_) | Tls(_) | WorkerCrashed
        );
    };
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => matches!(number & 0xff, 5 | 6 | 10 | 13),
        _ => ["08", "40", "53", "57", "55P03"].iter().any(|passing| code.starts_with(passing)),
    }
}

/// What a business rule answers when it says no. Every feature has a small enum of its own that implements this.
pub trait Refusal: fmt::Debug + Send + Sync + 'static {
    /// The code of the contract.
    fn code(&self) -> ErrorCode;

    /// What is wrong and how to mend it, for people.
    fn message(&self) -> String;

    /// The path of the input at fault, without the leading `input`; `None` if no input is.
    fn field(&self) -> Option<Vec<String>>;
}

/// How a command fails: refused by a rule (data of the answer), or a problem (an error).
#[derive(Debug)]
pub enum Failure<R> {
    /// A rule said no; nothing was changed.
    Refused(R),
    /// It could not be decided or done.
    Problem(Problem),
}

impl<R> From<Problem> for Failure<R> {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl<R> From<sea_orm::DbErr> for Failure<R> {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Problem(error.into())
    }
}
