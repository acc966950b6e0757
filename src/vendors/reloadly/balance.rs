//! What our account at Reloadly still has.
//!
//! What lives here: the one question for it.
//! What is always true: it is told to six digits, finer than what purchases cost is shown.
//! What is not here: what a purchase took (`transaction.rs`).

use serde::Deserialize;

use super::Reloadly;
use super::calls::Question;
use super::number::{Number, micros};
use crate::domain::fulfillment::{Cost, Trouble};
use crate::vendors::reply::{decode, told};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Balance {
    balance: Number,
    currency_code: String,
}

impl Reloadly {
    /// What the account still has.
    pub(super) async fn funds(&self) -> Result<Option<Cost>, Trouble> {
        let answer = told(self.ask(&Question::for_listing("/accounts/balance")).await)?;
        let told: Balance = decode(&answer).map_err(|doubt| Trouble::Failed(doubt.message))?;
        let odd = || Trouble::Failed("the balance is no amount of a currency that is known".to_owned());
        let currency = told.currency_code.parse().map_err(|_| odd())?;
        Ok(Some(Cost { micros: micros(told.balance.0).ok_or_else(odd)?, currency }))
    }
}
