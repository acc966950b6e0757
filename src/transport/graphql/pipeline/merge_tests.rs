//! What merging makes of documents, as a table: the merged operation is written out in a short form and compared.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::super::{parse::parse, validate::validate, variables::coerce};
use super::*;

const SDL: &str = "
    type Query { a(x: Int = 3, in: In): Int p: Person node(id: ID): Node all: [Node!]! u: U }
    interface Node { id: ID! owner: Node }
    type Person implements Node { id: ID! owner: Person name: String friends(first: Int): [Person!]! }
    type Dog implements Node { id: ID! owner: Node barks: Boolean }
    union U = Person | Dog
    input In { n: Int m: Int }
    type Mutation { add(x: Int): Person }
";

fn written(set: &executable::SelectionSet) -> String {
    let mut out = String::new();
    for selection in &set.items {
        if !out.is_empty() {
            out.push(' ');
        }
        let inner = match &selection.node {
            executable::Selection::Field(field) => {
                let field = &field.node;
                if let Some(alias) = &field.alias {
                    write!(out, "{}:", alias.node).unwrap();
                }
                write!(out, "{}", field.name.node).unwrap();
                let arguments: Vec<String> = field
                    .arguments
                    .iter()
                    .map(|(name, value)| format!("{}:{}", name.node, value.node))
                    .collect();
                if !arguments.is_empty() {
                    write!(out, "({})", arguments.join(",")).unwrap();
                }
                assert!(field.directives.is_empty());
                &field.selection_set.node
            }
            executable::Selection::InlineFragment(inline) => {
                write!(out, "...{}", inline.node.type_condition.as_ref().unwrap().node.on.node).unwrap();
                &inline.node.selection_set.node
            }
            executable::Selection::FragmentSpread(_) => panic!("no spread is left"),
        };
        if !inner.items.is_empty() {
            write!(out, "{{{}}}", written(inner)).unwrap();
        }
    }
    out
}

fn merged(text: &str, variables: Json) -> (String, Vec<String>) {
    let contract = Contract::parse(SDL).unwrap();
    let document = validate(&contract, &parse(text).unwrap()).unwrap();
    let operation = document.operations.iter().next().unwrap();
    let given: Map<String, Json> = variables.as_object().unwrap().clone();
    let variables = coerce(&contract, operation, given).unwrap();
    let merged = merge(&contract, &document, operation, &variables).unwrap();
    let executable::DocumentOperations::Single(operation) = merged.operations else {
        panic!("one operation")
    };
    let names =
        operation.node.variable_definitions.iter().map(|definition| definition.node.name.node.to_string());
    (written(&operation.node.selection_set.node), names.collect())
}

#[test]
fn each_response_key_is_left_once() {
    for (text, expected) in [
        ("{a a a}", "a"),
        ("{a b: a a}", "a b:a"),
        ("mutation {add(x: 1){id} add(x: 1){name}}", "add(x:1){id name}"),
        ("mutation {one: add(x: 1){id} one: add(x: 1){name id}}", "one:add(x:1){id name}"),
        (
            "mutation {...F ... on Mutation {add{name}} ...{add{id}}} fragment F on Mutation {add{id}}",
            "add{id name}",
        ),
        ("{p{id} a p{name friends{id}} p{friends{name}}}", "p{id name friends{id name}} a"),
        ("{p{...F ...F ...G}} fragment F on Person {id} fragment G on Person {...F name}", "p{id name}"),
        ("{__typename t: __typename __typename}", "__typename t:__typename"),
    ] {
        assert_eq!(merged(text, json!({})).0, expected, "{text}");
    }
}

#[test]
fn fragments_apply_to_their_types() {
    for (text, expected) in [
        ("{p{... on Node {id} name}}", "p{id name}"),
        ("{node{id ... on Node {id}}}", "node{id}"),
        ("{node{... on Person {name} id}}", "node{...Person{name id} ...Dog{id}}"),
        ("{node{id ... on Person {name id}}}", "node{...Person{id name} ...Dog{id}}"),
        ("{u{... on Dog {barks}}}", "u{...Dog{barks}}"),
        ("{u{__typename ... on Node {id}}}", "u{__typename id}"),
        (
            "{node{owner{id} ... on Person {owner{name}}}}",
            "node{...Person{owner{id name}} ...Dog{owner{id}}}",
        ),
        ("{node{... on Node {... on Person {name}}}}", "node{...Person{name}}"),
    ] {
        assert_eq!(merged(text, json!({})).0, expected, "{text}");
    }
}

#[test]
fn conditions_are_decided_before_merging() {
    let text = "query ($yes: Boolean!, $no: Boolean = false) {
        a @skip(if: $yes) b: a @include(if: $no) c: a @include(if: $yes) @skip(if: $no)
        ... @include(if: $no) {d: a} ...F @skip(if: $yes) p {id @skip(if: true) name}
    } fragment F on Query {e: a}";
    assert_eq!(merged(text, json!({"yes": true})), ("c:a p{name}".to_owned(), Vec::new()));
    assert_eq!(merged(text, json!({"yes": false})).0, "a e:a p{name}");
    assert_eq!(merged("{a @skip(if: true)}", json!({})).0, "");
}

#[test]
fn a_variable_that_was_not_given_is_no_argument() {
    let text = "query ($x: Int, $n: Int) {a(x: $x, in: {n: $n, m: 1})}";
    assert_eq!(merged(text, json!({})), ("a(in:{m: 1})".to_owned(), Vec::new()));
    assert_eq!(merged(text, json!({"x": null})), ("a(x:$x,in:{m: 1})".to_owned(), vec!["x".to_owned()]));
    let both = merged(text, json!({"x": 1, "n": 2}));
    assert_eq!(both, ("a(x:$x,in:{n: $n, m: 1})".to_owned(), vec!["x".to_owned(), "n".to_owned()]));
}

#[test]
fn interfaces_within_interfaces_have_an_end() {
    let mut text = "id".to_owned();
    for level in 0..18 {
        text = format!("owner{{...on Person{{p{level}:id}} {text}}}");
    }
    let text = format!("{{node{{{text}}}}}");
    let contract = Contract::parse(&(0..12).fold(SDL.to_owned(), |sdl, index| {
        sdl + &format!("type T{index} implements Node {{id: ID! owner: Node}} ")
    }))
    .unwrap();
    let document = validate(&contract, &parse(&text).unwrap()).unwrap();
    let operation = document.operations.iter().next().unwrap();
    let refusal = merge(&contract, &document, operation, &Variables::default()).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::QueryTooComplex);
}

#[test]
fn refuses_arguments_that_fragments_repeat_past_their_bound() {
    let contract = Contract::parse("type Query { q: Query a(x: String): Int }").unwrap();
    let merged = |length: usize| {
        let spreads: String = (0..25).map(|number| format!("a{number}:q{{...F}}")).collect();
        let text = format!("{{{spreads}}} fragment F on Query{{a(x:\"{}\")}}", "x".repeat(length));
        let document = validate(&contract, &parse(&text).unwrap()).unwrap();
        let operation = document.operations.iter().next().unwrap();
        merge(&contract, &document, operation, &Variables::default()).err().map(|refusal| refusal.code)
    };
    assert_eq!(merged(40_000), None);
    assert_eq!(merged(50_000), Some(ErrorCode::QueryTooComplex));
}
