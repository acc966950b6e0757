//! Refusals as data.
//!
//! What lives here: the `UserError` interface and its types, and the way from a feature's refusal to the general one.
//! What is always true: a refusal names its code, and the path of the input at fault beginning with `input`.
//! What is not here: which refusals there are; each feature has its own.

use async_graphql::{Interface, SimpleObject};

use super::enums::ErrorCode;
use super::types::Money;
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
pub enum UserError {
    /// A refusal without further facts.
    General(GeneralError),
    /// The wallet cannot pay.
    InsufficientFunds(InsufficientFundsError),
    /// There are not enough codes.
    OutOfStock(OutOfStockError),
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
    /// What the wallet had available.
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
    /// How many units could be had at that moment.
    pub(super) available: i32,
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
}
