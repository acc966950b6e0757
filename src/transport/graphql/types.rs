//! What every part of the contract uses.
//!
//! What lives here: scalars, money, page information, the macro that makes a connection, and the way from a resolver to its
//! context.
//! What is always true: a value leaves in the contract's form (digits, microseconds, capitals) because only these types
//! render it.
//! What is not here: any feature's objects.

use std::str::FromStr;

use async_graphql::{
    Context, InputType, InputValueError, InputValueResult, Pos, Scalar, ScalarType, SimpleObject, Value,
};
use entity::currency::Currency;
use entity::decimal::Decimal as Number;
use entity::timestamp::Timestamp;
use futures_util::future::BoxFuture;

use crate::ctx::Ctx;
use crate::problem::Problem;
use crate::store::{Page, encode_cursor};

/// The request's context.
pub fn request<'a>(context: &Context<'a>) -> &'a Ctx {
    context.data_unchecked::<Ctx>()
}

fn text<T: InputType>(
    value: Value,
    parse: impl FnOnce(&str) -> Option<T>,
    wanted: &str,
) -> InputValueResult<T> {
    match &value {
        Value::String(text) => parse(text).ok_or_else(|| InputValueError::custom(wanted)),
        other => Err(InputValueError::custom(format!("{wanted}; it must be a string, not {}", kind(other)))),
    }
}

/// What a value is that is no string, for people.
fn kind(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("the number {number}"),
        Value::Boolean(_) => "a boolean".to_owned(),
        Value::Enum(word) => format!("the word {word} without quotes"),
        Value::List(_) => "a list".to_owned(),
        _ => "an object".to_owned(),
    }
}

/// A decimal amount of money as a string, with exactly the minor digits that ISO 4217 gives its currency: JPY "500", USD "12.50", KWD "1.250".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoneyAmount(pub String);

/// A decimal amount of money as a string, with exactly the minor digits that ISO 4217 gives its currency: JPY "500", USD "12.50", KWD "1.250".
#[Scalar(specified_by_url = "https://www.iso.org/iso-4217-currency-codes.html")]
impl ScalarType for MoneyAmount {
    fn parse(value: Value) -> InputValueResult<Self> {
        let decimal = |text: &str| text.parse::<Number>().ok().map(|_| Self(text.to_owned()));
        text(value, decimal, "an amount is a plain decimal number as a string, such as \"12.50\"")
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// An ISO 4217 currency code in capitals, such as USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencyCode(pub Currency);

/// An ISO 4217 currency code in capitals, such as USD.
#[Scalar(specified_by_url = "https://www.iso.org/iso-4217-currency-codes.html")]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(
            value,
            |text| text.parse().ok().map(Self),
            "a currency is an active ISO 4217 code in capitals, such as USD",
        )
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.code().to_owned())
    }
}

/// An ISO 3166-1 alpha-2 country code in capitals, such as US.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryCode(pub String);

/// An ISO 3166-1 alpha-2 country code in capitals, such as US.
#[Scalar(specified_by_url = "https://www.iso.org/iso-3166-country-codes.html")]
impl ScalarType for CountryCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(
            value,
            |text| text.parse().ok(),
            "a country is an ISO 3166-1 alpha-2 code in capitals, such as US",
        )
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// What is no country's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACountryCode;

impl FromStr for CountryCode {
    type Err = NotACountryCode;

    fn from_str(text: &str) -> Result<Self, NotACountryCode> {
        let well_formed = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NotACountryCode) }
    }
}

/// A decimal number as a string, without exponent, for rates and shares: "0.05" is five per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal(pub Number);

/// A decimal number as a string, without exponent, for rates and shares: "0.05" is five per cent.
#[Scalar(specified_by_url = "https://www.w3.org/TR/xmlschema11-2/#decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(
            value,
            |text| text.parse().ok().map(Self),
            "a decimal is a plain number as a string, such as \"0.05\"",
        )
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A whole number as a string, since sequences outgrow the 32 bits of Int.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// A whole number as a string, since sequences outgrow the 32 bits of Int.
#[Scalar(specified_by_url = "https://www.w3.org/TR/xmlschema11-2/#integer")]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(value, |text| text.parse().ok().map(Self), "a big integer is a whole number as a string")
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An instant as RFC 3339 text in UTC with microseconds: "2026-11-22T18:54:00.000000Z".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime(pub Timestamp);

