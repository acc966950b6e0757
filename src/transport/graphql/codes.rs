//! Codes in the contract.
//!
//! What lives here: the voucher object, and the way to it from an order or an id.
//! What is always true: codes leave through `Voucher` alone, for callers who may reveal them, after the reading was audited; only
//! what is asked for is read, and opened.
//! What is not here: orders.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject};
use entity::ids::{PurchaseId, VoucherId};
use entity::{orders, vouchers};
use futures_util::future::try_join_all;

use super::loaders::load;
use super::request_loaders::Loaders;
use super::types::{DateTime, Money, request};
use crate::domain::orders::{
    self as domain, CodesWanted, MOST_CODES, Reading, Recalled, purchases_to_recall,
};
use crate::domain::vouchers::{Contents, Secret, readable_until};
use crate::problem::Problem;

/// What was delivered for a unit: secret, and worth money to whoever reads it.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Voucher {
    #[graphql(skip)]
    id: VoucherId,
    /// The index of its unit, from 1.
    unit_index: i32,
    /// The face value.
    face_value: Money,
    /// When it expires; null if never.
    expires_at: Option<DateTime>,
    /// The id of the voucher in whose place it was given, since that did not work; null for a unit's first.
    replaces: Option<ID>,
    /// Whether what it holds can be read.
    code_state: VoucherCodeState,
    /// From when on code, pin, serial number and link can no longer be read, so that they must be passed on before; null if they are kept for good.
    code_available_until: Option<DateTime>,
    #[graphql(skip)]
    reading: Reading,
}

/// Whether what a voucher holds can be read.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoucherCodeState {
    /// It can: a member that is null was never part of it.
    Available,
    /// `codeAvailableUntil` has passed: nobody can read it here any more. Final.
    Destroyed,
    /// The vendor that keeps it cannot tell it just now: each of its members that is asked for is null, with an error SERVICE_UNAVAILABLE. Retryable.
    Unreachable,
}

#[ComplexObject]
impl Voucher {
    /// The id, beginning with vch_.
    pub(super) async fn id(&self) -> ID {
        self.id.to_string().into()
    }

    /// The id of the voucher that was given in its place, since this one did not work; null while it stands. The vouchers of an order are those that stand; one that was replaced is found by its id.
    async fn replaced_by(&self, context: &Context<'_>) -> Result<Option<ID>, Problem> {
        let by = load(&Loaders::of(context).replacements, self.id).await?;
        Ok(by.map(|by| by.to_string().into()))
    }

    /// The code; null for goods that come as a link alone, and where `codeState` is not AVAILABLE.
    async fn code(&self) -> Option<Result<String, Problem>> {
        self.text(|contents| &contents.code)
    }

    /// The pin that goes with the code; null if there is none, and where `codeState` is not AVAILABLE.
    async fn pin(&self) -> Option<Result<String, Problem>> {
        self.text(|contents| &contents.pin)
    }

    /// The serial number; null if there is none, and where `codeState` is not AVAILABLE.
    async fn serial(&self) -> Option<Result<String, Problem>> {
        self.text(|contents| &contents.serial)
    }

    /// Where to redeem; null if there is no link, and where `codeState` is not AVAILABLE.
    async fn redemption_url(&self) -> Option<Result<String, Problem>> {
        self.text(|contents| &contents.redemption_url)
    }
}

impl Voucher {
    fn text(&self, of: fn(&Contents) -> &Option<Secret>) -> Option<Result<String, Problem>> {
        let text = |contents: Arc<Contents>| of(&contents).as_ref().map(|secret| secret.expose().to_owned());
        let contents = self.reading.clone().into_contents();
        contents.map(|contents| contents.and_then(text)).transpose()
    }
}

