//! The pools: what a caller that hangs up leaves behind, and what the planner knows.

use octopus_cards::store;
use sea_orm::ConnectionTrait as _;

use super::support::catalog::{STEAM_50, stock_csv};
use super::support::database::Dialect;
use super::support::poll;

/// Lets others run so many times: a moment whose length no clock decides.
async fn moments(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

both_databases! {
    /// sqlx 0.9 leaves the connection inside a transaction (sqlx #4385): the next borrower's write would be acknowledged, and
    /// lost with that transaction.
    async fn a_begin_that_is_dropped_half_way_loses_no_write(app: Tables) {
        let database = &app.deps.database;
        for n in 0..300 {
            tokio::select! {
                biased;
                begun = store::begin(database) => drop(begun),
                () = moments(n * 7 % 600) => {}
            }
            let write = format!("INSERT INTO versions (subject, version) VALUES ('kept-{n}', 1)");
            database.writer.execute_unprepared(&write).await.expect("the pool lends a connection");
        }
        assert_eq!(app.database.number("SELECT count(*) FROM versions WHERE subject LIKE 'kept-%'").await, 300);
    }

    /// Until PostgreSQL has looked into a table, it plans as if that were empty. SQLite's plans need no figures, and it has none.
    async fn a_table_that_has_begun_to_fill_is_looked_into(app: SmallCatalog) {
        app.load_stock(&stock_csv(STEAM_50, "50", 1_001, 500)).await;
        match app.database.dialect() {
            Dialect::Sqlite => {
                let figures = "SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'";
                assert_eq!(app.database.number(figures).await, 0);
            }
            Dialect::Postgres => poll::until_true("the codes are looked into", async || {
                let known = "SELECT count(*) FROM pg_class WHERE relname = 'vouchers' AND reltuples > 0";
                app.database.number(known).await == 1
            }).await,
        }
    }
}
