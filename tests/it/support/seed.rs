//! What the template databases hold.
//! Always true: it comes in through the product's own doors, in one order, with the harness's clock and ids, so that
//! two builds of a template are the same. Not here: how a template is kept and copied (`database.rs`), which products
//! there are (`catalog.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use entity::currency::Currency;
use entity::installation;
use entity::money::Money;
use entity::state::{Environment, Scope};
use entity::timestamp::Timestamp;
use migration::MigratorTrait as _;
use octopus_cards::app;
use octopus_cards::clock::{FixedClock, Ids, SeededIds};
use octopus_cards::config::{Config, Settings};
use octopus_cards::ctx::Ctx;
use octopus_cards::domain::{catalog, identity, pricing, vouchers, wallet};
use octopus_cards::store;
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set};
use uuid::Uuid;

use super::app::START;
use super::catalog::{STOCK, stock_csv, write_folder};
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

/// What each partner's wallets hold at first, in minor units: about a million dollars' worth in each.
pub const FUNDS: [(&str, i64); 4] =
    [("USD", 100_000_000), ("EUR", 90_000_000), ("JPY", 150_000_000), ("KWD", 300_000_000)];

/// The partners of every seeded database. The first one's default currency is USD, the second one's JPY.
const PARTNERS: [(&str, &str); 2] = [("Acme Games", "USD"), ("Boreal Shop", "JPY")];

/// Ids of which the last bit is given: a partner's desk is its id modulo the number of desks, which is two on PostgreSQL. The
/// seeded partners shall not share one, or no test would see two desks at once.
#[derive(Debug)]
struct DeskIds {
    ids: SeededIds,
    desk: AtomicU8,
}

impl Ids for DeskIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let bits = self.ids.uuid(now).as_u128();
        Uuid::from_u128(bits & !1 | u128::from(self.desk.load(Ordering::SeqCst)))
    }

    fn fill(&self, buffer: &mut [u8]) {
        self.ids.fill(buffer);
    }
}

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
        environment: Some(Environment::Sandbox),
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
    let ids = Arc::new(DeskIds { ids: SeededIds::new(0), desk: AtomicU8::new(0) });
    vouchers::keys::init(&config.keys_dir, &*ids).expect("the folder is ours");
    let keys = read_keys(&config.keys_dir);
    let deps = app::open(config, Arc::new(FixedClock::at(START)), ids.clone()).await;
    let deps = deps.expect("the database opens");
    let ctx = Ctx::system(Arc::clone(&deps));

    // What the first `octopus serve` on a database writes.
    let installation = installation::ActiveModel {
        id: Set(1),
        environment: Set(Environment::Sandbox),
        created_at: Set(START),
    };
    installation.insert(&deps.database.writer).await.expect("the table is empty");
    write_folder(contents, folder);
    let files = catalog::Files::read(folder).expect("the folder is whole");
    let import = catalog::Import { files, bad_rows: catalog::BadRows::Refuse };
    catalog::import(&ctx, import, |_| {}).await.expect("the catalog is good");
    let rates = fs::read(folder.join("fx-rates.csv")).expect("the folder is whole");
    pricing::import_rates(&ctx, &rates).await.expect("the rates are good");
    for (sku, face_value, count) in STOCK {
        load_stock(&ctx, folder, &stock_csv(sku, face_value, 1, count)).await;
    }
    let mut partners = Vec::new();
    for ((name, default_currency), desk) in PARTNERS.into_iter().zip(0..) {
        ids.desk.store(desk, Ordering::SeqCst);
        partners.push(open_partner(&ctx, name, default_currency).await);
    }
    app::close(&deps).await;
    Seed { keys, partners }
}

fn read_keys(folder: &Path) -> BTreeMap<String, String> {
    let files =
        fs::read_dir(folder).expect("the keys were made").map(|file| file.expect("the folder is ours"));
    files
        .map(|file| {
            let text = fs::read_to_string(file.path()).expect("keys are text");
            (file.file_name().to_string_lossy().into_owned(), text)
        })
        .collect()
}

/// Takes codes into stock, as `octopus stock import` does.
pub async fn load_stock(ctx: &Ctx, folder: &Path, csv: &str) {
    let path = folder.join("stock.csv");
    fs::write(&path, csv).expect("the folder is ours");
    let import = vouchers::Import { path, bad_rows: vouchers::BadRows::RefuseAll };
    vouchers::import(ctx, import, Arc::new(|_| {})).await.expect("the codes are good");
}

/// Opens an account with a credential of every scope, and funds its wallets.
pub async fn open_partner(ctx: &Ctx, name: &str, default_currency: &str) -> SeededPartner {
    let account = open_account(ctx, name, default_currency).await;
    for (currency, minor) in FUNDS {
        credit(ctx, &account, (currency, minor), &format!("funds-{currency}")).await;
    }
    account
}

/// Opens an account with a credential of every scope, and without a wallet.
pub async fn open_account(ctx: &Ctx, name: &str, default_currency: &str) -> SeededPartner {
    let default_currency: Currency = default_currency.parse().expect("a currency");
    let command = identity::CreatePartner { name: name.to_owned(), default_currency };
    let partner = identity::create_partner(ctx, command).await.expect("the name is good");
    let command = identity::CreateCredential { name: "tests".to_owned(), scopes: Some(Scope::ALL.to_vec()) };
    let made = identity::create_credential_for(ctx, partner.id, command).await.expect("the partner is there");
    SeededPartner {
        id: partner.id.to_string(),
        username: made.credential.username,
        password: made.secret.expose().to_owned(),
    }
}

/// Pays money into a partner's wallet, once for each reference, as `octopus wallet credit` does.
pub async fn credit(ctx: &Ctx, account: &SeededPartner, (currency, minor): (&str, i64), reference: &str) {
    let command = wallet::CreditWallet {
        partner: account.id.parse().expect("it is an id"),
        amount: Money::from_minor(minor, currency.parse().expect("a currency")),
        reference: reference.to_owned(),
        note: None,
    };
    wallet::credit(ctx, command).await.expect("the amount is good");
}