/// The first so many codes of an order behind a voucher. `at_hand` are all of its codes, if their reading is audited already.
///
/// # Errors
/// BAD_USER_INPUT naming the argument; FORBIDDEN without vouchers:reveal; QUERY_TOO_COMPLEX.
pub(super) async fn of_order(
    context: &Context<'_>,
    order: &orders::Model,
    at_hand: Option<&Vec<vouchers::Model>>,
    first: Option<i32>,
    after: Option<ID>,
) -> Result<Vec<Voucher>, Problem> {
    let most = first.unwrap_or(MOST_CODES);
    if !(1..=MOST_CODES).contains(&most) {
        return Err(Problem::bad_argument("first", "`first` must be 1 to 1000"));
    }
    let behind = match after {
        Some(after) => unit_of(context, order, &after).await?,
        None => 0,
    };
    // Counted before they are read, so that what would be refused is neither loaded nor audited.
    Loaders::of(context).spend_codes(most.min(order.delivered_quantity).min(order.quantity - behind))?;
    let wanted = CodesWanted::page(order.id, behind, most);
    match at_hand {
        Some(codes) => {
            let most = usize::try_from(most).unwrap_or(0);
            let codes: Vec<&vouchers::Model> =
                codes.iter().filter(|code| code.unit_index > Some(behind)).take(most).collect();
            open(context, order, &codes).await
        }
        None => read(context, order, wanted).await,
    }
}

/// The voucher with an id; `None` if it is not the caller's.
///
/// # Errors
/// FORBIDDEN without vouchers:reveal and orders:read; QUERY_TOO_COMPLEX.
pub(super) async fn find(context: &Context<'_>, id: VoucherId) -> Result<Option<Voucher>, Problem> {
    let loaders = Loaders::of(context);
    let Some(unit) = load(&loaders.units_of_codes, id).await? else { return Ok(None) };
    let Some(order) = load(&loaders.orders, unit.order).await? else { return Ok(None) };
    loaders.spend_codes(1)?;
    Ok(read(context, &order, CodesWanted::of_unit(unit, id)).await?.pop())
}

/// The index of the unit of this order that a voucher was delivered for.
async fn unit_of(context: &Context<'_>, order: &orders::Model, id: &ID) -> Result<i32, Problem> {
    let unknown = || Problem::bad_argument("after", "`after` is not the id of a voucher of this order");
    let id: VoucherId = id.parse().map_err(|_| unknown())?;
    let unit = load(&Loaders::of(context).units_of_codes, id).await?.ok_or_else(unknown)?;
    if unit.order == order.id { Ok(unit.index) } else { Err(unknown()) }
}

async fn read(
    context: &Context<'_>,
    order: &orders::Model,
    wanted: CodesWanted,
) -> Result<Vec<Voucher>, Problem> {
    let sealed = load(&Loaders::of(context).codes, wanted).await?.unwrap_or_default();
    open(context, order, &sealed.iter().collect::<Vec<_>>()).await
}

async fn recall(
    loaders: Arc<Loaders>,
    purchase: PurchaseId,
) -> Result<Option<(PurchaseId, Recalled)>, Problem> {
    Ok(load(&loaders.recalled, purchase).await?.map(|told| (purchase, told)))
}

async fn open(
    context: &Context<'_>,
    order: &orders::Model,
    sealed: &[&vouchers::Model],
) -> Result<Vec<Voucher>, Problem> {
    let ctx = request(context);
    let loaders = Loaders::of(context);
    let purchases = purchases_to_recall(sealed.iter().copied());
    let told = try_join_all(purchases.into_iter().map(|purchase| recall(Arc::clone(&loaders), purchase)));
    let recalled = told.await?.into_iter().flatten().collect();
    let opened = domain::open(ctx, sealed, &recalled).await?;
    let voucher = |(code, reading): (&vouchers::Model, Reading)| Voucher {
        id: code.id,
        unit_index: code.unit_index.unwrap_or_default(),
        face_value: Money::from_minor(code.face_minor, order.face_currency),
        expires_at: code.expires_at.map(DateTime),
        replaces: code.replaces.map(|replaced| replaced.to_string().into()),
        code_state: match reading {
            Reading::Told(_) => VoucherCodeState::Available,
            Reading::Destroyed => VoucherCodeState::Destroyed,
            Reading::Unreachable => VoucherCodeState::Unreachable,
        },
        code_available_until: readable_until(code).map(DateTime),
        reading,
    };
    Ok(opened.into_iter().map(voucher).collect())
}
