//! What is sold and bought before the books are broken.
//! Always true: when a scene has been played, nothing of it moves on by itself. Not here: what is broken (`breakers.rs`).

use octopus_cards::domain::fulfillment::Retention;
use octopus_cards::domain::orders::{self, RefundUnit, ReplaceVoucher};
use octopus_cards::domain::vouchers::destroy_expired_keys;
use serde_json::{Value, json};

use crate::fulfillment::{end, input};
use crate::support::app::{Partner, TestApp};
use crate::support::catalog::{DIRECT_PLAYER, EURO_20, STEAM_50, stock_csv};
use crate::support::poll;
use crate::support::vendor::TestVendor;

/// AUD 50, of which every seeded database has 20 codes.
const AUSTRALIAN: &str = "steam_wallet_50_aud";

const DAY_SECS: i64 = 86_400;

const CREATE_ORDER: &str = "mutation Order($input: CreateOrderInput!) {
    createOrder(input: $input) { order { id } userErrors { code message field } } }";

/// What was done before the books are broken.
#[derive(Debug, Clone, Copy)]
pub enum Scene {
    /// Nothing but the seed: wallets are funded, codes loaded.
    Seeded,
    /// Two units of one order were delivered at once.
    Sold,
    /// Of 22 units 21 were delivered, one of them later, and one refunded.
    Settled,
    /// The same, and one of the delivered units was refunded later.
    Refunded,
    /// Of two units that were delivered at once, the first one got another code, which has a cost.
    Replaced,
    /// An order on a charge, and another that might have been on it.
    OnCharge,
    /// Two orders, of two units and of one.
    SoldTwice,
    /// Codes with a cost were loaded.
    Costly,
    /// A vendor delivered a code.
    Bought,
    /// A vendor delivered a code, which is kept for a day.
    Kept,
    /// The same, and its day has passed.
    Destroyed,
    /// A vendor delivered a code, which it keeps.
    PassedThrough,
    /// A vendor credited a player.
    Credited,
    /// The only vendor refused.
    Refused,
    /// A vendor refused, and another one delivered.
    BoughtElsewhere,
    /// A vendor has a purchase under way.
    Asked,
}

impl Scene {
    /// Does it.
    pub async fn play(self, app: &TestApp) {
        match self {
            Self::Seeded => {}
            Self::Sold => drop(sell(app).await),
            Self::Settled => sell_and_settle(app).await,
            Self::Refunded => {
                sell_and_settle(app).await;
                refund(app).await;
            }
            Self::Replaced => replace(app).await,
            Self::OnCharge => sell_on_a_charge(app).await,
            Self::SoldTwice => drop(order(&sell(app).await, STEAM_50, 1, "another").await),
            Self::Bought => buy(app, (EURO_20, "sandbox_ok"), "DELIVERED").await,
            Self::Kept => keep(app, Retention::KeptFor(DAY_SECS)).await,
            Self::Destroyed => {
                keep(app, Retention::KeptFor(DAY_SECS)).await;
                app.advance_secs(2 * DAY_SECS);
                assert_eq!(destroy_expired_keys(&app.system()).await.unwrap(), 1);
            }
            Self::PassedThrough => keep(app, Retention::PassThrough).await,
            Self::Credited => credit(app).await,
            Self::Refused => buy(app, (EURO_20, "sandbox_out_of_stock_late"), "FAILED").await,
            Self::BoughtElsewhere => buy_elsewhere(app).await,
            Self::Asked => ask(app).await,
            Self::Costly => load_a_costly_code(app).await,
        }
    }
}

/// Places an order and tells its id.
pub async fn order(partner: &Partner, product: &str, quantity: u32, reference: &str) -> String {
    place(partner, input(product, quantity, reference)).await
}

async fn place(partner: &Partner, input: Value) -> String {
    let answer = partner.graphql(CREATE_ORDER, json!({ "input": input })).await;
    answer.payload("createOrder");
    answer.text("createOrder.order.id").to_owned()
}

/// Sells two codes at once.
pub async fn sell(app: &TestApp) -> Partner {
    let partner = app.partner().await;
    order(&partner, STEAM_50, 2, "sold").await;
    partner
}

/// Sells 22 units of which 20 are in stock: of the two that are held, one is captured and one released.
pub async fn sell_and_settle(app: &TestApp) {
    let partner = app.partner().await;
    let id = order(&partner, AUSTRALIAN, 22, "settled").await;
    app.load_stock(&stock_csv(AUSTRALIAN, "50", 21, 1)).await;
    poll::until("the worker delivers the unit that came in", async || {
        let settled = format!("SELECT count(*) FROM unit_settlements WHERE order_id = '{id}'");
        let captured = app.database.number(&settled).await;
        (captured == 1).then_some(())
    })
    .await;
    let cancel = "mutation Cancel($input: CancelOrderInput!) {
        cancelOrder(input: $input) { order { status } userErrors { code message field } } }";
    let answer = partner.graphql(cancel, json!({ "input": { "orderId": id } })).await;
    answer.payload("cancelOrder");
    assert_eq!(answer.text("cancelOrder.order.status"), "PARTIALLY_DELIVERED");
}

