//! The contract's enums.
//!
//! What lives here: one GraphQL enum for each of the contract, with the variants of the state that it shows.
//! What is always true: names and descriptions are the contract's; a test compares them.
//! What is not here: what the states mean; that is `entity::state`.

use async_graphql::Enum;

/// Every code that an answer may carry, in `userErrors` or in `errors[].extensions.code`. New ones may be added. Final: repeating the same call cannot help. Retryable: the same call may succeed later.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::problem::ErrorCode")]
pub enum ErrorCode {
    /// In `errors`: no valid token, or the token has expired. Final: sign in or refresh.
    Unauthenticated,
    /// In `errors`: the token lacks the scope or the role. Final.
    Forbidden,
    /// In `errors`: the caller's address is not on the partner's allowlist. Final.
    IpNotAllowed,
    /// In `errors`: too many calls or too much work at once. Retryable after `retryAfterMs`.
    RateLimited,
    /// In `errors`: a variable or an argument of a query has a wrong value. Final.
    BadUserInput,
    /// In `errors`: the document is not GraphQL. Final.
    GraphqlParseFailed,
    /// In `errors`: the document does not fit the schema. Final.
    GraphqlValidationFailed,
    /// In `errors`: the document asks for too much at once. Final: ask for less.
    QueryTooComplex,
    /// In `errors`: the persisted document is unknown here. Retryable with its text.
    PersistedQueryNotFound,
    /// In `errors`: the request is malformed. Final.
    BadRequest,
    /// In `errors`: the body or the document is too large. Final.
    PayloadTooLarge,
    /// In `errors`: the answer took too long. Retryable; repeat a mutation under the same reference.
    Timeout,
    /// In `errors`: the service cannot answer just now. Retryable; repeat a mutation under the same reference.
    ServiceUnavailable,
    /// In `errors`: a fault of the server; tell its operator the `requestId`. Retryable; repeat a mutation under the same reference.
    InternalServerError,
    /// In `errors`: the cursor is older than the events that are kept. Final: begin without it.
    CursorExpired,
    /// A value is malformed or outside its bounds. Final.
    InvalidInput,
    /// The key and the secret do not belong together. Final.
    InvalidCredentials,
    /// The refresh token is unknown, expired, revoked or used. Final: sign in.
    InvalidRefreshToken,
    /// A credential cannot be given more than its maker may do. Final.
    ScopeNotGranted,
    /// There is no such thing, or it is not the caller's. Final.
    NotFound,
    /// There is no such product. Final.
    ProductNotFound,
    /// The product is not sold at present. Retryable later.
    ProductUnavailable,
    /// The face value is not one that the product comes in. Final.
    InvalidFaceValue,
    /// The quantity is outside 1 to 1,000, or above what the product allows. Final.
    QuantityOutOfRange,
    /// The currency is unknown, has no rate, or the partner has no wallet in it. Final.
    CurrencyNotSupported,
    /// The rates for a conversion are too old to be used. Retryable once they are refreshed.
    RatesStale,
    /// The product needs a recipient of another kind, a well-formed one, or none. Final.
    InvalidRecipient,
    /// The failure policy does not fit the product. Final.
    FailurePolicyNotAllowed,
    /// There is no such charge. Final.
    ChargeNotFound,
    /// The charge has expired. Final: create another.
    ChargeExpired,
    /// Another order was placed on the charge. Final: create another.
    ChargeUsed,
    /// An input contradicts the charge. Final.
    ChargeMismatch,
    /// The price is above `maxTotal`. Final under this `maxTotal`.
    PriceChanged,
    /// There are not enough codes. Retryable when stock has arrived.
    OutOfStock,
    /// The wallet cannot pay. Retryable when it has been funded.
    InsufficientFunds,
    /// The reference belongs to an order with other input. Final: use another reference.
    IdempotencyMismatch,
    /// Nothing of the order could be stopped. Final.
    NotCancellable,
}

/// What a caller may do.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "entity::state::Scope")]
pub enum Scope {
    /// catalog:read: see the catalog, prices and rates.
    CatalogRead,
    /// charges:write: ask for binding prices.
    ChargesWrite,
    /// orders:read: see orders, without their codes.
    OrdersRead,
    /// orders:write: place and cancel orders.
    OrdersWrite,
    /// vouchers:reveal: read the codes of delivered units; each reading is audited.
    VouchersReveal,
    /// wallet:read: see wallets, entries and statements.
    WalletRead,
    /// webhooks:write: manage webhook endpoints.
    WebhooksWrite,
    /// account:write: manage credentials and the account.
    AccountWrite,
}

