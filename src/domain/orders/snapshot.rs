//! The product as it was when it was sold.
//!
//! What lives here: what an order keeps of its product.
//! What is always true: it does not change with the catalog, so that an old buyer still learns how to redeem.
//! What is not here: the product as it is now.

use entity::currency::Currency;
use entity::state::DeliveryKind;
use serde::{Deserialize, Serialize};

use crate::domain::catalog::Product;

/// A product as it was when it was sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedProduct {
    /// The sku.
    pub id: String,
    /// The name.
    pub name: String,
    /// The brand's name.
    pub brand_name: String,
    /// The category's slug.
    pub category: String,
    /// Where it is redeemed: ISO 3166-1 alpha-2.
    pub country: String,
    /// The currency of its face value.
    pub face_currency: Currency,
    /// How a unit reaches its user.
    pub delivery: DeliveryKind,
    /// What a unit is, for goods sold by the unit.
    pub unit_label: Option<String>,
    /// How to redeem.
    pub redemption_instructions: Option<String>,
}

impl OrderedProduct {
    /// A product as it is now.
    pub fn of(product: &Product) -> Self {
        Self {
            id: product.id.clone(),
            name: product.name.clone(),
            brand_name: product.brand.name.clone(),
            category: product.category.slug.clone(),
            country: product.country.code.clone(),
            face_currency: product.face_currency,
            delivery: product.delivery,
            unit_label: product.unit_label.clone(),
            redemption_instructions: product.redemption_instructions.clone(),
        }
    }

    /// As an order keeps it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and states always serialise")
    }

    /// Out of what an order keeps.
    ///
    /// # Errors
    /// Text that `to_json` did not write.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
