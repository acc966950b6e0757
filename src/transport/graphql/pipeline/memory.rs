//! What the pipeline remembers between requests, and at most how much of it.
//!
//! Lives here: the bound of each memory, and by how much an entry counts against it.
//! Always true: an entry counts for no less than it takes, its key included, whoever sent it: a memory that counted less
//! could be filled past its bound by callers without a token, each document another one.
//! Not here: the memories (documents.rs, persisted.rs); buckets, which are bounded by their number (transport/limits.rs).

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Selection, SelectionSet};
use async_graphql_value::Value;

use super::tokens;

/// The most bytes of documents that have been checked.
pub const CHECKED_BYTES: u64 = 64 * 1024 * 1024;
/// The most bytes of operations that are ready to be executed.
pub const READY_BYTES: u64 = 64 * 1024 * 1024;
/// The most bytes of documents that were sent with their hash.
pub const PERSISTED_BYTES: u64 = 32 * 1024 * 1024;

/// What an entry takes beside its contents: its key, its place in the map, the policy's record of it.
const ENTRY_BYTES: usize = 512;
/// What a token becomes in the tree that validation makes: at most a field with its names, definition and lists.
const TOKEN_BYTES: usize = 384;
/// The text is kept twice, once with an index of its lines.
const TEXT_COPIES: usize = 2;
/// What that index takes for a line.
const LINE_BYTES: usize = 64;
/// What a merged field takes without its arguments, its price included.
const FIELD_BYTES: usize = 768;
/// What a value of a merged operation takes beside its text, its name included.
const VALUE_BYTES: usize = 160;

/// What a checked document takes, by its text.
#[must_use]
pub fn of_checked(text: &str) -> usize {
    let (tokens, lines) = tokens::scan(text).map_or((text.len(), text.len()), |it| (it.tokens, it.lines));
    ENTRY_BYTES + text.len() * TEXT_COPIES + tokens * TOKEN_BYTES + lines * LINE_BYTES
}

/// What a merged operation takes; `key` is how many bytes its key has.
#[must_use]
pub fn of_ready(document: &ExecutableDocument, key: usize) -> usize {
    let fields = match &document.operations {
        DocumentOperations::Single(operation) => {
            let variables = operation.node.variable_definitions.len() * VALUE_BYTES;
            variables + of_selections(&operation.node.selection_set.node)
        }
        // Merging leaves one operation.
        DocumentOperations::Multiple(_) => 0,
    };
    ENTRY_BYTES + key + fields
}

/// What a document that was sent with its hash takes.
#[must_use]
pub fn of_persisted(principal: &str, text: &str) -> usize {
    ENTRY_BYTES + principal.len() + text.len()
}

fn of_selections(set: &SelectionSet) -> usize {
    let of_one = |selection: &Selection| match selection {
        Selection::Field(field) => {
            let arguments = field.node.arguments.iter();
            let names = field.node.response_key().node.len() + field.node.name.node.len();
            let values: usize = arguments.map(|(name, value)| name.node.len() + of_value(&value.node)).sum();
            FIELD_BYTES + names + values + of_selections(&field.node.selection_set.node)
        }
        Selection::InlineFragment(inline) => FIELD_BYTES + of_selections(&inline.node.selection_set.node),
        Selection::FragmentSpread(_) => FIELD_BYTES,
    };
    set.items.iter().map(|item| of_one(&item.node)).sum()
}

/// What a value of a merged operation takes.
#[must_use]
pub fn of_value(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Variable(name) | Value::Enum(name) => name.len(),
        Value::List(items) => items.iter().map(of_value).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + of_value(value)).sum(),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Binary(_) => 0,
    };
    VALUE_BYTES + inside
}

/// The weight of an entry, for a memory that counts in 32 bits.
#[must_use]
pub fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn ready(text: &str) -> usize {
        of_ready(&parse_query(text).unwrap(), 0)
    }

    #[test]
    fn texts_keys_and_names_count() {
        let long = "x".repeat(60_000);
        assert_eq!(of_checked(&format!("{{a(x:\"{long}\")}}")) - of_checked("{a(x:\"\")}"), 120_000);
        assert_eq!(of_checked(&format!("{{a}}#{long}")) - of_checked("{a}#"), 120_000);
        assert_eq!(of_checked(&"\n".repeat(60_000)) - of_checked(""), 60_000 * (2 + LINE_BYTES));
        assert_eq!(ready(&format!("{{a(x:\"{long}\")}}")) - ready("{a(x:\"\")}"), 60_000);
        assert_eq!(ready(&format!("{{a(x:[{{y:\"{long}\"}}])}}")) - ready("{a(x:[{y:\"\"}])}"), 60_000);
        assert_eq!(
            ready(&format!("{{a(x:[{}])}}", "1,".repeat(900))) - ready("{a(x:[])}"),
            900 * VALUE_BYTES
        );
        assert_eq!(ready(&format!("{{{long}:a}}")) - ready("{x:a}"), 59_999);
        let document = parse_query("{a}").unwrap();
        assert_eq!(of_ready(&document, 60_000) - of_ready(&document, 0), 60_000);
        assert_eq!(of_persisted("me", &long) - of_persisted("", ""), 60_002);
    }

    #[test]
    fn a_document_of_ordinary_size_leaves_room_for_thousands() {
        let text = "query A($x: Int) { order(id: $x) { id status total { amount } units { nodes { id } } } }";
        assert!(of_checked(text) * 4_000 < usize::try_from(CHECKED_BYTES).unwrap());
    }
}
