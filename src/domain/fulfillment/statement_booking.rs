//! Writing what a vendor's statement says.
//!
//! What lives here: what becomes of lines in one transaction: their rows, the ledger's corrections, who is asked, what is told.
//! What is always true: a line, what it corrects and its row of the audit are written together; a correction touches the house's
//! accounts alone.
//! What is not here: reading statements (`reconcile.rs`); the verdict (`statement_model.rs`).

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::ids::{PurchaseId, TransactionId};
use entity::state::{Account, PurchaseState, StatementVerdict, TransactionKind};
use entity::timestamp::Timestamp;
use entity::{purchases, statement_lines, vendors};
use sea_orm::DbErr;
use serde_json::json;

use super::listing::StatementLine;
use super::statement_model::{Before, Follows, corrections, judge};
use super::statement_store::{self as store, Correction, Known};
use crate::ctx::Ctx;
use crate::domain::audit::Entry;
use crate::domain::vouchers::Cost;
use crate::domain::wallet::{self, COST_SCALE, Line, NewTransaction};
use crate::store::Transaction;

/// How far apart the clocks of a vendor and of ours may be, in seconds.
pub(super) const SKEW_SECS: i64 = 600;
/// How old a purchase is before its absence is told, in seconds; half of the overlap, so that each is looked at.
const LISTED_WITHIN_SECS: i64 = 43_200;

/// What a transaction did with lines.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) matched: usize,
    pub(super) asked: u64,
    pub(super) corrected: usize,
    /// Lines that differ otherwise than before.
    pub(super) news: Vec<statement_lines::Model>,
}

/// The books of one vendor's statement.
pub(super) struct Booking<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) vendor: &'a vendors::Model,
}

