//! `octopus vendor balance`: what our accounts at vendors hold.

use entity::decimal::Decimal;
use entity::vendors;
use serde_json::{Value, json};

use super::failure::all_together;
use super::{CliError, answer};
use crate::ctx::Ctx;
use crate::domain::fulfillment::{self, BalanceRefusal, Cost};
use crate::problem::{Failure, Problem};

/// Asks a vendor, or all of them: one that fails keeps no other from it.
pub(super) async fn run(ctx: &Ctx, named: Option<&str>, json: bool) -> Result<(), CliError> {
    let wanted = match named {
        Some(named) => vec![fulfillment::get_vendor(ctx, named).await?],
        None => fulfillment::list_vendors(ctx).await?,
    };
    let (mut told, mut lines, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for vendor in wanted {
        match fulfillment::balance(ctx, &vendor).await {
            Ok(balance) => {
                let balance = balance.map(amount);
                lines.push(line(&vendor, balance.as_ref()));
                told.push(value(&vendor, balance.as_ref()));
            }
            Err(failure) => failures.push(untold(&vendor, failure)),
        }
    }
    if !told.is_empty() || failures.is_empty() {
        answer(json, &Value::from(told), || lines.join("\n"));
    }
    all_together(failures)
}

fn amount(balance: Cost) -> (String, String) {
    (Decimal::new(i128::from(balance.micros), 6).to_string(), balance.currency.to_string())
}

fn value(vendor: &vendors::Model, balance: Option<&(String, String)>) -> Value {
    json!({
        "vendor": vendor.name, "vendor_id": vendor.id,
        "balance": balance.map(|(amount, _)| amount), "currency": balance.map(|(_, currency)| currency),
    })
}

fn line(vendor: &vendors::Model, balance: Option<&(String, String)>) -> String {
    match balance {
        Some((amount, currency)) => format!("{}  {amount} {currency}", vendor.name),
        None => format!("{}  does not tell", vendor.name),
    }
}

fn untold(vendor: &vendors::Model, failure: Failure<BalanceRefusal>) -> CliError {
    match failure {
        Failure::Problem(problem) => CliError::Problem(problem),
        Failure::Refused(refusal @ BalanceRefusal::Busy) => {
            CliError::Problem(Problem::unavailable(format!("{}: {refusal}", vendor.name)))
        }
        Failure::Refused(refusal) => CliError::Failed(format!("{}: {refusal}", vendor.name)),
    }
}
