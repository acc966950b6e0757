//! `octopus vendor reconcile`: vendors' statements, held against our purchases.

use entity::statement_lines;
use entity::timestamp::Timestamp;
use entity::vendors;
use serde_json::{Value, json};

use super::failure::all_together;
use super::{CliError, answer, progress};
use crate::ctx::Ctx;
use crate::domain::fulfillment::{self, Live, ReconcileRefusal, ReconcileReport, Since};
use crate::problem::{Failure, Problem};

/// Reads the statement of a vendor, or of all that have one, and lists what differs: one that fails keeps no other from it.
pub(super) async fn run(
    ctx: &Ctx,
    named: Option<&str>,
    since: Option<Timestamp>,
    json: bool,
) -> Result<(), CliError> {
    let since = since.map_or(Since::LastTime, Since::Instant);
    let (mut told, mut lines, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for vendor in wanted(ctx, named).await? {
        match read(ctx, &vendor, since).await {
            Ok((report, differences)) => {
                lines.push(report_line(&report));
                lines.extend(differences.iter().map(difference_line));
                let mut value = json!(report);
                value["differences"] = differences.iter().map(difference_json).collect();
                told.push(value);
            }
            Err(failure) => failures.push(failure),
        }
    }
    if !told.is_empty() || failures.is_empty() {
        answer(json, &Value::from(told), || lines.join("\n"));
    }
    all_together(failures)
}

/// A vendor's statement, and whatever differs.
async fn read(
    ctx: &Ctx,
    vendor: &vendors::Model,
    since: Since,
) -> Result<(ReconcileReport, Vec<statement_lines::Model>), CliError> {
    let sign = progress::spinner(format!("reading the statement of {}", vendor.name));
    let read = fulfillment::reconcile(ctx, vendor.id, since).await;
    sign.finish_and_clear();
    let report = read.map_err(|failure| unread(vendor, failure))?;
    Ok((report, fulfillment::list_differences(ctx, vendor.id).await?))
}

async fn wanted(ctx: &Ctx, named: Option<&str>) -> Result<Vec<vendors::Model>, CliError> {
    if let Some(named) = named {
        return Ok(vec![fulfillment::get_vendor(ctx, named).await?]);
    }
    let live = ctx.feature::<Live>();
    // Of one that is not open nobody knows whether it has one: that it is not read is told.
    let has_statement =
        |vendor: &vendors::Model| live.vendor(vendor.id).is_none_or(|known| known.capabilities.statement);
    Ok(fulfillment::list_vendors(ctx).await?.into_iter().filter(has_statement).collect())
}

fn unread(vendor: &vendors::Model, failure: Failure<ReconcileRefusal>) -> CliError {
    match failure {
        Failure::Problem(problem) => CliError::Problem(problem),
        Failure::Refused(refusal @ ReconcileRefusal::Busy) => {
            CliError::Problem(Problem::unavailable(format!("{}: {refusal}", vendor.name)))
        }
        Failure::Refused(refusal @ ReconcileRefusal::Unsupported) => {
            CliError::Usage(format!("{}: {refusal}", vendor.name))
        }
        Failure::Refused(refusal) => CliError::Failed(format!("{}: {refusal}", vendor.name)),
    }
}

fn difference_json(line: &statement_lines::Model) -> Value {
    json!({
        "vendor_ref": line.vendor_ref,
        "our_ref": line.our_ref,
        "vendor_sku": line.vendor_sku,
        "purchase": line.purchase_id,
        "verdict": line.verdict,
        "quantity": line.quantity,
        "cost_micros": line.cost_micros,
        "currency": line.cost_currency,
        "at": line.at,
        "first_seen_at": line.first_seen_at,
        "settled_at": line.settled_at,
    })
}

fn report_line(report: &ReconcileReport) -> String {
    format!(
        "{}, since {}: {} lines, {} as we have them, {} differ anew, {} corrections posted, {} purchases asked about",
        report.vendor,
        report.since,
        report.lines,
        report.matched,
        report.news,
        report.corrected,
        report.asked
    )
}

fn difference_line(line: &statement_lines::Model) -> String {
    let ours = line.our_ref.as_deref().unwrap_or("no reference");
    let theirs = fulfillment::plain_words(&line.vendor_ref);
    format!(
        "  {}  {theirs}  {}  {}  {} units, {} millionths of {}",
        line.at,
        fulfillment::plain_words(ours),
        line.verdict,
        line.quantity,
        line.cost_micros,
        line.cost_currency
    )
}
