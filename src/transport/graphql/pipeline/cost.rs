//! Step 9, first half: what an operation costs, in points.
//!
//! Lives here: [`CostTree`]: computed once for a merged operation, priced with the variables of each request
//! ([`CostTree::requested`]) and with the data of each answer ([`CostTree::actual`]).
//! Always true: the tree mirrors the merged operation, so that its walk is bounded as that is; sums saturate.
//! Not here: who may spend how many points (throttle.rs).
//!
//! Prices: a leaf 0, but `totalCount` 20; an object 1; a page 1 and its items as often as `first` or `last` says (20 if
//! neither does), `nodes` as often as there are ids; 100 more for a list that is filtered or searched, since what does not
//! match is looked at too; a field of Mutation 10; `vouchers` 10 whatever their number, since a page of codes is one read,
//! multiplied like everything else by the pages that enclose it; `__schema` 500 and `__type` 50 with all below them;
//! `createOrder` 1 with all that it answers but pages, since orders are bounded by their desks, not by a rate.

use apollo_compiler::Name;
use apollo_compiler::schema::FieldDefinition;
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name as ExecutableName, Value as ConstValue, Variables};
use async_graphql_value::Value;

use super::contract::Contract;

/// What a field of Mutation costs on top of what it selects.
const MUTATION_POINTS: u64 = 10;
/// What the codes of one order cost, however many they are.
const VOUCHERS_POINTS: u64 = 10;
/// What it costs to count a whole list.
const TOTAL_COUNT_POINTS: u64 = 20;
/// What it costs to look at what a filter or a search leaves out.
const NARROWED_POINTS: u64 = 100;
/// What the description of all types costs.
const SCHEMA_POINTS: u64 = 500;
/// What the description of one type costs.
const TYPE_POINTS: u64 = 50;
/// The arguments by which lists are filtered and searched.
const NARROWING: [&str; 6] = ["category", "filter", "from", "search", "to", "types"];
/// How many items a page has when the caller does not say.
const DEFAULT_PAGE: u64 = 20;
/// The most items that a page is priced at; larger ones are refused by their resolvers.
const LARGEST_PAGE: u64 = 10_000;

/// The prices of a merged operation.
#[derive(Debug, Default)]
pub struct CostTree {
    children: Vec<CostNode>,
}

#[derive(Debug)]
struct CostNode {
    key: String,
    points: u64,
    /// How often the field itself and its children are paid for.
    times: Times,
    narrowing: Narrowing,
    children: Vec<CostNode>,
    /// Of which type the parent must be for this field to be there: only one of the types comes true.
    only_on: Option<String>,
}

/// How often something is paid for.
#[derive(Clone, Debug)]
enum Times {
    Once,
    /// For each item of a page.
    Page(Page),
    /// For each id of a list.
    Ids(u64),
    /// For each id of a variable's list.
    IdsOf(ExecutableName),
}

/// Whether the arguments of a list leave anything out. It holds no value of the document, which may be long.
#[derive(Debug, Default)]
struct Narrowing {
    /// Whether the document itself says so.
    is_certain: bool,
    /// The variables that may say so.
    variables: Vec<ExecutableName>,
}

/// How many items a page was asked for.
#[derive(Clone, Debug)]
struct Page {
    sizes: Vec<Value>,
    default: u64,
    /// The key under which an object that stands for a whole page tells how many items it has.
    told_by: Option<String>,
}

impl CostTree {
    /// The prices of a merged operation.
    #[must_use]
    pub fn of(contract: &Contract, document: &ExecutableDocument, root: &str) -> Self {
        let DocumentOperations::Single(operation) = &document.operations else { return Self::default() };
        let mut children = nodes(contract, root, &operation.node.selection_set.node, None);
        if operation.node.ty == OperationType::Mutation {
            let fields = operation.node.selection_set.node.items.iter().filter_map(|item| match &item.node {
                Selection::Field(field) => Some(&field.node),
                _ => None,
            });
            let orders: Vec<&str> = fields
                .filter(|field| field.name.node == "createOrder")
                .map(|field| field.response_key().node.as_str())
                .collect();
            for node in &mut children {
                if orders.contains(&node.key.as_str()) {
                    node.forgive();
                    node.points = 1;
                } else {
                    node.points += MUTATION_POINTS;
                }
            }
        }
        Self { children }
    }

    /// What the operation may cost at most with these variables, at least 1.
    #[must_use]
    pub fn requested(&self, variables: &Variables) -> u64 {
        requested(&self.children, variables).max(1)
    }

    /// Those of the variables that decide what it costs.
    #[must_use]
    pub fn deciding(&self, variables: &Variables) -> Variables {
        let mut deciding = Variables::default();
        self.children.iter().for_each(|node| node.collect_deciding(variables, &mut deciding));
        deciding
    }

