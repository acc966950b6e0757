//! Refusals as data.
//!
//! What lives here: the `UserError` interface and its types, and the way from a feature's refusal to the general one.
//! What is always true: a refusal names its code, and the path of the input at fault beginning with `input`.
//! What is not here: which refusals there are; each feature has its own.

use std::sync::Arc;

use async_graphql::{Interface, SimpleObject};

use super::charges::Charge;
use super::enums::ErrorCode;
use super::orders::Order;
use super::types::Money;
use crate::domain::orders::OrderRefusal;
use crate::problem::Refusal;

/// Why a mutation was refused. Anything that the caller can mend by another input or another state is told here, never in `errors`.
#[derive(Interface)]
#[graphql(
    field(name = "code", ty = "&ErrorCode", desc = "The reason, for programs."),
    field(name = "message", ty = "&String", desc = "The reason and its mend, for people."),
    field(
        name = "field",
        ty = "&Option<Vec<String>>",
        desc = "The path of the offending input field, beginning with \"input\"; null if no field is at fault."
    )
)]
#[allow(clippy::large_enum_variant, reason = "an answer has few of them, and none lives long")]
pub enum UserError {
    /// A refusal without further facts.
    General(GeneralError),
    /// The wallet cannot pay.
    InsufficientFunds(InsufficientFundsError),
    /// There are not enough codes.
    OutOfStock(OutOfStockError),
    /// The reference belongs to an order placed with other input.
    IdempotencyMismatch(IdempotencyMismatchError),
    /// The price is above `maxTotal`.
    PriceChanged(PriceChangedError),
}

/// A refusal that its code, message and field explain in full.
#[derive(SimpleObject)]
pub struct GeneralError {
    /// The reason, for programs.
    code: ErrorCode,
    /// The reason and its mend, for people.
    message: String,
    /// The path of the offending input field, beginning with "input"; null if no field is at fault.
    field: Option<Vec<String>>,
}

/// The wallet cannot pay. Nothing was written: the same reference may be used again.
#[derive(SimpleObject)]
pub struct InsufficientFundsError {
    /// The reason, for programs.
    pub(super) code: ErrorCode,
    /// The reason and its mend, for people.
    pub(super) message: String,
    /// The path of the offending input field, beginning with "input"; null if no field is at fault.
    pub(super) field: Option<Vec<String>>,
    /// What the order costs.
    pub(super) required: Money,
    /// What the wallet had available. A selection that also reads `OutOfStockError.available`, which is a number of units, needs an alias for one of them.
    pub(super) available: Money,
}

/// There are not enough codes. Nothing was written: the same reference may be used again.
#[derive(SimpleObject)]
pub struct OutOfStockError {
    /// The reason, for programs.
    pub(super) code: ErrorCode,
    /// The reason and its mend, for people.
    pub(super) message: String,
    /// The path of the offending input field, beginning with "input"; null if no field is at fault.
    pub(super) field: Option<Vec<String>>,
    /// How many units could be had at that moment. A selection that also reads `InsufficientFundsError.available`, which is money, needs an alias for one of them.
    pub(super) available: i32,
}

/// The reference belongs to an order placed with other input.
#[derive(SimpleObject)]
pub struct IdempotencyMismatchError {
    /// The reason, for programs.
    code: ErrorCode,
    /// The reason and its mend, for people.
    message: String,
    /// The path of the offending input field, beginning with "input"; null if no field is at fault.
    field: Option<Vec<String>>,
    /// The order that holds the reference.
    order: Order,
    /// The input fields that were given otherwise than for that order; one that was left out in the one call and spelled out in the other differs, `failurePolicy` alone excepted.
    differing_fields: Vec<String>,
}

/// The price is above `maxTotal`. Nothing was written but a fresh charge that binds the present price.
#[derive(SimpleObject)]
pub struct PriceChangedError {
    /// The reason, for programs.
    code: ErrorCode,
    /// The reason and its mend, for people.
    message: String,
    /// The path of the offending input field, beginning with "input"; null if no field is at fault.
    field: Option<Vec<String>>,
    /// The present price, bound until the charge expires.
    charge: Box<Charge>,
}

/// The path of an input field as the contract shows it.
pub(super) fn input_path(field: Option<Vec<String>>) -> Option<Vec<String>> {
    field.map(|path| std::iter::once("input".to_owned()).chain(path).collect())
}

impl UserError {
    /// A refusal that its code, message and field explain in full.
    pub fn general(refusal: &impl Refusal) -> Self {
        Self::General(GeneralError {
            code: refusal.code().into(),
            message: refusal.message(),
            field: input_path(refusal.field()),
        })
    }

    /// A refusal of an order, with the facts that its kind has.
    pub fn of_order(refusal: OrderRefusal) -> Self {
        let (code, message, field) = (refusal.code().into(), refusal.message(), input_path(refusal.field()));
        match refusal {
            OrderRefusal::InsufficientFunds { required, available } => {
                let (required, available) = (required.into(), available.into());
                Self::InsufficientFunds(InsufficientFundsError { code, message, field, required, available })
            }
            OrderRefusal::OutOfStock { available } => {
                Self::OutOfStock(OutOfStockError { code, message, field, available })
            }
            OrderRefusal::IdempotencyMismatch { order, fields } => {
                let order = Order::from(Arc::new(*order));
                let error =
                    IdempotencyMismatchError { code, message, field, order, differing_fields: fields };
                Self::IdempotencyMismatch(error)
            }
            OrderRefusal::PriceChanged { charge } => Self::PriceChanged(PriceChangedError {
                code,
                message,
                field,
                charge: Box::new(Charge(*charge)),
            }),
            _ => Self::General(GeneralError { code, message, field }),
        }
    }
}
