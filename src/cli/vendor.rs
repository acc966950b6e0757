//! `octopus vendor`: from whom units are bought.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use entity::currency::Currency;
use entity::ids::VendorId;
use entity::state::{RetentionKind, VendorStatus};
use entity::timestamp::Timestamp;
use entity::{vendor_health, vendors};
use serde_json::{Value, json};

use super::{CliError, answer, vendor_balance, vendor_reconcile, vendor_sync};
use crate::ctx::{Ctx, Deps};
use crate::domain::fulfillment::{self, AddVendor, LastReading, Live, Retention, Secret, Vanishing};

/// What to do with vendors.
#[derive(Debug, Subcommand)]
pub enum VendorCommand {
    /// Add a vendor; what it sells comes with `vendor sync` or `offers import`
    Add(Box<AddArguments>),
    /// List the vendors, and how they have answered of late
    List,
    /// Buy nothing more from a vendor; what was asked of it is still resolved
    Pause {
        /// Its name, or its id (vnd_…)
        vendor: String,
    },
    /// Buy from a vendor again
    Resume {
        /// Its name, or its id (vnd_…)
        vendor: String,
    },
    /// Read what a vendor sells: import its products, refresh what it has and what that costs, and say what it lists no more
    Sync {
        /// Its name, or its id (vnd_…); every vendor that tells what it sells if absent
        vendor: Option<String>,
        /// Believe a listing that lacks more than half of what was sold, or has it in a form that cannot be read
        #[arg(long)]
        allow_vanishing: bool,
    },
    /// Ask vendors what our accounts there hold
    Balance {
        /// Its name, or its id (vnd_…); every vendor if absent
        vendor: Option<String>,
    },
    /// Choose how the codes are kept that a vendor delivers from now on
    Retention {
        /// Its name, or its id (vnd_…)
        vendor: String,
        /// store, ttl=48h (24h to 87600h, or 1d to 3650d), or pass-through where the vendor tells its codes again
        retention: Retention,
    },
    /// Hold a vendor's statement against our purchases, post what differs, and list all that ever did
    Reconcile {
        /// Its name, or its id (vnd_…); every vendor that has a statement if absent
        vendor: Option<String>,
        /// Read the statement from this earlier instant on, such as 2026-11-01T00:00:00Z [default: where it was left, and a day before]
        #[arg(long, value_parser = parse_instant)]
        since: Option<Timestamp>,
    },
    /// List the kinds of vendor that can be added, and what each needs
    Adapters,
}

/// A vendor to be added.
#[derive(Debug, Args)]
pub struct AddArguments {
    /// Its name: a-z, 0-9, `_` and `-`
    name: String,
    /// The kind of vendor: `octopus vendor adapters` lists them
    #[arg(long)]
    adapter: String,
    /// Its address
    #[arg(long)]
    base_url: String,
    /// What the adapter is told besides, as name=value; may be given several times
    #[arg(long = "option", value_parser = parse_pair)]
    options: Vec<(String, String)>,
    /// A file with a JSON object of keys and passwords by name; `-` reads it from the standard input
    #[arg(long)]
    credentials: Option<PathBuf>,
    /// The currency of our account there
    #[arg(long, value_parser = parse_currency)]
    currency: Currency,
    /// Among vendors that cost the same, the lowest goes first
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// How long a call may take, in milliseconds
    #[arg(long, default_value_t = 20_000)]
    timeout_ms: u32,
    /// How many requests a second it takes [default: what the adapter says]
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<u32>,
    /// How many requests at once it takes [default: what the adapter says]
    #[arg(long)]
    concurrent_requests: Option<u32>,
    /// How many units a purchase may have [default: what the adapter says]
    #[arg(long)]
    largest_batch: Option<i32>,
    /// For how many seconds a purchase that it does not know may still come to be [default: what the adapter says]
    #[arg(long)]
    settle_window_secs: Option<u32>,
    /// How its codes are kept: store, ttl=48h (24h to 87600h, or 1d to 3650d), or pass-through where the vendor tells them again
    #[arg(long, default_value_t = Retention::Store)]
    retention: Retention,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "must be name=value".to_owned())
}

fn parse_instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "must be an instant such as 2026-11-01T00:00:00Z".to_owned())
}

fn parse_currency(text: &str) -> Result<Currency, String> {
    text.parse().map_err(|_| "must be an active ISO 4217 code in capitals, such as USD".to_owned())
}

