//! `octopus wallet`: prepaid money.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Subcommand, ValueEnum};
use entity::currency::Currency;
use entity::ids::PartnerId;
use entity::money::Money;
use entity::timestamp::Timestamp;
use serde_json::{Value, json};

use super::{CliError, answer};
use crate::ctx::{Ctx, Deps};
use crate::domain::identity;
use crate::domain::wallet::{self, CreditWallet, EntryRange, Format, StatementText};
use crate::problem::Problem;

/// What to do with wallets.
#[derive(Debug, Subcommand)]
pub enum WalletCommand {
    /// Pay money in, once for each reference; opens the wallet if there is none
    Credit {
        /// The partner's id (prt_…), or its name if no other has it
        #[arg(long)]
        partner: String,
        /// The wallet's currency, such as USD
        #[arg(long, value_parser = parse_currency)]
        currency: Currency,
        /// How much, such as 1000.00
        #[arg(long)]
        amount: String,
        /// What makes it happen once, such as the bank's reference
        #[arg(long)]
        reference: String,
        /// Why, for the books
        #[arg(long)]
        note: Option<String>,
    },
    /// List wallets with what they have
    List {
        /// Only those of this partner: its id (prt_…), or its name if no other has it
        #[arg(long)]
        partner: Option<String>,
    },
    /// Write every entry of a wallet, oldest first
    Statement {
        /// The partner's id (prt_…), or its name if no other has it
        #[arg(long)]
        partner: String,
        /// The wallet's currency, such as USD
        #[arg(long, value_parser = parse_currency)]
        currency: Currency,
        /// The form of the text
        #[arg(long, value_enum, default_value = "csv")]
        format: StatementFormat,
        /// Entries at or after this instant, such as 2026-11-01T00:00:00Z
        #[arg(long, value_parser = parse_instant)]
        from: Option<Timestamp>,
        /// Entries before this instant
        #[arg(long, value_parser = parse_instant)]
        to: Option<Timestamp>,
        /// The file to write; to the standard output if absent
        #[arg(long)]
        output: Option<PathBuf>,
    },
}

/// The form of a statement.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum StatementFormat {
    /// Comma-separated values with a header line
    Csv,
    /// One JSON object a line
    JsonLines,
}

fn parse_currency(text: &str) -> Result<Currency, String> {
    text.parse().map_err(|_| "must be an ISO 4217 code in capitals, such as USD".to_owned())
}

fn parse_instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "must be an RFC 3339 instant, such as 2026-11-01T00:00:00Z".to_owned())
}

/// Runs the command.
///
/// # Errors
/// What a rule or the database says.
pub async fn run(deps: Arc<Deps>, command: WalletCommand, json: bool) -> Result<(), CliError> {
    let ctx = Ctx::system(deps);
    match command {
        WalletCommand::Credit { partner, currency, amount, reference, note } => {
            let partner = find_partner(&ctx, &partner).await?;
            let amount = Money::parse(&amount, currency)
                .map_err(|error| CliError::Usage(format!("--amount is no amount of {currency}: {error}")))?;
            credit(&ctx, CreditWallet { partner, amount, reference, note }, json).await
        }
        WalletCommand::List { partner } => {
            let partner = match partner {
                Some(partner) => Some(find_partner(&ctx, &partner).await?),
                None => None,
            };
            list(&ctx, partner, json).await
        }
        WalletCommand::Statement { partner, currency, format, from, to, output } => {
            let partner = find_partner(&ctx, &partner).await?;
            let format = match format {
                StatementFormat::Csv => Format::Csv,
                StatementFormat::JsonLines => Format::JsonLines,
            };
            write_statement(&ctx, (partner, currency), (format, EntryRange { from, to }), output).await
        }
    }
}

/// The partner that a person means: by id, or by a name that one alone has.
async fn find_partner(ctx: &Ctx, text: &str) -> Result<PartnerId, CliError> {
    let partners = identity::list_partners(ctx).await?;
    let id = text.parse::<PartnerId>().ok();
    let mut meant = partners.iter().filter(|partner| Some(partner.id) == id || partner.name == text);
    match (meant.next(), meant.next()) {
        (Some(partner), None) => Ok(partner.id),
        (Some(_), Some(_)) => Err(CliError::Usage(format!("several partners are named {text}: give an id"))),
        (None, _) => Err(CliError::Usage(format!("no partner has the id or the name {text}"))),
    }
}

async fn credit(ctx: &Ctx, command: CreditWallet, json: bool) -> Result<(), CliError> {
    let amount = command.amount;
    let done = wallet::credit(ctx, command).await?;
    let value = json!({
        "wallet": done.wallet, "transaction": done.transaction, "amount": amount.amount(),
        "currency": amount.currency, "available": done.available.amount(), "replayed": done.replayed,
    });
    answer(json, &value, || {
        let how = if done.replayed { "credited before" } else { "credited" };
        format!("{how} {amount} to {}, which then had {} available", done.wallet, done.available)
    });
    Ok(())
}

async fn list(ctx: &Ctx, partner: Option<PartnerId>, json: bool) -> Result<(), CliError> {
    let wallets = wallet::list_all_wallets(ctx, partner).await?;
    let ids = wallets.iter().map(|wallet| wallet.id).collect();
    let funds = wallet::funds_of(ctx, ids).await?;
    let (mut values, mut lines): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    for wallet in &wallets {
        let Some(funds) = funds.get(&wallet.id) else { continue };
        let money = |minor| Money::from_minor(minor, wallet.currency);
        let (available, held) = (money(funds.available), money(funds.held));
        let balance = money(funds.available.saturating_add(funds.held));
        values.push(json!({
            "id": wallet.id, "partner": wallet.partner_id, "currency": wallet.currency,
            "balance": balance.amount(), "held": held.amount(), "available": available.amount(),
        }));
        lines.push(format!("{} {} available {available}, held {held}", wallet.id, wallet.partner_id));
    }
    answer(json, &json!({ "wallets": values }), || {
        if lines.is_empty() { "no wallets".to_owned() } else { lines.join("\n") }
    });
    Ok(())
}

async fn write_statement(
    ctx: &Ctx,
    (partner, currency): (PartnerId, Currency),
    (format, range): (Format, EntryRange),
    output: Option<PathBuf>,
) -> Result<(), CliError> {
    let wallets = wallet::list_all_wallets(ctx, Some(partner)).await?;
    let found = wallets.iter().find(|wallet| wallet.currency == currency).ok_or_else(Problem::not_found)?;
    let mut statement = wallet::statement_of(ctx, found.id, format, range).await?;
    let mut out: Box<dyn Write + Send> = match output {
        Some(path) => Box::new(std::fs::File::create(path)?),
        None => Box::new(std::io::stdout()),
    };
    out.write_all(StatementText::header(format).as_bytes())?;
    while let Some(lines) = statement.next(ctx).await? {
        out.write_all(lines.as_bytes())?;
    }
    out.flush()?;
    Ok(())
}
