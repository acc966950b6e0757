//! The main job as a program built on Apollo Client does it.
//! Always true: the npm client judges; what it asks for is written in `tests/judges/apollo.mjs`, step by step. Not here: the
//! socket's npm client (`ws.rs`).

use crate::endpoint::judge;
use crate::support::catalog::STEAM_50;

both_databases! {
    async fn apollo_client_signs_in_asks_orders_and_persists_its_queries(app: SmallCatalog) {
        let account = &app.database.seed.partners[0];
        let url = format!("{}/graphql", app.client.url);
        let told = judge("apollo.mjs", &[&url, &account.username, &account.password, STEAM_50], "").await;
        assert_eq!(told.trim(), "14 passed, 0 failed");
        assert_eq!(app.database.number("SELECT count(*) FROM orders").await, 1);
    }
}
