//! What a vendor lists, as far as it can be believed.
//!
//! What lives here: the checks of each item of a catalog by itself, and what a catalog may come to in all.
//! What is always true: each item is there once; whatever is not believed is told by its name, if it has one, and the reason; what
//! is kept of an item is cut as it comes, so that a catalog within its limits fits into memory.
//! What is not here: asking for it (`sync_reading.rs`); what an item is to us (`sync_model.rs`).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::listing::{CatalogItem, Faces, LeftOut, Listed, Part};
use super::wording::{plain_lines, plain_text, plain_words};

/// How long a vendor's name for an item may be, in bytes.
const LONGEST_VENDOR_SKU: usize = 200;
/// How many characters are kept of an item's names: one more than a product's may have bytes, so that it is still seen to be too
/// long.
const NAME_KEPT: usize = 201;
/// How many of its instructions, likewise.
const INSTRUCTIONS_KEPT: usize = 20_001;
/// The most face values of an item.
const MOST_FACES: usize = 1_000;
/// The most that is added to a unit, at scale 6.
const MOST_FEE_MICROS: i64 = 1_000_000_000_000_000;
/// The most digits of a factor behind the point.
const MOST_FACTOR_SCALE: u32 = 30;
/// More items than these are no catalog that can be kept.
const MOST_ITEMS: usize = 200_000;
/// Nor are more products, one for each fixed face value.
const MOST_PRODUCTS: usize = 200_000;
/// Nor are more bytes than these times 2²⁰.
const MOST_MEBIBYTES: usize = 128;

/// What a vendor lists, each item once.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The items by the vendor's names.
    pub(super) items: BTreeMap<String, CatalogItem>,
    /// What is left out.
    pub(super) left_out: Vec<LeftOut>,
    /// The names of what is left out and has one that an offer may have.
    pub(super) unreadable: HashSet<String>,
    /// How many things have a name that cannot be read: each may be any item.
    pub(super) nameless: usize,
    /// Names that an earlier reading has told.
    pub(super) told_before: HashSet<String>,
    /// The names of items that stand twice, each time another.
    twice: BTreeSet<String>,
    /// What it comes to so far, what stands twice counted twice.
    sum: Sum,
}

#[derive(Debug, Default)]
struct Sum {
    items: usize,
    products: usize,
    bytes: usize,
}

impl Listing {
    /// Takes in what a part tells.
    ///
    /// # Errors
    /// What it is too much of.
    pub(super) fn take(&mut self, part: Part<Listed>) -> Result<(), String> {
        self.sum.count(&part)?;
        for listed in part.items {
            match listed.and_then(checked) {
                Ok(item) => self.add(item),
                Err(left_out) => self.leave_out(left_out),
            }
        }
        Ok(())
    }

    /// How many things were told, what stands twice counted twice.
    pub(super) const fn told(&self) -> usize {
        self.sum.items
    }

    /// The listing when it was read to its end. An item that stands twice and differs is left out: nobody knows which is true.
    ///
    /// # Errors
    /// How much of what there is in all was told, if that is less: a thing that is told twice is told once.
    pub(super) fn whole(mut self, total: Option<usize>) -> Result<Self, String> {
        for sku in std::mem::take(&mut self.twice) {
            self.leave_out(LeftOut::new(&sku, "it stands twice, each time another"));
        }
        let unreadable = &self.unreadable;
        self.items.retain(|sku, _| !unreadable.contains(sku));
        match total.filter(|total| self.len() < *total) {
            Some(total) => Err(format!("{} of {total} items were told", self.len())),
            None => Ok(self),
        }
    }

    /// How many things it tells of.
    pub(super) fn len(&self) -> usize {
        let without = self.left_out.iter().filter(|left_out| left_out.vendor_sku.is_none()).count();
        self.items.len().saturating_add(self.unreadable.len()).saturating_add(without)
    }

    /// Whether it tells a name.
    pub(super) fn names(&self, sku: &str) -> bool {
        self.items.contains_key(sku) || self.unreadable.contains(sku)
    }

    /// Every name that it tells.
    pub(super) fn into_names(self) -> HashSet<String> {
        self.items.into_keys().chain(self.unreadable).collect()
    }

    fn add(&mut self, item: CatalogItem) {
        match self.items.get(&item.vendor_sku) {
            Some(there) if *there != item => drop(self.twice.insert(item.vendor_sku)),
            _ => drop(self.items.insert(item.vendor_sku.clone(), item)),
        }
    }

    fn leave_out(&mut self, left_out: LeftOut) {
        self.nameless += usize::from(left_out.vendor_sku.is_none());
        // No offer has a name that cannot be one: it is told, and can be none of ours.
        let vendor_sku = left_out.vendor_sku.filter(|sku| is_name(sku));
        self.unreadable.extend(vendor_sku.clone());
        self.left_out.push(LeftOut { vendor_sku, reason: plain_words(&left_out.reason) });
    }
}

impl Sum {
    fn count(&mut self, part: &Part<Listed>) -> Result<(), String> {
        let products = |listed: &Listed| match listed {
            Ok(CatalogItem { faces: Faces::Fixed(values), .. }) => values.len(),
            Ok(_) => 1,
            Err(_) => 0,
        };
        self.items = self.items.saturating_add(part.items.len());
        self.products = self.products.saturating_add(part.items.iter().map(products).sum());
        self.bytes = self.bytes.saturating_add(part.bytes);
        if self.items > MOST_ITEMS {
            return Err(format!("it has more than {MOST_ITEMS} items"));
        }
        if self.products > MOST_PRODUCTS {
            return Err(format!("its items come to more than {MOST_PRODUCTS} products"));
        }
        if self.bytes > MOST_MEBIBYTES.saturating_mul(1024 * 1024) {
            return Err(format!("it has more than {MOST_MEBIBYTES} MiB"));
        }
        Ok(())
    }
}

fn is_name(sku: &str) -> bool {
    (1..=LONGEST_VENDOR_SKU).contains(&sku.len()) && !sku.contains(char::is_control)
}

/// An item, its texts as they may be kept, or why it is none.
fn checked(item: CatalogItem) -> Listed {
    let left_out = |reason: &str| Err(LeftOut::new(&item.vendor_sku, reason));
    if !is_name(&item.vendor_sku) {
        return left_out("its name has not 1 to 200 bytes, or a control character in it");
    }
    let cost = &item.cost;
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
    if item.max_quantity.is_some_and(|most| most < 1) {
        return left_out("it says that a purchase may have fewer than one");
    }
    let is_sound = match &item.faces {
        Faces::Fixed(values) => {
            (1..=MOST_FACES).contains(&values.len()) && values.iter().all(|value| *value > 0)
        }
        Faces::Range { min, max, step } => *min > 0 && min <= max && *step > 0,
    };
    if is_sound { Ok(kept(item)) } else { left_out("its face values are none that can be") }
}

fn kept(item: CatalogItem) -> CatalogItem {
    let name = |text: &str| plain_text(text, NAME_KEPT);
    CatalogItem {
        name: name(&item.name),
        brand: name(&item.brand),
        category: name(&item.category),
        country: item.country.as_deref().map(name),
        redemption_instructions: item
            .redemption_instructions
            .as_deref()
            .map(|text| plain_lines(text, INSTRUCTIONS_KEPT)),
        ..item
    }
}
