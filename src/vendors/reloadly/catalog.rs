//! What Reloadly sells.
//!
//! What lives here: its products, page by page, as what may be offered.
//! What is always true: a product that is not understood whole is told as left out, with the reason, and never guessed at; so is
//! one that needs a user id, for it is not documented what such an order delivers. A face value that its currency cannot express
//! is passed over.
//! What is not here: what a unit costs (`cost_rule.rs`).

use entity::currency::Currency;
use entity::state::DeliveryKind;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Reloadly;
use super::calls::Question;
use super::cost_rule::{Pricing, cost_rule};
use super::number::{Id, Number, Rounding, at_scale};
use super::page::Page;
use crate::domain::fulfillment::{CatalogItem, Faces, LeftOut, Listed, Part, Trouble};
use crate::vendors::reply::{decode, told};

/// The most that a page of the products has.
const PAGE_SIZE: u32 = 200;
/// The distance between the face values of a range: none is documented, and amounts to the cent were accepted.
const STEP: i64 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product<'a> {
    product_id: Id,
    product_name: String,
    global: Option<bool>,
    status: Option<String>,
    denomination_type: String,
    recipient_currency_code: String,
    sender_currency_code: String,
    sender_fee: Option<Number>,
    sender_fee_percentage: Option<Number>,
    discount_percentage: Option<Number>,
    #[serde(rename = "recipientCurrencyToSenderCurrencyExchangeRate")]
    rate: Option<Number>,
    min_recipient_denomination: Option<Number>,
    max_recipient_denomination: Option<Number>,
    fixed_recipient_denominations: Option<Vec<Number>>,
    #[serde(borrow, rename = "fixedRecipientToSenderDenominationsMap")]
    rounded_prices: Option<&'a RawValue>,
    brand: Option<Brand>,
    category: Option<Category>,
    country: Option<Country>,
    redeem_instruction: Option<RedeemInstruction>,
    additional_requirements: Option<AdditionalRequirements>,
}

/// The id of a product that cannot be read whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    product_id: Id,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Brand {
    brand_name: Option<String>,
}

#[derive(Deserialize)]
struct Category {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Country {
    iso_name: Option<String>,
}

#[derive(Deserialize)]
struct RedeemInstruction {
    concise: Option<String>,
    verbose: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdditionalRequirements {
    user_id_required: Option<bool>,
}

impl Reloadly {
    /// A page of what it sells; `from` is the page's number.
    pub(super) async fn products(&self, from: Option<String>) -> Result<Part<Listed>, Trouble> {
        let number: u32 = match from {
            None => 1,
            Some(from) => {
                from.parse().map_err(|_| Trouble::Failed("the catalog has no such part".to_owned()))?
            }
        };
        let path = format!("/products?page={number}&size={PAGE_SIZE}");
        let answer = told(self.ask(&Question::for_listing(&path)).await)?;
        let page: Page<'_> = decode(&answer).map_err(|doubt| Trouble::Failed(doubt.message))?;
        let items = page.content.iter().map(|row| listed(row));
        let is_last = page.is_last(number, PAGE_SIZE).map_err(|words| Trouble::Failed(words.to_owned()))?;
        let next = (!is_last).then(|| number.saturating_add(1).to_string());
        let items = items.collect();
        Ok(Part { items, next, total: page.total_elements, bytes: answer.body.len() })
    }
}

fn listed(row: &RawValue) -> Listed {
    let name = serde_json::from_str(row.get()).ok().map(|known: Known| known.product_id.0);
    let left_out = |reason: String| LeftOut { vendor_sku: name.clone(), reason };
    let product: Product<'_> =
        serde_json::from_str(row.get()).map_err(|error| left_out(error.to_string()))?;
    item(&product).map_err(left_out)
}

fn item(product: &Product<'_>) -> Result<CatalogItem, String> {
    let needs_user = product.additional_requirements.as_ref().and_then(|needs| needs.user_id_required);
    if needs_user == Some(true) {
        return Err("it needs a user id".to_owned());
    }
    let currency = |code: &str| -> Result<Currency, String> {
        code.parse().map_err(|_| format!("its currency {code:?} is unknown"))
    };
    let face_currency: Currency = currency(&product.recipient_currency_code)?;
    let pricing = Pricing {
        face_currency,
        currency: currency(&product.sender_currency_code)?,
        rate: product.rate,
        discount: product.discount_percentage,
        fee_share: product.sender_fee_percentage,
        fee: product.sender_fee,
        rounded_prices: product.rounded_prices,
    };
    let brand = product.brand.as_ref().and_then(|brand| brand.brand_name.clone());
    let country = product.country.as_ref().and_then(|country| country.iso_name.clone());
    Ok(CatalogItem {
        vendor_sku: product.product_id.0.clone(),
        name: product.product_name.clone(),
        brand: brand.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| product.product_name.clone()),
        category: product.category.as_ref().and_then(|category| category.name.clone()).unwrap_or_default(),
        country: country.filter(|_| product.global != Some(true)),
        face_currency,
        faces: faces(product, face_currency).ok_or("it has no face value that can be counted")?,
        cost: cost_rule(&pricing).ok_or("what it costs is not told whole")?,
        delivery: DeliveryKind::Code,
        recipient: None,
        redemption_instructions: product.redeem_instruction.as_ref().and_then(instructions),
        available: None,
        max_quantity: None,
        is_active: product.status.as_deref().is_none_or(|status| status.eq_ignore_ascii_case("ACTIVE")),
    })
}

fn faces(product: &Product<'_>, currency: Currency) -> Option<Faces> {
    let minor = |number: Number, rounding| {
        i64::try_from(at_scale(number.0, currency.minor_units(), rounding)?).ok().filter(|minor| *minor > 0)
    };
    match product.denomination_type.as_str() {
        "FIXED" => {
            let values = product.fixed_recipient_denominations.as_ref()?.iter();
            let exact = values.filter(|value| value.0.scale() <= currency.minor_units());
            let mut values: Vec<i64> = exact.filter_map(|value| minor(*value, Rounding::Down)).collect();
            values.sort_unstable();
            values.dedup();
            (!values.is_empty()).then_some(Faces::Fixed(values))
        }
        "RANGE" => {
            let min = minor(product.min_recipient_denomination?, Rounding::Up)?;
            let max = minor(product.max_recipient_denomination?, Rounding::Down)?;
            (min <= max).then_some(Faces::Range { min, max, step: STEP })
        }
        _ => None,
    }
}

/// The short ones, if there are any.
fn instructions(told: &RedeemInstruction) -> Option<String> {
    let texts = [&told.concise, &told.verbose];
    texts.into_iter().flatten().map(|text| text.trim()).find(|text| !text.is_empty()).map(str::to_owned)
}
