//! Step 5: whether the document means something under the contract.
//!
//! Lives here: [`validate`]: apollo-compiler's validation, and the rules that it does not have yet: repeated input
//! keys, `@oneOf` values, variables inside input objects, the depth of introspection.
//! Always true: what passes can be executed without a further question about names or types of the document.
//! Not here: the values of variables (variables.rs).

use std::collections::HashSet;

use apollo_compiler::ast::{Document, Type, Value, VariableDefinition};
use apollo_compiler::executable::{DirectiveList, Field, Operation, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node, introspection};

use super::contract::Contract;
use super::parse::{fault, position};
use super::refusal::{FAULTS, Fault, Refusal};
use crate::problem::ErrorCode;

/// Judges a document by the contract.
///
/// # Errors
///
/// GRAPHQL_VALIDATION_FAILED with locations; QUERY_TOO_COMPLEX for introspection that nests its lists.
pub fn validate(contract: &Contract, document: &Document) -> Result<Valid<ExecutableDocument>, Refusal> {
    let valid = document.to_executable_validate(contract.schema()).map_err(|failed| {
        let faults = failed.errors.iter().take(FAULTS).map(|diagnostic| fault("", &diagnostic)).collect();
        Refusal::of_faults(ErrorCode::GraphqlValidationFailed, faults)
    })?;
    if valid.operations.is_empty() {
        return Err(Refusal::new(ErrorCode::GraphqlValidationFailed, "The document has no operation."));
    }
    let faults = beyond_the_library(contract, &valid);
    if !faults.is_empty() {
        return Err(Refusal::of_faults(ErrorCode::GraphqlValidationFailed, faults));
    }
    for operation in valid.operations.iter() {
        introspection::check_max_depth(&valid, operation)
            .map_err(|error| Refusal::new(ErrorCode::QueryTooComplex, error.message().to_string()))?;
    }
    Ok(valid)
}

fn beyond_the_library(contract: &Contract, document: &ExecutableDocument) -> Vec<Fault> {
    let mut faults = Vec::new();
    // Operation by operation, fragments as each reaches them: a variable means what its operation declares.
    for operation in document.operations.iter() {
        let mut walk = Walk { contract, document, operation, visited: HashSet::new(), faults };
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                walk.value(Place { ty: &variable.ty, has_default: false }, default);
            }
        }
        walk.directives(&operation.directives);
        walk.selections(&operation.selection_set);
        faults = walk.faults;
    }
    faults
}

