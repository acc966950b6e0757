//! The products that tests buy: rows of the real catalog, and stock made for them.
//! Always true: a small catalog holds a product of each kind (fixed, range, code, direct, topup; two, no and three
//! minor digits); a made code names its product and number, so that a test can tell whose it is.
//! Not here: how rows and codes get into a database (`seed.rs`).

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::database::Contents;

/// USD 50, fixed, a code. In every seeded database, with 200 codes.
pub const STEAM_50: &str = "steam_wallet_50_usd";
/// JPY 1000, fixed, a code: a currency without minor digits. 50 codes.
pub const YEN_1000: &str = "google_play_1000_jpy";
/// KWD 10, fixed, a code: a currency of three minor digits. 50 codes.
pub const DINAR_10: &str = "steam_wallet_10_kwd";
/// EUR 20, fixed, a code. No stock: shown, not orderable.
pub const EURO_20: &str = "steam_wallet_at_20_eur";
/// USD 0.15 to 2000 by cents, a code. 50 codes of USD 25.
pub const RANGE_USD: &str = "amazon_range_usd";
/// JPY 1000 to 10000 by 1, a top-up of a phone.
pub const TOPUP_RANGE: &str = "au_topup_jp_range_jpy";
/// JPY 1000, fixed, a top-up of a phone.
pub const TOPUP_FIXED: &str = "au_topup_jp_1000_jpy";
/// USD 1, fixed, direct to a player id.
pub const DIRECT_PLAYER: &str = "bigo_live_ae_1_usd";
/// USD 11.99, fixed, direct to a username.
pub const DIRECT_USERNAME: &str = "telegram_premium_ae_premium_3m_usd";

const SMALL: [&str; 44] = [
    STEAM_50,
    YEN_1000,
    DINAR_10,
    EURO_20,
    RANGE_USD,
    TOPUP_RANGE,
    TOPUP_FIXED,
    DIRECT_PLAYER,
    DIRECT_USERNAME,
    "1and1_topup_de_5_eur",
    "1and1_topup_de_range_eur",
    "apple_gift_card_100_aed",
    "apple_gift_card_100_usd",
    "apple_gift_card_10_gbp",
    "apple_gift_card_25_usd",
    "apple_gift_card_3000_jpy",
    "discord_nitro_basic_1m_usd",
    "google_play_10_usd",
    "google_play_25_gbp",
    "google_play_3000_jpy",
    "google_play_50_usd",
    "mcafee_1dev_12m_usd",
    "microsoft_365_de_family_12m_eur",
    "microsoft_365_family_12m_usd",
    "nintendo_eshop_1500_jpy",
    "nintendo_eshop_20_usd",
    "nintendo_eshop_50_gbp",
    "nintendo_switch_online_family_12m_usd",
    "norton_deluxe_12m_usd",
    "ooredoo_topup_kw_10_kwd",
    "ooredoo_topup_kw_range_kwd",
    "playstation_plus_essential_1m_usd",
    "playstation_store_25_gbp",
    "playstation_store_ae_50_usd",
    "quo_card_pay_1000_jpy",
    "riot_access_20_gbp",
    "riot_access_at_10_eur",
    "starbucks_1000_jpy",
    "steam_wallet_100_aed",
    "steam_wallet_at_50_eur",
    "steam_wallet_50_aud",
    "uber_eats_1000_jpy",
    "xbox_game_pass_ultimate_1m_gbp",
    "xbox_game_pass_ultimate_1m_usd",
];

/// The stock that every seeded database holds: product, face value, how many.
pub const STOCK: [(&str, &str, usize); 5] = [
    (STEAM_50, "50", 200),
    (YEN_1000, "1000", 50),
    (DINAR_10, "10", 50),
    (RANGE_USD, "25", 50),
    ("steam_wallet_50_aud", "50", 20),
];

/// Writes the folder that a sandbox begins with, as `data/` has it, its catalog cut to these contents.
pub fn write_folder(contents: Contents, into: &Path) {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data");
    for name in ["brands.csv", "countries.csv", "currencies.csv", "fx-rates.csv"] {
        fs::copy(data.join(name), into.join(name)).unwrap_or_else(|error| panic!("data/{name}: {error}"));
    }
    let catalog = fs::read_to_string(data.join("catalog.csv")).expect("data/catalog.csv is there");
    let catalog = if contents == Contents::FullCatalog { catalog } else { small(&catalog) };
    fs::write(into.join("catalog.csv"), catalog).expect("the folder is ours");
}

/// The header and the rows of the small catalog.
fn small(catalog: &str) -> String {
    let mut lines = catalog.lines();
    let header = lines.next().expect("the catalog has a header");
    let rows: Vec<_> =
        lines.filter(|row| SMALL.iter().any(|sku| row.starts_with(&format!("{sku},")))).collect();
    assert_eq!(rows.len(), SMALL.len(), "a product of the small catalog has left data/catalog.csv");
    format!("{header}\n{}\n", rows.join("\n"))
}

/// How many products a database with these contents has.
pub fn product_count(contents: Contents) -> i64 {
    match contents {
        Contents::Nothing | Contents::Tables => 0,
        Contents::SmallCatalog => SMALL.len().try_into().expect("a few dozen"),
        Contents::FullCatalog => 12_839,
    }
}

/// A file for `octopus stock import`: this many codes of a product, numbered from `first`, that never expire.
pub fn stock_csv(sku: &str, face_value: &str, first: usize, count: usize) -> String {
    let mut csv = "sku,face_value,code,pin,serial,url,expires_at,cost,cost_currency,lot\n".to_owned();
    for number in first..first + count {
        let code = code(sku, number);
        writeln!(csv, "{sku},{face_value},{code},,,,,,,{sku}-{first}").expect("text takes more text");
    }
    csv
}

/// The code that [`stock_csv`] gives a number.
pub fn code(sku: &str, number: usize) -> String {
    format!("CODE-{}-{number:05}", sku.to_uppercase().replace('_', "-"))
}