/// Runs the command.
///
/// # Errors
/// What the domain refuses, or what the database says.
pub async fn run(deps: Arc<Deps>, command: VendorCommand, json: bool) -> Result<(), CliError> {
    let ctx = Ctx::system(deps);
    match command {
        VendorCommand::Add(arguments) => {
            let vendor = fulfillment::add_vendor(&ctx, arguments.command()?).await?;
            answer(json, &vendor_json(&ctx, &vendor, &Standing::default()), || {
                format!("added {} ({})", vendor.name, vendor.id)
            });
        }
        VendorCommand::List => list(&ctx, json).await?,
        VendorCommand::Pause { vendor } => set_status(&ctx, &vendor, VendorStatus::Paused, json).await?,
        VendorCommand::Resume { vendor } => set_status(&ctx, &vendor, VendorStatus::Active, json).await?,
        VendorCommand::Retention { vendor, retention } => {
            set_retention(&ctx, &vendor, retention, json).await?
        }
        VendorCommand::Balance { vendor } => vendor_balance::run(&ctx, vendor.as_deref(), json).await?,
        VendorCommand::Reconcile { vendor, since } => {
            vendor_reconcile::run(&ctx, vendor.as_deref(), since, json).await?;
        }
        VendorCommand::Sync { vendor, allow_vanishing } => {
            let vanishing = if allow_vanishing { Vanishing::Allowed } else { Vanishing::Limited };
            vendor_sync::run(&ctx, vendor.as_deref(), vanishing, json).await?;
        }
        VendorCommand::Adapters => adapters(&ctx, json),
    }
    Ok(())
}

impl AddArguments {
    fn command(self) -> Result<AddVendor, CliError> {
        let credentials = match &self.credentials {
            Some(file) => read_credentials(file)?,
            None => BTreeMap::new(),
        };
        Ok(AddVendor {
            name: self.name,
            adapter: self.adapter,
            base_url: self.base_url,
            options: once_each(self.options)?,
            credentials,
            currency: self.currency,
            priority: self.priority,
            timeout_ms: self.timeout_ms,
            requests_per_second: self.rate,
            concurrent_requests: self.concurrent_requests,
            largest_batch: self.largest_batch,
            settle_window_secs: self.settle_window_secs,
            retention: self.retention,
        })
    }
}

