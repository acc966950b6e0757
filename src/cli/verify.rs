//! `octopus verify`: the proof of the books.

use std::sync::Arc;

use serde_json::json;

use super::{CliError, answer, progress};
use crate::ctx::Deps;
use crate::domain::verify::{self, Check, Finding};

/// Runs every check. It reads and never writes, and may run beside a server.
///
/// # Errors
/// `Failed` (exit code 1) if anything is not as it should be.
pub async fn run(deps: Arc<Deps>, json: bool) -> Result<(), CliError> {
    let total = verify::checks().count();
    let bar = progress::bar("checking", total);
    let mut lines = Vec::new();
    let findings = verify::verify_telling(&deps, &mut |check, finding| {
        bar.inc(1);
        lines.push(line(check, finding));
    })
    .await;
    bar.finish_and_clear();
    let findings = findings?;
    let value = json!({ "checks": total, "findings": findings });
    answer(json, &value, || format!("{}\n{}", lines.join("\n"), summary(total, findings.len())));
    if findings.is_empty() {
        Ok(())
    } else {
        let names: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
        Err(CliError::Failed(format!(
            "{} of {total} checks found something: {}",
            names.len(),
            names.join(", ")
        )))
    }
}

fn summary(total: usize, findings: usize) -> String {
    match findings {
        0 => format!("all {total} checks passed"),
        some => format!("{some} of {total} checks found something"),
    }
}

fn line(check: &Check, finding: Option<&Finding>) -> String {
    let number = check.invariant.unwrap_or("");
    let Some(finding) = finding else { return format!("ok   {number:<4}{}", check.name) };
    let mut text = format!("BAD  {number:<4}{}: {}", check.name, check.says);
    for offender in &finding.offenders {
        text.push_str(&format!("\n       {}: {}", offender.offender, offender.reason));
    }
    if finding.more {
        text.push_str("\n       and more");
    }
    text
}
