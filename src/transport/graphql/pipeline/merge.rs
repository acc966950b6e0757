//! Step 7: the operation as it is executed: one field for each response key.
//!
//! Lives here: [`merge`], the specification's CollectFields for the whole operation at once: it drops what @skip and
//! @include leave out, puts fragments in their places, joins the fields that share a response key, and leaves out
//! arguments whose variable was not given.
//! Always true: no selection set of the result has a response key twice, so that the executor, which would run a
//! repeated field twice, runs each once; under an interface or union with fragments there is one inline fragment for
//! each possible type. The result has no fragment definition, no directive, at most
//! [`MERGED_FIELDS`] fields and [`MERGED_ARGUMENT_BYTES`] of arguments.
//! Not here: whether the fields may be joined (validation has refused what conflicts).
//!
//! Source: GraphQL specification, 6.3.2 (Field Collection) and 6.4.1 (CoerceArgumentValues).

use std::collections::HashSet;

use apollo_compiler::ast::{OperationType, Value as Literal};
use apollo_compiler::executable::{DirectiveList, Field, Operation, Selection, SelectionSet};
use apollo_compiler::{ExecutableDocument, Name, Node};
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types as executable;
use async_graphql::{Name as ExecutableName, Pos, Positioned, Value as ConstValue, Variables};
use async_graphql_value::Value;

use super::contract::Contract;
use super::memory;
use super::parse::position;
use super::refusal::Refusal;
use crate::problem::ErrorCode;

/// The most fields of a merged operation. Fragments under an interface are repeated for each of its types, so that this
/// is more than a document may have.
pub const MERGED_FIELDS: usize = 10_000;

/// The most bytes that the arguments of a merged operation take. A fragment's are repeated wherever it is spread, so that
/// 64 kB of text could become a thousand times as much.
pub const MERGED_ARGUMENT_BYTES: usize = 1024 * 1024;

/// The operation, ready for the executor.
///
/// # Errors
///
/// QUERY_TOO_COMPLEX if interfaces within interfaces, or arguments in repeated fragments, make it too large.
pub fn merge(
    contract: &Contract,
    document: &ExecutableDocument,
    operation: &Operation,
    variables: &Variables,
) -> Result<executable::ExecutableDocument, Refusal> {
    let mut merger =
        Merger { contract, document, variables, used: HashSet::new(), fields: 0, argument_bytes: 0 };
    let root = operation.object_type();
    let selection_set = merger.selection_set(root, &[&operation.selection_set])?;
    let definitions = operation.variables.iter().filter(|definition| merger.used.contains(&definition.name));
    let definition = executable::OperationDefinition {
        ty: match operation.operation_type {
            OperationType::Query => executable::OperationType::Query,
            OperationType::Mutation => executable::OperationType::Mutation,
            OperationType::Subscription => executable::OperationType::Subscription,
        },
        variable_definitions: definitions.filter_map(|definition| variable_definition(definition)).collect(),
        directives: Vec::new(),
        selection_set,
    };
    Ok(executable::ExecutableDocument {
        operations: executable::DocumentOperations::Single(Positioned::new(definition, Pos::default())),
        fragments: std::collections::HashMap::new(),
    })
}

/// Whether a selection stays, after its @skip and @include.
#[must_use]
pub fn is_included(directives: &DirectiveList, variables: &Variables) -> bool {
    directives.iter().all(|directive| {
        let wanted = match directive.name.as_str() {
            "include" => true,
            "skip" => false,
            _ => return true,
        };
        let condition = match directive.specified_argument_by_name("if").map(|value| value.as_ref()) {
            Some(Literal::Boolean(condition)) => *condition,
            Some(Literal::Variable(name)) => {
                matches!(variables.get(name.as_str()), Some(ConstValue::Boolean(true)))
            }
            _ => false,
        };
        condition == wanted
    })
}

/// The definition of a variable without its default, which is filled in already.
fn variable_definition(
    definition: &apollo_compiler::ast::VariableDefinition,
) -> Option<Positioned<executable::VariableDefinition>> {
    let definition = executable::VariableDefinition {
        name: at_start(ExecutableName::new(&definition.name)),
        var_type: at_start(executable::Type::new(&definition.ty.to_string())?),
        directives: Vec::new(),
        default_value: None,
    };
    Some(at_start(definition))
}

fn at_start<T>(node: T) -> Positioned<T> {
    Positioned::new(node, Pos::default())
}

struct Merger<'a> {
    contract: &'a Contract,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    /// The variables that the merged operation still uses.
    used: HashSet<Name>,
    /// How many fields the merged operation has so far.
    fields: usize,
    /// What their arguments take.
    argument_bytes: usize,
}

/// The fields of one type by response key, in the order in which the keys come up first.
type Collected<'a> = IndexMap<&'a Name, Vec<&'a Node<Field>>>;

