//! The command line.
//!
//! What lives here: the commands, one file each, and what they share: settings, exit codes, output.
//! What is always true: every command has `--help`; those that scripts read have `--json`; a command works on a database that a
//! server is using.
//! What is not here: what a command does to the business; that is a domain function.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::app;
use crate::clock::{SystemClock, SystemIds};
use crate::config::{Config, ConfigError, Settings};
use crate::ctx::Deps;
use crate::problem::{ErrorCode, Failure, Problem, Refusal};

pub mod admin;
pub mod catalog;
pub mod keys;
pub mod migrate;
pub mod partner;
pub mod price;
pub mod rates;
mod sandbox;
mod schema;
pub mod serve;
pub mod stock;
pub mod verify;
pub mod wallet;

/// The server that sells digital products to businesses.
#[derive(Debug, Parser)]
#[command(name = "octopus", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,

    /// The settings file [default: octopus.toml, if there is one]
    #[arg(long, env = "OCTOPUS_CONFIG", global = true)]
    config: Option<PathBuf>,

    /// Answer as JSON, for programs
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer partners and browsers, until told to stop
    Serve,
    /// Bring the database's schema up to date, back, or show where it stands
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
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
    /// Make the keys of an installation
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Take codes into stock
    #[command(subcommand)]
    Stock(stock::StockCommand),
    /// Fund and list wallets, and write their statements
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// Prove the books: every invariant of money, orders, stock and feed
    Verify,
    /// Print the contract, schema.graphql
    Schema,
}

/// Why a command failed; each kind has an exit code of its own.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The input is wrong (exit code 2).
    #[error("{0}")]
    Usage(String),
    /// The settings are wrong (exit code 2).
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A rule said no (exit code 3).
    #[error("{code}: {message}")]
    Refused {
        /// The code of the contract.
        code: ErrorCode,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// What was checked is not as it should be (exit code 1).
    #[error("{0}")]
    Failed(String),
    /// The database or the machine did not do its part (exit code 4).
    #[error(transparent)]
    Problem(#[from] Problem),
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) | Self::Config(_) => 2,
            Self::Refused { .. } => 3,
            Self::Problem(_) => 4,
        }
    }
}

impl<R: Refusal> From<Failure<R>> for CliError {
    fn from(failure: Failure<R>) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused { code: refusal.code(), message: refusal.message() },
            Failure::Problem(problem) => Self::Problem(problem),
        }
    }
}

impl From<sea_orm::DbErr> for CliError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Problem(error.into())
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::Problem(Problem::unavailable(error))
    }
}

/// Runs the command of the process's arguments.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}

#[expect(clippy::print_stderr, reason = "the command line speaks to its user")]
fn report(error: &CliError, json: bool) {
    if json {
        let code = match error {
            CliError::Refused { code, .. } => code.as_str(),
            CliError::Problem(problem) => problem.code.as_str(),
            CliError::Failed(_) => "FAILED",
            CliError::Usage(_) | CliError::Config(_) => "USAGE",
        };
        eprintln!("{}", serde_json::json!({ "code": code, "message": error.to_string() }));
    } else {
        eprintln!("octopus: {error}");
    }
}

async fn run(cli: Cli) -> Result<(), CliError> {
    let file = Settings::from_file(cli.config.as_deref())?;
    let config = cli.settings.complete(file)?;
    match cli.command {
        Command::Serve => serve::run(config).await,
        Command::Schema => {
            schema::run();
            Ok(())
        }
        Command::Migrate(command) => migrate::run(&config, &command, cli.json).await,
        Command::Partner(command) => {
            let deps = open(config).await?;
            let outcome = partner::run(Arc::clone(&deps), command, cli.json).await;
            app::close(&deps).await;
            outcome
        }
        Command::Keys(command) => keys::run(&config, &command, cli.json),
        Command::Stock(command) => {
            let deps = open(config).await?;
            let outcome = stock::run(Arc::clone(&deps), command, cli.json).await;
            app::close(&deps).await;
            outcome
        }
        Command::Wallet(command) => {
            let deps = open(config).await?;
            let outcome = wallet::run(Arc::clone(&deps), command, cli.json).await;
            app::close(&deps).await;
            outcome
        }
        Command::Verify => {
            let deps = open(config).await?;
            let outcome = verify::run(Arc::clone(&deps), cli.json).await;
            app::close(&deps).await;
            outcome
        }
        Command::Catalog(command) => {
            let deps = open(config).await?;
            let outcome = catalog::run(Arc::clone(&deps), command, cli.json).await;
            app::close(&deps).await;
            outcome
        }
        Command::Rates(command) => {
            let deps = open(config).await?;
            let outcome = rates::run(Arc::clone(&deps), command, cli.json).await;
            app::close(&deps).await;
            outcome
        }
        Command::Price(command) => {
            let deps = open(config).await?;
            let outcome = price::run(Arc::clone(&deps), command, cli.json).await;
            app::close(&deps).await;
            outcome
        }
        Command::Admin(command) => {
            let deps = open(config).await?;
            let outcome = admin::run(Arc::clone(&deps), command, cli.json).await;
            app::close(&deps).await;
            outcome
        }
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
