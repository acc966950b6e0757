//! What callers send: members of a JSON body, and parameters of an address.
//!
//! Lives here: [`Members`] and [`Parameters`], which read one value each by name and type.
//! Always true: a name that the operation does not take, and a value of another type, is refused by name; null is the same
//! as absent, as it is in GraphQL, unless an operation asks.
//! Not here: what an operation takes (mod.rs), and whether a value is any good (domain).

use axum::extract::Query;
use axum::http::Uri;
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::timestamp::Timestamp;
use serde_json::error::Category;
use serde_json::{Map, Value};

use super::json;
use super::problem_details::ProblemDetails;
use crate::problem::{ErrorCode, Problem};
use crate::store::{PageRequest, Slice, decode_cursor};
use crate::transport::graphql::types::CountryCode;

/// How many items a page has when nothing is said.
const DEFAULT_LIMIT: i32 = 20;

/// The members of a JSON object.
#[derive(Debug, Default)]
pub struct Members {
    values: Map<String, Value>,
    /// What stands ahead of a name: empty, or the path of the object that this is.
    path: String,
}

impl Members {
    /// Reads a body that may have these members.
    ///
    /// # Errors
    /// 400 for what is not a JSON object, 422 for a member that is not taken.
    pub fn read(body: &[u8], taken: &[&str]) -> Result<Self, ProblemDetails> {
        let bad = |detail: String| ProblemDetails::new(ErrorCode::BadRequest, detail);
        if body.is_empty() {
            return Err(bad(format!("the body is empty: send a JSON object; taken are: {}", listed(taken))));
        }
        let value = json::read(body).map_err(|error| match error.classify() {
            Category::Data => bad(error.to_string()),
            _ => bad(format!("the body is not JSON: line {}, column {}", error.line(), error.column())),
        })?;
        match value {
            Value::Object(values) => Self { values, path: String::new() }.checked(taken),
            _ => Err(bad("the body must be one JSON object".to_owned())),
        }
    }

