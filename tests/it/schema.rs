//! The running schema against `schema.graphql`, the contract that was reviewed.
//! Always true: they agree in every type, field, argument, default, directive and description; a difference is
//! named by its place. Not here: whether requests are checked against the contract (the pipeline's tests).

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use apollo_compiler::Node;
use apollo_compiler::ast::{Definition, DirectiveList, Document, FieldDefinition, InputValueDefinition};
use octopus_cards::transport::graphql;

/// Every fact of a schema, by its place: `Query.products(first:)` is `Int "How many…"`.
type Facts = BTreeMap<String, String>;

/// What the specification defines and a schema need not repeat.
const BUILT_IN: [&str; 10] =
    ["Int", "Float", "String", "Boolean", "ID", "@include", "@skip", "@deprecated", "@specifiedBy", "@oneOf"];

fn facts(sdl: &str, source: &str) -> Facts {
    let document = Document::parse(sdl, source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let mut facts = Facts::new();
    for definition in &document.definitions {
        add_definition(&mut facts, definition);
    }
    facts.retain(|place, _| !BUILT_IN.contains(&place.split(['.', '(']).next().unwrap_or(place)));
    facts
}

fn add_definition(facts: &mut Facts, definition: &Definition) {
    match definition {
        Definition::ScalarTypeDefinition(it) => {
            facts.insert(it.name.to_string(), fact("scalar", it.description.as_ref(), &it.directives));
        }
        Definition::ObjectTypeDefinition(it) => {
            let kind = format!("type implements {}", sorted(&it.implements_interfaces));
            facts.insert(it.name.to_string(), fact(kind, it.description.as_ref(), &it.directives));
            add_fields(facts, &it.name, &it.fields);
        }
        Definition::InterfaceTypeDefinition(it) => {
            let kind = format!("interface implements {}", sorted(&it.implements_interfaces));
            facts.insert(it.name.to_string(), fact(kind, it.description.as_ref(), &it.directives));
            add_fields(facts, &it.name, &it.fields);
        }
        Definition::UnionTypeDefinition(it) => {
            let kind = format!("union of {}", sorted(&it.members));
            facts.insert(it.name.to_string(), fact(kind, it.description.as_ref(), &it.directives));
        }
        Definition::EnumTypeDefinition(it) => {
            facts.insert(it.name.to_string(), fact("enum", it.description.as_ref(), &it.directives));
            for value in &it.values {
                let place = format!("{}.{}", it.name, value.value);
                facts.insert(place, fact("value", value.description.as_ref(), &value.directives));
            }
        }
        Definition::InputObjectTypeDefinition(it) => {
            facts.insert(it.name.to_string(), fact("input", it.description.as_ref(), &it.directives));
            for field in &it.fields {
                facts.insert(format!("{}.{}", it.name, field.name), input_value(field));
            }
        }
        Definition::DirectiveDefinition(it) => {
            let kind = format!("directive on {}", sorted(&it.locations));
            let place = format!("@{}", it.name);
            facts.insert(place.clone(), fact(kind, it.description.as_ref(), &DirectiveList::default()));
            for argument in &it.arguments {
                facts.insert(format!("{place}({}:)", argument.name), input_value(argument));
            }
        }
        Definition::SchemaDefinition(it) => {
            for root in &it.root_operations {
                let (operation, name) = &**root;
                assert!(
                    name.to_string().eq_ignore_ascii_case(operation.name()),
                    "the {operation} type is named {name}"
                );
            }
        }
        other => panic!("neither side may extend or execute: {other}"),
    }
}

fn add_fields(facts: &mut Facts, owner: &str, fields: &[Node<FieldDefinition>]) {
    for field in fields {
        let place = format!("{owner}.{}", field.name);
        for argument in &field.arguments {
            facts.insert(format!("{place}({}:)", argument.name), input_value(argument));
        }
        facts.insert(place, fact(&field.ty, field.description.as_ref(), &field.directives));
    }
}

fn input_value(value: &InputValueDefinition) -> String {
    let default = value.default_value.as_ref().map(|it| format!(" = {it}")).unwrap_or_default();
    fact(format!("{}{default}", value.ty), value.description.as_ref(), &value.directives)
}

fn fact(kind: impl Display, description: Option<&Node<str>>, directives: &DirectiveList) -> String {
    let mut text = kind.to_string();
    let mut applied: Vec<_> = directives.iter().map(|directive| directive.to_string()).collect();
    applied.sort();
    for directive in applied {
        write!(text, " {directive}").unwrap();
    }
    if let Some(description) = description {
        write!(text, " {:?}", description.trim()).unwrap();
    }
    text
}

fn sorted<T: Display>(names: &[T]) -> String {
    let mut names: Vec<_> = names.iter().map(ToString::to_string).collect();
    names.sort();
    names.join(" & ")
}

/// Each place where the two differ, with both sides.
fn differences(contract: &Facts, running: &Facts) -> Vec<String> {
    let mut places: Vec<_> = contract.keys().chain(running.keys()).collect();
    places.sort();
    places.dedup();
    let absent = "(absent)".to_owned();
    places
        .into_iter()
        .filter(|place| contract.get(*place) != running.get(*place))
        .map(|place| {
            let contract = contract.get(place).unwrap_or(&absent);
            let running = running.get(place).unwrap_or(&absent);
            format!("{place}\n    contract {contract}\n    running  {running}")
        })
        .collect()
}

fn contract() -> &'static str {
    include_str!("../../schema.graphql")
}

#[test]
fn a_difference_is_named_by_its_place() {
    let contract = facts(
        r#""What reads." type Query { "One." a("How many." first: Int = 20): Int  b: String @deprecated(reason: "old") }"#,
        "contract",
    );
    let running = facts(
        r#""What reads." type Query { "Two." a("How many." first: Int = 21): Int! c: String } scalar Int"#,
        "running",
    );
    let found = differences(&contract, &running);
    let places: Vec<_> = found.iter().map(|it| it.lines().next().unwrap()).collect();
    assert_eq!(places, ["Query.a", "Query.a(first:)", "Query.b", "Query.c"]);
    assert!(found[0].contains(r#"Int "One.""#) && found[0].contains(r#"Int! "Two.""#), "{}", found[0]);
}

#[test]
fn everything_in_the_contract_is_described() {
    let undescribed: Vec<_> = facts(contract(), "schema.graphql")
        .into_iter()
        .filter(|(_, fact)| !fact.ends_with('"'))
        .map(|(place, _)| place)
        .collect();
    assert!(undescribed.is_empty(), "no description: {}", undescribed.join(", "));
}

both_databases! {
    async fn the_running_schema_is_the_contract(app: Tables) {
        let options = async_graphql::SDLExportOptions::new().include_specified_by();
        let running = graphql::build_schema(&app.deps).sdl_with_options(options);
        let found = differences(&facts(contract(), "schema.graphql"), &facts(&running, "the running schema"));
        assert!(found.is_empty(), "{} differences:\n  {}", found.len(), found.join("\n  "));
    }
}
