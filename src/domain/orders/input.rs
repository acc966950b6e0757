//! What a caller asks for, and the text by which a repetition is recognised.
//!
//! What lives here: the command of placing an order, and its fingerprint.
//! What is always true: the fingerprint is the canonical input: only constant defaults are filled in, what was absent stays
//! absent, decimals have no trailing noughts, the recipient is a keyed hash; `waitMs` is no part of it. It is one for every
//! transport.
//! What is not here: whether the input is any good.

use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::state::{FailurePolicy, RecipientKind};
use serde_json::{Map, Value};

use crate::domain::vouchers::Vault;

use super::refusal::{OrderRefusal, field_of};

/// The longest wait for an order's end, in milliseconds.
const LONGEST_WAIT_MS: i32 = 30_000;
/// The most characters of a reference.
const LONGEST_REFERENCE: usize = 64;

/// Who receives a unit that has no code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// What names them.
    pub kind: RecipientKind,
    /// The name.
    pub value: String,
}

/// The command: buy 1 to 1,000 units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceOrder {
    /// The product's id.
    pub product_id: Option<String>,
    /// How many units.
    pub quantity: Option<i32>,
    /// The partner's own name for the purchase.
    pub reference: String,
    /// The face value of a unit, as a decimal.
    pub face_value: Option<String>,
    /// The settlement currency.
    pub currency: Option<Currency>,
    /// The charge whose price is to be paid.
    pub charge_id: Option<String>,
    /// The highest total to accept, as a decimal.
    pub max_total: Option<String>,
    /// Who receives it.
    pub recipient: Option<Recipient>,
    /// How long to wait for the end, in milliseconds.
    pub wait_ms: i32,
    /// What happens when not every unit can be had.
    pub failure_policy: Option<FailurePolicy>,
    /// Whether the answer will carry the codes: then reading them is audited with the delivery.
    pub reveals: Reveals,
}

/// Whether the answer to an order carries its codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reveals {
    /// It does.
    Codes,
    /// It does not.
    Nothing,
}

impl PlaceOrder {
    /// What happens when not every unit can be had, with the default filled in.
    pub fn policy(&self) -> FailurePolicy {
        self.failure_policy.unwrap_or(FailurePolicy::BestEffort)
    }

    /// Checks what no order could be looked up without, and what is not part of its identity.
    ///
    /// # Errors
    /// A malformed reference, a wait out of range.
    pub fn check_form(&self) -> Result<(), OrderRefusal> {
        if !is_reference(&self.reference) {
            return Err(OrderRefusal::MalformedReference);
        }
        if !(0..=LONGEST_WAIT_MS).contains(&self.wait_ms) {
            return Err(OrderRefusal::WaitOutOfRange);
        }
        Ok(())
    }

    /// The canonical input as JSON text.
    pub fn fingerprint(&self, vault: &Vault) -> String {
        let mut canonical = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                canonical.insert(name.to_owned(), value);
            }
        };
        put("productId", self.product_id.clone().map(Value::from));
        put("quantity", self.quantity.map(Value::from));
        put("faceValue", self.face_value.as_deref().map(canonical_decimal));
        put("currency", self.currency.map(|currency| Value::from(currency.code())));
        put("chargeId", self.charge_id.clone().map(Value::from));
        put("maxTotal", self.max_total.as_deref().map(canonical_decimal));
        put(
            "recipient",
            self.recipient.as_ref().map(|recipient| {
                let named = format!("{}:{}", field_of(recipient.kind), recipient.value);
                Value::from(vault.keyed_digest("recipient", &named))
            }),
        );
        put("failurePolicy", Some(Value::from(self.policy().as_str())));
        Value::Object(canonical).to_string()
    }
}

/// Whether text is a well-formed reference.
pub fn is_reference(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
    (1..=LONGEST_REFERENCE).contains(&text.len()) && text.bytes().all(allowed)
}

fn canonical_decimal(text: &str) -> Value {
    Value::from(text.parse::<Decimal>().map_or_else(|_| text.to_owned(), |number| number.to_string()))
}

/// The inputs in which two fingerprints differ, in the order of the contract's words.
pub fn differing_fields(stored: &str, given: &str) -> Vec<String> {
    const FIELDS: [&str; 8] = [
        "productId",
        "quantity",
        "faceValue",
        "currency",
        "chargeId",
        "maxTotal",
        "recipient",
        "failurePolicy",
    ];
    let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let (stored, given) = (read(stored), read(given));
    FIELDS.into_iter().filter(|field| stored.get(*field) != given.get(*field)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_short_and_plain() {
        for good in ["a", "ord_abc123", "A.b:c-d_9", &"x".repeat(64)] {
            assert!(is_reference(good), "{good}");
        }
        for bad in ["", " ", "a b", "é", "a/b", "a\n", &"x".repeat(65)] {
            assert!(!is_reference(bad), "{bad}");
        }
    }

    #[test]
    fn the_fields_that_differ_are_named_in_order() {
        let stored = r#"{"failurePolicy":"BEST_EFFORT","productId":"a","quantity":1}"#;
        assert!(differing_fields(stored, stored).is_empty());
        let given = r#"{"currency":"USD","failurePolicy":"BEST_EFFORT","productId":"a","quantity":2}"#;
        assert_eq!(differing_fields(stored, given), ["quantity", "currency"]);
    }
}
