//! `octopus price`: the rules from which prices are made.

use std::sync::Arc;

use clap::{Args, Subcommand};
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::ids::PriceRuleId;
use entity::money::Money;
use entity::price_rules;
use entity::state::{PriceRuleKind, PriceRuleSubject};
use serde_json::{Value, json};

use super::{CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::identity;
use crate::domain::pricing::{self, RuleTarget, RuleValue};

/// What to do with price rules.
#[derive(Debug, Subcommand)]
pub enum PriceCommand {
    /// Set a discount, a fee or a margin; setting it again changes it
    Set {
        /// For whom and about what it is
        #[command(flatten)]
        target: TargetArguments,
        /// What it sets
        #[command(flatten)]
        value: ValueArguments,
        /// The face currency of the products that a fee applies to
        #[arg(long, requires = "fee", value_parser = parse_currency)]
        currency: Option<Currency>,
    },
    /// List the rules
    List,
    /// Remove a rule
    Remove {
        /// The rule's id (prl_…)
        #[arg(value_parser = parse_rule)]
        rule: PriceRuleId,
    },
}

/// For whom and about what a rule is.
#[derive(Debug, Args)]
pub struct TargetArguments {
    /// For this partner alone: its id (prt_…), or its name; for all partners if absent
    #[arg(long)]
    partner: Option<String>,
    #[command(flatten)]
    subject: SubjectArguments,
}

/// What a rule is about, one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SubjectArguments {
    /// About this product (its sku)
    #[arg(long)]
    product: Option<String>,
    /// About all products of this brand (its slug)
    #[arg(long)]
    brand: Option<String>,
    /// About all products of this category (its slug)
    #[arg(long)]
    category: Option<String>,
    /// About all products; without a partner it is the default, behind the catalog's own discounts
    #[arg(long)]
    all: bool,
}

/// What a rule sets, one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ValueArguments {
    /// The share taken off the face value: 0.05 is five per cent
    #[arg(long, value_parser = parse_decimal)]
    discount: Option<Decimal>,
    /// Added to each unit, in --currency, before conversion; applies to products whose face value is in it, and to no others
    #[arg(long, requires = "currency")]
    fee: Option<String>,
    /// The margin on rates where currencies differ, in hundredths of a per cent: 150 is one and a half per cent
    #[arg(long)]
    margin_bps: Option<u32>,
}

fn parse_rule(text: &str) -> Result<PriceRuleId, String> {
    text.parse().map_err(|_| "must be the id of a price rule (prl_…)".to_owned())
}

fn parse_currency(text: &str) -> Result<Currency, String> {
    text.parse().map_err(|_| "must be an active ISO 4217 code in capitals, such as USD".to_owned())
}

fn parse_decimal(text: &str) -> Result<Decimal, String> {
    text.parse().map_err(|_| "must be a plain decimal number, such as 0.05".to_owned())
}

impl SubjectArguments {
    fn subject(self) -> (PriceRuleSubject, String) {
        match (self.product, self.brand, self.category) {
            (Some(product), _, _) => (PriceRuleSubject::Product, product),
            (_, Some(brand), _) => (PriceRuleSubject::Brand, brand),
            (_, _, Some(category)) => (PriceRuleSubject::Category, category),
            (None, None, None) => (PriceRuleSubject::All, String::new()),
        }
    }
}

impl ValueArguments {
    fn value(self, currency: Option<Currency>) -> Result<RuleValue, CliError> {
        match (self.discount, self.fee.zip(currency), self.margin_bps) {
            (Some(discount), _, _) => Ok(RuleValue::Discount(discount)),
            (_, Some((fee, currency)), _) => Money::parse(&fee, currency)
                .map(RuleValue::Fee)
                .map_err(|error| CliError::Usage(format!("--fee {fee}: {error}"))),
            (_, _, Some(bps)) => Ok(RuleValue::MarginBps(bps)),
            (None, None, None) => Err(CliError::Usage("give --discount, --fee or --margin-bps".to_owned())),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// What the domain refuses, or what the database says.
pub async fn run(deps: Arc<Deps>, command: PriceCommand, json: bool) -> Result<(), CliError> {
    let ctx = Ctx::system(deps);
    match command {
        PriceCommand::Set { target, value, currency } => {
            let value = value.value(currency)?;
            let partner = match &target.partner {
                Some(partner) => Some(identity::find_partner_named(&ctx, partner).await?.id),
                None => None,
            };
            let (subject_kind, subject) = target.subject.subject();
            let rule = pricing::set_rule(&ctx, RuleTarget { partner, subject_kind, subject }, value).await?;
            answer(json, &rule_json(&rule), || rule_line(&rule));
        }
        PriceCommand::List => {
            let rules = pricing::list_rules(&ctx).await?;
            let listed: Vec<Value> = rules.iter().map(rule_json).collect();
            answer(json, &Value::from(listed), || {
                if rules.is_empty() {
                    return "no rules: the catalog's discounts and the default margin apply".to_owned();
                }
                rules.iter().map(rule_line).collect::<Vec<_>>().join("\n")
            });
        }
        PriceCommand::Remove { rule } => {
            let rule = pricing::remove_rule(&ctx, rule).await?;
            answer(json, &rule_json(&rule), || format!("removed {}", rule_line(&rule)));
        }
    }
    Ok(())
}

fn rule_json(rule: &price_rules::Model) -> Value {
    json!({
        "id": rule.id,
        "partner": rule.partner_id,
        "subject_kind": rule.subject_kind,
        "subject": rule.subject,
        "kind": rule.kind,
        "value": rule.value,
        "currency": rule.currency,
        "updated_at": rule.updated_at,
    })
}

fn rule_line(rule: &price_rules::Model) -> String {
    let partner = rule.partner_id.map_or_else(|| "all partners".to_owned(), |partner| partner.to_string());
    let subject = match rule.subject_kind {
        PriceRuleSubject::All => "all products".to_owned(),
        kind => format!("{} {}", kind.as_str().to_lowercase(), rule.subject),
    };
    let value = match (rule.kind, rule.currency) {
        (PriceRuleKind::Fee, Some(currency)) => {
            format!("fee {} {currency} a unit, for face values in {currency} alone", rule.value)
        }
        (kind, _) => format!("{} {}", kind.as_str().to_lowercase(), rule.value),
    };
    format!("{}  {partner}, {subject}: {value}", rule.id)
}