struct Walk<'a> {
    contract: &'a Contract,
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    visited: HashSet<&'a Name>,
    faults: Vec<Fault>,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'t> {
    ty: &'t Type,
    has_default: bool,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            self.directives(selection.directives());
            match selection {
                Selection::Field(field) => self.field(field),
                Selection::InlineFragment(inline) => self.selections(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    if self.visited.insert(&spread.fragment_name)
                        && let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                    {
                        self.directives(&fragment.directives);
                        self.selections(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &'a Field) {
        for argument in &field.arguments {
            if let Some(definition) = field.definition.argument_by_name(&argument.name) {
                let has_default = definition.default_value.is_some();
                self.value(Place { ty: &definition.ty, has_default }, &argument.value);
            }
        }
        self.selections(&field.selection_set);
    }

    fn directives(&mut self, directives: &DirectiveList) {
        for directive in directives.iter() {
            for argument in &directive.arguments {
                self.repeated_keys(&argument.value);
            }
        }
    }

    fn value(&mut self, place: Place<'_>, value: &Node<Value>) {
        match (place.ty, value.as_ref()) {
            (_, Value::Variable(name)) => self.variable(place, name, value),
            (Type::List(inner) | Type::NonNullList(inner), Value::List(items)) => {
                for item in items {
                    self.value(Place { ty: inner, has_default: false }, item);
                }
            }
            (Type::List(inner) | Type::NonNullList(inner), _) => {
                self.value(Place { ty: inner, has_default: false }, value);
            }
            (Type::Named(name) | Type::NonNullNamed(name), Value::Object(members)) => {
                self.object(name, members, value);
            }
            // Only a custom scalar takes a list here.
            (Type::Named(_) | Type::NonNullNamed(_), _) => self.repeated_keys(value),
        }
    }

    /// Whether a variable may stand where it does; the library asks that of arguments alone, not of what is in them.
    fn variable(&mut self, place: Place<'_>, name: &Name, value: &Node<Value>) {
        let Some(definition) = self.definition(name) else { return };
        let default = definition.default_value.as_deref();
        let filled = place.has_default || default.is_some_and(|default| !default.is_null());
        let fits = definition.ty.is_assignable_to(place.ty)
            || (filled && definition.ty.is_assignable_to(&place.ty.clone().nullable()));
        if !fits {
            let message =
                format!("`${name}` of type {} stands where {} is expected.", definition.ty, place.ty);
            self.fault(message, value);
        }
    }

    fn is_nullable(&self, name: &Name) -> bool {
        self.definition(name).is_some_and(|definition| !definition.ty.is_non_null())
    }

    fn definition(&self, name: &Name) -> Option<&'a VariableDefinition> {
        let mut definitions = self.operation.variables.iter();
        definitions.find(|definition| definition.name == *name).map(AsRef::as_ref)
    }

    fn object(&mut self, name: &Name, members: &[(Name, Node<Value>)], value: &Node<Value>) {
        let Some(ExtendedType::InputObject(input)) = self.contract.schema().types.get(name) else {
            // A custom scalar given as an object: its members have no types.
            self.repeated_keys(value);
            return;
        };
        self.unique_keys(value);
        if Contract::is_one_of(input) {
            self.one_of(name, members, value);
        }
        let input = Node::clone(input);
        for (key, member) in members {
            if let Some(field) = input.fields.get(key) {
                self.value(Place { ty: &field.ty, has_default: field.default_value.is_some() }, member);
            }
        }
    }

    fn one_of(&mut self, name: &Name, members: &[(Name, Node<Value>)], value: &Node<Value>) {
        let [(key, member)] = members else {
            self.fault(format!("Exactly one field of `{name}` must be given."), value);
            return;
        };
        match member.as_ref() {
            Value::Null => self.fault(format!("`{name}.{key}` must not be null."), member),
            Value::Variable(variable) if self.is_nullable(variable) => {
                let message =
                    format!("`${variable}` must be of a non-null type to be used for `{name}.{key}`.");
                self.fault(message, member);
            }
            _ => {}
        }
    }

    fn unique_keys(&mut self, value: &Node<Value>) {
        let Value::Object(members) = value.as_ref() else { return };
        for (index, (key, member)) in members.iter().enumerate() {
            if members[..index].iter().any(|(earlier, _)| earlier == key) {
                self.fault(format!("There can be only one input field named `{key}`."), member);
            }
        }
    }

    /// The rule of unique keys alone, where no type is known.
    fn repeated_keys(&mut self, value: &Node<Value>) {
        self.unique_keys(value);
        match value.as_ref() {
            Value::List(items) => items.iter().for_each(|item| self.repeated_keys(item)),
            Value::Object(members) => members.iter().for_each(|(_, member)| self.repeated_keys(member)),
            _ => {}
        }
    }

    fn fault(&mut self, message: String, value: &Node<Value>) {
        if self.faults.len() < FAULTS {
            let range = value.line_column_range(&self.document.sources);
            self.faults.push(Fault::new(message).at(range.map(|range| position(range.start))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    const SDL: &str = "
        type Query { me(first: Int): Person! node(id: ID!): Node pay(by: Pay!): Int any(value: Any): Int in(x: In): Int }
        interface Node { id: ID! }
        type Person implements Node { id: ID! name: String friends(first: Int = 20): [Person!]! }
        type Mutation { add(x: In!): Int }
        type Subscription { ticks(every: Int): Int other: Int }
        input Pay @oneOf { card: String cash: Int }
        input In { a: Int! b: [Int!] c: In }
        scalar Any
    ";

    fn refused(text: &str) -> Option<ErrorCode> {
        let contract = Contract::parse(SDL).unwrap();
        validate(&contract, &parse(text).unwrap()).err().map(|refusal| refusal.code)
    }

    #[test]
    fn passes_what_the_contract_allows() {
        for text in [
            "{__typename}",
            "{me{name friends{name}}}",
            "query ($by: Pay!) {pay(by: $by)}",
            "query ($card: String!) {pay(by: {card: $card})}",
            "{pay(by: {cash: 1})}",
            "{any(value: {a: {b: 1}})}",
            "subscription {ticks}",
            "query ($x: Int!) {in(x: {a: $x, b: 1, c: {a: 2}})}",
            "query ($x: Int = 1, $c: In) {in(x: {a: $x, b: [$x], c: $c})}",
            "query A($x: Int!) {...F} query B($x: ID!) {node(id: $x) {id}} fragment F on Query {in(x: {a: $x})}",
            "query ($no: Boolean = false) {me @skip(if: $no) {name}}",
            "{node(id: 1) {... on Person {name}}}",
        ] {
            assert_eq!(refused(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_what_the_contract_does_not_know() {
        for text in [
            "{nothing}",
            "{me}",
            "{me{name{x}}}",
            "{me{name} me(first: 1){name}}",
            "{me(last: 1){name}}",
            "{node{id}}",
            "{node(id: true){id}}",
            "query ($id: ID) {node(id: $id){id}}",
            "query ($unused: Int) {me{name}}",
            "{me(first: $missing){name}}",
            "{me(first: \"1\"){name}}",
            "{me(first: 99999999999){name}}",
            "{...Nowhere}",
            "{me{name}} fragment Unused on Person {name}",
            "{me{name}} {me{name}}",
            "{me @nothing {name}}",
            "{__typename @nothing}",
            "{__typename {x}}",
            "{__typename @skip(if: true) @skip(if: true)}",
            "{me @skip {name}}",
            "subscription {ticks other}",
            "type T {x: Int}",
            "fragment A on Person {name}",
            "mutation {add(x: {b: 1})}",
            "mutation {add(x: 7)}",
        ] {
            assert_eq!(refused(text), Some(ErrorCode::GraphqlValidationFailed), "{text}");
        }
    }

    #[test]
    fn refuses_what_the_library_lets_pass() {
        for text in [
            "{in(x: {a: 1, a: 2})}",
            "{in(x: {a: 1, c: {a: 1, a: 1}})}",
            "{any(value: {a: 1, a: 2})}",
            "{any(value: [{b: {a: 1, a: 2}}])}",
            "query ($x: In = {a: 1, a: 2}) {in(x: $x)}",
            "{pay(by: {})}",
            "{pay(by: {card: \"x\", cash: 1})}",
            "{pay(by: {card: null})}",
            "query ($card: String) {pay(by: {card: $card})}",
            "query ($a: Int) {in(x: {a: $a})}",
            "query ($a: String!) {in(x: {a: $a})}",
            "query ($b: Int) {in(x: {a: 1, b: [$b]})}",
            "query ($a: Int) {...F} fragment F on Query {in(x: {a: $a})}",
        ] {
            assert_eq!(refused(text), Some(ErrorCode::GraphqlValidationFailed), "{text}");
        }
    }

    #[test]
    fn refuses_introspection_that_nests_its_lists() {
        let deep = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}";
        assert_eq!(refused(deep), Some(ErrorCode::QueryTooComplex));
        assert_eq!(refused("{__schema{types{name fields{name type{name}}}}}"), None);
    }
}
