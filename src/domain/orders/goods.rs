//! What a vendor delivered, made ready to be written.
//!
//! What lives here: checking goods against what was asked for, sharing out what they cost, and sealing codes.
//! What is always true: the shares sum to what the vendor took; nothing in the clear leaves this file.
//! What is not here: whether a code is here already: the database says that.

use std::sync::Arc;

use entity::money::Money;
use entity::purchases;
use entity::timestamp::Timestamp;

use crate::ctx::{Ctx, Deps};
use crate::domain::catalog;
use crate::domain::fulfillment::{Delivery, Goods, Retention};
use crate::domain::vouchers::{Bought, BoughtOf, Cost, NewVoucher, seal_bought};
use crate::problem::Problem;

/// A unit's part of a delivery.
#[derive(Debug)]
pub enum Item {
    /// A code, sealed.
    Code(Box<NewVoucher>),
    /// A receipt's number.
    Receipt(String),
    /// Something that is never delivered, and why.
    Anomaly(&'static str),
}

/// A delivery, ready to be written.
#[derive(Debug)]
pub struct Parcel {
    /// The vendor's own name for the purchase, if it has told one.
    pub vendor_ref: Option<String>,
    /// What came for each unit, with what it cost; units behind the last got nothing.
    pub items: Vec<(Item, Cost)>,
    /// What the vendor took, at scale 6.
    pub cost_micros: i64,
    /// The currency of that.
    pub cost_currency: entity::currency::Currency,
    /// Whether it is more than was expected.
    pub is_dearer: bool,
    /// Whether it is more than the units are sold for, on no charge that would bind the price.
    pub is_loss: bool,
}

impl Parcel {
    /// The sealed codes, in their order.
    pub fn codes(&self) -> Vec<NewVoucher> {
        let code = |(item, _): &(Item, Cost)| match item {
            Item::Code(code) => Some(code.as_ref().clone()),
            Item::Receipt(_) | Item::Anomaly(_) => None,
        };
        self.items.iter().filter_map(code).collect()
    }

    /// What came, in words.
    pub fn message(&self) -> String {
        let anomaly = self.items.iter().find_map(|(item, _)| match item {
            Item::Anomaly(reason) => Some(*reason),
            Item::Code(_) | Item::Receipt(_) => None,
        });
        let mut told = format!("{} units", self.items.len());
        if let Some(reason) = anomaly {
            told.push_str(&format!("; of one, {reason}"));
        }
        if self.is_dearer {
            told.push_str("; it cost more than was expected");
        }
        told
    }
}

/// Makes a delivery ready: its codes sealed as they are kept.
///
/// # Errors
/// What the database says.
pub async fn unpack(
    deps: &Arc<Deps>,
    purchase: &purchases::Model,
    (now, retention): (Timestamp, Retention),
    delivery: Delivery,
) -> Result<Parcel, Problem> {
    let ctx = Ctx::system(Arc::clone(deps));
    let came = delivery.goods.len();
    let all = Cost { micros: purchase.expected_cost_micros, currency: purchase.cost_currency };
    let expected = part_of(all, purchase.quantity, came);
    let cost = delivery.cost.unwrap_or(expected);
    let shares = shares(cost, came);
    let good_until = now.plus_seconds(i64::from(deps.config.min_validity_secs));
    let face = Money::from_minor(purchase.face_minor, purchase.face_currency);
    let (mut drafts, mut bought) = (Vec::new(), Vec::new());
    for (goods, cost) in delivery.goods.into_iter().zip(&shares) {
        let draft = match goods {
            Goods::Code { face: Some(told), .. } | Goods::Receipt { face: Some(told), .. }
                if told != face =>
            {
                Draft::Anomaly("its face value is another")
            }
            Goods::Code { expires_at: Some(at), .. } if at <= good_until => {
                Draft::Anomaly("it has expired, or is about to")
            }
            Goods::Code { contents, expires_at, .. } => {
                bought.push(Bought { contents, expires_at, cost: *cost });
                Draft::Code
            }
            Goods::Receipt { number, .. } => Draft::Receipt(number),
        };
        drafts.push(draft);
    }
    let mut sealed = seal(&ctx, purchase, retention, &bought).await?.into_iter();
    let item = |draft| match draft {
        Draft::Code => match sealed.next().flatten() {
            Some(code) => Item::Code(Box::new(code)),
            None => Item::Anomaly("it has neither code nor link"),
        },
        Draft::Receipt(number) => Item::Receipt(number),
        Draft::Anomaly(reason) => Item::Anomaly(reason),
    };
    let items = drafts.into_iter().map(item).zip(shares).collect();
    Ok(Parcel {
        vendor_ref: Some(delivery.vendor_ref).filter(|name| !name.is_empty()),
        items,
        cost_micros: cost.micros,
        cost_currency: cost.currency,
        is_dearer: cost.currency == expected.currency && cost.micros > expected.micros,
        is_loss: is_loss(purchase, cost, came),
    })
}

enum Draft {
    Code,
    Receipt(String),
    Anomaly(&'static str),
}

async fn seal(
    ctx: &Ctx,
    purchase: &purchases::Model,
    retention: Retention,
    bought: &[Bought],
) -> Result<Vec<Option<NewVoucher>>, Problem> {
    if bought.is_empty() {
        return Ok(Vec::new());
    }
    let snapshot = ctx.feature::<catalog::Live>().snapshot();
    let product = snapshot.product(&purchase.product_id).map(Arc::clone);
    let product = product.ok_or_else(|| Problem::internal("a purchase of a product that is not there"))?;
    let of = BoughtOf {
        product: &purchase.product_id,
        brand: &product.brand.slug,
        face_minor: purchase.face_minor,
        purchase: purchase.id,
        retention,
    };
    seal_bought(ctx, of, bought).await
}

/// Whether a vendor took more for so many units than they are sold for, by more than a price is rounded: half a minor unit each.
fn is_loss(purchase: &purchases::Model, cost: Cost, units: usize) -> bool {
    let Some(micros) = purchase.highest_cost_micros.filter(|_| cost.currency == purchase.cost_currency)
    else {
        return false;
    };
    let highest = part_of(Cost { micros, currency: cost.currency }, purchase.quantity, units).micros;
    let minor_micros = 6_u32.checked_sub(cost.currency.minor_units()).map_or(0, |digits| 10_i64.pow(digits));
    let rounding =
        i64::try_from(units).map_or(i64::MAX, |units| minor_micros.saturating_mul(units)).div_euclid(2);
    cost.micros > highest.saturating_add(rounding)
}

/// What so many units are expected to cost of what `quantity` of them are.
fn part_of(all: Cost, quantity: i32, units: usize) -> Cost {
    let units = i128::try_from(units).unwrap_or(0);
    let part = (i128::from(all.micros) * units).div_euclid(i128::from(quantity.max(1)));
    Cost { micros: i64::try_from(part).unwrap_or(i64::MAX), currency: all.currency }
}

/// A cost in equal shares; the first ones are greater by one, so that they sum to it.
fn shares(cost: Cost, units: usize) -> Vec<Cost> {
    let Some(count) = i64::try_from(units).ok().filter(|count| *count > 0) else { return Vec::new() };
    let (share, rest) = (cost.micros.div_euclid(count), cost.micros.rem_euclid(count));
    let of = |place: i64| Cost { micros: share + i64::from(place < rest), currency: cost.currency };
    (0..count).map(of).collect()
}

#[cfg(test)]
#[path = "goods_tests.rs"]
mod tests;
