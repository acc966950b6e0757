//! Setting, listing and removing price rules.
//!
//! What lives here: the operator's commands on rules.
//! What is always true: a rule that is set can be used in a price; each change is audited, and told to the servers last.
//! What is not here: which rule wins (`model.rs`).

use std::sync::Arc;

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::ids::{PartnerId, PriceRuleId};
use entity::money::Money;
use entity::price_rules;
use entity::state::{PriceRuleKind, PriceRuleSubject};
use sea_orm::EntityTrait;

use super::model::share_as_bps;
use super::store::{read_rules, upsert_rule};
use crate::ctx::Ctx;
use crate::domain::audit;
use crate::problem::{ErrorCode, Failure, Problem, Refusal};
use crate::store::{Subject, bump, write};

/// Digits of a discount behind the point.
const DISCOUNT_DIGITS: u32 = 8;

/// For whom and about what a rule is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTarget {
    /// For whom; `None` for all partners.
    pub partner: Option<PartnerId>,
    /// About what.
    pub subject_kind: PriceRuleSubject,
    /// The product's id, or the slug of brand or category; empty for all.
    pub subject: String,
}

/// What a rule sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleValue {
    /// The share taken off the face value, 0 to less than 1.
    Discount(Decimal),
    /// Added to each unit of products of this face currency.
    Fee(Money),
    /// The margin on rates, in hundredths of a per cent, 0 to less than 10,000.
    MarginBps(u32),
}

/// Why a rule was not set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleRefusal {
    /// There is no such partner.
    UnknownPartner(PartnerId),
    /// There is no such product, brand or category.
    UnknownSubject(PriceRuleSubject, String),
    /// A discount must be a share.
    BadDiscount,
    /// A fee cannot be negative.
    BadFee,
    /// A fee in this currency would never apply to the product, whose face value is in the other.
    FeeNeverApplies {
        /// The fee's.
        fee: Currency,
        /// The product's.
        face: Currency,
    },
    /// A margin must be a share.
    BadMargin,
    /// There is no such rule.
    UnknownRule,
}

impl Refusal for RuleRefusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPartner(_) | Self::UnknownSubject(..) | Self::UnknownRule => ErrorCode::NotFound,
            Self::BadDiscount | Self::BadFee | Self::FeeNeverApplies { .. } | Self::BadMargin => {
                ErrorCode::InvalidInput
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::UnknownPartner(partner) => format!("there is no partner {partner}"),
            Self::UnknownSubject(kind, subject) => {
                format!("there is no {} {subject:?}", kind.as_str().to_lowercase())
            }
            Self::BadDiscount => {
                format!("a discount is a share from 0 to less than 1, of at most {DISCOUNT_DIGITS} digits")
            }
            Self::BadFee => "a fee is not negative".to_owned(),
            Self::FeeNeverApplies { fee, face } => format!(
                "a fee in {fee} never applies to this product, whose face value is in {face}: give it in {face}"
            ),
            Self::BadMargin => "a margin is 0 to less than 10000 hundredths of a per cent".to_owned(),
            Self::UnknownRule => "there is no such rule".to_owned(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        None
    }
}

impl RuleValue {
    fn checked(self) -> Result<(PriceRuleKind, Decimal, Option<Money>), RuleRefusal> {
        match self {
            Self::Discount(share) => {
                let whole = 10_i128.checked_pow(share.scale().min(DISCOUNT_DIGITS));
                let below_one = whole.is_some_and(|whole| share.mantissa() < whole);
                if share.is_negative() || share.scale() > DISCOUNT_DIGITS || !below_one {
                    return Err(RuleRefusal::BadDiscount);
                }
                Ok((PriceRuleKind::Discount, share, None))
            }
            Self::Fee(fee) if fee.minor < 0 => Err(RuleRefusal::BadFee),
            Self::Fee(fee) => Ok((PriceRuleKind::Fee, fee.decimal(), Some(fee))),
            Self::MarginBps(bps) => {
                let share = Decimal::new(i128::from(bps), 4);
                share_as_bps(share).ok_or(RuleRefusal::BadMargin)?;
                Ok((PriceRuleKind::Margin, share, None))
            }
        }
    }
}

