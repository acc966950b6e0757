//! A line of a ledger transaction. Never changed.

use sea_orm::entity::prelude::*;

use crate::currency::Currency;
use crate::ids::{PartnerId, TransactionId, WalletId};
use crate::state::Account;
use crate::timestamp::Timestamp;

/// A line of a ledger transaction. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "postings")]
pub struct Model {
    /// The transaction.
    #[sea_orm(primary_key, auto_increment = false)]
    pub transaction_id: TransactionId,
    /// Its place in the transaction, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i32,
    /// The account.
    pub account: Account,
    /// The wallet, for wallet accounts.
    pub wallet_id: Option<WalletId>,
    /// Whose wallet.
    pub partner_id: Option<PartnerId>,
    /// The currency.
    pub currency: Currency,
    /// Digits behind the point of `amount`: the currency's own, or 6 for costs.
    pub scale: i32,
    /// What the account gains; negative where it loses.
    pub amount: i64,
    /// For the available account: its number in the wallet, from 1 without gaps.
    pub wallet_sequence: Option<i64>,
    /// For the available account: what was available before.
    pub balance_before: Option<i64>,
    /// For the available account: what was available after.
    pub balance_after: Option<i64>,
    /// When.
    pub created_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The rows of a partner: where every read on its behalf begins.
pub fn owned_by(partner: PartnerId) -> Select<Entity> {
    Entity::find().filter(Column::PartnerId.eq(partner))
}
