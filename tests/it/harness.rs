//! The harness itself: databases of their own, a clock that only the test moves.

use super::support::catalog::product_count;
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
}
