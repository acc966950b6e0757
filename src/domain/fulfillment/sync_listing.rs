//! What a vendor lists, as far as it can be believed.
//!
//! What lives here: the checks of each item of a catalog by itself.
//! What is always true: each item is there once; whatever is not believed is told by its name, if it has one, and the reason.
//! What is not here: what an item is to us (`sync_model.rs`).

use std::collections::{BTreeMap, HashSet};

use super::listing::{CatalogItem, Faces, LeftOut, Listed};

/// How long a vendor's name for an item may be, in bytes.
const LONGEST_VENDOR_SKU: usize = 200;
/// The most face values of an item.
const MOST_FACES: usize = 1_000;
/// The most that is added to a unit, at scale 6.
const MOST_FEE_MICROS: i64 = 1_000_000_000_000_000;
/// The most digits of a factor behind the point.
const MOST_FACTOR_SCALE: u32 = 30;
/// How long a reason may be, in characters.
const LONGEST_REASON: usize = 200;

/// What a vendor lists, each item once.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The items by the vendor's names.
    pub(super) items: BTreeMap<String, CatalogItem>,
    /// What is left out.
    pub(super) left_out: Vec<LeftOut>,
}

impl Listing {
    /// Checks what was read. An item that stands twice and differs is left out: nobody knows which is true.
    pub(super) fn of(told: Vec<Listed>) -> Self {
        let (mut listing, mut twice) = (Self::default(), HashSet::new());
        for listed in told {
            let item = match listed.and_then(|item| check(&item).map(|()| item)) {
                Ok(item) => item,
                Err(left_out) => {
                    listing.leave_out(left_out);
                    continue;
                }
            };
            let differs = listing.items.get(&item.vendor_sku).is_some_and(|there| *there != item);
            if differs {
                twice.insert(item.vendor_sku);
            } else {
                listing.items.insert(item.vendor_sku.clone(), item);
            }
        }
        let unreadable: HashSet<String> =
            listing.left_out.iter().filter_map(|left_out| left_out.vendor_sku.clone()).collect();
        listing.items.retain(|sku, _| !twice.contains(sku) && !unreadable.contains(sku));
        for sku in twice {
            listing.leave_out(LeftOut::new(&sku, "it stands twice, each time another"));
        }
        listing
    }

    /// How many things it tells of.
    pub(super) fn len(&self) -> usize {
        self.items.len().saturating_add(self.left_out.len())
    }

    fn leave_out(&mut self, left_out: LeftOut) {
        let is_name = |sku: &String| (1..=LONGEST_VENDOR_SKU).contains(&sku.len()) && !sku.contains('\0');
        let reason = left_out.reason.chars().filter(|letter| *letter != '\0').take(LONGEST_REASON).collect();
        let vendor_sku = left_out.vendor_sku.filter(is_name);
        self.left_out.push(LeftOut { vendor_sku, reason });
    }
}

fn check(item: &CatalogItem) -> Result<(), LeftOut> {
    let left_out = |reason: &str| Err(LeftOut::new(&item.vendor_sku, reason));
    let texts = [Some(&item.vendor_sku), Some(&item.name), Some(&item.brand), Some(&item.category)];
    let mut texts =
        texts.into_iter().chain([item.country.as_ref(), item.redemption_instructions.as_ref()]).flatten();
    let cost = &item.cost;
    if !(1..=LONGEST_VENDOR_SKU).contains(&item.vendor_sku.len()) {
        return Err(LeftOut { vendor_sku: None, reason: "its name has not 1 to 200 bytes".to_owned() });
    }
    if texts.any(|text| text.contains('\0')) {
        return left_out("a text of it has a NUL in it");
    }
    if cost.factor.is_negative()
        || cost.factor.scale() > MOST_FACTOR_SCALE
        || !(0..=MOST_FEE_MICROS).contains(&cost.fee_micros)
    {
        return left_out("what it costs cannot be counted");
    }
    if cost.factor.mantissa() == 0 && cost.fee_micros == 0 {
        return left_out("it says that it costs nothing");
    }
    if item.available.is_some_and(|available| available < 0) {
        return left_out("it says that there are fewer than none");
    }
    let is_sound = match &item.faces {
        Faces::Fixed(values) => {
            (1..=MOST_FACES).contains(&values.len()) && values.iter().all(|value| *value > 0)
        }
        Faces::Range { min, max, step } => *min > 0 && min <= max && *step > 0,
    };
    if is_sound { Ok(()) } else { left_out("its face values are none that can be") }
}
