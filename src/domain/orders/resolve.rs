//! Deciding what became of a purchase.
//!
//! What lives here: the command by which a person says what nobody could learn: that it was made, refused, or never happened.
//! What is always true: a decision is on record with who made it and why; it goes the way of every other fact, in one
//! transaction, and takes the purchase from whoever asks just now; what a person ended is never sent again; only what is in
//! doubt is decided, and a success may be told of what was held to have been refused, or never to have happened: it becomes stock.
//! What is not here: what follows from the fact (`conclude.rs`); the file of codes (`delivered_file.rs`).

use entity::decimal::Decimal;
use entity::ids::{PurchaseId, StockWriterId, WorkerId};
use entity::state::{DeliveryKind, PurchaseCallKind, PurchaseState};
use entity::{orders, purchases};
use sea_orm::EntityTrait;
use serde_json::json;

use super::conclude::{Next, conclude};
use super::named::{LONGEST_OPERATOR, is_text, require_operator};
use super::news::{Decision, Witness};
use super::snapshot::OrderedProduct;
use crate::ctx::Ctx;
use crate::domain::audit::Entry;
use crate::domain::fulfillment::{Cost, Delivery, Fact, Goods, RefusalKind, VendorRefusal, most_cost_micros};
use crate::domain::vouchers::require_vault;
use crate::problem::{ErrorCode, Failure, Problem, Refusal};

/// How many characters a note may have.
const LONGEST_NOTE: usize = 500;
/// How many characters a vendor's own name for a purchase may have.
const LONGEST_VENDOR_REF: usize = 200;
/// Digits behind the point of costs.
const COST_SCALE: u32 = 6;

/// The command: what became of a purchase.
#[derive(Debug)]
pub struct Resolve {
    /// The purchase.
    pub purchase: PurchaseId,
    /// What became of it.
    pub verdict: Verdict,
    /// How that is known, in the person's words.
    pub note: String,
    /// Who decides it.
    pub operator: String,
}

/// What became of a purchase, as a person says.
#[derive(Debug)]
pub enum Verdict {
    /// It never happened, and never will.
    NotExecuted,
    /// The vendor refused it.
    Refused,
    /// It was made.
    Delivered {
        /// What came, one a unit from the first; the other units were not delivered.
        goods: Vec<Goods>,
        /// The vendor's own name for it; what is known already if absent.
        vendor_ref: Option<String>,
        /// What it cost, in the currency of the purchase; what was expected if absent.
        cost: Option<Decimal>,
    },
}

impl Verdict {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::NotExecuted => "NOT_EXECUTED",
            Self::Refused => "REFUSED",
            Self::Delivered { .. } => "DELIVERED",
        }
    }
}

/// Why a purchase is not resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveRefusal {
    /// There is none.
    Unknown(PurchaseId),
    /// The note is empty, too long or not printable.
    InvalidNote,
    /// The operator's name is empty, too long or not printable.
    InvalidOperator,
    /// It is under way.
    UnderWay,
    /// Its end is known.
    Ended(PurchaseState),
    /// There are more units than were asked for.
    TooMany {
        /// So many came.
        came: usize,
        /// So many were asked for.
        asked: i32,
    },
    /// Nothing came.
    NothingCame,
    /// What came is of another kind.
    OtherGoods(DeliveryKind),
    /// The vendor's name for it is too long or not printable.
    InvalidVendorRef,
    /// The cost is none.
    InvalidCost,
    /// A worker came first.
    ChangedMeanwhile,
}

impl Refusal for ResolveRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown(_) => ErrorCode::NotFound,
            _ => ErrorCode::InvalidInput,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unknown(id) => format!("there is no purchase {id}: `octopus attempts list` shows them"),
            Self::InvalidNote => {
                format!("the note must have 1 to {LONGEST_NOTE} printable characters: say how it is known")
            }
            Self::InvalidOperator => {
                format!("the operator's name must have 1 to {LONGEST_OPERATOR} printable characters")
            }
            Self::UnderWay => {
                "it is on its way to the vendor: wait until it is UNKNOWN or REVIEW, as `octopus attempts list` shows"
                    .to_owned()
            }
            Self::Ended(PurchaseState::NotExecuted) => {
                "it is held to have never happened already: only --delivered can tell otherwise".to_owned()
            }
            Self::Ended(PurchaseState::Refused) => {
                "it is held to have been refused already: only --delivered can tell otherwise".to_owned()
            }
            Self::Ended(state) => format!("it has ended {state}, which never changes"),
            Self::TooMany { came, asked } => {
                format!("the file has {came} units where {asked} were asked for: leave the others out, and \
                    take them in with `octopus stock import`")
            }
            Self::NothingCame => {
                "the file has no line behind its heading: say --refused or --not-executed".to_owned()
            }
            Self::OtherGoods(DeliveryKind::Code) => {
                "the product is delivered as codes: the file needs the column code or url".to_owned()
            }
            Self::OtherGoods(_) => {
                "the product is credited to its recipient: the file needs the column receipt alone".to_owned()
            }
            Self::InvalidVendorRef => {
                format!("the vendor's reference must have 1 to {LONGEST_VENDOR_REF} printable characters")
            }
            Self::InvalidCost => {
                "the cost must be from 0 to a billion a unit, with six digits behind the point at most".to_owned()
            }
            Self::ChangedMeanwhile => {
                "it changed in this moment: look at it with `octopus attempts list`, and decide again".to_owned()
            }
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::Unknown(_) | Self::UnderWay | Self::Ended(_) | Self::ChangedMeanwhile => "purchase",
            Self::InvalidNote => "note",
            Self::InvalidOperator => "operator",
            Self::TooMany { .. } | Self::NothingCame | Self::OtherGoods(_) => "delivered",
            Self::InvalidVendorRef => "vendorRef",
            Self::InvalidCost => "cost",
        };
        Some(vec![field.to_owned()])
    }
}

