//! `octopus wallet`: prepaid money.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Subcommand, ValueEnum};
use entity::currency::Currency;
use entity::ids::{PartnerId, WalletId};
use entity::money::Money;
use entity::partners;
use entity::timestamp::Timestamp;
use serde_json::{Value, json};

use super::{CliError, answer, progress};
use crate::ctx::{Ctx, Deps};
use crate::domain::identity;
use crate::domain::wallet::{self, CreditWallet, EntryRange, Format, StatementText};
use crate::problem::ErrorCode;

/// Wallets whose funds one statement sums.
const FUNDS_A_STATEMENT: usize = 1_000;

/// What to do with wallets.
#[derive(Debug, Subcommand)]
pub enum WalletCommand {
    /// Pay money in, once for each reference; opens the wallet if there is none
    Credit {
        /// The partner's id (prt_…), or its name
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
        /// Only those of this partner: its id (prt_…), or its name
        #[arg(long)]
        partner: Option<String>,
    },
    /// Write every entry of a wallet, oldest first
    Statement {
        /// The partner's id (prt_…), or its name
        #[arg(long)]
        partner: String,
        /// The wallet's currency, such as USD
        #[arg(long, value_parser = parse_currency)]
        currency: Currency,
        /// The form of the text [default: csv; json-lines under --json]
        #[arg(long, value_enum)]
        format: Option<StatementFormat>,
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
            let partner = identity::find_partner_named(&ctx, &partner).await?.id;
            let amount = Money::parse(&amount, currency)
                .map_err(|error| CliError::Usage(format!("--amount is no amount of {currency}: {error}")))?;
            credit(&ctx, CreditWallet { partner, amount, reference, note }, json).await
        }
        WalletCommand::List { partner } => {
            let partner = match partner {
                Some(partner) => Some(identity::find_partner_named(&ctx, &partner).await?.id),
                None => None,
            };
            list(&ctx, partner, json).await
        }
        WalletCommand::Statement { partner, currency, format, from, to, output } => {
            let partner = identity::find_partner_named(&ctx, &partner).await?;
            let format = match format {
                Some(StatementFormat::JsonLines) => Format::JsonLines,
                None if json && output.is_none() => Format::JsonLines,
                Some(StatementFormat::Csv) | None => Format::Csv,
            };
            let wanted = Wanted {
                wallet: find_wallet(&ctx, &partner, currency).await?,
                format,
                range: EntryRange { from, to },
            };
            match output {
                Some(path) => write_file(&ctx, wanted, &path, json).await,
                None => write_statement(&ctx, wanted, &mut std::io::stdout()).await.map(drop),
            }
        }
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
    let mut wallets = Vec::new();
    loop {
        // Page by page: a statement reads so many and no more.
        let page = wallet::list_all_wallets(ctx, partner, wallets.last()).await?;
        if page.is_empty() {
            break;
        }
        wallets.extend(page);
    }
    let mut funds = HashMap::new();
    for page in wallets.chunks(FUNDS_A_STATEMENT) {
        funds.extend(wallet::funds_of(ctx, page.iter().map(|wallet| wallet.id).collect()).await?);
    }
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

/// A statement that is asked for.
struct Wanted {
    wallet: WalletId,
    format: Format,
    range: EntryRange,
}

async fn find_wallet(ctx: &Ctx, partner: &partners::Model, currency: Currency) -> Result<WalletId, CliError> {
    let found = wallet::find_wallet_of(ctx, partner.id, currency).await?;
    found.map(|wallet| wallet.id).ok_or_else(|| CliError::Refused {
        code: ErrorCode::NotFound,
        message: format!("{} has no wallet in {currency}", partner.name),
    })
}

async fn write_file(ctx: &Ctx, wanted: Wanted, path: &Path, json: bool) -> Result<(), CliError> {
    let mut file = std::fs::File::create(path)
        .map_err(|error| CliError::Usage(format!("cannot write {}: {error}", path.display())))?;
    let entries = write_statement(ctx, wanted, &mut file).await?;
    let value = json!({ "entries": entries, "file": path });
    answer(json, &value, || format!("wrote {entries} entries to {}", path.display()));
    Ok(())
}

/// Writes a statement page by page; how many entries it has.
async fn write_statement(
    ctx: &Ctx,
    wanted: Wanted,
    out: &mut (impl Write + Send),
) -> Result<usize, CliError> {
    let Wanted { wallet, format, range } = wanted;
    let counted = wallet::count_entries(ctx, vec![(wallet, range)]).await?;
    let total = counted.get(&(wallet, range)).copied().unwrap_or_default();
    let total = usize::try_from(total).unwrap_or_default();
    let bar = progress::bar("writing", total);
    let mut written = 0;
    let mut statement = wallet::statement_of(ctx, wallet, format, range).await?;
    out.write_all(StatementText::header(format).as_bytes())?;
    while let Some(lines) = statement.next(ctx).await? {
        out.write_all(lines.content.as_bytes())?;
        written += lines.entries;
        progress::move_to(&bar, written, total);
    }
    out.flush()?;
    bar.finish_and_clear();
    Ok(written)
}
