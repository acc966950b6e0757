//! `octopus replace-voucher`: another code for one that does not work.

use std::sync::Arc;

use clap::Args;
use entity::ids::VoucherId;
use serde_json::json;

use super::{CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::orders::{self, ReplaceVoucher};

/// A voucher that is replaced.
#[derive(Debug, Args)]
pub struct ReplaceArguments {
    /// The order's id (ord_…), or its reference
    order: String,
    /// The voucher that does not work (vch_…)
    voucher: VoucherId,
    /// Why, for the books
    #[arg(long)]
    reason: String,
    /// Who decides it, for the audit log
    #[arg(long)]
    operator: String,
}

/// Runs the command.
///
/// # Errors
/// What the domain refuses, or what the database says.
pub async fn run(deps: Arc<Deps>, arguments: ReplaceArguments, json: bool) -> Result<(), CliError> {
    let ctx = Ctx::system(deps);
    let order = orders::get_named(&ctx, &arguments.order).await?.id;
    let ReplaceArguments { voucher, reason, operator, .. } = arguments;
    let done = orders::replace_voucher(&ctx, ReplaceVoucher { order, voucher, reason, operator }).await?;
    let value = json!({
        "order": order, "unit": done.unit, "replaced": voucher, "voucher": done.voucher,
        "transaction": done.transaction,
    });
    answer(json, &value, || {
        format!("unit {} of {order} has {} in the place of {voucher}", done.unit, done.voucher)
    });
    Ok(())
}