    /// What it cost, judged by its answer, at least 1 and at most what was requested. `deciding` are the variables that
    /// decide the price.
    #[must_use]
    pub fn actual(&self, data: &ConstValue, deciding: &Variables, requested: u64) -> u64 {
        let actual = match data {
            ConstValue::Object(members) => spent(&self.children, members, deciding),
            _ => 0,
        };
        actual.clamp(1, requested.max(1))
    }
}

impl CostNode {
    /// A field that costs the same whatever is below it.
    fn flat(field: &Field, points: u64) -> Self {
        Self {
            key: field.response_key().node.to_string(),
            points,
            times: Times::Once,
            narrowing: Narrowing::default(),
            children: Vec::new(),
            only_on: None,
        }
    }

    /// Takes the price off everything but pages.
    fn forgive(&mut self) {
        if matches!(self.times, Times::Once) {
            self.points = 0;
            self.children.iter_mut().for_each(Self::forgive);
        }
    }

    fn collect_deciding(&self, variables: &Variables, deciding: &mut Variables) {
        let mut named: Vec<&ExecutableName> = self.narrowing.variables.iter().collect();
        match &self.times {
            Times::Once | Times::Ids(_) => {}
            Times::Page(page) => named.extend(page.sizes.iter().filter_map(variable)),
            Times::IdsOf(name) => named.push(name),
        }
        for name in named {
            if let Some(value) = variables.get(name) {
                deciding.insert(name.clone(), value.clone());
            }
        }
        self.children.iter().for_each(|child| child.collect_deciding(variables, deciding));
    }

    /// What the list costs for being narrowed.
    fn narrowed(&self, variables: &Variables) -> u64 {
        let narrows = |name: &ExecutableName| variables.get(name).is_some_and(narrows);
        let is_narrowed = self.narrowing.is_certain || self.narrowing.variables.iter().any(narrows);
        if is_narrowed { NARROWED_POINTS } else { 0 }
    }

    fn requested(&self, variables: &Variables) -> u64 {
        let each = requested(&self.children, variables).saturating_add(self.points);
        let times = match &self.times {
            Times::Once => 1,
            Times::Page(page) => page.items(variables),
            Times::Ids(number) => *number,
            Times::IdsOf(name) => match variables.get(name) {
                Some(ConstValue::List(ids)) => number_of_ids(ids.len()),
                _ => 1,
            },
        };
        each.saturating_mul(times).saturating_add(self.narrowed(variables))
    }

    fn spent(&self, value: &ConstValue, variables: &Variables) -> u64 {
        match (value, &self.times) {
            // A flat price is paid once for the whole list.
            (ConstValue::List(_), Times::Once) if self.children.is_empty() => self.points,
            (ConstValue::List(items), _) => {
                let narrowed = self.narrowed(variables);
                items
                    .iter()
                    .fold(narrowed, |sum, item| sum.saturating_add(self.spent_on_one(item, variables)))
            }
            // One object that stands for a page: it has cost what it was asked for, unless it tells less.
            (ConstValue::Object(members), Times::Page(page)) => {
                let each = requested(&self.children, variables).saturating_add(self.points);
                let told = page.told_by.as_ref().and_then(|key| whole(members.get(key.as_str())?));
                let items = told.map_or_else(|| page.items(variables), |items| items.max(1));
                each.saturating_mul(items).saturating_add(self.narrowed(variables))
            }
            (value, _) => self.spent_on_one(value, variables).saturating_add(self.narrowed(variables)),
        }
    }

    fn spent_on_one(&self, value: &ConstValue, variables: &Variables) -> u64 {
        match value {
            ConstValue::Object(members) => {
                self.points.saturating_add(spent(&self.children, members, variables))
            }
            _ => self.points,
        }
    }
}

fn nodes(contract: &Contract, parent: &str, set: &SelectionSet, page: Option<&Page>) -> Vec<CostNode> {
    let mut nodes_of_set = Vec::with_capacity(set.items.len());
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => nodes_of_set.extend(node(contract, parent, &field.node, page)),
            Selection::InlineFragment(inline) => {
                let condition = inline.node.type_condition.as_ref();
                let object = condition.map_or(parent, |condition| condition.node.on.node.as_str());
                let mut part = nodes(contract, object, &inline.node.selection_set.node, page);
                part.iter_mut().for_each(|node| node.only_on = Some(object.to_owned()));
                nodes_of_set.append(&mut part);
            }
            // Merging has put fragments in their places.
            Selection::FragmentSpread(_) => {}
        }
    }
    nodes_of_set
}