impl<'a> Merger<'a> {
    /// The joined selection sets of a value of type `parent`.
    fn selection_set(
        &mut self,
        parent: &Name,
        sets: &[&'a SelectionSet],
    ) -> Result<Positioned<executable::SelectionSet>, Refusal> {
        let mut items = Vec::new();
        if self.contract.is_abstract(parent) && sets.iter().any(|set| self.narrows(parent, set)) {
            let contract = self.contract;
            for object in contract.possible_types(parent) {
                let selections = self.fields(object, sets)?;
                if selections.is_empty() {
                    continue;
                }
                let fragment = executable::InlineFragment {
                    type_condition: Some(at_start(executable::TypeCondition {
                        on: at_start(ExecutableName::new(object)),
                    })),
                    directives: Vec::new(),
                    selection_set: at_start(executable::SelectionSet { items: selections }),
                };
                items.push(at_start(executable::Selection::InlineFragment(at_start(fragment))));
            }
        } else {
            items = self.fields(parent, sets)?;
        }
        Ok(at_start(executable::SelectionSet { items }))
    }

    /// Whether a fragment in the set applies to some of the types of `parent` only.
    fn narrows(&self, parent: &Name, set: &SelectionSet) -> bool {
        set.selections.iter().any(|selection| match selection {
            Selection::Field(_) => false,
            Selection::InlineFragment(inline) => {
                let condition = inline.type_condition.as_ref().unwrap_or(parent);
                !self.covers(condition, parent) || self.narrows(parent, &inline.selection_set)
            }
            Selection::FragmentSpread(spread) => {
                self.document.fragments.get(&spread.fragment_name).is_some_and(|fragment| {
                    !self.covers(fragment.type_condition(), parent)
                        || self.narrows(parent, &fragment.selection_set)
                })
            }
        })
    }

    /// Whether every value of type `narrow` also is one of type `wide`.
    fn covers(&self, wide: &Name, narrow: &Name) -> bool {
        let wide_types = self.contract.possible_types(wide);
        wide == narrow
            || self.contract.possible_types(narrow).iter().all(|object| wide_types.contains(object))
    }

    /// One selection for each response key of type `parent`.
    fn fields(
        &mut self,
        parent: &Name,
        sets: &[&'a SelectionSet],
    ) -> Result<Vec<Positioned<executable::Selection>>, Refusal> {
        let mut collected = Collected::new();
        let mut visited = HashSet::new();
        for set in sets {
            self.collect(parent, set, &mut visited, &mut collected);
        }
        let mut selections = Vec::with_capacity(collected.len());
        for (key, fields) in collected {
            self.fields += 1;
            if self.fields > MERGED_FIELDS {
                let message = "The operation asks for too many fields of too many types at once.";
                return Err(Refusal::new(ErrorCode::QueryTooComplex, message));
            }
            selections.push(self.field(parent, key, &fields)?);
        }
        Ok(selections)
    }

    fn collect(
        &self,
        parent: &Name,
        set: &'a SelectionSet,
        visited: &mut HashSet<&'a Name>,
        collected: &mut Collected<'a>,
    ) {
        for selection in &set.selections {
            if !is_included(selection.directives(), self.variables) {
                continue;
            }
            match selection {
                Selection::Field(field) => collected.entry(field.response_key()).or_default().push(field),
                Selection::InlineFragment(inline) => {
                    if inline.type_condition.as_ref().is_none_or(|condition| self.covers(condition, parent)) {
                        self.collect(parent, &inline.selection_set, visited, collected);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.document.fragments.get(&spread.fragment_name) else { continue };
                    if visited.insert(&spread.fragment_name) && self.covers(fragment.type_condition(), parent)
                    {
                        self.collect(parent, &fragment.selection_set, visited, collected);
                    }
                }
            }
        }
    }

    fn field(
        &mut self,
        parent: &Name,
        key: &Name,
        fields: &[&'a Node<Field>],
    ) -> Result<Positioned<executable::Selection>, Refusal> {
        let first = fields[0];
        let range = first.name.line_column_range(&self.document.sources);
        let pos = range.map(|range| position(range.start)).unwrap_or_default();
        // The parent's own definition: an object may promise a narrower type than its interface.
        let contract = self.contract;
        let ty = contract.field_type(parent, &first.name).unwrap_or(&first.definition.ty).inner_named_type();
        let selection_set = if contract.is_composite(ty) {
            let sets: Vec<&SelectionSet> = fields.iter().map(|field| &field.selection_set).collect();
            self.selection_set(ty, &sets)?
        } else {
            at_start(executable::SelectionSet::default())
        };
        let mut arguments = Vec::with_capacity(first.arguments.len());
        for argument in &first.arguments {
            if let Some(value) = self.value(&argument.value) {
                self.argument_bytes += memory::of_value(&value);
                let name = Positioned::new(ExecutableName::new(&argument.name), pos);
                arguments.push((name, Positioned::new(value, pos)));
            }
        }
        if self.argument_bytes > MERGED_ARGUMENT_BYTES {
            let message = "The operation repeats its arguments too often once fragments are expanded.";
            return Err(Refusal::new(ErrorCode::QueryTooComplex, message));
        }
        let field = executable::Field {
            alias: (*key != first.name).then(|| Positioned::new(ExecutableName::new(key), pos)),
            name: Positioned::new(ExecutableName::new(&first.name), pos),
            arguments,
            directives: Vec::new(),
            selection_set,
        };
        Ok(Positioned::new(executable::Selection::Field(Positioned::new(field, pos)), pos))
    }

    /// A literal for the executor; `None` for a variable that was not given.
    fn value(&mut self, literal: &Literal) -> Option<Value> {
        Some(match literal {
            Literal::Null => Value::Null,
            Literal::Enum(name) => Value::Enum(ExecutableName::new(name)),
            Literal::String(text) => Value::String(text.clone()),
            Literal::Boolean(value) => Value::Boolean(*value),
            Literal::Int(number) => Value::Number(number.as_str().parse().ok()?),
            Literal::Float(number) => Value::Number(number.as_str().parse().ok()?),
            Literal::Variable(name) => {
                if !self.variables.contains_key(name.as_str()) {
                    return None;
                }
                self.used.insert(name.clone());
                Value::Variable(ExecutableName::new(name))
            }
            Literal::List(items) => {
                Value::List(items.iter().map(|item| self.value(item).unwrap_or(Value::Null)).collect())
            }
            Literal::Object(members) => {
                let mut object = IndexMap::with_capacity(members.len());
                for (name, member) in members {
                    if let Some(value) = self.value(member) {
                        object.insert(ExecutableName::new(name), value);
                    }
                }
                Value::Object(object)
            }
        })
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
