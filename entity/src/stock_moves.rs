//! A change of the number of available codes. Never changed.

use sea_orm::entity::prelude::*;

use crate::ids::StockWriterId;
use crate::state::StockMoveKind;
use crate::timestamp::Timestamp;

/// A change of the number of available codes. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stock_moves")]
pub struct Model {
    /// Who wrote it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub writer: StockWriterId,
    /// Its number for the writer, from 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub n: i64,
    /// Of which product.
    pub product_id: String,
    /// Of which face value, in minor units of the product's face currency.
    pub face_minor: i64,
    /// Why.
    pub kind: StockMoveKind,
    /// By how many.
    pub delta: i32,
    /// When.
    pub at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
