//! Step 5: whether the document means something under the contract.
//!
//! Lives here: [`validate`]: apollo-compiler's validation, and the rules that it does not have yet: repeated input
//! keys, `@oneOf` values, variables inside input objects, values of our own scalars, the depth of introspection.
//! Always true: what passes can be executed without a further question about names, types or values of the document;
//! a malformed value is refused as it is for a variable, naming the argument and the fields that lead to it.
//! Not here: the values of variables (variables.rs).

use std::collections::HashSet;

use apollo_compiler::ast::{Document, Type, Value, VariableDefinition};
use apollo_compiler::executable::{DirectiveList, Field, Operation, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node, introspection};
use async_graphql::{Name as ExecutableName, Pos, Value as ConstValue};

use super::contract::Contract;
use super::parse::{fault, position};
use super::refusal::{FAULTS, Fault, Refusal};
use crate::problem::ErrorCode;
use crate::transport::graphql::types::scalar_fault;

/// Judges a document by the contract.
///
/// # Errors
///
/// GRAPHQL_VALIDATION_FAILED with locations; BAD_USER_INPUT naming the malformed value by its path (`filter.country`);
/// QUERY_TOO_COMPLEX for introspection that nests its lists.
pub fn validate(contract: &Contract, document: &Document) -> Result<Valid<ExecutableDocument>, Refusal> {
    let valid = document.to_executable_validate(contract.schema()).map_err(|failed| {
        let faults = failed.errors.iter().take(FAULTS).map(|diagnostic| fault("", &diagnostic)).collect();
        Refusal::of_faults(ErrorCode::GraphqlValidationFailed, faults)
    })?;
    if valid.operations.is_empty() {
        return Err(Refusal::new(ErrorCode::GraphqlValidationFailed, "The document has no operation."));
    }
    beyond_the_library(contract, &valid)?;
    for operation in valid.operations.iter() {
        introspection::check_max_depth(&valid, operation)
            .map_err(|error| Refusal::new(ErrorCode::QueryTooComplex, error.message().to_string()))?;
    }
    Ok(valid)
}

fn beyond_the_library(contract: &Contract, document: &ExecutableDocument) -> Result<(), Refusal> {
    let (mut faults, mut values) = (Vec::new(), Vec::new());
    // Operation by operation, fragments as each reaches them: a variable means what its operation declares.
    for operation in document.operations.iter() {
        let mut walk =
            Walk { contract, document, operation, visited: HashSet::new(), path: Vec::new(), faults, values };
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                let place = Place { ty: &variable.ty, has_default: false };
                walk.below(&variable.name, |walk| walk.value(place, default));
            }
        }
        walk.directives(&operation.directives);
        walk.selections(&operation.selection_set);
        (faults, values) = (walk.faults, walk.values);
    }
    if !faults.is_empty() {
        return Err(Refusal::of_faults(ErrorCode::GraphqlValidationFailed, faults));
    }
    if !values.is_empty() {
        return Err(Refusal::of_faults(ErrorCode::BadUserInput, values));
    }
    Ok(())
}

struct Walk<'a> {
    contract: &'a Contract,
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    visited: HashSet<&'a Name>,
    /// From an argument or a variable to the value at hand.
    path: Vec<String>,
    faults: Vec<Fault>,
    /// Malformed values of our own scalars.
    values: Vec<Fault>,
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
                let place = Place { ty: &definition.ty, has_default: definition.default_value.is_some() };
                self.below(&argument.name, |walk| walk.value(place, &argument.value));
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

    /// Walks what a step of the path leads to.
    fn below(&mut self, step: impl ToString, walk: impl FnOnce(&mut Self)) {
        self.path.push(step.to_string());
        walk(self);
        self.path.pop();
    }

    fn value(&mut self, place: Place<'_>, value: &Node<Value>) {
        match (place.ty, value.as_ref()) {
            (_, Value::Variable(name)) => self.variable(place, name, value),
            (Type::List(inner) | Type::NonNullList(inner), Value::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(index, |walk| walk.value(Place { ty: inner, has_default: false }, item));
                }
            }
            (Type::List(inner) | Type::NonNullList(inner), _) => {
                self.value(Place { ty: inner, has_default: false }, value);
            }
            (Type::Named(name) | Type::NonNullNamed(name), Value::Object(members)) => {
                self.object(name, members, value);
            }
            (Type::Named(name) | Type::NonNullNamed(name), _) => self.scalar(name, value),
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
            self.scalar(name, value);
            return;
        };
        self.unique_keys(value);
        if Contract::is_one_of(input) {
            self.one_of(name, members, value);
        }
        let input = Node::clone(input);
        for (key, member) in members {
            if let Some(field) = input.fields.get(key) {
                let place = Place { ty: &field.ty, has_default: field.default_value.is_some() };
                self.below(key, |walk| walk.value(place, member));
            }
        }
    }

    /// A value without members of known types; only a scalar of ours takes a list or an object here.
    fn scalar(&mut self, name: &Name, value: &Node<Value>) {
        self.repeated_keys(value);
        // Whether null may stand here, the library has asked.
        if value.is_null() || self.values.len() >= FAULTS {
            return;
        }
        if let Some(what) = scalar_fault(name, &constant(value)) {
            let place = self.place_of(value);
            self.values.push(Fault::of_value(&self.path, &what).at(place));
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
            let place = self.place_of(value);
            self.faults.push(Fault::new(message).at(place));
        }
    }

    fn place_of(&self, value: &Node<Value>) -> Option<Pos> {
        let range = value.line_column_range(&self.document.sources);
        range.map(|range| position(range.start))
    }
}

