//! Which goods an item of a vendor's is, by what it says of itself.
//!
//! What lives here: how far an item sells a product, and the sku of the product that it becomes.
//! What is always true: no two items have the same sku here, and an item has the same one in every reading.
//! What is not here: which product an item is held against (`sync_model.rs`).

use entity::money::Money;

use super::listing::{CatalogItem, Faces};
use crate::domain::catalog::{Denomination, Product, fingerprint};

/// How long a sku of ours may be, in bytes.
const LONGEST_SKU: usize = 100;

/// The least and the greatest face value of a product that a vendor sells, where it does not sell all.
pub(super) type Limits = (Option<i64>, Option<i64>);

/// Between which face values an item sells a product; `None` where it does not.
pub(super) fn limits(product: &Product, item: &CatalogItem) -> Option<Limits> {
    let is_alike = product.face_currency == item.face_currency
        && product.delivery == item.delivery
        && product.recipient == item.recipient;
    if !is_alike {
        return None;
    }
    match (product.denomination, &item.faces) {
        (Denomination::Fixed(value), Faces::Fixed(values)) => values.contains(&value).then_some((None, None)),
        (Denomination::Fixed(value), Faces::Range { min, max, step }) => {
            let range = Denomination::Range { min: *min, max: *max, step: *step };
            range.contains(value).then_some((None, None))
        }
        (Denomination::Range { .. }, Faces::Fixed(_)) => None,
        (ours @ Denomination::Range { min, max, step }, Faces::Range { min: from, max: to, step: every }) => {
            let on_steps = step.checked_rem(*every) == Some(0)
                && min.checked_sub(*from).and_then(|apart| apart.checked_rem(*every)) == Some(0);
            let least = if min >= *from { min } else { next_step(min, step, *from)? };
            let is_sold = on_steps && least <= max.min(*to) && ours.contains(least);
            is_sold.then_some((Some(*from).filter(|from| *from > min), Some(*to).filter(|to| *to < max)))
        }
    }
}

/// A denomination whose greatest value lies on a step.
pub(super) fn normal(denomination: Denomination) -> Denomination {
    match denomination {
        Denomination::Fixed(_) => denomination,
        Denomination::Range { min, max, step } => {
            let over = max.saturating_sub(min).checked_rem(step).unwrap_or(0);
            Denomination::Range { min, max: max.saturating_sub(over), step }
        }
    }
}

/// The first value at or above a bound, in steps from the least.
fn next_step(min: i64, step: i64, bound: i64) -> Option<i64> {
    let above = bound.checked_sub(min)?;
    let steps = above.checked_add(step.checked_sub(1)?)?.checked_div(step)?;
    min.checked_add(steps.checked_mul(step)?)
}

/// The sku of an item's own product. A vendor's name has no dot in it, so that no two vendors have the same; a name of the
/// vendor's that is no part of a sku goes in as what is left of it, and with its fingerprint.
pub(super) fn product_id(vendor: &str, item: &CatalogItem, denomination: Denomination) -> String {
    let tail = match denomination {
        Denomination::Fixed(value) => {
            let face = Money::from_minor(value, item.face_currency);
            format!(".{}-{}", face.amount(), item.face_currency.to_string().to_lowercase())
        }
        Denomination::Range { .. } => String::new(),
    };
    let room = LONGEST_SKU.saturating_sub(vendor.len()).saturating_sub(tail.len()).saturating_sub(1);
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(letter);
    let sku = &item.vendor_sku;
    if sku.len() <= room && sku.chars().all(is_plain) {
        return format!("{vendor}.{sku}{tail}");
    }
    let print = fingerprint(sku);
    let plain = |letter: char| if is_plain(letter) { letter } else { '-' };
    let kept = room.saturating_sub(print.len()).saturating_sub(1);
    let start: String = sku.to_ascii_lowercase().chars().map(plain).take(kept).collect();
    format!("{vendor}.{start}.{print}{tail}")
}

#[cfg(test)]
#[path = "sync_goods_tests.rs"]
mod tests;