/// Sets a rule, or another value for the rule that is there.
///
/// # Errors
/// The refusals of `RuleRefusal`.
pub async fn set_rule(
    ctx: &Ctx,
    target: RuleTarget,
    value: RuleValue,
) -> Result<price_rules::Model, Failure<RuleRefusal>> {
    let (kind, value, fee) = value.checked().map_err(Failure::Refused)?;
    check_target(ctx, &target, fee.map(|fee| fee.currency)).await?;
    let rule = price_rules::Model {
        id: PriceRuleId::from_uuid(ctx.uuid()),
        kind,
        partner_id: target.partner,
        subject_kind: target.subject_kind,
        subject: target.subject,
        value,
        currency: fee.map(|fee| fee.currency),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let (writer, rule) = (ctx.clone(), Arc::new(rule));
    write(&ctx.deps, move |transaction| {
        let (ctx, rule) = (writer.clone(), Arc::clone(&rule));
        Box::pin(async move {
            let rule = upsert_rule(transaction, &rule).await?;
            audit::record(transaction, &[entry(&ctx, "price_rules.set", &rule)]).await?;
            bump(transaction, Subject::PriceRules).await?;
            Ok(rule)
        })
    })
    .await
}

async fn check_target(
    ctx: &Ctx,
    target: &RuleTarget,
    fee: Option<Currency>,
) -> Result<(), Failure<RuleRefusal>> {
    let reader = &ctx.database().reader;
    if let Some(partner) = target.partner
        && entity::partners::Entity::find_by_id(partner).one(reader).await?.is_none()
    {
        return Err(Failure::Refused(RuleRefusal::UnknownPartner(partner)));
    }
    let subject = target.subject.clone();
    let found = match target.subject_kind {
        PriceRuleSubject::Product => {
            let product = entity::products::Entity::find_by_id(subject).one(reader).await?;
            // A product's face currency never changes.
            if let Some((face, fee)) = product.as_ref().map(|product| product.face_currency).zip(fee)
                && face != fee
            {
                return Err(Failure::Refused(RuleRefusal::FeeNeverApplies { fee, face }));
            }
            product.is_some()
        }
        PriceRuleSubject::Brand => entity::brands::Entity::find_by_id(subject).one(reader).await?.is_some(),
        PriceRuleSubject::Category => {
            entity::categories::Entity::find_by_id(subject).one(reader).await?.is_some()
        }
        PriceRuleSubject::All => subject.is_empty(),
    };
    if found {
        return Ok(());
    }
    Err(Failure::Refused(RuleRefusal::UnknownSubject(target.subject_kind, target.subject.clone())))
}

fn entry(ctx: &Ctx, action: &'static str, rule: &price_rules::Model) -> audit::Entry {
    let facts = serde_json::json!({
        "kind": rule.kind, "subjectKind": rule.subject_kind, "subject": rule.subject,
        "value": rule.value, "currency": rule.currency,
    });
    let entry = audit::Entry::new(ctx, action, rule.id, &facts);
    match rule.partner_id {
        Some(partner) => entry.about(partner),
        None => entry,
    }
}

/// Removes a rule; answers it as it was.
///
/// # Errors
/// NOT_FOUND.
pub async fn remove_rule(ctx: &Ctx, id: PriceRuleId) -> Result<price_rules::Model, Failure<RuleRefusal>> {
    let writer = ctx.clone();
    write(&ctx.deps, move |transaction| {
        let ctx = writer.clone();
        Box::pin(async move {
            let found = price_rules::Entity::find_by_id(id).one(transaction).await?;
            let rule = found.ok_or(Failure::Refused(RuleRefusal::UnknownRule))?;
            price_rules::Entity::delete_by_id(id).exec(transaction).await?;
            audit::record(transaction, &[entry(&ctx, "price_rules.removed", &rule)]).await?;
            bump(transaction, Subject::PriceRules).await?;
            Ok(rule)
        })
    })
    .await
}

/// Every rule: by partner, subject and kind.
///
/// # Errors
/// What the database says.
pub async fn list_rules(ctx: &Ctx) -> Result<Vec<price_rules::Model>, Problem> {
    let mut rules = read_rules(&ctx.database().reader).await?;
    rules.sort_by(|left, right| {
        let key = |rule: &price_rules::Model| {
            (rule.partner_id, rule.subject_kind, rule.subject.clone(), rule.kind, rule.currency)
        };
        key(left).cmp(&key(right))
    });
    Ok(rules)
}
