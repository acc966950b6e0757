//! `octopus refund-unit`: a delivered unit's money given back.

use std::sync::Arc;

use clap::Args;
use entity::ids::VoucherId;
use serde_json::json;

use super::{CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::orders::{self, RefundUnit};

/// A unit whose money is given back.
#[derive(Debug, Args)]
pub struct RefundArguments {
    /// The order's id (ord_…), or its reference
    order: String,
    /// The unit's place in the order, from 1
    unit: i32,
    /// Why, for the books
    #[arg(long)]
    note: String,
    /// Who decides it, for the audit log
    #[arg(long)]
    operator: String,
    /// What makes it happen once, such as the ticket's number
    #[arg(long)]
    reference: String,
    /// The voucher that the unit was given in another's place, if that does not work either (vch_…)
    #[arg(long)]
    replacement: Option<VoucherId>,
}

/// Runs the command.
///
/// # Errors
/// What the domain refuses, or what the database says.
pub async fn run(deps: Arc<Deps>, arguments: RefundArguments, json: bool) -> Result<(), CliError> {
    let ctx = Ctx::system(deps);
    let order = orders::get_named(&ctx, &arguments.order).await?.id;
    let RefundArguments { unit, note, operator, reference, replacement, .. } = arguments;
    let command = RefundUnit { order, unit, reference, note, replacement, operator };
    let done = orders::refund_unit(&ctx, command).await?;
    let value = json!({
        "order": order, "unit": unit, "transaction": done.transaction, "amount": done.amount.amount(),
        "currency": done.amount.currency, "available": done.available.amount(), "replayed": done.replayed,
    });
    answer(json, &value, || {
        let how = if done.replayed { "refunded before" } else { "refunded" };
        format!(
            "{how} {} for unit {unit} of {order}; the wallet then had {} available",
            done.amount, done.available
        )
    });
    Ok(())
}