/// Sells a unit on a charge, and then another without.
pub async fn sell_on_a_charge(app: &TestApp) {
    let partner = app.partner().await;
    let charge = "mutation Charge($input: CreateChargeInput!) {
        createCharge(input: $input) { charge { id } userErrors { code message field } } }";
    let input = json!({ "input": { "productId": STEAM_50, "quantity": 1 } });
    let charge = partner.graphql(charge, input).await.text("createCharge.charge.id").to_owned();
    let input = json!({ "input": { "chargeId": charge, "reference": "quoted" } });
    partner.graphql(CREATE_ORDER, input).await.payload("createOrder");
    order(&partner, STEAM_50, 1, "unquoted").await;
}

/// Buys a unit from a vendor, the only one, that behaves so; the order ends in this state.
async fn buy(app: &TestApp, offer: (&str, &str), status: &str) {
    buy_to_keep(app, offer, Retention::Store, status).await;
}

async fn buy_to_keep(app: &TestApp, offer: (&str, &str), retention: Retention, status: &str) {
    let vendor = TestVendor::open(app, "only").await;
    vendor.keep(app, retention).await;
    vendor.sell(app, &[offer]).await;
    let partner = app.partner().await;
    place(&partner, input(offer.0, 1, "bought")).await;
    assert_eq!(end(app, &partner, "bought").await.text("order.status"), status);
}

/// Buys a code that is kept so.
async fn keep(app: &TestApp, retention: Retention) {
    buy_to_keep(app, (EURO_20, "sandbox_ok"), retention, "DELIVERED").await;
}

/// Buys a code from a vendor.
pub async fn buy_a_code(app: &TestApp) {
    Scene::Bought.play(app).await;
}

/// Has a vendor credit a player, without a code.
pub async fn credit(app: &TestApp) {
    let vendor = TestVendor::open(app, "players").await;
    vendor.sell(app, &[(DIRECT_PLAYER, "sandbox_ok")]).await;
    let partner = app.partner().await;
    let mut to_a_player = input(DIRECT_PLAYER, 1, "credited");
    to_a_player["recipient"] = json!({ "playerId": "player-77" });
    place(&partner, to_a_player).await;
    assert_eq!(end(app, &partner, "credited").await.text("order.status"), "DELIVERED");
}

async fn buy_elsewhere(app: &TestApp) {
    let (spare, empty) = (TestVendor::open(app, "spare").await, TestVendor::open(app, "empty").await);
    spare.sell_for(app, &[(EURO_20, "sandbox_ok")], "0.85").await;
    empty.sell_for(app, &[(EURO_20, "sandbox_out_of_stock_late")], "0.80").await;
    let partner = app.partner().await;
    place(&partner, input(EURO_20, 1, "elsewhere")).await;
    assert_eq!(end(app, &partner, "elsewhere").await.text("order.status"), "DELIVERED");
}

async fn ask(app: &TestApp) {
    let vendor = TestVendor::open(app, "slow").await;
    vendor.sell(app, &[(EURO_20, "sandbox_pending_100s")]).await;
    place(&app.partner().await, input(EURO_20, 1, "asked")).await;
    let unknown = "SELECT count(*) FROM purchases WHERE state = 'UNKNOWN'";
    poll::until_true("the vendor has it", async || app.database.number(unknown).await == 1).await;
}

/// Loads a code that has a cost, and goes ahead of the others, which never expire.
async fn load_a_costly_code(app: &TestApp) {
    let header = "sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot";
    let row = format!("{STEAM_50},50,COST-1,,,,2035-01-01T00:00:00Z,40.5,USD,costly");
    app.load_stock(&format!("{header}\n{row}\n")).await;
}

/// Sells two codes, and gives the first unit another one.
pub async fn replace(app: &TestApp) {
    sell(app).await;
    load_a_costly_code(app).await;
    let ids = "SELECT order_id || ' ' || id AS line FROM vouchers WHERE unit_index = 1";
    let found = app.database.texts(ids).await.remove(0);
    let (order, voucher) = found.split_once(' ').expect("there are two ids");
    let command = ReplaceVoucher {
        order: order.parse().expect("it is an order's id"),
        voucher: voucher.parse().expect("it is a voucher's id"),
        reason: "it did not work".to_owned(),
        operator: "Ada".to_owned(),
    };
    orders::replace_voucher(&app.system(), command).await.expect("a code is in stock");
}

/// Gives the first unit's money back.
pub async fn refund(app: &TestApp) {
    let order = app.database.texts("SELECT id AS line FROM orders").await.remove(0);
    let order = order.parse().expect("it is an order's id");
    let (reference, note) = ("T-1".to_owned(), "it did not work".to_owned());
    let command =
        RefundUnit { order, unit: 1, reference, note, replacement: None, operator: "Ada".to_owned() };
    orders::refund_unit(&app.system(), command).await.expect("it is delivered");
}
