//! What the template databases hold.
//! Always true: it comes in through the product's own doors, in one order, with the harness's clock and ids, so that
//! two builds of a template are the same. Not here: how a template is kept and copied (`database.rs`).

use migration::MigratorTrait as _;
use octopus_cards::config::{Config, Settings};
use octopus_cards::store;

use super::database::Contents;

/// What a test cannot learn through the public door: keys and credentials.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Seed {}

/// The settings of a server on this database, with everything else at its default.
pub fn config(database_url: &str) -> Config {
    let settings = Settings { database_url: Some(database_url.to_owned()), ..Settings::default() };
    settings.complete(Settings::default()).expect("the defaults are within their bounds")
}

/// Fills an empty database.
pub async fn build(url: &str, contents: Contents) -> Seed {
    assert_ne!(contents, Contents::Nothing, "an empty database needs no template");
    let database = store::open(&config(url)).await.expect("the database opens");
    migration::Migrator::up(&database.writer, None).await.expect("the schema is laid down");
    for connection in [database.reader, database.writer] {
        // On PostgreSQL both are one pool, which is closed once.
        let _ = connection.close().await;
    }
    Seed::default()
}
