//! Ending purchases.
//!
//! What lives here: writing the end of a purchase and of its units' parts, in the transaction that settles the units.
//! What is always true: a purchase ends once; one that was taken over by another worker does not end by this one's answer; a
//! success after all ends what was believed not to have been made, and changes nothing for its units. What ended without its
//! vendor's word is watched for that: the vendor is asked for a while on.
//! What is not here: what becomes of units and money (orders).

use entity::attempts;
use entity::ids::PurchaseId;
use entity::purchases;
use entity::state::{AttemptOutcome, PurchaseCallKind, PurchaseEnd, PurchaseState};
use entity::timestamp::Timestamp;
use sea_orm::DbErr;

use super::allowance;
use super::calls::watched_until;
use super::ending_store::{self, Ending};
use super::model::{resolves_by, rest_secs};
use super::store;
use super::vendor::{Blame, RefusalKind, TooMany, VendorRefusal};
use super::vendor_store;
use crate::store::Transaction;

/// A purchase that this transaction has locked, with its units' parts.
#[derive(Debug)]
pub struct LockedPurchase {
    /// The purchase.
    pub purchase: purchases::Model,
    /// Its units' parts, by unit.
    pub attempts: Vec<attempts::Model>,
}

/// Locks a purchase; `None` if another worker has taken it over.
///
/// # Errors
/// What the database says.
pub async fn lock(
    transaction: &Transaction,
    id: PurchaseId,
    epoch: i64,
) -> Result<Option<LockedPurchase>, DbErr> {
    let Some(purchase) = store::lock_purchase(transaction, id, epoch).await? else { return Ok(None) };
    let attempts = store::find_attempts(transaction, id).await?;
    Ok(Some(LockedPurchase { purchase, attempts }))
}

/// How a purchase ends that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// By what it is known.
    pub by: PurchaseEnd,
    /// The vendor's own name for it, if it has told one.
    pub vendor_ref: Option<String>,
    /// How many units it brought.
    pub delivered_quantity: i32,
    /// What it did cost, at scale 6.
    pub cost_micros: i64,
    /// For people.
    pub message: String,
}

/// By what a call makes things known.
pub const fn known_by(kind: PurchaseCallKind) -> PurchaseEnd {
    match kind {
        PurchaseCallKind::Send => PurchaseEnd::Answer,
        PurchaseCallKind::Look => PurchaseEnd::Look,
        PurchaseCallKind::Decision => PurchaseEnd::Decision,
        PurchaseCallKind::Statement => PurchaseEnd::Statement,
    }
}

