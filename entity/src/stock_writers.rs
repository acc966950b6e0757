//! The number of the last stock move of each writer.

use sea_orm::entity::prelude::*;

use crate::ids::StockWriterId;
use crate::timestamp::Timestamp;

/// The number of the last stock move of each writer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stock_writers")]
pub struct Model {
    /// The writer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub writer: StockWriterId,
    /// Its last move's number; 0 before the first.
    pub n: i64,
    /// When it moved, by the database's clock: at most a minute before its last move.
    pub moved_at: Timestamp,
}

/// Joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
