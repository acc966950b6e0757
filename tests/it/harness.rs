//! The harness itself: databases of their own, a clock that only the test moves.

use entity::ids::PartnerId;
use serde_json::json;

use super::support::catalog::{STEAM_50, product_count, stock_csv};
use super::support::database::Contents;

both_databases! {
    async fn a_test_begins_on_tables_without_rows(app: Tables) {
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 0);
        app.database.execute("INSERT INTO installation (id, environment, created_at) VALUES (1, 'sandbox', 0)").await;
        assert_eq!(app.database.number("SELECT count(*) FROM installation").await, 1);
    }

    async fn time_stands_still_until_the_test_moves_it(app: Tables) {
        let before = app.system().now;
        assert_eq!(app.system().now, before);
        app.advance_secs(601);
        assert_eq!(app.system().now, before.plus_seconds(601));
    }

    async fn a_small_catalog_has_a_product_of_each_kind(app: SmallCatalog) {
        let products = product_count(Contents::SmallCatalog);
        assert_eq!(app.database.number("SELECT count(*) FROM products").await, products);
    }

    async fn the_full_catalog_is_the_one_beside_the_server(app: FullCatalog) {
        assert_eq!(app.database.number("SELECT count(*) FROM products").await, 12_839);
    }

    async fn a_partner_signs_in_with_the_credential_of_the_template(app: SmallCatalog) {
        let partner = app.partner().await;
        let answer = partner.graphql("{ viewer { partner { id defaultCurrency } } }", json!({})).await;
        assert_eq!(answer.text("viewer.partner.id"), partner.account.id);
        assert_eq!(answer.text("viewer.partner.defaultCurrency"), "USD");
        let other = app.other_partner().await;
        assert_ne!(other.account.id, partner.account.id);
    }

    /// There are two desks on PostgreSQL, and a partner's is its id modulo their number.
    async fn the_two_partners_have_desks_of_their_own(app: SmallCatalog) {
        let desks: Vec<u128> = app.database.seed.partners.iter().map(|partner| {
            let id: PartnerId = partner.id.parse().unwrap();
            id.uuid().as_u128() % 2
        }).collect();
        assert_eq!(desks, [0, 1]);
    }

    async fn wallets_and_stock_are_there_at_first(app: SmallCatalog) {
        assert_eq!(app.database.number("SELECT count(*) FROM wallets WHERE available > 0").await, 8);
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers").await, 370);
        app.load_stock(&stock_csv(STEAM_50, "50", 201, 5)).await;
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers").await, 375);
    }
}