impl Booking<'_> {
    /// Judges the lines again whose purchases were not delivered.
    pub(super) async fn take_open(&self, transaction: &Transaction) -> Result<Taken, DbErr> {
        let open = store::find_undelivered(transaction, self.vendor.id).await?;
        let lines: Vec<StatementLine> = open.into_iter().map(as_told).collect();
        // They were counted when they were read.
        Ok(Taken { matched: 0, ..self.take(transaction, &lines).await? })
    }

    /// Judges lines, and writes what follows from them.
    pub(super) async fn take(
        &self,
        transaction: &Transaction,
        lines: &[StatementLine],
    ) -> Result<Taken, DbErr> {
        let mut taken = Taken::default();
        if lines.is_empty() {
            return Ok(taken);
        }
        let known = store::read_known(transaction, self.vendor.id, lines).await?;
        let (mut changed, mut asked) = (Vec::new(), Vec::new());
        let (mut posted, mut corrected) = (Vec::new(), Vec::new());
        let mut taken_for = known.taken_for.clone();
        for line in lines {
            let named = known.purchase(line);
            let taken_for_it = named.and_then(|purchase| taken_for.get(&purchase.id)).map(String::as_str);
            let before = Before { line: known.lines.get(&line.vendor_ref), taken_for_it };
            let judged = judge(line, named, before);
            if let Some(purchase) =
                judged.purchase.filter(|purchase| purchase.state == PurchaseState::Delivered)
            {
                taken_for.insert(purchase.id, line.vendor_ref.clone());
            }
            let missing = corrections(line, judged, known.corrections(&line.vendor_ref));
            for (entry, correction) in self.corrections(line, missing) {
                posted.push(entry);
                corrected.push(correction);
            }
            if judged.follows == Follows::Ask {
                asked.extend(judged.purchase.map(|purchase| purchase.id));
            }
            taken.matched += usize::from(judged.verdict == StatementVerdict::Matched);
            let id = judged.purchase.map(|purchase| purchase.id);
            let row = self.row(line, &known, judged.verdict, id, judged.follows);
            let there = known.lines.get(&line.vendor_ref);
            if there == Some(&row) {
                continue;
            }
            let is_news = there.is_none_or(|there| {
                (
                    there.verdict,
                    there.quantity,
                    there.cost_micros,
                    there.cost_currency,
                    there.settled_at.is_some(),
                ) != (row.verdict, row.quantity, row.cost_micros, row.cost_currency, row.settled_at.is_some())
            });
            if is_news && row.verdict != StatementVerdict::Matched {
                taken.news.push(row.clone());
            }
            changed.push(row);
        }
        store::forget_unlisted(transaction, self.vendor.id, &changed).await?;
        store::upsert_lines(transaction, &changed).await?;
        wallet::post(transaction, self.ctx.now, &mut BTreeMap::new(), &posted, Vec::new()).await?;
        store::insert_corrections(transaction, &corrected).await?;
        taken.corrected = corrected.len();
        taken.asked = store::ask_soon(transaction, self.ctx.now, &asked).await?;
        Ok(taken)
    }

    fn row(
        &self,
        line: &StatementLine,
        known: &Known,
        verdict: StatementVerdict,
        purchase_id: Option<PurchaseId>,
        follows: Follows,
    ) -> statement_lines::Model {
        let there = known.lines.get(&line.vendor_ref);
        let settled = there.and_then(|there| there.settled_at).unwrap_or(self.ctx.now);
        statement_lines::Model {
            vendor_id: self.vendor.id,
            vendor_ref: line.vendor_ref.clone(),
            our_ref: line.our_ref.clone(),
            vendor_sku: line.vendor_sku.clone(),
            purchase_id,
            quantity: line.quantity,
            cost_micros: line.cost.micros,
            cost_currency: line.cost.currency,
            at: line.at,
            verdict,
            first_seen_at: there.map_or(self.ctx.now, |there| there.first_seen_at),
            settled_at: (follows == Follows::Post).then_some(settled),
        }
    }

    /// What brings what is owed to what the vendor took: payable against disputed, for it brought no goods that we know of.
    fn corrections(
        &self,
        line: &StatementLine,
        missing: BTreeMap<Currency, i64>,
    ) -> impl Iterator<Item = (NewTransaction, Correction)> {
        missing.into_iter().map(|(currency, micros)| {
            let id = TransactionId::from_uuid(self.ctx.uuid());
            let posting =
                |account, amount| Line { account, wallet: None, currency, scale: COST_SCALE, amount };
            let entry = NewTransaction {
                id,
                kind: TransactionKind::Adjustment,
                partner: None,
                order: None,
                reference: Some(format!("{}/{}", self.vendor.id, line.vendor_ref)),
                note: Some("what a vendor's statement says that it took".to_owned()),
                lines: vec![
                    posting(Account::Disputed, micros),
                    posting(Account::Payable, micros.saturating_neg()),
                ],
            };
            let correction = Correction {
                transaction_id: id,
                vendor_id: self.vendor.id,
                vendor_ref: line.vendor_ref.clone(),
                currency,
                amount_micros: micros,
            };
            (entry, correction)
        })
    }

    /// Writes down the purchases that we have as delivered and that the statement should have by now.
    pub(super) async fn miss(
        &self,
        transaction: &Transaction,
        since: Timestamp,
        begun: Timestamp,
    ) -> Result<Vec<statement_lines::Model>, DbErr> {
        let from = if since > self.vendor.created_at { since.plus_seconds(SKEW_SECS) } else { since };
        let window = (from, begun.plus_seconds(-LISTED_WITHIN_SECS));
        let unlisted = store::find_unlisted(transaction, self.vendor.id, window).await?;
        let row = |purchase: purchases::Model| statement_lines::Model {
            vendor_id: purchase.vendor_id,
            vendor_ref: purchase.vendor_ref.unwrap_or_else(|| purchase.our_ref.clone()),
            our_ref: Some(purchase.our_ref),
            vendor_sku: Some(purchase.vendor_sku),
            purchase_id: Some(purchase.id),
            quantity: purchase.delivered_quantity,
            cost_micros: purchase.cost_micros.unwrap_or(0),
            cost_currency: purchase.cost_currency,
            at: purchase.created_at,
            verdict: StatementVerdict::NotListedThere,
            first_seen_at: self.ctx.now,
            settled_at: Some(self.ctx.now),
        };
        let rows: Vec<statement_lines::Model> = unlisted.into_iter().map(row).collect();
        store::upsert_lines(transaction, &rows).await?;
        Ok(rows)
    }

    /// What the audit keeps of a line that differs.
    pub(super) fn entry(&self, line: &statement_lines::Model) -> Entry {
        let facts = json!({
            "vendor": self.vendor.name, "vendor_ref": line.vendor_ref, "our_ref": line.our_ref,
            "verdict": line.verdict, "purchase": line.purchase_id, "quantity": line.quantity,
            "cost_micros": line.cost_micros, "currency": line.cost_currency, "at": line.at,
        });
        Entry::new(self.ctx, "vendors.statement_differs", self.vendor.id, &facts)
    }
}

fn as_told(row: statement_lines::Model) -> StatementLine {
    StatementLine {
        our_ref: row.our_ref,
        vendor_ref: row.vendor_ref,
        vendor_sku: row.vendor_sku,
        quantity: row.quantity,
        cost: Cost { micros: row.cost_micros, currency: row.cost_currency },
        at: row.at,
    }
}
