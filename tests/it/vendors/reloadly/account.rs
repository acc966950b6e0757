//! What an operator sets for a Reloadly account, and what the account has left.

use super::super::contract::delivered;
use super::super::reloadly_replica::APP_STORE_FR;
use super::super::stage::{Account, Stage};
use super::{ReloadlyStage, dollars};

#[tokio::test]
async fn an_account_says_which_setting_is_missing_or_wrong() {
    let stage = ReloadlyStage::open().await;
    let opened = |change: &dyn Fn(&mut octopus_cards::domain::fulfillment::VendorAccount)| {
        let mut account = stage.account(Account::Good);
        change(&mut account);
        stage.open_with(account).err().map(|bad| bad.to_string())
    };
    let address = "must be an http:// or https:// address with a host, without user, query or fragment";
    assert_eq!(
        opened(&|account| drop(account.credentials.remove("client_id"))),
        Some("client_id: is missing".to_owned())
    );
    assert_eq!(
        opened(&|account| drop(account.credentials.remove("client_secret"))),
        Some("client_secret: is missing".to_owned())
    );
    assert_eq!(
        opened(&|account| account.base_url = "giftcards.reloadly.com".to_owned()),
        Some(format!("base_url: {address}"))
    );
    assert_eq!(
        opened(&|account| drop(account.options.insert("auth_url".to_owned(), "ftp://a".to_owned()))),
        Some(format!("auth_url: {address}"))
    );
    assert_eq!(opened(&|account| drop(account.credentials.remove("webhook_secret"))), None);
    assert_eq!(opened(&|account| account.options.clear()), None);
}

#[tokio::test]
async fn the_balance_is_told_to_the_sixth_digit() {
    let stage = ReloadlyStage::open().await;
    let vendor = stage.good();
    assert_eq!(vendor.balance().await, Ok(Some(dollars("100000"))));
    delivered(vendor.purchase(&stage.order("b-1", &APP_STORE_FR, "5.00", 1)).await);
    // 5 × 1.1767764 + 1 = 6.883882, of which the purchase shows five digits.
    assert_eq!(vendor.balance().await, Ok(Some(dollars("99993.116118"))));
}
