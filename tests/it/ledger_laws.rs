//! The laws of money under random operations: two partners, three currencies, whatever order things happen in.
//! Always true: a seed repeats the same operations; the books are verified at the end, as after every test.

use futures_util::StreamExt as _;
use futures_util::stream;
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::orders::order;
use super::support::app::{Partner, TestApp};
use super::support::catalog::{DINAR_10, STEAM_50, YEN_1000, stock_csv};
use super::support::poll;

const OPERATIONS: u64 = 10_000;
const AT_ONCE: usize = 24;
const PRODUCTS: [(&str, &str); 3] = [(STEAM_50, "50"), (YEN_1000, "1000"), (DINAR_10, "10")];
static LOADING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
const CURRENCIES: [&str; 3] = ["USD", "JPY", "KWD"];

/// One operation, drawn from its own seed: so that the draw does not depend on what runs beside it.
async fn operate(app: &TestApp, partners: &[Partner; 2], number: u64) {
    let mut random = ChaCha20Rng::seed_from_u64(number);
    let partner = &partners[random.random_range(0..2)];
    let (product, face) = PRODUCTS[random.random_range(0..3)];
    let currency = CURRENCIES[random.random_range(0..3)];
    match random.random_range(0..100) {
        0..70 => {
            let policy = if random.random_bool(0.2) { "ALL_OR_NOTHING" } else { "BEST_EFFORT" };
            let input = json!({ "productId": product, "quantity": random.random_range(1..6), "currency": currency,
                "reference": format!("law-{number}"), "failurePolicy": policy, "waitMs": 0 });
            order(partner, input).await.data();
        }
        70..78 => {
            let earlier = random.random_range(0..=number);
            let input = json!({ "productId": product, "reference": format!("law-{earlier}"), "waitMs": 0 });
            order(partner, input).await.data();
        }
        78..86 => buy_on_a_charge(partner, product, currency, number).await,
        86..94 => {
            let cancel =
                "mutation($input: CancelOrderInput!) { cancelOrder(input: $input) { userErrors { code } } }";
            let earlier = format!("law-{}", random.random_range(0..=number));
            partner.graphql(cancel, json!({ "input": { "reference": earlier } })).await.data();
        }
        94..97 => {
            // The harness writes each import to the same file.
            let _alone = LOADING.lock().await;
            let first = usize::try_from(1_000 + number * 10).unwrap();
            app.load_stock(&stock_csv(product, face, first, random.random_range(1..10))).await;
        }
        97..99 => app.advance_secs(random.random_range(1..12)),
        _ => {
            let read = "{ wallets { nodes { available { amount } held { amount } entries(first: 3) { totalCount } } } }";
            partner.graphql(read, Value::Null).await.data();
        }
    }
}

async fn buy_on_a_charge(partner: &Partner, product: &str, currency: &str, number: u64) {
    let quote = "mutation($input: CreateChargeInput!) { createCharge(input: $input) { charge { id } userErrors { code } } }";
    let input = json!({ "productId": product, "quantity": 1 + number % 3, "currency": currency });
    let charge = partner.graphql(quote, json!({ "input": input })).await;
    let id = charge.at("createCharge.charge.id").clone();
    order(partner, json!({ "chargeId": id, "reference": format!("law-{number}"), "waitMs": 0 })).await.data();
}

both_databases! {
    async fn ten_thousand_random_operations_keep_the_books(app: SmallCatalog) {
        let partners = [app.partner().await, app.other_partner().await];
        for (product, face) in PRODUCTS {
            app.load_stock(&stock_csv(product, face, 500, 400)).await;
        }
        stream::iter(0..OPERATIONS).for_each_concurrent(AT_ONCE, |number| operate(&app, &partners, number)).await;
        app.advance_secs(3_600);
        poll::until_true("every order has ended", async || {
            app.database.number("SELECT count(*) FROM orders WHERE completed_at IS NULL").await == 0
        }).await;
        assert!(app.database.number("SELECT count(*) FROM orders").await > 500);
        assert!(app.database.number("SELECT count(*) FROM unit_settlements").await > 0);
    }
}