/// A kind of second factor.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactorMethod {
    /// A passkey with user verification.
    Passkey,
    /// A time-based one-time password.
    Totp,
    /// A single-use recovery code.
    RecoveryCode,
}

/// An order of products.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductOrder {
    /// By name, A to Z.
    NameAsc,
    /// By name, Z to A.
    NameDesc,
    /// By lowest face value, upwards; currencies apart.
    FaceValueAsc,
    /// By lowest face value, downwards; currencies apart.
    FaceValueDesc,
    /// Longest unchanged first.
    UpdatedAtAsc,
    /// Latest changed first.
    UpdatedAtDesc,
}

/// Whether a product is sold.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "entity::state::ProductStatus")]
pub enum ProductStatus {
    /// It is sold whenever there is a source.
    Active,
    /// It is not sold at present.
    Paused,
    /// It is not sold any more.
    Retired,
}

/// From where a unit of a product would come.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "crate::domain::catalog::Availability")]
pub enum Availability {
    /// From a code in our own stock: an order for one unit is delivered in its answer.
    InStock,
    /// From a vendor, when it is ordered: an order is accepted, and delivered in its answer or soon after.
    OnDemand,
    /// From nowhere at present: an order is refused.
    Unavailable,
}

/// How a unit reaches its user.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "entity::state::DeliveryKind")]
pub enum DeliveryKind {
    /// A code to be redeemed.
    Code,
    /// Credited to a player id or a user name.
    Direct,
    /// Credited to a phone number.
    Topup,
}

/// How the face value of a product is set.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "entity::state::DenominationKind")]
pub enum DenominationKind {
    /// One value.
    Fixed,
    /// Any value from a minimum to a maximum by a step.
    Range,
}

/// What tells who receives a unit that has no code.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "entity::state::RecipientKind")]
pub enum RecipientKind {
    /// A phone number in E.164, such as +14155550123.
    Phone,
    /// A player's id in the game.
    PlayerId,
    /// A user's name with the service.
    Username,
}

/// Where an order stands. PENDING goes to PROCESSING or to an end; the four ends never change.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "entity::state::OrderStatus")]
pub enum OrderStatus {
    /// Accepted and paid; nothing delivered yet.
    Pending,
    /// Some units are delivered or on their way, and some are open.
    Processing,
    /// Every unit is delivered.
    Delivered,
    /// Some units are delivered, the others refunded.
    PartiallyDelivered,
    /// Nothing could be delivered; every unit is refunded.
    Failed,
    /// Cancelled by the partner; every unit is refunded.
    Cancelled,
}

/// Where a unit stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "entity::state::UnitStatus")]
pub enum UnitStatus {
    /// Paid, and waiting for a source.
    Pending,
    /// Asked of a vendor whose answer is not known yet; neither delivered nor refunded until it is.
    AwaitingVendor,
    /// Delivered.
    Delivered,
    /// Not delivered; its price is back in the wallet.
    Refunded,
}

/// What happens when not every unit can be had.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "entity::state::FailurePolicy")]
pub enum FailurePolicy {
    /// Deliver what can be had, try the rest until the deadline, then refund it. One unit that can be had is enough for an order to be accepted, whatever its quantity: the rest stays held until `deadlineAt`.
    BestEffort,
    /// Deliver all units or none. Not for direct and top-up products.
    AllOrNothing,
}

/// Why units of an order were refunded.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "entity::state::OrderFailureCode")]
pub enum OrderFailureCode {
    /// No source delivered before the deadline.
    DeadlinePassed,
    /// The partner cancelled.
    Cancelled,
    /// Not all units could be had, and the policy asked for all.
    NotAllAvailable,
    /// Every source refused.
    SourcesRefused,
}

/// What moved money.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalletEntryKind {
    /// Money paid in.
    Credit,
    /// An order delivered at acceptance was paid.
    Sale,
    /// An order's open units were set aside.
    Hold,
    /// Set-aside money came back for units that were not delivered.
    Release,
    /// Money given back for units that had been delivered.
    Refund,
    /// A correction by the operator.
    Adjustment,
}

/// The form of a statement.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementFormat {
    /// Comma-separated values with a header line (RFC 4180).
    Csv,
    /// One JSON object a line.
    JsonLines,
}
