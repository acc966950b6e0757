//! What lives here: the ready operations against the contract.
//! What is always true: none is left out, and none asks for what the contract does not offer.
//! What is not here: the operations' answers, which `examples.rs` compares.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use apollo_compiler::ast::OperationType;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|failure| panic!("{}: {failure}", path.display()))
}

fn contract() -> Valid<Schema> {
    // The validator's edition of the specification is older than this directive.
    let text = read(&root().join("schema.graphql")) + "\ndirective @oneOf on INPUT_OBJECT\n";
    Schema::parse_and_validate(text, "schema.graphql").unwrap_or_else(|failure| panic!("{failure}"))
}

/// The files of `playground/operations` with this ending, by name without it.
fn operation_files(ending: &str) -> BTreeMap<String, String> {
    fs::read_dir(root().join("playground/operations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|of| of == ending))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read(&path)))
        .collect()
}

#[test]
fn every_ready_operation_fits_the_contract_and_so_do_its_variables() {
    let contract = contract();
    let variables = operation_files("json");
    let operations = operation_files("graphql");
    for (name, text) in &operations {
        let document = ExecutableDocument::parse_and_validate(&contract, text, name)
            .unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let operation =
            document.operations.get(None).unwrap_or_else(|_| panic!("{name} is not one operation"));
        let given = variables.get(name).map_or("{}", String::as_str);
        let given: JsonMap =
            serde_json::from_str(given).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let fit = coerce_variable_values(&contract, operation, &given);
        assert!(fit.is_ok(), "{name}: {}", fit.unwrap_err().message());
        assert!(
            text.starts_with("# ") && text.lines().next().unwrap().contains(": "),
            "{name} has no `# Area: title`"
        );
    }
    let lonely: Vec<_> = variables.keys().filter(|name| !operations.contains_key(*name)).collect();
    assert!(lonely.is_empty(), "{lonely:?} are variables of nothing");
}

#[test]
fn every_root_field_has_a_ready_operation() {
    let contract = contract();
    let mut used = BTreeSet::new();
    for (name, text) in operation_files("graphql") {
        let document = ExecutableDocument::parse_and_validate(&contract, &text, &name).unwrap();
        let operation = document.operations.get(None).unwrap();
        let fields = operation.root_fields(&document);
        used.extend(fields.map(|field| format!("{} {}", operation.operation_type, field.name)));
    }
    let kinds = [OperationType::Query, OperationType::Mutation, OperationType::Subscription];
    let offered = kinds.into_iter().flat_map(|kind| {
        let root = contract.root_operation(kind).and_then(|root| contract.get_object(root)).unwrap();
        root.fields.keys().map(move |field| format!("{kind} {field}"))
    });
    let missing: Vec<_> = offered.filter(|field| !used.contains(field)).collect();
    assert!(missing.is_empty(), "write a ready operation for {missing:?}");
}