/// An instant as RFC 3339 text in UTC with microseconds: "2026-11-22T18:54:00.000000Z".
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        text(
            value,
            |text| text.parse().ok().map(Self),
            "an instant is RFC 3339 text, such as 2026-11-22T18:54:00Z",
        )
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// Why a value is not one of a scalar of ours; `None` if it is one, or the scalar is the language's.
pub fn scalar_fault(scalar: &str, value: &Value) -> Option<String> {
    fn why<T: ScalarType + InputType>(value: &Value) -> Option<String> {
        let error = <T as ScalarType>::parse(value.clone()).err()?;
        let message = error.into_server_error(Pos::default()).message;
        // The library puts the type ahead of our words, which name it better.
        let ours = message.strip_prefix(&format!("Failed to parse \"{}\": ", T::type_name()));
        Some(ours.unwrap_or(&message).trim_end_matches('.').to_owned())
    }
    match scalar {
        "MoneyAmount" => why::<MoneyAmount>(value),
        "CurrencyCode" => why::<CurrencyCode>(value),
        "CountryCode" => why::<CountryCode>(value),
        "Decimal" => why::<Decimal>(value),
        "BigInt" => why::<BigInt>(value),
        "DateTime" => why::<DateTime>(value),
        _ => None,
    }
}

/// An amount in a currency.
#[derive(SimpleObject, Debug, Clone)]
pub struct Money {
    /// The amount, with exactly the currency's minor digits.
    amount: MoneyAmount,
    /// The currency.
    currency: CurrencyCode,
}

impl From<entity::money::Money> for Money {
    fn from(money: entity::money::Money) -> Self {
        Self { amount: MoneyAmount(money.amount()), currency: CurrencyCode(money.currency) }
    }
}

impl Money {
    /// An amount in minor units.
    pub fn from_minor(minor: i64, currency: Currency) -> Self {
        entity::money::Money::from_minor(minor, currency).into()
    }
}

/// Where a page lies in the whole list.
#[derive(SimpleObject, Debug, Clone)]
pub struct PageInfo {
    /// Whether items follow this page.
    has_next_page: bool,
    /// Whether items precede this page.
    has_previous_page: bool,
    /// The first item's cursor; null on an empty page.
    start_cursor: Option<String>,
    /// The last item's cursor; null on an empty page.
    end_cursor: Option<String>,
}

/// Counts a whole list, when a document asks for it.
pub type Count = Box<dyn Fn() -> BoxFuture<'static, Result<i64, Problem>> + Send + Sync>;

/// A page on its way into a connection: the items with their cursors.
pub struct ConnectionParts<N> {
    /// Cursor and item.
    pub items: Vec<(String, N)>,
    /// Where the page lies.
    pub info: PageInfo,
    /// Counts the whole list.
    pub count: Count,
}

impl<N> ConnectionParts<N> {
    /// Wraps a page: `key` tells an item's place, which becomes its cursor.
    pub fn new<T>(page: Page<T>, key: impl Fn(&T) -> String, wrap: impl Fn(T) -> N, count: Count) -> Self {
        let items: Vec<(String, N)> =
            page.items.into_iter().map(|item| (encode_cursor(&key(&item)), wrap(item))).collect();
        let info = PageInfo {
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: items.first().map(|(cursor, _)| cursor.clone()),
            end_cursor: items.last().map(|(cursor, _)| cursor.clone()),
        };
        Self { items, info, count }
    }
}

/// A total as `Int`, which has 32 bits.
pub fn total(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Makes a connection and its edge: `connection! { /// A page of brands.
/// BrandConnection, /// One item of a page of brands.
/// BrandEdge, Brand }`.
macro_rules! connection {
    ($(#[$connection_doc:meta])* $connection:ident, $(#[$edge_doc:meta])* $edge:ident, $node:ty) => {
        $(#[$edge_doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// The item's place, for `after` and `before`.
            cursor: String,
            /// The item.
            node: $node,
        }

        $(#[$connection_doc])*
        pub struct $connection {
            edges: Vec<$edge>,
            info: $crate::transport::graphql::types::PageInfo,
            count: $crate::transport::graphql::types::Count,
        }

        impl From<$crate::transport::graphql::types::ConnectionParts<$node>> for $connection {
            fn from(parts: $crate::transport::graphql::types::ConnectionParts<$node>) -> Self {
                let edges = parts.items.into_iter().map(|(cursor, node)| $edge { cursor, node }).collect();
                Self { edges, info: parts.info, count: parts.count }
            }
        }

        $(#[$connection_doc])*
        #[async_graphql::Object]
        impl $connection {
            /// The items with their cursors.
            async fn edges(&self) -> $crate::transport::graphql::list::List<&$edge> {
                self.edges.iter().collect()
            }

            /// The items alone.
            async fn nodes(&self) -> $crate::transport::graphql::list::List<&$node> {
                self.edges.iter().map(|edge| &edge.node).collect()
            }

            /// Where this page lies.
            async fn page_info(&self) -> &$crate::transport::graphql::types::PageInfo {
                &self.info
            }

            /// How many there are in all; counted only when asked for.
            async fn total_count(&self) -> Result<i32, $crate::problem::Problem> {
                (self.count)().await.map($crate::transport::graphql::types::total)
            }
        }
    };
}
pub(crate) use connection;
