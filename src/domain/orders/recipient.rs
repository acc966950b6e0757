//! Who receives units without a code.
//!
//! What lives here: sealing a recipient for its order's row, and opening it for the vendor.
//! What is always true: it lies sealed, bound to its order; in the clear it is only on its way in and out.
//! What is not here: whether it has the form that its kind needs (`model.rs`).

use std::sync::Arc;

use entity::ids::{DataKeyId, OrderId};
use entity::orders;
use entity::secret::Sealed;
use entity::state::RecipientKind;
use sea_orm::EntityTrait;

use super::input;
use crate::ctx::{Ctx, Deps};
use crate::domain::fulfillment::Recipient;
use crate::domain::vouchers::{Place, Secret, Vault, vault};
use crate::problem::Problem;

const fn place(order: &str) -> Place<'_> {
    Place { table: "orders", column: "recipient", row: order }
}

/// Seals a recipient for an order that is about to be placed.
///
/// # Errors
/// What the database says.
pub async fn seal(
    ctx: &Ctx,
    order: OrderId,
    recipient: &input::Recipient,
) -> Result<(DataKeyId, Sealed), Problem> {
    let text = format!("{}:{}", recipient.kind, recipient.value);
    vault(ctx).seal_text(ctx, &place(&order.to_string()), &text).await
}

/// Opens the recipient of an order; `None` if it has none.
///
/// # Errors
/// What the database says; INTERNAL_SERVER_ERROR if it does not open.
pub async fn open(deps: &Arc<Deps>, id: OrderId) -> Result<Option<Recipient>, Problem> {
    let order = orders::Entity::find_by_id(id).one(&deps.database.reader).await?;
    let order = order.ok_or_else(|| Problem::internal("a purchase without its order"))?;
    let (Some(sealed), Some(key)) = (&order.recipient, order.recipient_key_id) else { return Ok(None) };
    let opened =
        deps.feature::<Vault>().open_text(&deps.database, &place(&id.to_string()), (key, sealed)).await?;
    let broken = || Problem::internal("a recipient opened to something else");
    let (kind, value) = opened.expose().split_once(':').ok_or_else(broken)?;
    let kind: RecipientKind = kind.parse().map_err(|_| broken())?;
    Ok(Some(Recipient { kind, value: Secret::new(value.to_owned()) }))
}
