//! What a sandbox begins with.
//!
//! What lives here: the catalog, rates, codes, partner and admin of a first start, and the file that keeps their credentials.
//! What is always true: everything goes through the doors that a production uses; each step does nothing where its work is
//! done, so that a start that was interrupted is finished by the next; secrets are random, printed once, and kept in a file
//! that only the owner may read.
//! What is not here: a production's start, which fills nothing.

use std::fmt::Display;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use entity::currency::Currency;
use entity::money::Money;
use entity::partners;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use super::{CliError, progress};
use crate::ctx::Ctx;
use crate::domain::{catalog, identity, pricing, vouchers, wallet};
use crate::problem::{ErrorCode, Failure, Problem};
use crate::store;

/// The partner that everybody plays with.
const PARTNER: &str = "demo";
/// A million dollars' worth in each wallet, in minor units.
const FUNDS: [(&str, i64); 4] =
    [("USD", 100_000_000), ("EUR", 88_000_000), ("JPY", 150_000_000), ("KWD", 307_000_000)];

/// Fills an empty sandbox; does nothing on a full one.
///
/// # Errors
/// Files of the seed folder that are missing or bad; what the database says.
pub(super) async fn fill(ctx: &Ctx) -> Result<(), CliError> {
    let reader = &ctx.database().reader;
    if entity::products::Entity::find().count(reader).await? == 0 {
        import_catalog(ctx).await?;
    }
    if entity::exchange_rates::Entity::find().count(reader).await? == 0 {
        import_rates(ctx).await?;
    }
    if entity::vouchers::Entity::find().count(reader).await? == 0 {
        generate_codes(ctx).await?;
    }
    let demo = entity::partners::Entity::find().filter(entity::partners::Column::Name.eq(PARTNER));
    let known = demo.one(reader).await?;
    let file = ctx.config().data_dir.join("sandbox-credentials.json");
    let is_new = known.is_none();
    let partner = open_partner(ctx, known).await?;
    if is_new || !file.exists() {
        let credentials = make_credentials(ctx, &partner).await?;
        keep(&file, &credentials)?;
        tell(&file, &credentials);
    }
    Ok(())
}

async fn import_catalog(ctx: &Ctx) -> Result<(), CliError> {
    let folder = &ctx.config().seed_dir;
    let files = catalog::Files::read(folder).map_err(|refusal| CliError::Usage(refusal.to_string()))?;
    let bar = progress::bar("importing the catalog", 0);
    let import = catalog::Import { files, bad_rows: catalog::BadRows::Refuse };
    let told = |step: catalog::Progress| progress::move_to(&bar, step.done, step.total);
    let outcome = catalog::import(ctx, import, told).await;
    bar.finish_and_clear();
    outcome.map_err(unusable)?;
    catalog::refresh_catalog(&ctx.deps).await?;
    Ok(())
}

async fn import_rates(ctx: &Ctx) -> Result<(), CliError> {
    let path = ctx.config().seed_dir.join("fx-rates.csv");
    let file =
        std::fs::read(&path).map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
    pricing::import_rates(ctx, &file).await.map_err(unusable)?;
    pricing::refresh(&ctx.deps).await?;
    Ok(())
}

/// A seed file that is not as it should be.
fn unusable<R: Display>(failure: Failure<R>) -> CliError {
    match failure {
        Failure::Refused(refusal) => CliError::Usage(refusal.to_string()),
        Failure::Problem(problem) => CliError::Problem(problem),
    }
}

async fn generate_codes(ctx: &Ctx) -> Result<(), CliError> {
    let wanted = vouchers::choose_sandbox_products(ctx).await?;
    let bar = progress::bar("making codes", wanted.iter().map(|codes| codes.count).sum());
    let told = bar.clone();
    let outcome = vouchers::generate(ctx, &wanted, &move |done| {
        told.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    })
    .await;
    bar.finish_and_clear();
    outcome?;
    catalog::refresh_stock(&ctx.deps).await?;
    Ok(())
}

async fn open_partner(ctx: &Ctx, known: Option<partners::Model>) -> Result<partners::Model, CliError> {
    let partner = match known {
        Some(partner) => partner,
        None => {
            let command =
                identity::CreatePartner { name: PARTNER.to_owned(), default_currency: Currency::USD };
            identity::create_partner(ctx, command).await?
        }
    };
    for (currency, minor) in FUNDS {
        let currency: Currency = currency.parse().map_err(Problem::internal)?;
        let command = wallet::CreditWallet {
            partner: partner.id,
            amount: Money::from_minor(minor, currency),
            // The same at every start: a wallet is funded once.
            reference: format!("sandbox-{currency}"),
            note: Some("what a sandbox begins with".to_owned()),
        };
        wallet::credit(ctx, command).await?;
    }
    Ok(partner)
}

/// Makes what a person signs in with. The admin's name is taken where an earlier file was lost; then another is made.
async fn make_credentials(ctx: &Ctx, partner: &partners::Model) -> Result<Value, CliError> {
    let command = identity::CreateCredential { name: "sandbox".to_owned(), scopes: None };
    let made = identity::create_credential_for(ctx, partner.id, command).await?;
    let taken: Vec<String> =
        identity::list_admins(ctx).await?.into_iter().map(|admin| admin.username).collect();
    let names = (1..).map(|number| if number == 1 { "admin".to_owned() } else { format!("admin-{number}") });
    let username = names.take(1_000).find(|name| !taken.contains(name)).ok_or(CliError::Refused {
        code: ErrorCode::InvalidInput,
        message: "this sandbox has a thousand admins; remove its data folder to begin anew".to_owned(),
    })?;
    let admin = identity::create_admin(ctx, identity::CreateAdmin { username, password: None }).await?;
    let url = ctx.config().public_url.trim_end_matches('/');
    Ok(json!({
        "url": url,
        "graphql_url": format!("{url}/graphql"),
        "ws_url": format!("{}/graphql", url.replacen("http", "ws", 1)),
        "partner": { "username": made.credential.username, "password": made.secret.expose() },
        "admin": { "username": admin.admin.username, "password": admin.password.expose() },
    }))
}

/// Writes the file beside itself and renames it: a reader sees all of it or nothing.
fn keep(path: &Path, credentials: &Value) -> Result<(), CliError> {
    let draft = PathBuf::from(format!("{}.new", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| store::unusable(folder, &error))?;
    }
    // A draft that a killed start left behind has its own mode.
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
    let mut file = made.map_err(|error| store::unusable(&draft, &error))?;
    writeln!(file, "{credentials:#}")?;
    file.sync_all()?;
    Ok(std::fs::rename(&draft, path)?)
}

#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
fn tell(file: &Path, credentials: &Value) {
    let text = |who: &str, what: &str| credentials[who][what].as_str().unwrap_or_default().to_owned();
    println!("This sandbox is new. Its keys are shown once, and kept in {}:", file.display());
    println!("  partner  key {}  secret {}", text("partner", "username"), text("partner", "password"));
    println!("  admin    name {}  password {}", text("admin", "username"), text("admin", "password"));
}
