//! `octopus attempts`: what was asked of vendors, and deciding what nobody could learn.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use entity::decimal::Decimal;
use entity::ids::{PurchaseId, VendorId};
use entity::purchases;
use entity::state::PurchaseState;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{BadLine, CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::fulfillment::{self, PurchaseFilter, PurchaseHistory};
use crate::domain::orders::{self, BadDelivered, Resolve, Verdict};

/// What to do with attempts at vendors.
#[derive(Debug, Subcommand)]
pub enum AttemptsCommand {
    /// List what was asked of vendors, newest first: why there, for which units, and each answer
    List(ListArguments),
    /// Record what a person found out about a purchase that is UNKNOWN or in REVIEW
    ///
    /// What was delivered goes to its units, and what comes too late becomes stock; units that got nothing go on elsewhere, or are
    /// refunded where nobody waits for them any more. A success may also be told of what was held NOT_EXECUTED.
    Resolve(Box<ResolveArguments>),
}

/// Which purchases are listed.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Only those for this order: its id (ord_…), or its reference
    #[arg(long)]
    order: Option<String>,
    /// Only those at this vendor: its name, or its id (vnd_…)
    #[arg(long)]
    vendor: Option<String>,
    /// Only those in this state; may be given several times: sending, unknown, review, delivered, refused, not_executed
    #[arg(long = "state", value_parser = parse_state, conflicts_with = "open")]
    states: Vec<PurchaseState>,
    /// Only those of which no end is known
    #[arg(long)]
    open: bool,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    limit: u64,
}

/// What was found out.
#[derive(Debug, Args)]
pub struct ResolveArguments {
    /// The purchase (pur_…), as `octopus attempts list` shows it
    #[arg(value_parser = parse_purchase)]
    purchase: PurchaseId,
    #[command(flatten)]
    verdict: VerdictArguments,
    /// With --delivered: the vendor's own name for the purchase
    #[arg(long)]
    vendor_ref: Option<String>,
    /// With --delivered: what the vendor took for all of it, in the currency of the purchase [default: what was expected]
    #[arg(long, value_parser = parse_decimal)]
    cost: Option<Decimal>,
    /// How it is known, for the record
    #[arg(long)]
    note: String,
    /// Who decides it, for the record
    #[arg(long)]
    operator: String,
}

/// One of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct VerdictArguments {
    /// It never happened and never will; it is not sent again
    #[arg(long)]
    not_executed: bool,
    /// The vendor refused it
    #[arg(long)]
    refused: bool,
    /// It was made: a CSV file of what came, a line a unit: code, pin, serial, url, expires_at, or receipt alone for what was
    /// credited; units behind its last line were not delivered
    #[arg(long, value_name = "FILE")]
    delivered: Option<PathBuf>,
}

fn parse_state(text: &str) -> Result<PurchaseState, String> {
    let known = || {
        let all: Vec<String> = PurchaseState::ALL.iter().map(|state| state.as_str().to_lowercase()).collect();
        format!("must be one of {}", all.join(", "))
    };
    text.to_uppercase().replace('-', "_").parse().map_err(|_| known())
}

fn parse_purchase(text: &str) -> Result<PurchaseId, String> {
    text.parse().map_err(|_| "must be the id of a purchase: pur_ and 26 characters".to_owned())
}

fn parse_decimal(text: &str) -> Result<Decimal, String> {
    text.parse().map_err(|_| "must be a plain decimal number, such as 18.50".to_owned())
}

/// Runs the command.
///
/// # Errors
/// What the domain refuses, or what the database says.
pub async fn run(deps: Arc<Deps>, command: AttemptsCommand, json: bool) -> Result<(), CliError> {
    let ctx = Ctx::system(deps);
    match command {
        AttemptsCommand::List(arguments) => list(&ctx, arguments, json).await,
        AttemptsCommand::Resolve(arguments) => resolve(&ctx, *arguments, json).await,
    }
}

async fn list(ctx: &Ctx, arguments: ListArguments, json: bool) -> Result<(), CliError> {
    let orders = match &arguments.order {
        Some(name) => orders::find_named(ctx, name).await?.iter().map(|order| order.id).collect(),
        None => Vec::new(),
    };
    let vendor = match &arguments.vendor {
        Some(name) => Some(fulfillment::get_vendor(ctx, name).await?.id),
        None => None,
    };
    let open = [PurchaseState::Sending, PurchaseState::Unknown, PurchaseState::Review];
    let states = if arguments.open { open.to_vec() } else { arguments.states };
    let filter = PurchaseFilter { orders, vendor, states };
    let found = fulfillment::list_purchases(ctx, &filter, arguments.limit).await?;
    let names = vendor_names(ctx).await?;
    let listed: Vec<Value> = found.iter().map(|one| history_json(&names, one)).collect();
    answer(json, &Value::from(listed), || match found.is_empty() {
        true => "nothing was asked of vendors".to_owned(),
        false => found.iter().map(|one| history_text(&names, one)).collect::<Vec<_>>().join("\n\n"),
    });
    Ok(())
}

async fn resolve(ctx: &Ctx, arguments: ResolveArguments, json: bool) -> Result<(), CliError> {
    let is_told_more = arguments.vendor_ref.is_some() || arguments.cost.is_some();
    let verdict = match &arguments.verdict.delivered {
        None if is_told_more => {
            return Err(CliError::Usage("--vendor-ref and --cost go with --delivered".to_owned()));
        }
        Some(file) => {
            let goods = read_goods(file)?;
            Verdict::Delivered { goods, vendor_ref: arguments.vendor_ref, cost: arguments.cost }
        }
        None if arguments.verdict.refused => Verdict::Refused,
        None => Verdict::NotExecuted,
    };
    let id = arguments.purchase;
    let ResolveArguments { note, operator, .. } = arguments;
    orders::resolve(ctx, Resolve { purchase: id, verdict, note, operator }).await?;
    let history = fulfillment::get_purchase(ctx, id).await?;
    let names = vendor_names(ctx).await?;
    answer(json, &history_json(&names, &history), || history_text(&names, &history));
    Ok(())
}

