//! Why an order is refused.
//!
//! What lives here: one variant a reason, with the facts that the caller needs.
//! What is always true: a refusal has written nothing but, for a changed price, the fresh charge.
//! What is not here: problems that are nobody's input.

use entity::currency::Currency;
use entity::money::Money;
use entity::state::{DeliveryKind, RecipientKind};

use crate::domain::catalog::{FaceValueRefusal, SaleRefusal};
use crate::domain::pricing::PriceRefusal;
use crate::problem::{ErrorCode, Refusal};

/// What is told of a null quantity. Absent means one; null is what a program sends that has lost the number.
pub const QUANTITY_NULL: &str = "`quantity` is null: give the number of units, or leave it out for one";

/// Why an order, or its cancelling, is refused.
#[derive(Debug, Clone)]
pub enum OrderRefusal {
    /// The reference is not 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    MalformedReference,
    /// `waitMs` is outside 0 to 30,000.
    WaitOutOfRange,
    /// Neither a product nor a charge is named.
    ProductMissing,
    /// There is no such product.
    ProductNotFound,
    /// The product is not sold, or not in such a number.
    Sale(SaleRefusal),
    /// `quantity` is null, and no charge tells it.
    QuantityNull,
    /// The face value is none that the product comes in.
    FaceValue(FaceValueRefusal),
    /// The price cannot be told.
    Price(PriceRefusal),
    /// The partner has no wallet in the currency.
    NoWallet {
        /// The currency.
        currency: Currency,
    },
    /// `maxTotal` is no amount of the settlement currency.
    MalformedMaxTotal,
    /// The product needs a recipient of this kind.
    RecipientRequired {
        /// The kind.
        kind: RecipientKind,
    },
    /// The recipient is not of the kind's form.
    MalformedRecipient {
        /// The kind.
        kind: RecipientKind,
    },
    /// The product takes no recipient.
    RecipientNotTaken,
    /// An order for a recipient has one unit.
    RecipientNeedsOneUnit,
    /// All-or-nothing does not fit the delivery.
    PolicyNotAllowed {
        /// The delivery.
        delivery: DeliveryKind,
    },
    /// There is no such charge.
    ChargeNotFound,
    /// The charge has expired.
    ChargeExpired,
    /// Another order was placed on the charge.
    ChargeUsed,
    /// An input contradicts the charge.
    ChargeMismatch {
        /// The input, in camel case.
        field: &'static str,
    },
    /// The price is above `maxTotal`; the charge binds the present one.
    PriceChanged {
        /// The fresh charge.
        charge: Box<entity::charges::Model>,
    },
    /// There are not enough codes.
    OutOfStock {
        /// How many units could be had.
        available: i32,
    },
    /// The wallet cannot pay.
    InsufficientFunds {
        /// What the order costs.
        required: Money,
        /// What the wallet has.
        available: Money,
    },
    /// The reference belongs to an order with other input.
    IdempotencyMismatch {
        /// That order.
        order: Box<entity::orders::Model>,
        /// The inputs that differ, in camel case.
        fields: Vec<String>,
    },
    /// There is no such order.
    OrderNotFound {
        /// The input that named it, in camel case.
        field: &'static str,
    },
    /// Neither or both of id and reference are given.
    OneNameNeeded,
    /// Nothing of the order could be stopped.
    NotCancellable,
}

