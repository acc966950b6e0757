//! What lives here: how an answer is written into a page, and when a later answer counts as the same.
//! What is always true: what an answer is abridged to matches it; `…` stands for any text, and at the end of a list for
//! any further items; an instant stands for any instant; everything else, keys included, must be equal.
//! What is not here: where answers come from. (`Value` is the GraphQL library's, since it keeps the order of keys.)

use async_graphql::Value;

/// What stands for anything.
const ANYTHING: &str = "…";
/// The most items of a list that a page shows; a list that has more keeps the first ones.
const SHOWN_ITEMS: usize = 3;
/// Fields whose values are secret or mean nothing to a reader.
const OPAQUE: [&str; 12] = [
    "token",
    "refreshToken",
    "refresh_token",
    "password",
    "code",
    "serial",
    "pin",
    "cursor",
    "startCursor",
    "endCursor",
    "next_cursor",
    "requestId",
];

/// The answer as a page shows it.
pub(crate) fn abridge(answer: &Value) -> Value {
    abridge_field("", answer)
}

fn abridge_field(key: &str, value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(abridge_text(key, text)),
        Value::List(items) if items.len() > SHOWN_ITEMS + 1 => {
            let shown = items.iter().take(SHOWN_ITEMS).map(|item| abridge_field("", item));
            Value::List(shown.chain([Value::from(ANYTHING)]).collect())
        }
        Value::List(items) => Value::List(items.iter().map(|item| abridge_field("", item)).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                // What a request cost changes with every tuning of the costs, and is told on a page of its own.
                .filter(|(key, _)| key.as_str() != "extensions" || fields.contains_key("message"))
                .map(|(key, value)| (key.clone(), abridge_field(key, value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn abridge_text(key: &str, text: &str) -> String {
    // An error's code is a word in capitals, which is the point of showing it.
    let is_error_code = key == "code" && text.chars().all(|one| one.is_ascii_uppercase() || one == '_');
    if OPAQUE.contains(&key) && !is_error_code {
        return ANYTHING.to_owned();
    }
    if is_instant(text) {
        return text.to_owned();
    }
    text.split_inclusive(|one: char| one == ',' || one == '"' || one.is_whitespace())
        .map(|part| {
            let word = part.trim_end_matches(|one: char| one == ',' || one == '"' || one.is_whitespace());
            format!("{}{}", abridge_word(word), &part[word.len()..])
        })
        .collect()
}

/// An id keeps its prefix, which says what it names; an instant inside a longer text goes.
fn abridge_word(word: &str) -> String {
    match word.split_once('_') {
        Some((prefix, rest))
            if (2..=4).contains(&prefix.len())
                && rest.len() >= 20
                && rest.chars().all(char::is_alphanumeric) =>
        {
            format!("{prefix}_{ANYTHING}")
        }
        _ if is_instant(word) => ANYTHING.to_owned(),
        _ => word.to_owned(),
    }
}

/// Whether an answer is what a page promises; else the path of the first difference, with what was promised and given.
pub(crate) fn compare(promised: &Value, given: &Value) -> Result<(), String> {
    compare_at("answer", promised, given)
}

fn compare_at(path: &str, promised: &Value, given: &Value) -> Result<(), String> {
    let same = match (promised, given) {
        (Value::String(promised), Value::String(given)) => stands_for(promised, given),
        (Value::String(promised), Value::Number(_) | Value::List(_) | Value::Object(_)) => {
            promised == ANYTHING
        }
        (Value::List(promised), Value::List(given)) => return compare_lists(path, promised, given),
        (Value::Object(promised), Value::Object(given)) => {
            let ignored = |key: &str| key == "extensions" && !promised.contains_key("extensions");
            let promised_keys: Vec<_> = promised.keys().map(|key| key.as_str()).collect();
            let given_keys: Vec<_> =
                given.keys().map(|key| key.as_str()).filter(|key| !ignored(key)).collect();
            if promised_keys != given_keys {
                return Err(format!("{path}: the page promises {promised_keys:?}, given {given_keys:?}"));
            }
            return promised.iter().try_for_each(|(key, value)| {
                compare_at(&format!("{path}.{key}"), value, &given[key.as_str()])
            });
        }
        _ => promised == given,
    };
    if same { Ok(()) } else { Err(format!("{path}: the page promises {promised}, given {given}")) }
}

fn compare_lists(path: &str, promised: &[Value], given: &[Value]) -> Result<(), String> {
    let (promised, open_ended) = match promised.split_last() {
        Some((Value::String(last), rest)) if last == ANYTHING && rest.len() <= given.len() => (rest, true),
        _ => (promised, false),
    };
    if !open_ended && promised.len() != given.len() {
        return Err(format!("{path}: the page promises {} items, given {}", promised.len(), given.len()));
    }
    let mut pairs = promised.iter().zip(given).enumerate();
    pairs.try_for_each(|(index, (promised, given))| compare_at(&format!("{path}[{index}]"), promised, given))
}

/// Whether the promised text, in which `…` stands for anything, stands for the given one.
fn stands_for(promised: &str, given: &str) -> bool {
    if is_instant(promised) {
        return is_instant(given);
    }
    let mut parts = promised.split(ANYTHING);
    let Some(mut rest) = parts.next().and_then(|first| given.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last.is_some_and(|last| last.is_empty() || rest.ends_with(last))
}

/// Whether a text is an instant as the API writes it: `2026-11-22T18:54:00.000000Z`.
fn is_instant(text: &str) -> bool {
    const SHAPE: &str = "0000-00-00T00:00:00.000000Z";
    text.len() == SHAPE.len()
        && text.chars().zip(SHAPE.chars()).all(|(given, shape)| match shape {
            '0' => given.is_ascii_digit(),
            shape => given == shape,
        })
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_abridged_answer_stands_for_the_answer() {
    let answer = parsed(
        r#"{"data": {
            "order": {"id": "ord_01jd0000000000000000000000", "reference": "ord_abc123", "total": "47.50"},
            "at": "2026-11-22T18:54:00.000000Z",
            "content": "n,at,id\n1,2026-11-22T18:54:00.000000Z,pst_01jd0000000000000000000000\n",
            "numbers": [1, 2, 3, 4, 5],
            "vouchers": [{"code": "AAAA-BBBB"}],
            "userErrors": [{"code": "OUT_OF_STOCK"}]
        }, "extensions": {"cost": 1}}"#,
    );
    let shown = abridge(&answer);
    let expected = parsed(
        r#"{"data": {
            "order": {"id": "ord_…", "reference": "ord_abc123", "total": "47.50"},
            "at": "2026-11-22T18:54:00.000000Z",
            "content": "n,at,id\n1,…,pst_…\n",
            "numbers": [1, 2, 3, "…"],
            "vouchers": [{"code": "…"}],
            "userErrors": [{"code": "OUT_OF_STOCK"}]
        }}"#,
    );
    assert_eq!(shown, expected);
    assert_eq!(compare(&shown, &answer), Ok(()));
}

#[test]
fn another_value_key_order_or_length_is_a_difference() {
    let shown = parsed(r#"{"a": "ord_…", "b": [1, 2]}"#);
    for (given, difference) in [
        (r#"{"a": "chg_1", "b": [1, 2]}"#, "answer.a"),
        (r#"{"a": "ord_1", "b": [1, 3]}"#, "answer.b[1]"),
        (r#"{"a": "ord_1", "b": [1]}"#, "answer.b"),
        (r#"{"a": "ord_1"}"#, "answer"),
        (r#"{"b": [1, 2], "a": "ord_1"}"#, "answer"),
        (r#"{"a": null, "b": [1, 2]}"#, "answer.a"),
    ] {
        let told = compare(&shown, &parsed(given)).unwrap_err();
        assert!(told.starts_with(&format!("{difference}:")), "{told}");
    }
}
