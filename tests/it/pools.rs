//! The pools: what a caller that hangs up leaves behind.

use octopus_cards::store;
use sea_orm::ConnectionTrait as _;

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
}
