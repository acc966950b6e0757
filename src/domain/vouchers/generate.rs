//! Codes for a sandbox.
//!
//! What lives here: which products a sandbox has codes of, and the making of codes that nobody can redeem.
//! What is always true: a production refuses; made codes go the same way as imported ones: sealed, indexed, posted.
//! What is not here: when a sandbox is filled; that is its first start.

use entity::ids::VoucherId;
use entity::state::{DeliveryKind, DenominationKind, Environment, ProductStatus};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::load::{Cost, LoadError, Loaded, NewVoucher, load};
use super::model::{MOST_COST_MICROS, Purpose};
use super::secret::{Contents, Secret};
use super::vault::{DataKey, Vault, vault};
use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::read_environment;

/// The product of which a sandbox has most.
const FIRST_PRODUCT: &str = "steam_wallet_50_usd";
const CODES_OF_FIRST: usize = 5_000;
const OTHER_PRODUCTS: usize = 200;
const CODES_OF_OTHERS: usize = 100;
/// Digits of a made code; none of them is taken for another.
const DIGITS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Every fifth code expires, a year from now; the others never do.
const EXPIRING: usize = 5;

/// So many codes of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateCodes {
    /// The sku of a product with a fixed face value that is delivered as a code.
    pub product: String,
    /// How many.
    pub count: usize,
}

/// What a new sandbox has codes of: 5,000 of Steam Wallet 50 USD and 100 each of 200 others, of as many brands as there are.
///
/// # Errors
/// What the database says.
pub async fn choose_sandbox_products(ctx: &Ctx) -> Result<Vec<GenerateCodes>, Problem> {
    use entity::products::{Column, Entity};
    let products = Entity::find()
        .filter(Column::Delivery.eq(DeliveryKind::Code))
        .filter(Column::Denomination.eq(DenominationKind::Fixed))
        .filter(Column::Status.eq(ProductStatus::Active))
        .order_by_asc(Column::BrandSlug)
        .order_by_asc(Column::Id)
        .all(&ctx.database().reader)
        .await?;
    // The n-th product of every brand before the n+1-th of any, so that many brands have codes.
    let mut brands: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    let mut chosen: Vec<(bool, usize, String)> = Vec::with_capacity(products.len());
    for product in products {
        let nth = brands.entry(product.brand_slug).or_default();
        *nth += 1;
        chosen.push((product.id != FIRST_PRODUCT, *nth, product.id));
    }
    chosen.sort_by_key(|(other, nth, _)| (*other, *nth));
    let first = chosen.iter().take_while(|(other, _, _)| !other).count();
    let codes = |(other, _, product): (bool, usize, String)| GenerateCodes {
        product,
        count: if other { CODES_OF_OTHERS } else { CODES_OF_FIRST },
    };
    Ok(chosen.into_iter().take(first.saturating_add(OTHER_PRODUCTS)).map(codes).collect())
}

/// Makes codes and takes them into stock; `loaded` is told how many are in after each batch.
///
/// # Errors
/// FORBIDDEN in a production; NOT_FOUND for a product that is not there, or has no fixed face value, or is not delivered as a
/// code.
pub async fn generate(
    ctx: &Ctx,
    wanted: &[GenerateCodes],
    loaded: &(dyn Fn(usize) + Send + Sync),
) -> Result<Loaded, Problem> {
    if read_environment(&ctx.database().reader).await? == Some(Environment::Production) {
        return Err(Problem::forbidden("a sandbox: a production has no made codes"));
    }
    let count: usize = wanted.iter().map(|codes| codes.count).sum();
    let uses = i64::try_from(count).map_err(Problem::internal)?;
    let key = vault(ctx).reserve(ctx, Purpose::Stock, uses).await?;
    let mut vouchers = Vec::with_capacity(count);
    for codes in wanted {
        let product = entity::products::Entity::find_by_id(codes.product.clone())
            .one(&ctx.database().reader)
            .await?
            .filter(|product| product.delivery == DeliveryKind::Code)
            .ok_or_else(Problem::not_found)?;
        let face_minor = product.face_minor.ok_or_else(Problem::not_found)?;
        for number in 0..codes.count {
            vouchers.push(made(ctx, &key, (&product, face_minor), number)?);
        }
    }
    load(ctx, vouchers, loaded).await.map_err(|error| match error {
        LoadError::Problem(problem) => problem,
        LoadError::LoadedMeanwhile { .. } => Problem::internal("two random codes were the same"),
    })
}

fn made(
    ctx: &Ctx,
    key: &DataKey,
    (product, face_minor): (&entity::products::Model, i64),
    number: usize,
) -> Result<NewVoucher, Problem> {
    let contents = Contents {
        code: Some(Secret::new(random_text(ctx, 15, 5))),
        pin: None,
        serial: Some(Secret::new(random_text(ctx, 10, 10))),
        redemption_url: None,
    };
    let broken = || Problem::internal("a made code has no identity");
    let id = VoucherId::from_uuid(ctx.uuid());
    let bound_to = (id, product.id.as_str(), face_minor);
    Ok(NewVoucher {
        id,
        product: product.id.clone(),
        face_minor,
        sealed: Some((key.id, Vault::seal_voucher(key, ctx.deps.ids.as_ref(), bound_to, &contents))),
        retention_secs: None,
        blind_index: vault(ctx).blind_index(&product.brand_slug, &contents).ok_or_else(broken)?,
        expires_at: number.is_multiple_of(EXPIRING).then(|| ctx.now.plus_seconds(365 * 86_400)),
        cost: cost(product, face_minor),
        lot: "sandbox".to_owned(),
        purchase: None,
    })
}

/// Nine tenths of the face value; `None` if that is more than a code may cost.
fn cost(product: &entity::products::Model, face_minor: i64) -> Option<Cost> {
    let missing = 6_u32.checked_sub(product.face_currency.minor_units())?;
    let face_micros = face_minor.checked_mul(10_i64.checked_pow(missing)?)?;
    let micros = face_micros.checked_mul(9)?.checked_div(10)?;
    (micros <= MOST_COST_MICROS).then_some(Cost { micros, currency: product.face_currency })
}

/// Random digits, with a dash after each group.
fn random_text(ctx: &Ctx, length: usize, group: usize) -> String {
    let mut bytes = vec![0; length];
    ctx.deps.ids.fill(&mut bytes);
    let mut text = String::with_capacity(length.saturating_mul(2));
    for (place, byte) in bytes.into_iter().enumerate() {
        if place > 0 && place.is_multiple_of(group) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte & 31)]));
    }
    text
}
