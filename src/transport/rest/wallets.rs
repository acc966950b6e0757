//! Wallets.
//!
//! Lives here: the calling partner's wallets.
//! Always true: balance, held and available of a wallet are of one moment; a page costs one statement for all of them.
//! Not here: entries and statements, which GraphQL has.

use entity::currency::Currency;
use entity::ids::WalletId;
use entity::wallets;
use serde::Serialize;

use super::gate::{Answer, Call, Outcome};
use super::problem_details::ProblemDetails;
use super::shapes::{List, Money};
use crate::domain::wallet::{self, Funds};
use crate::problem::Problem;
use crate::store::encode_cursor;

/// What wallets are asked for by.
pub const LIST: &[&str] = &["cursor", "limit"];

#[derive(Serialize)]
struct Wallet {
    id: WalletId,
    currency: Currency,
    balance: Money,
    held: Money,
    available: Money,
}

impl Wallet {
    fn of(wallet: &wallets::Model, funds: Funds) -> Self {
        let money = |minor| Money::from_minor(minor, wallet.currency);
        Self {
            id: wallet.id,
            currency: wallet.currency,
            balance: money(funds.available.saturating_add(funds.held)),
            held: money(funds.held),
            available: money(funds.available),
        }
    }
}

/// `GET /api/v1/wallets`
pub async fn list(call: Call) -> Outcome {
    let Call { ctx, parameters, .. } = &call;
    let page = wallet::list_wallets(ctx, &parameters.page()?)
        .await
        .map_err(|problem| ProblemDetails::from(problem).renamed("after", "cursor"))?;
    let ids = page.items.iter().map(|wallet| wallet.id).collect();
    let funds = wallet::funds_of(ctx, ids).await?;
    let last = page.items.last().filter(|_| page.has_next);
    let next_cursor = last.map(|wallet| encode_cursor(wallet.currency.code()));
    let data = page
        .items
        .iter()
        .map(|wallet| {
            let funds = funds.get(&wallet.id).copied();
            Ok(Wallet::of(wallet, funds.ok_or_else(|| Problem::internal("a wallet without funds"))?))
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    Answer::ok(&List { data, next_cursor })
}
