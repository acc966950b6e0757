//! Adding vendors, and taking them out of use.
//!
//! What lives here: the operator's commands on vendors.
//! What is always true: an account is opened by its adapter before it is written; credentials lie sealed; a vendor whose
//! purchases could neither be asked about nor be repeated is refused: what is unknown there would stay so.
//! What is not here: what they sell (`offers.rs`).

use std::collections::BTreeMap;

use entity::currency::Currency;
use entity::ids::VendorId;
use entity::state::{Environment, VendorStatus};
use entity::vendors;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, Set, SqlErr,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::adapter::{BadAccount, VendorAccount};
use super::live::{Live, place_of_credentials, try_open};
use super::vendor::Capabilities;
use super::vendor_store;
use crate::ctx::Ctx;
use crate::domain::audit::{self, Entry};
use crate::domain::vouchers::{Retention, Secret, require_vault, vault};
use crate::outgoing::is_in_the_open;
use crate::problem::{ErrorCode, Failure, Problem, Refusal};
use crate::store::{Subject, bump, read_environment, write};

/// The command: a vendor to buy from.
#[derive(Debug)]
pub struct AddVendor {
    /// Its name: `[a-z0-9_-]`, 1 to 64 of them.
    pub name: String,
    /// The adapter that speaks to it.
    pub adapter: String,
    /// Its address.
    pub base_url: String,
    /// What the adapter is told besides.
    pub options: BTreeMap<String, String>,
    /// What signs in there.
    pub credentials: BTreeMap<String, Secret>,
    /// The currency of our account there.
    pub currency: Currency,
    /// Among equals, the lowest goes first.
    pub priority: i32,
    /// How long a call may take, in milliseconds.
    pub timeout_ms: u32,
    /// How many requests a second it takes; what the adapter says if absent.
    pub requests_per_second: Option<u32>,
    /// How many requests at once; the same.
    pub concurrent_requests: Option<u32>,
    /// How many units a purchase may have; the same.
    pub largest_batch: Option<i32>,
    /// For how many seconds a purchase that it does not know may still come to be; the same.
    pub settle_window_secs: Option<u32>,
    /// How the codes that it delivers are kept.
    pub retention: Retention,
}

/// Why a vendor is not added or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VendorRefusedReason {
    /// The account cannot be used so.
    BadAccount(BadAccount),
    /// There is one of this name.
    NameTaken(String),
    /// There is none of this name or id.
    Unknown(String),
    /// A setting is outside its bounds.
    OutOfBounds {
        /// The setting.
        field: &'static str,
        /// What it may be.
        bounds: &'static str,
    },
    /// What is unknown there could never become known.
    CannotBeAsked,
    /// What it delivered could never be read.
    TellsNoCodesAgain,
}

impl Refusal for VendorRefusedReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown(_) => ErrorCode::NotFound,
            _ => ErrorCode::InvalidInput,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::BadAccount(bad) => bad.to_string(),
            Self::NameTaken(name) => format!("there is a vendor {name:?} already"),
            Self::Unknown(name) => format!("there is no vendor {name:?}: `octopus vendor list` shows them"),
            Self::OutOfBounds { field, bounds } => format!("{field} must be {bounds}"),
            Self::CannotBeAsked => {
                "this vendor can neither be asked about a purchase nor be sent one twice: what becomes unknown there would \
                 stay unknown"
                    .to_owned()
            }
            Self::TellsNoCodesAgain => {
                "this vendor does not tell the codes of a purchase again: choose store or ttl".to_owned()
            }
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        match self {
            Self::BadAccount(bad) => Some(vec![bad.field.clone()]),
            Self::OutOfBounds { field, .. } => Some(vec![(*field).to_owned()]),
            Self::NameTaken(_) | Self::Unknown(_) => Some(vec!["name".to_owned()]),
            Self::TellsNoCodesAgain => Some(vec!["retention".to_owned()]),
            Self::CannotBeAsked => None,
        }
    }
}

