//! Charges in the contract.
//!
//! What lives here: the charge with every factor of its price, and the fields that make and read it.
//! What is always true: what is shown is what was stored when the charge was made; only the order is looked up.
//! What is not here: the formula (`domain/pricing`).

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::charges;
use entity::currency::Currency;

use super::catalog::Product;
use super::loaders::load;
use super::orders::Order;
use super::products::snapshot;
use super::request_loaders::Loaders;
use super::types::{CurrencyCode, DateTime, Decimal, Money, MoneyAmount, request};
use super::user_errors::UserError;
use crate::domain::pricing::{self, CreateCharge};
use crate::problem::{Failure, Problem};

/// What is taken off the face value.
#[derive(SimpleObject)]
pub struct ChargeDiscount {
    /// The share: "0.05" is five per cent.
    rate: Decimal,
    /// The share of `faceTotal`, rounded half up for show; the price is rounded once, at its end.
    amount: Money,
    /// The rule that set it, such as partner_product or catalog.
    rule: String,
}

/// What is added to a unit before conversion.
#[derive(SimpleObject)]
pub struct ChargeFee {
    /// For each unit, in the face currency.
    per_unit: Money,
    /// The rule that set it, such as partner_product or default.
    rule: String,
}

/// How face currency becomes settlement currency.
#[derive(SimpleObject)]
pub struct Conversion {
    /// The face currency.
    from: CurrencyCode,
    /// The settlement currency.
    to: CurrencyCode,
    /// Units of `to` for one unit of `from`.
    rate: Decimal,
    /// The margin on the rate, in hundredths of a per cent.
    margin_bps: i32,
    /// The rule that set the margin, such as partner or default.
    rule: String,
    /// Where the rate comes from.
    source: String,
    /// When the rate was observed.
    as_of: DateTime,
}

/// A binding price: unitPrice = round half up((faceValue × (1 − discount) + fee) × rate × (1 + margin)), rounded once; total = unitPrice × quantity.
#[derive(Clone)]
pub struct Charge(pub(super) charges::Model);

impl Charge {
    fn in_settlement_currency(&self, minor: i64) -> Money {
        Money::from_minor(minor, self.0.currency)
    }

    fn face_value(&self) -> entity::money::Money {
        entity::money::Money::from_minor(self.0.face_minor, self.0.face_currency)
    }

    fn total_face_value(&self) -> Result<entity::money::Money, Problem> {
        self.face_value().times(self.0.quantity).ok_or_else(|| Problem::internal("a charge beyond counting"))
    }
}

/// A binding price: unitPrice = round half up((faceValue × (1 − discount) + fee) × rate × (1 + margin)), rounded once; total = unitPrice × quantity.
#[Object]
impl Charge {
    /// The id, beginning with chg_; an order placed with it pays exactly `total`.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What is priced.
    async fn product(&self, context: &Context<'_>) -> Result<Product, Problem> {
        let found = snapshot(context).product(&self.0.product_id).cloned().map(Product);
        found.ok_or_else(|| Problem::internal("a charge's product has left the catalog"))
    }

    /// How many units.
    async fn quantity(&self) -> i32 {
        self.0.quantity
    }

    /// The face value of one unit.
    #[graphql(name = "faceValue")]
    async fn unit_face_value(&self) -> Money {
        self.face_value().into()
    }

    /// The face value of all units.
    async fn face_total(&self) -> Result<Money, Problem> {
        self.total_face_value().map(Into::into)
    }

    /// What is taken off.
    async fn discount(&self) -> Result<ChargeDiscount, Problem> {
        let amount = pricing::discount_amount(self.total_face_value()?, self.0.discount)
            .ok_or_else(|| Problem::internal("a discount beyond counting"))?;
        Ok(ChargeDiscount {
            rate: Decimal(self.0.discount),
            amount: amount.into(),
            rule: self.0.discount_rule.clone(),
        })
    }

    /// What is added.
    async fn fee(&self) -> ChargeFee {
        ChargeFee {
            per_unit: Money::from_minor(self.0.fee_minor, self.0.face_currency),
            rule: self.0.fee_rule.clone(),
        }
    }

    /// How face currency becomes settlement currency; null if they are the same.
    async fn conversion(&self) -> Option<Conversion> {
        Some(Conversion {
            from: CurrencyCode(self.0.face_currency),
            to: CurrencyCode(self.0.currency),
            rate: Decimal(self.0.rate),
            margin_bps: self.0.margin_bps,
            rule: self.0.margin_rule.clone()?,
            source: self.0.rate_source.clone()?,
            as_of: DateTime(self.0.rate_as_of?),
        })
    }

    /// What one unit costs.
    async fn unit_price(&self) -> Money {
        self.in_settlement_currency(self.0.unit_price_minor)
    }

    /// What the order will cost.
    async fn total(&self) -> Money {
        self.in_settlement_currency(self.0.total_minor)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// From this instant on it binds nobody.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }

    /// The order placed with it; null while it is unused.
    async fn order(&self, context: &Context<'_>) -> Option<Result<Order, Problem>> {
        let found = load(&Loaders::of(context).orders_by_charge, self.0.id).await;
        found.map(|order| order.map(Order::from)).transpose()
    }
}

/// What is to be priced.
#[derive(InputObject)]
pub struct CreateChargeInput {
    /// The product's id.
    product_id: ID,
    /// How many units, 1 to 1,000.
    #[graphql(default = 1)]
    quantity: i32,
    /// The face value of one unit, in the product's face currency; needed for a range, and the fixed value if given otherwise.
    face_value: Option<MoneyAmount>,
    /// The settlement currency; the partner's default if absent.
    currency: Option<CurrencyCode>,
}

/// The answer to `createCharge`.
#[derive(SimpleObject)]
pub struct CreateChargePayload {
    /// The charge; null when refused.
    charge: Option<Charge>,
    /// Why it was refused; empty when it worked.
    user_errors: Vec<UserError>,
}

/// The charges' reads.
#[derive(Debug, Default)]
pub struct ChargesQuery;

#[Object]
impl ChargesQuery {
    /// A charge of the calling partner by its id; null if unknown. Needs charges:write or orders:read.
    async fn charge(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The charge's id.")] id: ID,
    ) -> Option<Result<Charge, Problem>> {
        pricing::find_charge(request(context), &id).await.map(|found| found.map(Charge)).transpose()
    }
}

/// The charges' changes.
#[derive(Debug, Default)]
pub struct ChargesMutation;

#[Object]
impl ChargesMutation {
    /// Ask for a binding price: what the order will cost, to the minor unit, until the charge expires. Needs charges:write.
    async fn create_charge(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be bought.")] input: CreateChargeInput,
    ) -> Option<Result<CreateChargePayload, Problem>> {
        let command = CreateCharge {
            product_id: input.product_id.to_string(),
            quantity: input.quantity,
            face_value: input.face_value.map(|amount| amount.0),
            currency: input.currency.map(|currency| -> Currency { currency.0 }),
        };
        Some(match pricing::create_charge(request(context), command).await {
            Ok(charge) => Ok(CreateChargePayload { charge: Some(Charge(charge)), user_errors: Vec::new() }),
            Err(Failure::Refused(refusal)) => {
                Ok(CreateChargePayload { charge: None, user_errors: vec![UserError::general(&refusal)] })
            }
            Err(Failure::Problem(problem)) => Err(problem),
        })
    }
}
