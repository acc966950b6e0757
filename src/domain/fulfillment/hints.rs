//! Messages that vendors send of their own accord.
//!
//! What lives here: taking a message, and having its vendor asked about the purchase that it names.
//! What is always true: a message is believed in nothing but which purchase to ask about, and that only if the vendor has signed
//! it; it settles nothing, so that one that comes twice, late or in another order changes nothing. A purchase is not asked about
//! more often because of messages than every few seconds, nor while it is asked about, nor when it has ended.
//! What is not here: how a vendor signs (`src/vendors`); asking (`calls.rs`).

use std::collections::BTreeMap;

use entity::ids::{PurchaseId, VendorId};
use entity::state::PurchaseCallKind;
use entity::timestamp::Timestamp;
use entity::{purchase_calls, purchases};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};

use super::listing::{BadHint, Hint, HintedPurchase};
use super::live::Live;
use super::statement_store::{ask_at, lock_waiting};
use crate::ctx::Ctx;
use crate::problem::{ErrorCode, Failure, Problem, Refusal};
use crate::store::{Transaction, write};

/// The least between two looks that messages bring about, in seconds.
const LEAST_APART_SECS: i64 = 5;

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintRefusal {
    /// There is no such vendor, or it sends none that could be checked.
    NoSuchDoor,
    /// The vendor has not signed it, or too long ago.
    NotSigned,
}

impl Refusal for HintRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoSuchDoor => ErrorCode::NotFound,
            Self::NotSigned => ErrorCode::Forbidden,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NoSuchDoor => Problem::not_found().message.into_owned(),
            Self::NotSigned => "the message is not signed by the vendor, or was sent too long ago".to_owned(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        None
    }
}

/// Takes a message of a vendor: the purchase that it names is asked about at once, if it is open. Names of headers are in lower
/// case.
///
/// # Errors
/// `HintRefusal`; SERVICE_UNAVAILABLE for a vendor that cannot be spoken to just now; what the database says.
pub async fn take_hint(
    ctx: &Ctx,
    vendor: &str,
    headers: &BTreeMap<String, String>,
    body: &[u8],
) -> Result<(), Failure<HintRefusal>> {
    let read = read(ctx, vendor, headers, body)?;
    let count = |outcome: &'static str| {
        metrics::counter!("octopus_vendor_hints_total", "outcome" => outcome).increment(1);
    };
    match read {
        Ok((vendor, hinted)) => {
            let asked = ask(ctx, vendor, &hinted).await?;
            count(if asked { "asked" } else { "passed_over" });
            Ok(())
        }
        // It is the vendor's, and about something else than a purchase: to refuse it would have it sent again.
        Err(BadHint::Unreadable) => {
            count("passed_over");
            Ok(())
        }
        Err(BadHint::NotSigned) => {
            count("refused");
            Err(Failure::Refused(HintRefusal::NotSigned))
        }
        Err(BadHint::Unsupported) => Err(Failure::Refused(HintRefusal::NoSuchDoor)),
    }
}

type Read = Result<(VendorId, HintedPurchase), BadHint>;

fn read(
    ctx: &Ctx,
    vendor: &str,
    headers: &BTreeMap<String, String>,
    body: &[u8],
) -> Result<Read, Failure<HintRefusal>> {
    let no_such_door = Failure::Refused(HintRefusal::NoSuchDoor);
    let Ok(id) = vendor.parse::<VendorId>() else { return Err(no_such_door) };
    let live = ctx.feature::<Live>();
    match live.vendor(id) {
        Some(known) => {
            Ok(known.vendor.read_hint(&Hint { headers, body }, ctx.now).map(|hinted| (id, hinted)))
        }
        None => Err(live.broken(id).map_or(no_such_door, |broken| Problem::unavailable(broken).into())),
    }
}

/// Has a purchase asked about; tells whether it was open, and would not have been asked about as soon.
async fn ask(ctx: &Ctx, vendor: VendorId, hinted: &HintedPurchase) -> Result<bool, Problem> {
    let reader = &ctx.database().reader;
    let Some(purchase) = find(reader, vendor, hinted).await? else { return Ok(false) };
    let now = ctx.now;
    let asked = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        Box::pin(async move { Ok(ask_soon(transaction, now, purchase).await?) })
    })
    .await?;
    Ok(asked > 0)
}

/// The row is locked before its looks are read, so that one which is written in this moment is seen.
async fn ask_soon(transaction: &Transaction, now: Timestamp, purchase: PurchaseId) -> Result<u64, DbErr> {
    if !lock_waiting(transaction, purchase).await? {
        return Ok(0);
    }
    let last = purchase_calls::Entity::find()
        .filter(purchase_calls::Column::PurchaseId.eq(purchase))
        .filter(purchase_calls::Column::Kind.eq(PurchaseCallKind::Look))
        .order_by_desc(purchase_calls::Column::N)
        .one(transaction)
        .await?;
    let earliest = last.map_or(now, |look| look.at.plus_seconds(LEAST_APART_SECS).max(now));
    ask_at(transaction, earliest, purchase).await
}

/// The open purchase of a vendor that a message names, if it waits to be asked about.
async fn find(
    connection: &impl ConnectionTrait,
    vendor: VendorId,
    hinted: &HintedPurchase,
) -> Result<Option<PurchaseId>, Problem> {
    use purchases::Column;
    // A text with NUL is none that PostgreSQL could have.
    let (column, name) = match hinted {
        HintedPurchase::OurRef(name) => (Column::OurRef, name),
        HintedPurchase::VendorRef(name) => (Column::VendorRef, name),
    };
    if name.contains('\0') {
        return Ok(None);
    }
    let open = purchases::Entity::find()
        .filter(Column::VendorId.eq(vendor))
        .filter(column.eq(name.as_str()))
        .filter(Column::EndedAt.is_null())
        .filter(Column::NextAt.gt(Timestamp::from_micros(0)))
        .one(connection)
        .await?;
    Ok(open.map(|purchase| purchase.id))
}
