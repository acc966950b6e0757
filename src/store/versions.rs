//! Versions of what servers keep in memory.
//!
//! What lives here: the subjects, reading their versions, and the bump that ends a change.
//! What is always true: whoever changes a subject bumps it last in the same transaction; servers look every 100 ms.
//! What is not here: reloading; each feature does that for its subject.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait};

use super::transaction::{expect_all, statement};

/// What servers keep in memory and reload when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Products, brands, categories, countries and currencies.
    Catalog,
    /// Exchange rates.
    Rates,
    /// Price rules.
    PriceRules,
    /// Master and data keys.
    Keys,
    /// Vendors and their offers.
    Vendors,
}

impl Subject {
    /// The key of its row.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Rates => "rates",
            Self::PriceRules => "price_rules",
            Self::Keys => "keys",
            Self::Vendors => "vendors",
        }
    }
}

/// Every subject's version.
///
/// # Errors
/// What the database says.
pub async fn versions(connection: &impl ConnectionTrait) -> Result<HashMap<String, i64>, DbErr> {
    let rows = entity::versions::Entity::find().all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.subject, row.version)).collect())
}

/// Tells servers that a subject has changed; the last statement of the transaction that changed it.
///
/// # Errors
/// What the database says; a subject that no migration knows.
pub async fn bump(connection: &impl ConnectionTrait, subject: Subject) -> Result<(), DbErr> {
    let sql = "UPDATE versions SET version = version + 1 WHERE subject = $1";
    let bump = statement(connection.get_database_backend(), sql, [subject.as_str().into()]);
    expect_all(connection.execute_raw(bump).await?.rows_affected(), 1, "versions")
}
