//! The command line.
//!
//! What lives here: the commands, one file each, and what they share: settings, output.
//! What is always true: every command has `--help`; those that scripts read have `--json`; a command works on a database that a
//! server is using.
//! What is not here: how a failure is told (`failure.rs`); what a command does to the business, which is a domain function.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory, Parser, Subcommand};

use crate::app;
use crate::clock::{SystemClock, SystemIds};
use crate::config::{Config, Settings};
use crate::ctx::Deps;

pub mod admin;
pub mod attempts;
pub mod catalog;
mod failure;
pub mod keys;
pub mod migrate;
pub mod offers;
pub mod partner;
pub mod price;
mod progress;
pub mod rates;
pub mod refund;
pub mod replace;
mod sandbox;
mod sandbox_vendor;
mod schema;
pub mod serve;
mod settings;
pub mod stock;
pub mod vendor;
mod vendor_balance;
mod vendor_reconcile;
pub mod vendor_sim;
mod vendor_sync;
pub mod verify;
pub mod wallet;
mod work;

pub use failure::{BadLine, CliError};

/// What the settings stand under in every command's help.
const SETTINGS: &str = "Settings";

/// The server that sells digital products to businesses.
#[derive(Debug, Parser)]
#[command(name = "octopus", version, about, after_help = failure::EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// The settings file [default: octopus.toml, if there is one]
    #[arg(long, env = "OCTOPUS_CONFIG", global = true, help_heading = SETTINGS)]
    config: Option<PathBuf>,

    /// Answer as JSON, for programs
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,

    // Last, under a heading of its own: what a command itself takes stands ahead of them in its help.
    #[command(flatten, next_help_heading = SETTINGS)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer partners and browsers, until told to stop
    Serve,
    /// Work on orders and purchases beside servers, on PostgreSQL, until told to stop
    Work,
    /// Bring the database's schema up to date, back, or show where it stands
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Make the keys of an installation
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Run the sandbox vendor, which sells codes worth nothing and fails on request
    VendorSim(vendor_sim::VendorSim),
    /// Show every setting as it is in effect
    Settings,
    /// Print the contract, schema.graphql
    Schema,
    #[command(flatten)]
    OnDatabase(DatabaseCommand),
}

/// The commands that work on a database whose schema is up to date.
#[derive(Debug, Subcommand)]
enum DatabaseCommand {
    /// Open, list and stop partners, and manage their credentials
    #[command(subcommand)]
    Partner(partner::PartnerCommand),
    /// Import products
    #[command(subcommand)]
    Catalog(catalog::CatalogCommand),
    /// Import exchange rates
    #[command(subcommand)]
    Rates(rates::RatesCommand),
    /// Set, list and remove the rules from which prices are made
    #[command(subcommand)]
    Price(price::PriceCommand),
    /// Open and list the accounts of the people who run the system
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Take codes into stock
    #[command(subcommand)]
    Stock(stock::StockCommand),
    /// Add, list and pause vendors
    #[command(subcommand)]
    Vendor(vendor::VendorCommand),
    /// Import what vendors sell, and for how much
    #[command(subcommand)]
    Offers(offers::OffersCommand),
    /// List what was asked of vendors, and decide what nobody could learn
    #[command(subcommand)]
    Attempts(attempts::AttemptsCommand),
    /// Give a delivered unit's money back, once
    RefundUnit(refund::RefundArguments),
    /// Give a delivered unit another code from stock, for one that does not work
    ReplaceVoucher(replace::ReplaceArguments),
    /// Fund and list wallets, and write their statements
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// Prove the books: every invariant of money, orders, stock and feed
    Verify,
}

/// Runs the command of the process's arguments.
pub async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return tell(naming_variable(told)),
    };
    let json = cli.json;
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report(json);
            ExitCode::from(error.exit_code())
        }
    }
}

/// The same complaint, saying where else than in its flag a malformed setting may stand: whoever wrote a variable gave no flag.
fn naming_variable(mut told: clap::Error) -> clap::Error {
    if !matches!(told.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        return told;
    }
    let Some(ContextValue::String(argument)) = told.get(ContextKind::InvalidArg) else { return told };
    let flag = argument.split(' ').next().unwrap_or_default().to_owned();
    let command = Cli::command();
    let is_it = |setting: &&Arg| setting.get_long().is_some_and(|long| flag == format!("--{long}"));
    if let Some(variable) = command.get_arguments().find(is_it).and_then(Arg::get_env) {
        let tip = format!("mend {flag}, or {} in the environment", variable.display());
        told.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    told
}

/// What the arguments alone lead to: help, the version, or what is wrong with them.
fn tell(told: clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if told.use_stderr() && wants_json {
        let text = told.render().to_string();
        let usage = CliError::Usage(text.trim_start_matches("error: ").trim().to_owned());
        usage.report(true);
        return ExitCode::from(usage.exit_code());
    }
    // Nobody is left to be told of a stream that is closed.
    let _ = told.print();
    if told.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

async fn run(cli: Cli) -> Result<(), CliError> {
    let file = Settings::from_file(cli.config.as_deref())?;
    let config = cli.settings.complete(file)?;
    match cli.command {
        Command::Serve => serve::run(config).await?,
        Command::Work => work::run(config).await?,
        Command::Schema => schema::run(),
        Command::VendorSim(command) => vendor_sim::run(command, cli.json).await?,
        Command::Settings => settings::run(&config, cli.json),
        Command::Migrate(command) => migrate::run(&config, &command, cli.json).await?,
        Command::Keys(command) => keys::run(&config, &command, cli.json)?,
        Command::OnDatabase(command) => {
            let deps = open(config).await?;
            let outcome = run_on_database(Arc::clone(&deps), command, cli.json).await;
            app::close(&deps).await;
            outcome?;
        }
    }
    Ok(())
}

async fn run_on_database(deps: Arc<Deps>, command: DatabaseCommand, json: bool) -> Result<(), CliError> {
    match command {
        DatabaseCommand::Partner(command) => partner::run(deps, command, json).await,
        DatabaseCommand::Stock(command) => stock::run(deps, command, json).await,
        DatabaseCommand::Wallet(command) => wallet::run(deps, command, json).await,
        DatabaseCommand::Vendor(command) => vendor::run(deps, command, json).await,
        DatabaseCommand::Offers(command) => offers::run(deps, command, json).await,
        DatabaseCommand::Attempts(command) => attempts::run(deps, command, json).await,
        DatabaseCommand::RefundUnit(arguments) => refund::run(deps, arguments, json).await,
        DatabaseCommand::ReplaceVoucher(arguments) => replace::run(deps, arguments, json).await,
        DatabaseCommand::Verify => verify::run(deps, json).await,
        DatabaseCommand::Catalog(command) => catalog::run(deps, command, json).await,
        DatabaseCommand::Rates(command) => rates::run(deps, command, json).await,
        DatabaseCommand::Price(command) => price::run(deps, command, json).await,
        DatabaseCommand::Admin(command) => admin::run(deps, command, json).await,
    }
}

/// Opens what a command needs, on the machine's clock.
async fn open(config: Config) -> Result<Arc<Deps>, CliError> {
    Ok(app::open(config, Arc::new(SystemClock), Arc::new(SystemIds::default())).await?)
}

/// Prints an answer: the value as JSON for programs, the text for people.
#[expect(clippy::print_stdout, reason = "the command line speaks to its user")]
pub fn answer(json: bool, value: &serde_json::Value, text: impl FnOnce() -> String) {
    if json { println!("{value}") } else { println!("{}", text()) }
}
