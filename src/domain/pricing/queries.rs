//! Reading charges.
//!
//! What lives here: a partner's charges by id.
//! What is always true: a read begins at the partner; another's charge reads as none.
//! What is not here: whether a charge is used; the order that names it tells.

use entity::charges;
use entity::ids::{ChargeId, PartnerId};
use entity::state::Scope;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, QueryFilter};

use crate::ctx::{Ctx, PartnerActor};
use crate::problem::Problem;

/// The calling partner, if it may read charges: whoever makes them, and whoever reads the orders placed with them.
///
/// # Errors
/// UNAUTHENTICATED, FORBIDDEN without charges:write or orders:read.
pub fn require_reader(ctx: &Ctx) -> Result<&PartnerActor, Problem> {
    let actor = ctx.partner()?;
    if actor.may(Scope::OrdersRead) { Ok(actor) } else { ctx.require(Scope::ChargesWrite) }
}

/// A charge of the calling partner; `None` if there is none with this id, or it is another's.
///
/// # Errors
/// UNAUTHENTICATED, FORBIDDEN without charges:write or orders:read.
pub async fn find_charge(ctx: &Ctx, id: &str) -> Result<Option<charges::Model>, Problem> {
    let partner = require_reader(ctx)?.partner;
    let Ok(id) = id.parse::<ChargeId>() else { return Ok(None) };
    Ok(find_charges(&ctx.database().reader, partner, &[id]).await?.into_iter().next())
}

/// The charges of a partner among these ids, in no order.
///
/// # Errors
/// What the database says.
pub async fn find_charges(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    ids: &[ChargeId],
) -> Result<Vec<charges::Model>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    charges::owned_by(partner).filter(charges::Column::Id.is_in(ids.iter().copied())).all(connection).await
}