    fn checked(self, taken: &[&str]) -> Result<Self, ProblemDetails> {
        match self.values.keys().find(|name| !taken.contains(&name.as_str())) {
            Some(unknown) => Err(ProblemDetails::of_input(
                self.full(unknown),
                format!("there is no such field; taken are: {}", listed(taken)),
            )),
            None => Ok(self),
        }
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// Whether null stands there, for the few members where that is no way to leave them out.
    pub fn is_null(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(Value::is_null)
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    fn read_as<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, ProblemDetails> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let read = read(value);
        read.map(Some)
            .ok_or_else(|| ProblemDetails::of_input(self.full(name), format!("`{name}` must be {wanted}")))
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<String>, ProblemDetails> {
        self.read_as(name, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// A text that may not be absent.
    pub fn required_text(&self, name: &str) -> Result<String, ProblemDetails> {
        self.text(name)?
            .ok_or_else(|| ProblemDetails::of_input(self.full(name), format!("`{name}` is required")))
    }

    /// A whole number of 32 bits.
    pub fn whole(&self, name: &str) -> Result<Option<i32>, ProblemDetails> {
        self.read_as(name, "a whole number of 32 bits", |value| i32::try_from(value.as_i64()?).ok())
    }

    /// A decimal amount as text, as it was written.
    pub fn amount(&self, name: &str) -> Result<Option<String>, ProblemDetails> {
        self.read_as(name, "a plain decimal number as a string, such as \"12.50\"", |value| {
            let text = value.as_str()?;
            text.parse::<Decimal>().ok().map(|_| text.to_owned())
        })
    }

    /// A currency.
    pub fn currency(&self, name: &str) -> Result<Option<Currency>, ProblemDetails> {
        let wanted = "an active ISO 4217 code in capitals, such as \"USD\"";
        self.read_as(name, wanted, |value| value.as_str()?.parse().ok())
    }

    /// One of a few words.
    pub fn word<T: std::str::FromStr>(
        &self,
        name: &str,
        words: &[&str],
    ) -> Result<Option<T>, ProblemDetails> {
        let wanted = format!("one of {}", listed(words));
        self.read_as(name, &wanted, |value| value.as_str()?.parse().ok())
    }

    /// An object with these members.
    pub fn object(&self, name: &str, taken: &[&str]) -> Result<Option<Self>, ProblemDetails> {
        let object = self.read_as(name, "an object", |value| value.as_object().cloned())?;
        let path = format!("{}.", self.full(name));
        object.map(|values| Self { values, path }.checked(taken)).transpose()
    }

    /// The one text that is given under these names, and its name.
    pub fn one_text(&self, names: &[&'static str]) -> Result<(&'static str, String), ProblemDetails> {
        let mut given = Vec::new();
        for name in names {
            given.extend(self.text(name)?.map(|text| (*name, text)));
        }
        match <[_; 1]>::try_from(given) {
            Ok([one]) => Ok(one),
            Err(_) => Err(ProblemDetails::of_input(
                self.path.trim_end_matches('.'),
                format!("give exactly one of {}", listed(names)),
            )),
        }
    }
}

/// The parameters of an address.
#[derive(Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query of an address that may have these parameters, each once.
    ///
    /// # Errors
    /// 400 for a query that is not well-formed, 422 for a parameter that is not taken or is repeated.
    pub fn read(uri: &Uri, taken: &[&str]) -> Result<Self, ProblemDetails> {
        let read = Query::<Vec<(String, String)>>::try_from_uri(uri);
        let Query(given) = read
            .map_err(|_| ProblemDetails::new(ErrorCode::BadRequest, "the query string is not well-formed"))?;
        for (at, (name, _)) in given.iter().enumerate() {
            if !taken.contains(&name.as_str()) {
                let detail = match taken {
                    [] => "no parameters are taken here".to_owned(),
                    taken => format!("there is no such parameter; taken are: {}", listed(taken)),
                };
                return Err(ProblemDetails::of_input(name, detail));
            }
            if given.iter().take(at).any(|(earlier, _)| earlier == name) {
                return Err(ProblemDetails::of_input(name, format!("`{name}` may be given once")));
            }
        }
        Ok(Self(given))
    }

    /// The text of a parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The names that are given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A parameter of some type.
    pub fn parse<T: std::str::FromStr>(&self, name: &str, wanted: &str) -> Result<Option<T>, ProblemDetails> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let parsed = text.parse().map(Some);
        parsed.map_err(|_| ProblemDetails::of_input(name, format!("`{name}` must be {wanted}")))
    }

    /// An instant.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, ProblemDetails> {
        let wanted = match self.text(name) {
            // A form's blank, which `+` stands for in a query: the offset of an instant was not escaped.
            Some(text) if text.contains(' ') => {
                "an RFC 3339 instant, in which `+` is written as %2B in an address"
            }
            _ => "an RFC 3339 instant, such as 2026-11-22T18:54:00Z",
        };
        self.parse(name, wanted)
    }

    /// A currency.
    pub fn currency(&self, name: &str) -> Result<Option<Currency>, ProblemDetails> {
        self.parse(name, "an active ISO 4217 code in capitals, such as USD")
    }

    /// One of a few words; none is the first of them.
    pub fn word_or_first<'w>(&self, name: &str, words: &[&'w str]) -> Result<&'w str, ProblemDetails> {
        let given = self.text(name).or(words.first().copied());
        words.iter().copied().find(|word| given == Some(*word)).ok_or_else(|| {
            ProblemDetails::of_input(name, format!("`{name}` must be one of {}", listed(words)))
        })
    }

    /// A country. One that is not known is an empty page; what is no country's code at all is refused, as in GraphQL.
    pub fn country(&self, name: &str) -> Result<Option<String>, ProblemDetails> {
        let country =
            self.parse::<CountryCode>(name, "an ISO 3166-1 alpha-2 code in capitals, such as US")?;
        Ok(country.map(|code| code.0))
    }

    /// How many items are wanted.
    pub fn limit(&self) -> Result<i32, ProblemDetails> {
        Ok(self.parse("limit", "1 to 100")?.unwrap_or(DEFAULT_LIMIT))
    }

    /// The page that `cursor` and `limit` ask for.
    pub fn page(&self) -> Result<PageRequest, ProblemDetails> {
        let size = u32::try_from(self.limit()?).ok().filter(|size| (1..=100).contains(size));
        let size = size.ok_or_else(|| Problem::bad_argument("limit", "`limit` must be 1 to 100"))?;
        let after = self.text("cursor").map(|cursor| decode_cursor("cursor", cursor)).transpose()?;
        Ok(PageRequest { slice: Slice::First, size, after, before: None })
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: [&str; 3] = ["name", "count", "inner"];

    fn members(body: &str) -> Members {
        Members::read(body.as_bytes(), &TAKEN).unwrap()
    }

    #[test]
    fn a_body_is_one_object_of_known_members() {
        for bad in ["", "{", "[]", "1", "null", "{\"other\":1}"] {
            Members::read(bad.as_bytes(), &TAKEN).unwrap_err();
        }
        assert_eq!(members("{\"name\":null}").text("name").unwrap(), None);
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let given = members("{\"name\":1,\"count\":\"1\",\"inner\":{\"count\":2147483648}}");
        given.text("name").unwrap_err();
        given.whole("count").unwrap_err();
        given.object("inner", &["count"]).unwrap().unwrap().whole("count").unwrap_err();
        given.object("inner", &["name"]).unwrap_err();
        given.required_text("missing").unwrap_err();
    }

    #[test]
    fn parameters_are_known_and_given_once() {
        let read = |address: &str| Parameters::read(&address.parse().unwrap(), &["limit", "cursor"]);
        assert_eq!(read("/x?limit=3").unwrap().limit().unwrap(), 3);
        assert_eq!(read("/x").unwrap().page().unwrap().size, 20);
        for bad in ["/x?size=3", "/x?limit=3&limit=3"] {
            read(bad).unwrap_err();
        }
        for bad in ["/x?limit=0", "/x?limit=101", "/x?limit=a", "/x?cursor=*"] {
            read(bad).unwrap().page().unwrap_err();
        }
    }
}
