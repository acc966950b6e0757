//! Step 5: whether the document means something under the contract.
//!
//! Lives here: [`validate`]: apollo-compiler's validation, and the rules that it does not have yet: repeated input
//! keys, `@oneOf` values, the depth of introspection.
//! Always true: what passes can be executed without a further question about names or types of the document.
//! Not here: the values of variables (variables.rs).

use apollo_compiler::ast::{Document, OperationType, Type, Value, VariableDefinition};
use apollo_compiler::executable::{DirectiveList, Field, Selection, SelectionSet};
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
    let mut walk = Walk { contract, document, faults: Vec::new(), variables: Vec::new() };
    let variables = document.operations.iter().flat_map(|operation| operation.variables.iter());
    // A fragment may be used by several operations; a variable counts as nullable if any of them declares it so.
    walk.variables = variables.collect();
    for operation in document.operations.iter() {
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                walk.value(&variable.ty, default);
            }
        }
        walk.directives(&operation.directives);
        walk.selections(&operation.selection_set);
    }
    for fragment in document.fragments.values() {
        walk.directives(&fragment.directives);
        walk.selections(&fragment.selection_set);
    }
    walk.faults
}

struct Walk<'a> {
    contract: &'a Contract,
    document: &'a ExecutableDocument,
    variables: Vec<&'a Node<VariableDefinition>>,
    faults: Vec<Fault>,
}

impl Walk<'_> {
    fn selections(&mut self, set: &SelectionSet) {
        for selection in &set.selections {
            self.directives(selection.directives());
            match selection {
                Selection::Field(field) => self.field(field),
                Selection::InlineFragment(inline) => self.selections(&inline.selection_set),
                // Fragments are walked once each, from the document.
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn field(&mut self, field: &Field) {
        for argument in &field.arguments {
            if let Some(definition) = field.definition.argument_by_name(&argument.name) {
                self.value(&definition.ty, &argument.value);
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

    /// A literal at a place of the given type.
    fn value(&mut self, ty: &Type, value: &Node<Value>) {
        match (ty, value.as_ref()) {
            (Type::List(inner) | Type::NonNullList(inner), Value::List(items)) => {
                for item in items {
                    self.value(inner, item);
                }
            }
            (Type::List(inner) | Type::NonNullList(inner), _) => self.value(inner, value),
            (Type::Named(name) | Type::NonNullNamed(name), Value::Object(members)) => {
                self.object(name, members, value);
            }
            // Only a custom scalar takes a list here.
            (Type::Named(_) | Type::NonNullNamed(_), _) => self.repeated_keys(value),
        }
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
                self.value(&field.ty, member);
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
            Value::Variable(variable) => {
                let nullable = |definition: &&Node<VariableDefinition>| {
                    definition.name == *variable && !definition.ty.is_non_null()
                };
                if self.variables.iter().any(nullable) {
                    let message =
                        format!("`${variable}` must be of a non-null type to be used for `{name}.{key}`.");
                    self.fault(message, member);
                }
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

/// Whether an operation is of the type that a GET may run.
#[must_use]
pub fn is_read(operation_type: OperationType) -> bool {
    operation_type == OperationType::Query
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