/// Adds a vendor.
///
/// # Errors
/// See `VendorRefusedReason`; what the database says.
pub async fn add_vendor(
    ctx: &Ctx,
    command: AddVendor,
) -> Result<vendors::Model, Failure<VendorRefusedReason>> {
    let refused = |reason| Err(Failure::Refused(reason));
    if !is_name(&command.name) {
        let bounds = "1 to 64 of a-z, 0-9, `_` and `-`";
        return refused(VendorRefusedReason::OutOfBounds { field: "name", bounds });
    }
    // Said before an account is tried; the last word has the database.
    if find(ctx, &command.name).await?.is_some() {
        return refused(VendorRefusedReason::NameTaken(command.name));
    }
    let bad_account = |bad| Failure::Refused(VendorRefusedReason::BadAccount(bad));
    if is_production(ctx).await? {
        check_for_production(ctx, &command).map_err(bad_account)?;
    }
    let capabilities = try_open(ctx, &command.adapter, account(&command)).map_err(bad_account)?;
    if !capabilities.query_by_reference && !capabilities.idempotent_create {
        return refused(VendorRefusedReason::CannotBeAsked);
    }
    check_retention(command.retention, capabilities).map_err(Failure::Refused)?;
    let row = row(ctx, &command, capabilities).await?;
    check(&row, capabilities).map_err(Failure::Refused)?;
    let facts = json!({
        "name": row.name, "adapter": row.adapter, "base_url": row.base_url,
        "retention": command.retention.to_string(),
    });
    let entry = Entry::new(ctx, "vendors.added", row.id, &facts);
    let task = row.clone();
    write::<_, Failure<VendorRefusedReason>, _>(&ctx.deps, move |transaction| {
        let (row, entry) = (task.clone(), entry.clone());
        Box::pin(async move {
            let inserted = row.clone().into_active_model().insert(transaction).await;
            inserted.map_err(|error| match error.sql_err() {
                Some(SqlErr::UniqueConstraintViolation(_)) => {
                    Failure::Refused(VendorRefusedReason::NameTaken(row.name.clone()))
                }
                _ => error.into(),
            })?;
            vendor_store::insert_limits(transaction, row.id).await?;
            audit::record(transaction, &[entry]).await?;
            Ok(bump(transaction, Subject::Vendors).await?)
        })
    })
    .await?;
    Ok(row)
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

fn account(command: &AddVendor) -> VendorAccount {
    let again = |(name, secret): (&String, &Secret)| (name.clone(), Secret::new(secret.expose().to_owned()));
    VendorAccount {
        base_url: command.base_url.trim_end_matches('/').to_owned(),
        options: command.options.clone(),
        credentials: command.credentials.iter().map(again).collect(),
        currency: command.currency,
        timeout_ms: command.timeout_ms,
    }
}

async fn row(ctx: &Ctx, command: &AddVendor, capabilities: Capabilities) -> Result<vendors::Model, Problem> {
    let id = VendorId::from_uuid(ctx.uuid());
    let (credentials_key_id, credentials) = match command.credentials.is_empty() {
        true => (None, None),
        false => {
            require_vault(&ctx.deps)?;
            let plain: BTreeMap<&str, &str> =
                command.credentials.iter().map(|(name, secret)| (name.as_str(), secret.expose())).collect();
            let text = Zeroizing::new(serde_json::to_string(&plain).map_err(Problem::internal)?);
            let (key, sealed) =
                vault(ctx).seal_text(ctx, &place_of_credentials(&id.to_string()), &text).await?;
            (Some(key), Some(sealed))
        }
    };
    let (retention, retention_secs) = command.retention.columns();
    let bounded = |given: Option<u32>, said: u32| i32::try_from(given.unwrap_or(said)).unwrap_or(i32::MAX);
    Ok(vendors::Model {
        id,
        name: command.name.clone(),
        adapter: command.adapter.clone(),
        status: VendorStatus::Active,
        base_url: command.base_url.trim_end_matches('/').to_owned(),
        options: serde_json::to_string(&command.options).map_err(Problem::internal)?,
        credentials,
        credentials_key_id,
        currency: command.currency,
        priority: command.priority,
        timeout_ms: i32::try_from(command.timeout_ms).unwrap_or(i32::MAX),
        requests_per_second: bounded(command.requests_per_second, capabilities.requests_per_second),
        concurrent_requests: bounded(command.concurrent_requests, capabilities.concurrent_requests),
        largest_batch: command.largest_batch.unwrap_or(capabilities.largest_batch),
        settle_window_secs: bounded(command.settle_window_secs, capabilities.settle_window_secs),
        retention,
        retention_secs,
        created_at: ctx.now,
        updated_at: ctx.now,
    })
}

/// Whether a vendor's codes can be kept so.
pub(super) fn check_retention(
    retention: Retention,
    capabilities: Capabilities,
) -> Result<(), VendorRefusedReason> {
    match retention {
        Retention::PassThrough if !capabilities.tells_codes_again => {
            Err(VendorRefusedReason::TellsNoCodesAgain)
        }
        _ => Ok(()),
    }
}

/// Whether money is earned here. Until somebody has said what the database is for, it is taken for one where it is.
async fn is_production(ctx: &Ctx) -> Result<bool, Problem> {
    let environment = read_environment(&ctx.database().reader).await?;
    Ok(environment.unwrap_or(Environment::Production) == Environment::Production)
}

/// Refuses what sells nothing, and what tells keys and codes to everybody on the way.
fn check_for_production(ctx: &Ctx, command: &AddVendor) -> Result<(), BadAccount> {
    let bad = |field: &str, reason: &str| BadAccount { field: field.to_owned(), reason: reason.to_owned() };
    let adapter = ctx.feature::<Live>().adapters().find(&command.adapter);
    if adapter.is_some_and(|adapter| adapter.is_simulator) {
        return Err(bad("adapter", "must be another one: nothing that a simulator sells is worth anything"));
    }
    let addresses = command.options.iter().filter(|(name, _)| name.ends_with("_url"));
    let addresses = addresses.map(|(name, address)| (name.as_str(), address.as_str()));
    match addresses
        .chain([("base_url", command.base_url.as_str())])
        .find(|(_, address)| is_in_the_open(address))
    {
        Some((field, _)) => Err(bad(field, "must be https:// in a production: keys and codes go there")),
        None => Ok(()),
    }
}

/// The lower bounds are the adapter's: what it needs longer for, it may need longer for at every account.
fn check(row: &vendors::Model, capabilities: Capabilities) -> Result<(), VendorRefusedReason> {
    let needed = i32::try_from(capabilities.settle_window_secs).unwrap_or(i32::MAX);
    if !capabilities.idempotent_create && row.settle_window_secs < needed {
        let bounds = "at least what the adapter says: what is sent again before its end is bought twice";
        return Err(VendorRefusedReason::OutOfBounds { field: "settle_window_secs", bounds });
    }
    let bounds = [
        ((100..=120_000).contains(&row.timeout_ms), "timeout_ms", "100 to 120000"),
        ((1..=10_000).contains(&row.requests_per_second), "requests_per_second", "1 to 10000"),
        ((1..=1_000).contains(&row.concurrent_requests), "concurrent_requests", "1 to 1000"),
        ((1..=1_000).contains(&row.largest_batch), "largest_batch", "1 to 1000"),
        ((0..=604_800).contains(&row.settle_window_secs), "settle_window_secs", "0 to 604800"),
    ];
    match bounds.into_iter().find(|(kept, _, _)| !kept) {
        Some((_, field, bounds)) => Err(VendorRefusedReason::OutOfBounds { field, bounds }),
        None => Ok(()),
    }
}

/// A vendor by its name or id.
///
/// # Errors
/// What the database says.
pub async fn find(ctx: &Ctx, named: &str) -> Result<Option<vendors::Model>, Problem> {
    let all = vendors::Entity::find();
    let wanted = match named.parse::<VendorId>() {
        Ok(id) => all.filter(vendors::Column::Id.eq(id)),
        Err(_) => all.filter(vendors::Column::Name.eq(named)),
    };
    Ok(wanted.one(&ctx.database().reader).await?)
}

/// The same, where it has to be there.
///
/// # Errors
/// `Unknown`; what the database says.
pub async fn get(ctx: &Ctx, named: &str) -> Result<vendors::Model, Failure<VendorRefusedReason>> {
    let unknown = || Failure::Refused(VendorRefusedReason::Unknown(named.to_owned()));
    find(ctx, named).await?.ok_or_else(unknown)
}

/// Every vendor, by name.
///
/// # Errors
/// What the database says.
pub async fn list_vendors(ctx: &Ctx) -> Result<Vec<vendors::Model>, Problem> {
    let all = vendors::Entity::find().order_by_asc(vendors::Column::Name);
    Ok(all.all(&ctx.database().reader).await?)
}

/// Takes a vendor out of use, or back in. What was asked of it is resolved in any case.
///
/// # Errors
/// `Unknown`; what the database says.
pub async fn set_vendor_status(
    ctx: &Ctx,
    named: &str,
    status: VendorStatus,
) -> Result<vendors::Model, Failure<VendorRefusedReason>> {
    let row = get(ctx, named).await?;
    let action = match status {
        VendorStatus::Active => "vendors.resumed",
        VendorStatus::Paused => "vendors.paused",
    };
    let entry = Entry::new(ctx, action, row.id, &json!({ "name": row.name }));
    let changed = vendors::ActiveModel {
        id: Set(row.id),
        status: Set(status),
        updated_at: Set(ctx.now),
        ..Default::default()
    };
    let row = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let (changed, entry) = (changed.clone(), entry.clone());
        Box::pin(async move {
            let row = changed.update(transaction).await?;
            audit::record(transaction, &[entry]).await?;
            bump(transaction, Subject::Vendors).await?;
            Ok(row)
        })
    })
    .await?;
    Ok(row)
}

/// Has a vendor answer at another address: the one that a sandbox carries with it is found elsewhere at each start.
///
/// # Errors
/// `Unknown`; what the database says.
pub async fn move_vendor(
    ctx: &Ctx,
    named: &str,
    base_url: &str,
) -> Result<vendors::Model, Failure<VendorRefusedReason>> {
    let row = get(ctx, named).await?;
    let changed = vendors::ActiveModel {
        id: Set(row.id),
        base_url: Set(base_url.to_owned()),
        updated_at: Set(ctx.now),
        ..Default::default()
    };
    let row = write::<_, Problem, _>(&ctx.deps, move |transaction| {
        let changed = changed.clone();
        Box::pin(async move {
            let row = changed.update(transaction).await?;
            bump(transaction, Subject::Vendors).await?;
            Ok(row)
        })
    })
    .await?;
    Ok(row)
}