impl Refusal for OrderRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::MalformedReference
            | Self::WaitOutOfRange
            | Self::ProductMissing
            | Self::QuantityNull
            | Self::MalformedMaxTotal
            | Self::OneNameNeeded => ErrorCode::InvalidInput,
            Self::ProductNotFound => ErrorCode::ProductNotFound,
            Self::Sale(refusal) => refusal.code(),
            Self::FaceValue(refusal) => refusal.code(),
            Self::Price(refusal) => refusal.code(),
            Self::NoWallet { .. } => ErrorCode::CurrencyNotSupported,
            Self::RecipientRequired { .. }
            | Self::MalformedRecipient { .. }
            | Self::RecipientNotTaken
            | Self::RecipientNeedsOneUnit => ErrorCode::InvalidRecipient,
            Self::PolicyNotAllowed { .. } => ErrorCode::FailurePolicyNotAllowed,
            Self::ChargeNotFound => ErrorCode::ChargeNotFound,
            Self::ChargeExpired => ErrorCode::ChargeExpired,
            Self::ChargeUsed => ErrorCode::ChargeUsed,
            Self::ChargeMismatch { .. } => ErrorCode::ChargeMismatch,
            Self::PriceChanged { .. } => ErrorCode::PriceChanged,
            Self::OutOfStock { .. } => ErrorCode::OutOfStock,
            Self::InsufficientFunds { .. } => ErrorCode::InsufficientFunds,
            Self::IdempotencyMismatch { .. } => ErrorCode::IdempotencyMismatch,
            Self::OrderNotFound { .. } => ErrorCode::NotFound,
            Self::NotCancellable => ErrorCode::NotCancellable,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::MalformedReference => "`reference` must be 1 to 64 of A-Z a-z 0-9 . _ : -".to_owned(),
            Self::WaitOutOfRange => "`waitMs` must be 0 to 30000".to_owned(),
            Self::ProductMissing => "name a product by `productId`, or a charge by `chargeId`".to_owned(),
            Self::ProductNotFound => "there is no such product".to_owned(),
            Self::Sale(refusal) => refusal.message(),
            Self::QuantityNull => QUANTITY_NULL.to_owned(),
            Self::FaceValue(refusal) => refusal.message(),
            Self::Price(refusal) => refusal.message(),
            Self::NoWallet { currency } => {
                format!("there is no wallet in {currency}; choose a currency that you hold")
            }
            Self::MalformedMaxTotal => {
                "`maxTotal` must be an amount above nought, with no more digits than the settlement currency has"
                    .to_owned()
            }
            Self::RecipientRequired { kind } => format!("the product needs `recipient.{}`", field_of(*kind)),
            Self::MalformedRecipient { kind: RecipientKind::Phone } => {
                "a phone number is in E.164, such as +14155550123".to_owned()
            }
            Self::MalformedRecipient { .. } => {
                "the recipient must be 1 to 128 printable characters".to_owned()
            }
            Self::RecipientNotTaken => "the product is a code and takes no recipient".to_owned(),
            Self::RecipientNeedsOneUnit => "an order for a recipient has `quantity` 1".to_owned(),
            Self::PolicyNotAllowed { delivery } => format!("ALL_OR_NOTHING does not fit {delivery} products"),
            Self::ChargeNotFound => "there is no such charge".to_owned(),
            Self::ChargeExpired => "the charge has expired; create another".to_owned(),
            Self::ChargeUsed => "another order was placed on the charge; create another".to_owned(),
            Self::ChargeMismatch { field } => {
                format!("`{field}` contradicts the charge; leave it out or give its value")
            }
            Self::PriceChanged { charge } => {
                let total = Money::from_minor(charge.total_minor, charge.currency);
                format!("the total is {total}, above `maxTotal`; order with the charge to accept it")
            }
            Self::OutOfStock { available } => format!("only {available} of the units can be had right now"),
            Self::InsufficientFunds { required, available } => {
                format!("the order costs {required} and the wallet has {available} available")
            }
            Self::IdempotencyMismatch { order, fields } => {
                let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
                format!(
                    "the reference belongs to {}, which gave or left out differently: {}; repeat its input, or use \
                     another reference",
                    order.id,
                    fields.join(", ")
                )
            }
            Self::OrderNotFound { .. } => "there is no such order".to_owned(),
            Self::OneNameNeeded => "give `orderId` or `reference`, exactly one of them".to_owned(),
            Self::NotCancellable => "nothing of the order can be stopped any more".to_owned(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let path = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        match self {
            Self::MalformedReference | Self::IdempotencyMismatch { .. } => path(&["reference"]),
            Self::WaitOutOfRange => path(&["waitMs"]),
            Self::ProductMissing | Self::ProductNotFound => path(&["productId"]),
            Self::QuantityNull | Self::OutOfStock { .. } | Self::RecipientNeedsOneUnit => path(&["quantity"]),
            Self::Sale(refusal) => refusal.field(),
            Self::FaceValue(refusal) => refusal.field(),
            Self::Price(refusal) => refusal.field(),
            Self::NoWallet { .. } => path(&["currency"]),
            Self::MalformedMaxTotal | Self::PriceChanged { .. } => path(&["maxTotal"]),
            Self::RecipientRequired { kind } | Self::MalformedRecipient { kind } => {
                path(&["recipient", field_of(*kind)])
            }
            Self::RecipientNotTaken => path(&["recipient"]),
            Self::PolicyNotAllowed { .. } => path(&["failurePolicy"]),
            Self::ChargeNotFound | Self::ChargeExpired | Self::ChargeUsed => path(&["chargeId"]),
            Self::ChargeMismatch { field } | Self::OrderNotFound { field } => path(&[field]),
            Self::OneNameNeeded => path(&["orderId"]),
            Self::InsufficientFunds { .. } | Self::NotCancellable => None,
        }
    }
}

/// The input field that names a recipient of a kind.
pub const fn field_of(kind: RecipientKind) -> &'static str {
    match kind {
        RecipientKind::Phone => "phone",
        RecipientKind::PlayerId => "playerId",
        RecipientKind::Username => "username",
    }
}
