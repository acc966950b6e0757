//! The JSON of the sandbox vendor, and what it says.
//!
//! What lives here: what is sent, what comes back, and how it is read into facts.
//! What is always true: a member that nobody knows, or one that is missing, makes the whole answer undecodable; codes are read
//! into `Secret` and nowhere else.
//! What is not here: the calls (`mod.rs`).

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::money::Money;
use entity::state::{DeliveryKind, RecipientKind};
use entity::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::fulfillment::{
    CatalogItem, Contents, Cost, CostRule, Delivery, Doubt, Faces, Goods, LeftOut, Listed, PurchaseRequest,
    Recipient, RefusalKind, Secret, Sighting, StatementLine, VendorRefusal,
};
use crate::outgoing::Answer;
use crate::vendors::reply::{self, Hidden};

/// A purchase as it is asked for.
#[derive(Serialize)]
pub(super) struct Wanted<'a> {
    pub(super) reference: &'a str,
    pub(super) sku: &'a str,
    pub(super) quantity: i32,
    pub(super) face_value: Decimal,
    pub(super) currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recipient: Option<Named<'a>>,
}

#[derive(Serialize)]
pub(super) struct Named<'a> {
    kind: RecipientKind,
    value: &'a str,
}

#[derive(Serialize)]
pub(super) struct Checked<'a> {
    pub(super) sku: &'a str,
    pub(super) recipient: Named<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receives {
    pub(super) can_receive: bool,
}