fn once_each(pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, CliError> {
    let mut options = BTreeMap::new();
    for (name, value) in pairs {
        if options.insert(name.clone(), value).is_some() {
            return Err(CliError::Usage(format!("--option {name} was given twice")));
        }
    }
    Ok(options)
}

/// Keys come by a file, never by an argument, which every process of the machine may read.
fn read_credentials(file: &Path) -> Result<BTreeMap<String, Secret>, CliError> {
    let unreadable = |error: std::io::Error| CliError::Usage(format!("{}: {error}", file.display()));
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
    } else {
        text = std::fs::read_to_string(file).map_err(unreadable)?;
    }
    let read: Result<BTreeMap<String, String>, _> = serde_json::from_str(&text);
    // The parser's words could quote what it read.
    let all = read.map_err(|_| {
        CliError::Usage(format!("{} must hold a JSON object of texts by name", file.display()))
    })?;
    Ok(all.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
}

async fn list(ctx: &Ctx, json: bool) -> Result<(), CliError> {
    let vendors = fulfillment::list_vendors(ctx).await?;
    let standing = Standing {
        health: fulfillment::list_health(ctx).await?,
        syncs: fulfillment::list_syncs(ctx).await?,
        vanished: fulfillment::count_vanished(ctx).await?,
    };
    let listed: Vec<Value> = vendors.iter().map(|vendor| vendor_json(ctx, vendor, &standing)).collect();
    answer(json, &Value::from(listed), || {
        if vendors.is_empty() {
            return "no vendors: units come from own stock alone".to_owned();
        }
        vendors.iter().map(|vendor| vendor_line(ctx, vendor, &standing)).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

async fn set_status(ctx: &Ctx, vendor: &str, status: VendorStatus, json: bool) -> Result<(), CliError> {
    let vendor = fulfillment::set_vendor_status(ctx, vendor, status).await?;
    answer(json, &vendor_json(ctx, &vendor, &Standing::default()), || {
        format!("{} is {}", vendor.name, vendor.status.as_str().to_lowercase())
    });
    Ok(())
}

async fn set_retention(ctx: &Ctx, vendor: &str, retention: Retention, json: bool) -> Result<(), CliError> {
    let vendor = fulfillment::set_retention(ctx, vendor, retention).await?;
    answer(json, &vendor_json(ctx, &vendor, &Standing::default()), || {
        format!("what {} delivers from now on is kept: {retention}", vendor.name)
    });
    Ok(())
}

fn adapters(ctx: &Ctx, json: bool) {
    let all = ctx.feature::<Live>().adapters().0;
    let words = |pairs: &[(&str, &str)]| -> Value {
        pairs.iter().map(|(name, what)| ((*name).to_owned(), Value::from(*what))).collect()
    };
    let listed: Vec<Value> = all
        .iter()
        .map(|adapter| {
            json!({
                "name": adapter.name,
                "options": words(adapter.options),
                "credentials": words(adapter.credentials),
            })
        })
        .collect();
    answer(json, &Value::from(listed), || {
        let lines = |kind: &str, pairs: &[(&str, &str)]| -> String {
            pairs.iter().map(|(name, what)| format!("\n  {kind} {name}: {what}")).collect()
        };
        let one = |adapter: &fulfillment::Adapter| {
            format!(
                "{}{}{}",
                adapter.name,
                lines("credential", adapter.credentials),
                lines("option", adapter.options)
            )
        };
        all.iter().map(one).collect::<Vec<_>>().join("\n")
    });
}

/// What is known of vendors besides their rows.
#[derive(Debug, Default)]
struct Standing {
    health: Vec<vendor_health::Model>,
    syncs: Vec<LastReading>,
    vanished: HashMap<VendorId, i64>,
}

impl Standing {
    fn sync_of(&self, vendor: VendorId) -> Option<&LastReading> {
        self.syncs.iter().find(|sync| sync.vendor_id == vendor)
    }

    fn vanished_of(&self, vendor: VendorId) -> i64 {
        self.vanished.get(&vendor).copied().unwrap_or(0)
    }
}

fn vendor_json(ctx: &Ctx, vendor: &vendors::Model, standing: &Standing) -> Value {
    let options: Value = serde_json::from_str(&vendor.options).unwrap_or_default();
    let sync = standing.sync_of(vendor.id);
    let failing: Vec<Value> = standing
        .health
        .iter()
        .filter(|row| row.vendor_id == vendor.id)
        .map(|row| {
            json!({
                "product": Some(&row.product_id).filter(|product| !product.is_empty()),
                "failures": row.failures,
                "left_alone_until": Some(row.open_until).filter(|until| *until > ctx.now),
                "message": row.message,
                "since": row.changed_at,
            })
        })
        .collect();
    json!({
        "id": vendor.id,
        "name": vendor.name,
        "adapter": vendor.adapter,
        "status": vendor.status,
        "base_url": vendor.base_url,
        "options": options,
        "has_credentials": vendor.credentials.is_some(),
        "currency": vendor.currency,
        "priority": vendor.priority,
        "timeout_ms": vendor.timeout_ms,
        "requests_per_second": vendor.requests_per_second,
        "concurrent_requests": vendor.concurrent_requests,
        "largest_batch": vendor.largest_batch,
        "settle_window_secs": vendor.settle_window_secs,
        "retention": retention(vendor),
        "broken": ctx.feature::<Live>().broken(vendor.id),
        "failing": failing,
        "synced_at": sync.and_then(|sync| sync.read_until),
        "sync_failure": sync.and_then(|sync| sync.failure.as_deref()),
        "vanished_offers": standing.vanished_of(vendor.id),
    })
}

/// As `vendor retention` takes it.
fn retention(vendor: &vendors::Model) -> Option<String> {
    Retention::of(vendor.retention, vendor.retention_secs).map(|retention| retention.to_string())
}

fn vendor_line(ctx: &Ctx, vendor: &vendors::Model, standing: &Standing) -> String {
    let mut line = format!(
        "{}  {}  {} at {}: {}",
        vendor.id,
        vendor.name,
        vendor.adapter,
        vendor.base_url,
        vendor.status.as_str().to_lowercase()
    );
    if let Some(retention) = retention(vendor).filter(|_| vendor.retention != RetentionKind::Store) {
        line.push_str(&format!("\n  its codes are kept: {retention}"));
    }
    if let Some(reason) = ctx.feature::<Live>().broken(vendor.id) {
        line.push_str(&format!("\n  cannot be used: {reason}"));
    }
    if let Some(sync) = standing.sync_of(vendor.id) {
        let when = sync.read_until.map_or_else(|| "never".to_owned(), |at| at.to_string());
        line.push_str(&format!("\n  its catalog was last read: {when}"));
        match &sync.failure {
            Some(doubt) if sync.failures == 0 => {
                line.push_str(&format!("\n  not all of it is believed: {doubt}"))
            }
            Some(reason) => {
                line.push_str(&format!("\n  its catalog failed {} times in a row: {reason}", sync.failures));
            }
            None => {}
        }
    }
    match standing.vanished_of(vendor.id) {
        0 => {}
        count => line.push_str(&format!("\n  {count} products that it sold are not listed there any more")),
    }
    for row in standing.health.iter().filter(|row| row.vendor_id == vendor.id) {
        let what = if row.product_id.is_empty() { "the vendor" } else { row.product_id.as_str() };
        line.push_str(&format!("\n  {what} failed {} times in a row: {}", row.failures, row.message));
        if row.open_until > ctx.now {
            line.push_str(&format!("; left alone until {}", row.open_until));
        }
    }
    line
}
