//! `octopus vendor sync`: what vendors sell, brought into our catalog.

use entity::vendors;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::failure::all_together;
use super::{CliError, answer, progress};
use crate::ctx::Ctx;
use crate::domain::fulfillment::{
    self, HeldCost, LeftOut, Live, SyncProgress, SyncRefusal, SyncReport, Vanishing,
};
use crate::problem::{Failure, Problem};

/// Reads the catalog of a vendor, or of all that tell what they sell, one after the other: one that fails keeps no other from it.
pub(super) async fn run(
    ctx: &Ctx,
    named: Option<&str>,
    vanishing: Vanishing,
    json: bool,
) -> Result<(), CliError> {
    let (mut told, mut lines, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for vendor in wanted(ctx, named).await? {
        let bar = progress::bar(format!("reading what {} sells", vendor.name), 0);
        let moved = bar.clone();
        let name = &vendor.name;
        let read =
            fulfillment::sync(ctx, vendor.id, vanishing, &move |how_far| show(&moved, name, how_far)).await;
        bar.finish_and_clear();
        match read {
            Ok(report) => {
                lines.extend(report_lines(&report));
                told.push(json!(report));
                let doubt = report.doubt().map(|doubt| CliError::Failed(format!("{name}: {doubt}")));
                failures.extend(doubt);
            }
            Err(failure) => failures.push(unread(&vendor, failure)),
        }
    }
    if !told.is_empty() || failures.is_empty() {
        answer(json, &Value::from(told), || lines.join("\n"));
    }
    all_together(failures)
}

async fn wanted(ctx: &Ctx, named: Option<&str>) -> Result<Vec<vendors::Model>, CliError> {
    if let Some(named) = named {
        return Ok(vec![fulfillment::get_vendor(ctx, named).await?]);
    }
    let live = ctx.feature::<Live>();
    // Of one that is not open nobody knows whether it tells: that it is not read is told.
    let tells =
        |vendor: &vendors::Model| live.vendor(vendor.id).is_none_or(|known| known.capabilities.catalog);
    Ok(fulfillment::list_vendors(ctx).await?.into_iter().filter(tells).collect())
}

fn show(bar: &ProgressBar, vendor: &str, how_far: SyncProgress) {
    match how_far {
        SyncProgress::Read(items, total) => progress::move_to(bar, items, total.unwrap_or(items)),
        SyncProgress::Written(done, total) => {
            bar.set_message(format!("writing what {vendor} sells"));
            progress::move_to(bar, done, total);
        }
    }
}

fn unread(vendor: &vendors::Model, failure: Failure<SyncRefusal>) -> CliError {
    match failure {
        Failure::Problem(problem) => CliError::Problem(problem),
        Failure::Refused(refusal @ SyncRefusal::Busy) => {
            CliError::Problem(Problem::unavailable(format!("{}: {refusal}", vendor.name)))
        }
        Failure::Refused(refusal @ SyncRefusal::Unsupported) => {
            CliError::Usage(format!("{}: {refusal}", vendor.name))
        }
        Failure::Refused(refusal) => CliError::Failed(format!("{}: {refusal}", vendor.name)),
    }
}

fn report_lines(report: &SyncReport) -> Vec<String> {
    let mut lines = vec![format!(
        "{}: {} items; {} products imported; {} offers added, {} changed, {} as they were, {} vanished, {} listed again; {} \
         items left out",
        report.vendor,
        report.items,
        report.products_added,
        report.added,
        report.changed,
        report.unchanged,
        report.vanished.len(),
        report.returned.len(),
        report.left_out.len()
    )];
    let about = |products: &[String], words: &str| -> Vec<String> {
        products.iter().map(|product| format!("  {product} {words}")).collect()
    };
    lines.extend(about(&report.vanished, "is not listed there any more"));
    lines.extend(about(&report.returned, "is listed there again"));
    lines.extend(about(&report.withdrawn, "is sold by nobody any more, and is paused"));
    lines.extend(about(&report.restored, "is sold again"));
    lines.extend(about(&report.unreadable, "cannot be read there, and is not bought"));
    lines.extend(report.held.iter().map(held_line));
    lines.extend(report.left_out.iter().map(left_out_line));
    lines
}

fn held_line(held: &HeldCost) -> String {
    let HeldCost { product, vendor_sku, face_value, before, after } = held;
    format!(
        "  {product} ({vendor_sku}) at {face_value} costs {before}, and would cost {after}: it stays as it was; if that is true, \
         import it with `octopus offers import`"
    )
}

fn left_out_line(left_out: &LeftOut) -> String {
    let name = left_out.vendor_sku.as_deref().unwrap_or("something without a name");
    format!("  left out {name}: {}", left_out.reason)
}