/// Resolves a purchase as a person decided.
///
/// # Errors
/// See `ResolveRefusal`; FORBIDDEN for anyone but an operator; missing keys; what the database says.
pub async fn resolve(ctx: &Ctx, command: Resolve) -> Result<(), Failure<ResolveRefusal>> {
    require_operator(ctx)?;
    if !is_text(&command.note, LONGEST_NOTE) {
        return Err(Failure::Refused(ResolveRefusal::InvalidNote));
    }
    if !is_text(&command.operator, LONGEST_OPERATOR) {
        return Err(Failure::Refused(ResolveRefusal::InvalidOperator));
    }
    let reader = &ctx.database().reader;
    let found = purchases::Entity::find_by_id(command.purchase).one(reader).await.map_err(Problem::from)?;
    let purchase = found.ok_or(Failure::Refused(ResolveRefusal::Unknown(command.purchase)))?;
    check_state(purchase.state, &command.verdict).map_err(Failure::Refused)?;
    let decision = decision(ctx, &purchase, &command);
    let actor = command.operator.clone();
    let fact = fact(ctx, &purchase, command).await?;
    let witness = Witness {
        writer: StockWriterId::from_uuid(ctx.uuid()),
        worker: WorkerId::from_uuid(ctx.uuid()),
        kind: PurchaseCallKind::Decision,
        duration_micros: 0,
        actor: &actor,
        decision: Some(&decision),
    };
    match conclude(&ctx.deps, &purchase, witness, fact).await? {
        Next::Ended => Ok(()),
        Next::Lost | Next::SendAgain(_) => Err(Failure::Refused(ResolveRefusal::ChangedMeanwhile)),
    }
}

/// The same is asked again under the purchase's lock; here it is told apart, for people.
fn check_state(state: PurchaseState, verdict: &Verdict) -> Result<(), ResolveRefusal> {
    match (state, verdict) {
        (PurchaseState::Unknown | PurchaseState::Review, _)
        | (PurchaseState::Refused | PurchaseState::NotExecuted, Verdict::Delivered { .. }) => Ok(()),
        (PurchaseState::Sending, _) => Err(ResolveRefusal::UnderWay),
        (ended, _) => Err(ResolveRefusal::Ended(ended)),
    }
}

fn decision(ctx: &Ctx, purchase: &purchases::Model, command: &Resolve) -> Decision {
    let facts = json!({
        "order": purchase.order_id, "vendor": purchase.vendor_id, "state_before": purchase.state,
        "verdict": command.verdict.as_str(), "note": command.note, "operator": command.operator,
    });
    let audited = Entry::new(ctx, "purchases.resolved", purchase.id, &facts).about(purchase.partner_id);
    Decision { note: command.note.clone(), audited }
}

async fn fact(
    ctx: &Ctx,
    purchase: &purchases::Model,
    command: Resolve,
) -> Result<Fact, Failure<ResolveRefusal>> {
    let refused = |reason| Err(Failure::Refused(reason));
    let (goods, vendor_ref, cost) = match command.verdict {
        Verdict::NotExecuted => return Ok(Fact::NotExecuted),
        Verdict::Refused => {
            let kind = RefusalKind::Other;
            let refusal = VendorRefusal { kind, message: command.note, retry_after_secs: None };
            return Ok(Fact::Refused(refusal));
        }
        Verdict::Delivered { goods, vendor_ref, cost } => (goods, vendor_ref, cost),
    };
    if goods.is_empty() {
        return refused(ResolveRefusal::NothingCame);
    }
    if usize::try_from(purchase.quantity).is_ok_and(|asked| goods.len() > asked) {
        return refused(ResolveRefusal::TooMany { came: goods.len(), asked: purchase.quantity });
    }
    let delivery = delivery_of(ctx, purchase).await?;
    let is_of_kind = |one: &Goods| matches!(one, Goods::Code { .. }) == (delivery == DeliveryKind::Code);
    if !goods.iter().all(is_of_kind) {
        return refused(ResolveRefusal::OtherGoods(delivery));
    }
    if vendor_ref.as_ref().is_some_and(|name| !is_text(name, LONGEST_VENDOR_REF)) {
        return refused(ResolveRefusal::InvalidVendorRef);
    }
    let cost = match cost {
        None => None,
        Some(cost) => {
            let micros = micros(cost, goods.len()).ok_or(Failure::Refused(ResolveRefusal::InvalidCost))?;
            Some(Cost { micros, currency: purchase.cost_currency })
        }
    };
    if delivery == DeliveryKind::Code {
        require_vault(&ctx.deps)?;
    }
    Ok(Fact::Delivered(Delivery { vendor_ref: vendor_ref.unwrap_or_default(), goods, cost }))
}

/// How the units of the purchase's order reach their users.
async fn delivery_of(ctx: &Ctx, purchase: &purchases::Model) -> Result<DeliveryKind, Problem> {
    let order = orders::Entity::find_by_id(purchase.order_id).one(&ctx.database().reader).await?;
    let order = order.ok_or_else(|| Problem::internal("a purchase without its order"))?;
    let product = OrderedProduct::from_json(&order.product_snapshot);
    Ok(product.map_err(Problem::internal)?.delivery)
}

fn micros(cost: Decimal, units: usize) -> Option<i64> {
    let missing = COST_SCALE.checked_sub(cost.scale())?;
    let micros = cost.mantissa().checked_mul(10_i128.checked_pow(missing)?)?;
    i64::try_from(micros).ok().filter(|micros| (0..=most_cost_micros(units)).contains(micros))
}