impl LockedPurchase {
    /// Takes it from whoever has it: what they learn of it from here on changes nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_over(&mut self, transaction: &Transaction) -> Result<(), DbErr> {
        store::take_over(transaction, &self.purchase).await?;
        self.purchase.epoch += 1;
        Ok(())
    }

    /// Ends it as made, and its units' parts as told.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_made(
        &self,
        transaction: &Transaction,
        now: Timestamp,
        made: Made,
        outcomes: &[(i32, AttemptOutcome)],
    ) -> Result<(), DbErr> {
        let ending = Ending {
            state: PurchaseState::Delivered,
            by: made.by,
            vendor_ref: made.vendor_ref,
            delivered_quantity: made.delivered_quantity,
            cost_micros: Some(made.cost_micros),
            refusal: None,
            message: made.message,
            next_at: None,
        };
        ending_store::end(transaction, &self.purchase, now, &ending).await?;
        ending_store::end_attempts(transaction, self.purchase.id, now, outcomes).await
    }

    /// Ends it as refused. What a person says, its vendor is asked about for a while all the same.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_refused(
        &self,
        transaction: &Transaction,
        now: Timestamp,
        by: PurchaseEnd,
        refusal: &VendorRefusal,
    ) -> Result<(), DbErr> {
        let ending = Ending {
            state: PurchaseState::Refused,
            by,
            vendor_ref: None,
            delivered_quantity: 0,
            cost_micros: None,
            refusal: Some(refusal.kind.as_str()),
            message: refusal.message.clone(),
            next_at: watched_until(now, now).filter(|_| by == PurchaseEnd::Decision),
        };
        ending_store::end(transaction, &self.purchase, now, &ending).await?;
        self.end_open(transaction, now, AttemptOutcome::Refused).await
    }

    /// Ends it as never known to its vendor, which is asked on for a while all the same.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_not_executed(
        &self,
        transaction: &Transaction,
        now: Timestamp,
        by: PurchaseEnd,
        message: &str,
    ) -> Result<(), DbErr> {
        let ending = Ending {
            state: PurchaseState::NotExecuted,
            by,
            vendor_ref: None,
            delivered_quantity: 0,
            cost_micros: None,
            refusal: None,
            message: message.to_owned(),
            next_at: watched_until(now, now),
        };
        ending_store::end(transaction, &self.purchase, now, &ending).await?;
        self.end_open(transaction, now, AttemptOutcome::NotExecuted).await
    }

    /// Has nobody ask on about what ended without a success: its vendor has said the same.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_watch(&self, transaction: &Transaction) -> Result<(), DbErr> {
        ending_store::end_watch(transaction, &self.purchase).await
    }

    async fn end_open(
        &self,
        transaction: &Transaction,
        now: Timestamp,
        outcome: AttemptOutcome,
    ) -> Result<(), DbErr> {
        let open: Vec<(i32, AttemptOutcome)> = self
            .attempts
            .iter()
            .filter(|attempt| attempt.ended_at.is_none())
            .map(|attempt| (attempt.unit_index, outcome))
            .collect();
        ending_store::end_attempts(transaction, self.purchase.id, now, &open).await
    }

    /// Puts it on its way again under its reference; tells it as it is then.
    ///
    /// # Errors
    /// What the database says.
    pub async fn send_again(
        &self,
        transaction: &Transaction,
        now: Timestamp,
        settle_window_secs: i32,
    ) -> Result<purchases::Model, DbErr> {
        let until = resolves_by(now, settle_window_secs);
        store::send_again(transaction, &self.purchase, now, until).await?;
        let mut again = self.purchase.clone();
        again.state = PurchaseState::Sending;
        again.sends += 1;
        again.sent_at = now;
        again.resolves_by = until;
        (again.looks, again.not_found, again.not_found_since) = (0, 0, None);
        Ok(again)
    }
}

/// What a fact says of how its vendor is.
#[derive(Debug, Clone, Copy)]
pub enum Sign<'a> {
    /// It answers.
    Well,
    /// It answers, and took more than the units are sold for.
    Dear,
    /// It refused.
    Refused(&'a VendorRefusal),
    /// It never came to have the purchase.
    Silent,
}

/// Writes down a call that told a fact, and what the fact says of its vendor's health.
///
/// # Errors
/// What the database says.
pub async fn record_fact(
    transaction: &Transaction,
    now: Timestamp,
    purchase: &purchases::Model,
    call: &entity::purchase_calls::Model,
    sign: Sign<'_>,
) -> Result<(), DbErr> {
    store::record_call(transaction, call).await?;
    let subject = (purchase.vendor_id, purchase.product_id.as_str());
    match sign {
        Sign::Silent => Ok(()),
        Sign::Refused(VendorRefusal { kind: RefusalKind::TooMany, retry_after_secs, .. }) => {
            let too_many = TooMany { retry_after_secs: *retry_after_secs };
            allowance::rest(transaction, purchase.vendor_id, rest_secs(too_many)).await
        }
        Sign::Refused(refusal) if refusal.kind.is_passing() => {
            let told = (refusal.kind.blame(), refusal.message.as_str());
            vendor_store::count_failure(transaction, now, subject, told).await
        }
        // One that goes on so is left alone with this product, as one that goes on failing is.
        Sign::Dear => {
            let told = (Blame::Price, "it took more than the units are sold for");
            tracing::error!(purchase = %purchase.id, vendor = %purchase.vendor_id, product = %purchase.product_id,
                "a vendor took more than the units are sold for");
            vendor_store::count_failure(transaction, now, subject, told).await
        }
        Sign::Refused(_) | Sign::Well => vendor_store::count_answer(transaction, now, subject).await,
    }
}
