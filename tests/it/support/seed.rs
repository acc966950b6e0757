//! What the template databases hold.
//! Always true: it comes in through the product's own doors, in one order, with the harness's clock and ids, so that
//! two builds of a template are the same. Not here: how a template is kept and copied (`database.rs`), which products
//! there are (`catalog.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use migration::MigratorTrait as _;
use octopus_cards::app;
use octopus_cards::clock::{FixedClock, Ids, SeededIds};
use octopus_cards::config::{Config, Settings};
use octopus_cards::ctx::Ctx;
use octopus_cards::domain::catalog;
use octopus_cards::store;

use super::app::START;
use super::catalog::write_folder;
use super::database::Contents;

/// What a test cannot learn through the public door: keys and credentials.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Seed {
    /// The key files of the installation, by name.
    pub keys: BTreeMap<String, String>,
    /// The partners, in the order in which they were made.
    pub partners: Vec<SeededPartner>,
}

/// A partner with funded wallets and one credential of every scope.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct SeededPartner {
    /// The partner's id.
    pub id: String,
    /// The credential's username.
    pub username: String,
    /// The credential's password.
    pub password: String,
}

/// What each partner's wallets hold at first: a million dollars' worth, about, in each.
pub const FUNDS: [(&str, i64); 4] =
    [("USD", 1_000_000_00), ("EUR", 900_000_00), ("JPY", 150_000_000), ("KWD", 300_000_000)];

/// The partners of every seeded database. The first one's default currency is USD, the second one's JPY.
const PARTNERS: [(&str, &str); 2] = [("Acme Games", "USD"), ("Boreal Shop", "JPY")];

impl Seed {
    /// Writes the keys to where a server with these settings looks for them.
    pub fn write_keys(&self, config: &Config) {
        fs::create_dir_all(&config.keys_dir).expect("the folder is ours");
        for (name, text) in &self.keys {
            fs::write(config.keys_dir.join(name), text).expect("the folder is ours");
            restrict(&config.keys_dir.join(name), 0o600);
        }
        restrict(&config.keys_dir, 0o700);
    }
}

fn restrict(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the path is ours");
}

/// The settings of a server on this database, its data folder `var` in this folder, everything else at its default.
pub fn config(database_url: &str, folder: &Path) -> Config {
    let settings = Settings {
        database_url: Some(database_url.to_owned()),
        data_dir: Some(folder.join("var")),
        ..Settings::default()
    };
    settings.complete(Settings::default()).expect("the defaults are within their bounds")
}

/// Fills an empty database.
pub async fn build(url: &str, contents: Contents) -> Seed {
    assert_ne!(contents, Contents::Nothing, "an empty database needs no template");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config(url, folder.path());
    let database = store::open(&config).await.expect("the database opens");
    migration::Migrator::up(&database.writer, None).await.expect("the schema is laid down");
    store::close(database).await;
    if contents == Contents::Tables { Seed::default() } else { fill(config, contents, folder.path()).await }
}

async fn fill(config: Config, contents: Contents, folder: &Path) -> Seed {
    let seed = Seed::default();
    let ids: Arc<dyn Ids> = Arc::new(SeededIds::new(0));
    let deps = app::open(config, Arc::new(FixedClock::at(START)), ids).await.expect("the database opens");
    let ctx = Ctx::system(Arc::clone(&deps));

    write_folder(contents, folder);
    let files = catalog::Files::read(folder).expect("the folder is whole");
    let import = catalog::Import { files, bad_rows: catalog::BadRows::Refuse };
    catalog::import(&ctx, import, |_| {}).await.expect("the catalog is good");

    app::close(&deps).await;
    seed
}