/// A literal as the executor would read it. No scalar of ours takes what may hold a variable.
fn constant(literal: &Value) -> ConstValue {
    match literal {
        Value::Null | Value::Variable(_) => ConstValue::Null,
        Value::Enum(name) => ConstValue::Enum(ExecutableName::new(name)),
        Value::String(text) => ConstValue::String(text.clone()),
        Value::Boolean(value) => ConstValue::Boolean(*value),
        Value::Int(number) => number.as_str().parse().map_or(ConstValue::Null, ConstValue::Number),
        Value::Float(number) => number.as_str().parse().map_or(ConstValue::Null, ConstValue::Number),
        Value::List(items) => ConstValue::List(items.iter().map(|item| constant(item)).collect()),
        Value::Object(members) => ConstValue::Object(
            members.iter().map(|(name, member)| (ExecutableName::new(name), constant(member))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    const SDL: &str = "
        scalar CountryCode
        input Place { country: CountryCode around: [CountryCode!] inner: Place }
        extend type Query { at(place: Place): Int in_countries(countries: [CountryCode!]): Int }
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
    fn names_the_malformed_value() {
        for (text, field) in [
            ("{in_countries(countries: [\"US\", \"us\"])}", "countries.1"),
            ("{in_countries(countries: \"us\")}", "countries"),
            ("{at(place: {country: \"us\"})}", "place.country"),
            ("{at(place: {country: US})}", "place.country"),
            ("{at(place: {country: 7})}", "place.country"),
            ("{at(place: {country: {a: 1}})}", "place.country"),
            ("{at(place: {country: [\"US\"]})}", "place.country"),
            ("{at(place: {around: [\"US\", \"x\"]})}", "place.around.1"),
            ("{at(place: {inner: {inner: {country: \"\"}}})}", "place.inner.inner.country"),
            ("query ($p: Place = {country: \"us\"}) {at(place: $p)}", "p.country"),
            ("{...F} fragment F on Query {at(place: {country: \"us\"})}", "place.country"),
        ] {
            let refusal = validate(&Contract::parse(SDL).unwrap(), &parse(text).unwrap()).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::BadUserInput, "{text}");
            assert_eq!(refusal.faults.len(), 1, "{text}");
            assert_eq!(refusal.faults[0].field.join("."), field, "{text}");
            assert!(refusal.faults[0].message.starts_with(&format!("`{field}`: ")), "{text}");
            assert_eq!(refusal.faults[0].locations.len(), 1, "{text}");
        }
        assert_eq!(refused("{at(place: {country: \"US\", around: [\"DE\"], inner: null})}"), None);
        let both = "{at(place: {country: \"us\", country: \"US\"})}";
        assert_eq!(refused(both), Some(ErrorCode::GraphqlValidationFailed), "the document comes first");
        let many = format!("{{in_countries(countries: [{}])}}", "\"us\" ".repeat(500));
        let refusal = validate(&Contract::parse(SDL).unwrap(), &parse(&many).unwrap()).unwrap_err();
        assert_eq!(refusal.faults.len(), FAULTS);
    }

    #[test]
    fn refuses_introspection_that_nests_its_lists() {
        let deep = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}";
        assert_eq!(refused(deep), Some(ErrorCode::QueryTooComplex));
        assert_eq!(refused("{__schema{types{name fields{name type{name}}}}}"), None);
    }
}
