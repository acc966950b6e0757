//! What the replica of Reloadly sells: rows as its catalog writes them, and what they cost.
//! Always true: the rate that is charged is finer than the one that is published; prices are exact decimals, rounded once.
//! Not here: who bought what (`books.rs`).

use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode};

/// A decimal number.
pub fn number(text: &str) -> BigDecimal {
    BigDecimal::from_str(text).unwrap()
}

/// A product.
#[derive(Debug, Clone)]
pub struct Product {
    pub id: u64,
    pub name: &'static str,
    pub currency: &'static str,
    /// What is charged for one of `currency`, in dollars.
    pub rate: &'static str,
    /// The same as it is published, to six digits.
    pub published_rate: &'static str,
    pub discount: &'static str,
    pub fee_share: &'static str,
    pub fee: &'static str,
    /// The face values; two for a range.
    pub faces: &'static [&'static str],
    pub is_range: bool,
    /// Face values and what they are worth in whole cents, as the catalog writes them.
    pub rounded_prices: &'static str,
    /// Whether an order waits before it is made.
    pub is_slow: bool,
    pub needs_user: bool,
}

const PLAIN: Product = Product {
    id: 0,
    name: "",
    currency: "USD",
    rate: "1",
    published_rate: "1.000000",
    discount: "0.0",
    fee_share: "0.00",
    fee: "1.0",
    faces: &[],
    is_range: false,
    rounded_prices: "{}",
    is_slow: false,
    needs_user: false,
};

/// 5 % off, and a dollar: $5 costs 5.75.
pub const XBOX_US: Product = Product {
    id: 13948,
    name: "Xbox Live US",
    discount: "5.0",
    faces: &["5.0", "10.0", "25.0"],
    rounded_prices: r#"{"5.00":5.00,"10.00":10.00,"25.00":25.00}"#,
    ..PLAIN
};

/// €5 costs 6.88388, €25 costs 30.41941 (30.41940 by the published rate).
pub const APP_STORE_FR: Product = Product {
    id: 15363,
    name: "App Store & iTunes France",
    currency: "EUR",
    rate: "1.1767764",
    published_rate: "1.176776",
    faces: &["5.0", "25.0"],
    rounded_prices: r#"[{"5.0":5.88},{"25.0":29.42}]"#,
    ..PLAIN
};

/// 2 % off: three of 1.20013 cost 6.5283822.
pub const ANY_AMOUNT: Product = Product {
    id: 5,
    name: "Amazon US",
    discount: "2.0",
    faces: &["1.0", "100.0"],
    is_range: true,
    rounded_prices: "null",
    ..PLAIN
};

/// Its rate is so small that six digits of it are two.
pub const DONG: Product = Product {
    id: 17001,
    name: "Steam Vietnam",
    currency: "VND",
    rate: "0.0000381",
    published_rate: "3.8E-5",
    fee: "0",
    faces: &["100000", "500000"],
    rounded_prices: r#"{"100000":3.81,"500000":19.05}"#,
    ..PLAIN
};

/// Made some time after it is ordered.
pub const MASTERCARD: Product = Product {
    id: 20316,
    name: "Mastercard (Virtual)",
    faces: &["1.0", "50.0"],
    is_range: true,
    is_slow: true,
    ..PLAIN
};

/// Credited to a player.
pub const FREE_FIRE: Product =
    Product { id: 3245, name: "Free Fire 210 + 21 Diamond IN", faces: &["2.0"], needs_user: true, ..PLAIN };

/// Everything that it sells; the catalog has others before them, so that it has two pages.
pub const SOLD: &[Product] = &[XBOX_US, APP_STORE_FR, ANY_AMOUNT, DONG, MASTERCARD, FREE_FIRE];

impl Product {
    /// What cards cost, before anything is rounded.
    pub fn price(&self, face: &BigDecimal, quantity: i64) -> BigDecimal {
        let hundred = number("100");
        let share = number("1") - number(self.discount) / &hundred + number(self.fee_share) / &hundred;
        (face * number(self.rate) * share + number(self.fee)) * number(&quantity.to_string())
    }

    /// Whether it comes in this face value.
    pub fn comes_in(&self, face: &BigDecimal) -> bool {
        let faces: Vec<BigDecimal> = self.faces.iter().map(|face| number(face)).collect();
        if self.is_range { faces[0] <= *face && *face <= faces[1] } else { faces.contains(face) }
    }

    /// Its row of the catalog.
    pub fn row(&self) -> String {
        let (kind, fixed, least, greatest) = match self.is_range {
            true => ("RANGE", "[]".to_owned(), self.faces[0], self.faces[1]),
            false => ("FIXED", format!("[{}]", self.faces.join(",")), "null", "null"),
        };
        let Self { id, name, currency, published_rate, discount, fee_share, fee, .. } = self;
        let (rounded_prices, needs_user) = (self.rounded_prices, self.needs_user);
        format!(
            r#"{{"productId":{id},"productName":"{name}","global":false,"status":"ACTIVE","supportsPreOrder":false,
            "senderFee":{fee},"senderFeePercentage":{fee_share},"discountPercentage":{discount},
            "denominationType":"{kind}","recipientCurrencyCode":"{currency}",
            "recipientCurrencyToSenderCurrencyExchangeRate":{published_rate},
            "minRecipientDenomination":{least},"maxRecipientDenomination":{greatest},
            "senderCurrencyCode":"USD","minSenderDenomination":null,"maxSenderDenomination":null,
            "fixedRecipientDenominations":{fixed},"fixedSenderDenominations":null,
            "fixedRecipientToSenderDenominationsMap":{rounded_prices},
            "metadata":{{"0.99":"55 Diamonds","4.99":275,"9.99":null}},
            "logoUrls":["https://cdn.example/{id}.png"],
            "brand":{{"brandId":{id},"brandName":"{name}","logoUrl":null}},
            "category":{{"id":2,"name":"Gaming"}},
            "country":{{"isoName":"US","name":"United States","flagUrl":"https://cdn.example/us.svg"}},
            "redeemInstruction":{{"concise":"Enter the code.","verbose":"Sign in, and enter the code."}},
            "additionalRequirements":{{"userIdRequired":{needs_user}}}}}"#
        )
    }
}

/// A row that fills the catalog's first page.
pub fn filler(number: usize) -> String {
    let id = 100_000 + number;
    let name = format!("Filler {number}");
    Product { faces: &["10.0"], ..PLAIN }
        .row()
        .replace(r#""productId":0,"productName":"""#, &format!(r#""productId":{id},"productName":"{name}""#))
}

/// A number with exactly this many digits behind the point, rounded half up.
pub fn shown(number: &BigDecimal, digits: i64) -> String {
    number.with_scale_round(digits, RoundingMode::HalfUp).to_plain_string()
}