/// A purchase as it is told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    id: String,
    reference: String,
    sku: String,
    quantity: i32,
    face_value: Decimal,
    currency: Currency,
    status: Status,
    #[serde(rename = "at")]
    _at: Timestamp,
    units: Vec<Unit>,
    undelivered: i32,
    cost: Option<Amount>,
    refusal: Option<Error>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Delivered,
    Refused,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unit {
    code: Option<Hidden>,
    pin: Option<Hidden>,
    serial: Option<Hidden>,
    url: Option<Hidden>,
    receipt: Option<String>,
    expires_at: Option<Timestamp>,
    face_value: Decimal,
    currency: Currency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amount {
    amount: Decimal,
    currency: Currency,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refused {
    pub(super) error: Error,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Error {
    pub(super) code: String,
    message: String,
}

pub(super) fn named(recipient: &Recipient) -> Named<'_> {
    Named { kind: recipient.kind, value: recipient.value.expose() }
}

/// What an answer says of the purchase that was asked for, or asked about.
pub(super) fn sighting(answer: &Answer, request: &PurchaseRequest) -> Sighting {
    let told: Told = match reply::decode(answer) {
        Ok(told) => told,
        Err(doubt) => return Sighting::Unclear(doubt),
    };
    let vendor_ref = told.id.clone();
    let read = match (told.mismatch(request), told.status) {
        (Some(what), _) => Err(format!("the answer is about another {what}")),
        (None, Status::Pending) => Ok(Sighting::Pending { vendor_ref: Some(told.id) }),
        (None, Status::Delivered) => told.delivery(request).map(Sighting::Delivered),
        (None, Status::Refused) => told
            .refusal
            .as_ref()
            .and_then(Error::read)
            .map(Sighting::Refused)
            .ok_or("a refusal without a reason".to_owned()),
    };
    read.unwrap_or_else(|message| {
        Sighting::Unclear(Doubt { vendor_ref: Some(vendor_ref), ..reply::doubt(answer, message) })
    })
}

/// What an error says; a doubt if it is none of the vendor's that says that nothing was bought.
pub(super) fn refusal(answer: &Answer) -> Result<VendorRefusal, Doubt> {
    let told: Refused = reply::decode(answer)?;
    told.error
        .read()
        .ok_or_else(|| reply::doubt(answer, "the vendor's error does not say that nothing was bought"))
}

impl Error {
    /// The refusal of a code. `reference_used` is none: something was bought under the reference.
    fn read(&self) -> Option<VendorRefusal> {
        let kind = match self.code.as_str() {
            "out_of_stock" => RefusalKind::OutOfStock,
            "not_sold" => RefusalKind::NotSold,
            "bad_recipient" => RefusalKind::BadRecipient,
            "price_changed" => RefusalKind::PriceChanged,
            "no_funds" => RefusalKind::NoFunds,
            "malformed" | "no_such_path" => RefusalKind::Other,
            _ => return None,
        };
        Some(reply::refusal(kind, &self.message, None))
    }
}

impl Told {
    /// What it says otherwise than it was asked for.
    fn mismatch(&self, request: &PurchaseRequest) -> Option<&'static str> {
        let differs = [
            (self.reference != request.our_ref, "reference"),
            (self.sku != request.vendor_sku, "product"),
            (self.quantity != request.quantity, "quantity"),
            (self.face_value != request.face.decimal(), "face value"),
            (self.currency != request.face.currency, "currency"),
        ];
        differs.into_iter().find(|(differs, _)| *differs).map(|(_, what)| what)
    }

    fn delivery(self, request: &PurchaseRequest) -> Result<Delivery, String> {
        let count =
            i32::try_from(self.units.len()).ok().and_then(|count| count.checked_add(self.undelivered));
        if count != Some(request.quantity) || self.undelivered < 0 || self.units.is_empty() {
            return Err(format!(
                "{} units, {} undelivered, are not what was asked for",
                self.units.len(),
                self.undelivered
            ));
        }
        let cost = self.cost.and_then(Amount::read).ok_or("the cost is no amount")?;
        let goods = self.units.into_iter().map(|unit| unit.goods(request)).collect::<Result<_, _>>()?;
        Ok(Delivery { vendor_ref: self.id, goods, cost: Some(cost) })
    }
}

impl Unit {
    fn goods(self, request: &PurchaseRequest) -> Result<Goods, String> {
        if self.currency != request.face.currency || self.face_value != request.face.decimal() {
            return Err("a unit has another face value".to_owned());
        }
        let face = Some(request.face);
        let secret = |hidden: Option<Hidden>| hidden.map(|Hidden(secret)| secret);
        let contents = Contents {
            code: secret(self.code),
            pin: secret(self.pin),
            serial: secret(self.serial),
            redemption_url: secret(self.url),
        };
        let redeems = |part: &Option<Secret>| part.as_ref().is_some_and(|text| !text.expose().is_empty());
        match (&request.recipient, self.receipt.filter(|number| !number.is_empty())) {
            (Some(_), Some(number)) => Ok(Goods::Receipt { number, face }),
            (None, None) if redeems(&contents.code) || redeems(&contents.redemption_url) => {
                Ok(Goods::Code { contents, expires_at: self.expires_at, face })
            }
            _ => Err("a unit is not what was asked for".to_owned()),
        }
    }
}

impl Amount {
    pub(super) fn read(self) -> Option<Cost> {
        reply::cost(self.amount, self.currency)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    pub(super) purchases: Vec<Line>,
    pub(super) next: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    id: String,
    reference: String,
    sku: String,
    quantity: i32,
    cost: Amount,
    at: Timestamp,
}

impl Line {
    pub(super) fn read(self) -> Option<StatementLine> {
        Some(StatementLine {
            our_ref: Some(self.reference),
            vendor_ref: self.id,
            vendor_sku: Some(self.sku),
            quantity: self.quantity,
            cost: self.cost.read()?,
            at: self.at,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Products<'a> {
    #[serde(borrow)]
    pub(super) products: Vec<&'a RawValue>,
    pub(super) next: Option<String>,
    pub(super) total: usize,
}

/// The name of a product that cannot be read whole.
#[derive(Deserialize)]
struct KnownProduct {
    sku: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    sku: String,
    name: String,
    brand: String,
    category: String,
    country: Option<String>,
    currency: Currency,
    faces: ToldFaces,
    cost: ToldCost,
    delivery: DeliveryKind,
    recipient: Option<RecipientKind>,
    available: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ToldFaces {
    Fixed(Vec<Decimal>),
    Range { min: Decimal, max: Decimal, step: Decimal },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToldCost {
    currency: Currency,
    factor: Decimal,
    fee: Decimal,
}

/// A product of the list, or why it is none that can be offered.
pub(super) fn listed(row: &RawValue) -> Listed {
    let name = serde_json::from_str(row.get()).ok().map(|known: KnownProduct| known.sku);
    let left_out = |reason: &str| LeftOut { vendor_sku: name.clone(), reason: reason.to_owned() };
    let product: Product = serde_json::from_str(row.get()).map_err(|error| left_out(&error.to_string()))?;
    product.read().ok_or_else(|| left_out("its face values or its cost cannot be counted"))
}

impl Product {
    fn read(self) -> Option<CatalogItem> {
        let minor = |value: Decimal| Money::from_decimal(value, self.currency).ok().map(|money| money.minor);
        let faces = match self.faces {
            ToldFaces::Fixed(faces) => Faces::Fixed(faces.into_iter().map(minor).collect::<Option<_>>()?),
            ToldFaces::Range { min, max, step } => {
                Faces::Range { min: minor(min)?, max: minor(max)?, step: minor(step)? }
            }
        };
        let fee = reply::cost(self.cost.fee, self.cost.currency)?;
        Some(CatalogItem {
            vendor_sku: self.sku,
            name: self.name,
            brand: self.brand,
            category: self.category,
            country: self.country,
            face_currency: self.currency,
            faces,
            cost: CostRule { currency: fee.currency, factor: self.cost.factor, fee_micros: fee.micros },
            delivery: self.delivery,
            recipient: self.recipient,
            redemption_instructions: None,
            available: Some(self.available),
            max_quantity: None,
            is_active: true,
        })
    }
}