/// The price of a field; none for leaves that cost nothing.
fn node(contract: &Contract, parent: &str, field: &Field, page_of_parent: Option<&Page>) -> Option<CostNode> {
    let name = field.name.node.as_str();
    let definition = contract.schema().type_field(parent, name).ok()?;
    let ty = definition.ty.inner_named_type();
    match name {
        "__schema" => return Some(CostNode::flat(field, SCHEMA_POINTS)),
        "__type" => return Some(CostNode::flat(field, TYPE_POINTS)),
        "totalCount" => return Some(CostNode::flat(field, TOTAL_COUNT_POINTS)),
        _ if !contract.is_composite(ty) => return None,
        "vouchers" => return Some(CostNode::flat(field, VOUCHERS_POINTS)),
        _ => {}
    }
    let own_page = page(field, definition);
    let mut narrowing = Narrowing::default();
    let arguments = field.arguments.iter().filter(|(name, _)| NARROWING.contains(&name.node.as_str()));
    arguments.filter(|_| own_page.is_some()).for_each(|(_, value)| narrowing.collect(&value.node));
    let is_connection = ty.as_str().ends_with("Connection");
    // The items of a connection are below it; those of a paged list are its own.
    let (times, below) = match (own_page, field.get_argument("ids")) {
        (own_page, _) if is_connection => (Times::Once, own_page),
        (Some(own_page), _) => (Times::Page(own_page), None),
        (None, Some(ids)) => (Times::of_ids(&ids.node), None),
        (None, None) if matches!(name, "edges" | "nodes") => {
            (page_of_parent.cloned().map_or(Times::Once, Times::Page), None)
        }
        (None, None) => (Times::Once, None),
    };
    let children = nodes(contract, ty, &field.selection_set.node, below.as_ref());
    Some(CostNode { times, narrowing, children, ..CostNode::flat(field, 1) })
}

fn page(field: &Field, definition: &FieldDefinition) -> Option<Page> {
    let is_size = |name: &Name| matches!(name.as_str(), "first" | "last");
    let declared = definition.arguments.iter().find(|argument| is_size(&argument.name))?;
    let default = declared.default_value.as_ref().and_then(|value| value.to_i32());
    let sizes = field.arguments.iter().filter(|(name, _)| matches!(name.node.as_str(), "first" | "last"));
    let told_by = field.selection_set.node.items.iter().find_map(|item| match &item.node {
        Selection::Field(field) if field.node.name.node == "entryCount" => {
            Some(field.node.response_key().node.to_string())
        }
        _ => None,
    });
    Some(Page {
        sizes: sizes.map(|(_, value)| value.node.clone()).collect(),
        default: default.and_then(|size| u64::try_from(size).ok()).unwrap_or(DEFAULT_PAGE),
        told_by,
    })
}

impl Page {
    fn items(&self, variables: &Variables) -> u64 {
        let sizes = self.sizes.iter().filter_map(|size| match size {
            Value::Number(number) => number.as_u64(),
            Value::Variable(name) => whole(variables.get(name)?),
            _ => None,
        });
        sizes.max().unwrap_or(self.default).clamp(1, LARGEST_PAGE)
    }
}

fn whole(value: &ConstValue) -> Option<u64> {
    match value {
        ConstValue::Number(number) => number.as_u64(),
        _ => None,
    }
}

impl Times {
    fn of_ids(ids: &Value) -> Self {
        match ids {
            Value::List(items) => Self::Ids(number_of_ids(items.len())),
            Value::Variable(name) => Self::IdsOf(name.clone()),
            _ => Self::Ids(1),
        }
    }
}

fn number_of_ids(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(LARGEST_PAGE).clamp(1, LARGEST_PAGE)
}

impl Narrowing {
    fn collect(&mut self, argument: &Value) {
        match argument {
            Value::Null => {}
            Value::Variable(name) => self.variables.push(name.clone()),
            Value::Object(members) => members.values().for_each(|member| self.collect(member)),
            _ => self.is_certain = true,
        }
    }
}

/// Whether a variable's value leaves anything out.
fn narrows(value: &ConstValue) -> bool {
    match value {
        ConstValue::Null => false,
        ConstValue::Object(members) => members.values().any(narrows),
        _ => true,
    }
}

fn variable(value: &Value) -> Option<&ExecutableName> {
    match value {
        Value::Variable(name) => Some(name),
        _ => None,
    }
}

fn requested(nodes: &[CostNode], variables: &Variables) -> u64 {
    let mut always = 0_u64;
    let mut by_type: IndexMap<&str, u64> = IndexMap::new();
    for node in nodes {
        let points = node.requested(variables);
        match &node.only_on {
            None => always = always.saturating_add(points),
            Some(object) => {
                let sum = by_type.entry(object).or_default();
                *sum = sum.saturating_add(points);
            }
        }
    }
    always.saturating_add(by_type.into_values().max().unwrap_or_default())
}

fn spent(nodes: &[CostNode], members: &IndexMap<ExecutableName, ConstValue>, variables: &Variables) -> u64 {
    let mut seen: Vec<&str> = Vec::with_capacity(nodes.len());
    let mut sum = 0_u64;
    for node in nodes {
        // Types that exclude one another may use the same key: it is paid for once.
        if seen.contains(&node.key.as_str()) {
            continue;
        }
        if let Some(value) = members.get(node.key.as_str()) {
            seen.push(&node.key);
            sum = sum.saturating_add(node.spent(value, variables));
        }
    }
    sum
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
