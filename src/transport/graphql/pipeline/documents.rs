//! Steps 3 to 7 with their memory: each distinct document is parsed, counted and validated once, and merged once for
//! each combination of conditions that its variables decide.
//!
//! Lives here: [`Documents`] and what it hands out: [`Checked`] and [`Ready`].
//! Always true: only what passed every step is kept, under the hash of its text; both memories are bounded in bytes
//! (memory.rs), so that nobody fills the machine by sending new documents.
//! Not here: the steps themselves.

use std::collections::HashSet;
use std::sync::Arc;

use apollo_compiler::ast::{OperationType, Value as Literal};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node};
use async_graphql::parser::types as executable;
use async_graphql::{Value as ConstValue, Variables};
use moka::sync::Cache;

use super::contract::Contract;
use super::cost::CostTree;
use super::persisted::{DocumentHash, Text};
use super::refusal::Refusal;
use super::{count, memory, merge, parse, validate};
use crate::problem::ErrorCode;

/// A document that has passed validation.
pub struct Checked {
    hash: DocumentHash,
    /// What it takes.
    bytes: usize,
    document: Valid<ExecutableDocument>,
    /// The variables that are conditions of @skip or @include somewhere: only they make one document merge differently.
    deciding: HashSet<Name>,
}

/// A root field of a merged operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootField {
    /// Its key in the answer.
    pub key: String,
    /// Its name in the contract.
    pub name: String,
}

/// An operation that is ready to be executed.
pub struct Ready {
    /// What is executed, and what it costs.
    pub executable: executable::ExecutableDocument,
    /// What it costs.
    pub cost: CostTree,
    /// Query, mutation or subscription.
    pub operation_type: OperationType,
    /// The fields of the root, in order.
    pub root_fields: Vec<RootField>,
    /// What it is named in the document.
    pub name: Option<String>,
}

/// What a merged operation depends on: the document, which operation, and the state of each of its variables.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ReadyKey {
    hash: DocumentHash,
    operation: Option<String>,
    states: Vec<VariableState>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum VariableState {
    Absent,
    Given,
    /// A condition of @skip or @include.
    Decides(bool),
}

impl ReadyKey {
    /// What it takes, and the operation's name in what it leads to.
    fn bytes(&self) -> usize {
        self.operation.as_ref().map_or(0, String::len) * 2 + self.states.len()
    }
}

/// The documents of one contract.
pub struct Documents {
    contract: Contract,
    checked: Cache<DocumentHash, Arc<Checked>>,
    ready: Cache<ReadyKey, Arc<Ready>>,
}

impl Documents {
    /// No documents yet.
    #[must_use]
    pub fn new(contract: Contract) -> Self {
        let checked = Cache::builder()
            .weigher(|_, checked: &Arc<Checked>| memory::weight(checked.bytes))
            .max_capacity(memory::CHECKED_BYTES);
        let ready = Cache::builder()
            .weigher(|key: &ReadyKey, ready: &Arc<Ready>| {
                memory::weight(memory::of_ready(&ready.executable, key.bytes()))
            })
            .max_capacity(memory::READY_BYTES);
        Self { contract, checked: checked.build(), ready: ready.build() }
    }

    /// The contract by which documents are judged.
    #[must_use]
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Parses, counts and validates a document, unless it is known.
    ///
    /// # Errors
    ///
    /// Those of the three steps.
    pub fn check(&self, text: &Text) -> Result<Arc<Checked>, Refusal> {
        if let Some(checked) = self.checked.get(&text.hash) {
            return Ok(checked);
        }
        let document = parse::parse(&text.text)?;
        count::count(&document)?;
        let document = validate::validate(&self.contract, &document)?;
        let deciding = deciding(&document);
        let bytes = memory::of_checked(&text.text);
        let checked = Arc::new(Checked { hash: text.hash, bytes, document, deciding });
        self.checked.insert(text.hash, Arc::clone(&checked));
        // Else what waits to be counted could outgrow the bound.
        self.checked.run_pending_tasks();
        Ok(checked)
    }

    /// Merges an operation for these variables, unless that was done.
    ///
    /// # Errors
    ///
    /// Those of merging.
    pub fn ready(
        &self,
        checked: &Checked,
        operation: &Operation,
        variables: &Variables,
    ) -> Result<Arc<Ready>, Refusal> {
        let key = ReadyKey {
            hash: checked.hash,
            operation: operation.name.as_ref().map(ToString::to_string),
            states: states(checked, operation, variables),
        };
        if let Some(ready) = self.ready.get(&key) {
            return Ok(ready);
        }
        let executable = merge::merge(&self.contract, &checked.document, operation, variables)?;
        let ready = Arc::new(Ready {
            cost: CostTree::of(&self.contract, &executable, operation.object_type()),
            operation_type: operation.operation_type,
            root_fields: root_fields(&executable),
            name: key.operation.clone(),
            executable,
        });
        self.ready.insert(key, Arc::clone(&ready));
        self.ready.run_pending_tasks();
        Ok(ready)
    }
}

#[cfg(test)]
impl Documents {
    /// What the checked and the ready ones take now, by weight.
    pub fn bytes(&self) -> (u64, u64) {
        (self.checked.weighted_size(), self.ready.weighted_size())
    }
}

impl Checked {
    /// The operation of that name, or the only one.
    ///
    /// # Errors
    ///
    /// BAD_REQUEST if there is no such operation, or several and none is named.
    pub fn operation(&self, name: Option<&str>) -> Result<&Node<Operation>, Refusal> {
        // Some clients send an empty name for none.
        let name = name.filter(|name| !name.is_empty());
        self.document.operations.get(name).map_err(|_| {
            let message = match name {
                Some(name) => format!("The document has no operation named `{name}`."),
                None => "The document has several operations: name one in `operationName`.".to_owned(),
            };
            Refusal::new(ErrorCode::BadRequest, message)
        })
    }
}

fn states(checked: &Checked, operation: &Operation, variables: &Variables) -> Vec<VariableState> {
    operation
        .variables
        .iter()
        .map(|definition| match variables.get(definition.name.as_str()) {
            None => VariableState::Absent,
            Some(ConstValue::Boolean(value)) if checked.deciding.contains(&definition.name) => {
                VariableState::Decides(*value)
            }
            Some(_) => VariableState::Given,
        })
        .collect()
}

fn deciding(document: &ExecutableDocument) -> HashSet<Name> {
    fn of_set(set: &SelectionSet, found: &mut HashSet<Name>) {
        for selection in &set.selections {
            for directive in selection.directives().iter() {
                let condition = directive.specified_argument_by_name("if");
                if let Some(Literal::Variable(name)) = condition.map(|condition| condition.as_ref()) {
                    found.insert(name.clone());
                }
            }
            match selection {
                Selection::Field(field) => of_set(&field.selection_set, found),
                Selection::InlineFragment(inline) => of_set(&inline.selection_set, found),
                // Fragments are visited once each, below.
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    let mut found = HashSet::new();
    for operation in document.operations.iter() {
        of_set(&operation.selection_set, &mut found);
    }
    for fragment in document.fragments.values() {
        of_set(&fragment.selection_set, &mut found);
    }
    found
}

fn root_fields(document: &executable::ExecutableDocument) -> Vec<RootField> {
    let executable::DocumentOperations::Single(operation) = &document.operations else { return Vec::new() };
    let items = operation.node.selection_set.node.items.iter();
    items
        .filter_map(|item| match &item.node {
            executable::Selection::Field(field) => Some(RootField {
                key: field.node.response_key().node.to_string(),
                name: field.node.name.node.to_string(),
            }),
            _ => None,
        })
        .collect()
}