fn read_goods(file: &Path) -> Result<Vec<fulfillment::Goods>, CliError> {
    let unreadable = |error: std::io::Error| CliError::Usage(format!("{}: {error}", file.display()));
    let text = Zeroizing::new(std::fs::read(file).map_err(unreadable)?);
    orders::read_delivered(&text).map_err(|bad| match bad {
        BadDelivered::File(reason) => CliError::Usage(format!("{}: {reason}", file.display())),
        BadDelivered::Lines(lines) => CliError::BadLines {
            heading: format!("{} has {} bad lines; nothing was changed", file.display(), lines.len()),
            bad: lines
                .into_iter()
                .map(|bad| BadLine { file: None, line: bad.line, reason: bad.reason })
                .collect(),
        },
    })
}

type Names = HashMap<VendorId, String>;

async fn vendor_names(ctx: &Ctx) -> Result<Names, CliError> {
    let vendors = fulfillment::list_vendors(ctx).await?;
    Ok(vendors.into_iter().map(|vendor| (vendor.id, vendor.name)).collect())
}

fn name_of(names: &Names, vendor: VendorId) -> String {
    names.get(&vendor).cloned().unwrap_or_else(|| vendor.to_string())
}

/// The vendors that were considered, by name.
fn route(names: &Names, purchase: &purchases::Model) -> Vec<Value> {
    let mut route: Vec<Value> = serde_json::from_str(&purchase.route).unwrap_or_default();
    for considered in &mut route {
        let id = considered["vendor"].as_str().and_then(|id| id.parse().ok());
        if let Some(id) = id {
            considered["vendor"] = Value::from(name_of(names, id));
            considered["vendor_id"] = json!(id);
        }
    }
    route
}

/// A cost at scale 6, as people write it.
fn cost(micros: i64) -> String {
    Decimal::new(i128::from(micros), 6).to_string()
}

fn history_json(names: &Names, history: &PurchaseHistory) -> Value {
    let purchase = &history.purchase;
    let units: Vec<Value> = history
        .attempts
        .iter()
        .map(|part| {
            json!({
                "unit": part.unit_index, "number": part.number, "outcome": part.outcome,
                "opened_at": part.opened_at, "ended_at": part.ended_at,
            })
        })
        .collect();
    let calls: Vec<Value> = history
        .calls
        .iter()
        .map(|call| {
            json!({
                "n": call.n, "kind": call.kind, "outcome": call.outcome, "message": call.message,
                "http_status": call.http_status, "duration_micros": call.duration_micros, "actor": call.actor,
                "at": call.at,
            })
        })
        .collect();
    let mut value = json!({
        "id": purchase.id, "our_ref": purchase.our_ref, "vendor_ref": purchase.vendor_ref,
        "order": purchase.order_id, "partner": purchase.partner_id,
        "vendor": name_of(names, purchase.vendor_id), "vendor_id": purchase.vendor_id,
        "product": purchase.product_id, "vendor_sku": purchase.vendor_sku,
        "state": purchase.state, "ended_by": purchase.ended_by, "refusal": purchase.refusal,
        "message": purchase.message, "quantity": purchase.quantity,
        "delivered_quantity": purchase.delivered_quantity,
        "expected_cost": cost(purchase.expected_cost_micros),
        "highest_cost": purchase.highest_cost_micros.map(cost), "cost": purchase.cost_micros.map(cost),
        "cost_currency": purchase.cost_currency, "sends": purchase.sends, "looks": purchase.looks,
    });
    value["times"] = json!({
        "created_at": purchase.created_at, "sent_at": purchase.sent_at, "next_at": purchase.next_at,
        "resolves_by": purchase.resolves_by, "ended_at": purchase.ended_at,
    });
    value["route"] = Value::from(route(names, purchase));
    value["units"] = Value::from(units);
    value["calls"] = Value::from(calls);
    value
}

fn history_text(names: &Names, history: &PurchaseHistory) -> String {
    let purchase = &history.purchase;
    let mut lines = vec![
        format!("{}  {} at {}", purchase.id, purchase.state, name_of(names, purchase.vendor_id)),
        format!(
            "  {} of {} for {}, expected to cost {} {}",
            purchase.quantity,
            purchase.product_id,
            purchase.order_id,
            cost(purchase.expected_cost_micros),
            purchase.cost_currency
        ),
    ];
    if let Some(taken) = purchase.cost_micros {
        lines.push(format!("  the vendor took {} {}", cost(taken), purchase.cost_currency));
    }
    lines.extend(route(names, purchase).iter().map(|considered| {
        let vendor = considered["vendor"].as_str().unwrap_or_default();
        match considered["skipped"].as_str() {
            Some(reason) => format!("  {vendor} was left out: {reason}"),
            None => format!("  {vendor} got {} units", considered["units"]),
        }
    }));
    lines.extend(history.attempts.iter().map(|part| {
        let outcome = part.outcome.map_or("open", |outcome| outcome.as_str());
        format!("  unit {}, attempt {}: {outcome}", part.unit_index, part.number)
    }));
    lines.extend(history.calls.iter().map(|call| {
        let micros = call.duration_micros;
        format!(
            "  {} {} by {} in {}.{:03} ms: {} {}",
            call.at,
            call.kind,
            call.actor,
            micros.div_euclid(1_000),
            micros.rem_euclid(1_000),
            call.outcome,
            call.message
        )
    }));
    lines.join("\n")
}
