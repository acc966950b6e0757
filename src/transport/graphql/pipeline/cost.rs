//! Step 9, first half: what an operation costs, in points.
//!
//! Lives here: [`CostTree`]: computed once for a merged operation, priced with the variables of each request
//! ([`CostTree::requested`]) and with the data of each answer ([`CostTree::actual`]).
//! Always true: the tree mirrors the merged operation, so that its walk is bounded as that is; sums saturate.
//! Not here: who may spend how many points (throttle.rs).
//!
//! Prices: a leaf 0; an object 1; a page 1 and its items as often as `first` or `last` says (20 if neither does); a
//! field of Mutation 10; `vouchers` 10 whatever their number, since a page of codes is one read, multiplied like
//! everything else by the pages that enclose it; `createOrder` 1 with all that it answers but pages, since orders are
//! bounded by their desks, not by a rate.

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
    /// How often the children are paid for, unless once.
    page: Option<Page>,
    children: Vec<CostNode>,
    /// Of which type the parent must be for this field to be there: only one of the types comes true.
    only_on: Option<String>,
}

/// How many items a page was asked for.
#[derive(Clone, Debug)]
struct Page {
    sizes: Vec<Value>,
    default: u64,
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

    /// What it cost, judged by its answer, at least 1 and at most what was requested.
    #[must_use]
    pub fn actual(&self, data: &ConstValue, requested: u64) -> u64 {
        let actual = match data {
            ConstValue::Object(members) => spent(&self.children, members),
            _ => 0,
        };
        actual.clamp(1, requested.max(1))
    }
}

impl CostNode {
    /// Takes the price off everything but pages.
    fn forgive(&mut self) {
        if self.page.is_none() {
            self.points = 0;
            self.children.iter_mut().for_each(Self::forgive);
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

/// The price of a field; none for leaves, which cost nothing.
fn node(contract: &Contract, parent: &str, field: &Field, page_of_parent: Option<&Page>) -> Option<CostNode> {
    let name = field.name.node.as_str();
    let definition = contract.schema().type_field(parent, name).ok()?;
    let ty = definition.ty.inner_named_type();
    if !contract.is_composite(ty) {
        return None;
    }
    let flat = name == "vouchers";
    let own_page = if flat { None } else { page(field, definition) };
    let is_connection = ty.as_str().ends_with("Connection");
    // The items of a connection are below it; those of a paged list are its own.
    let (page, below) = match (is_connection, own_page) {
        (true, own_page) => (None, own_page),
        (false, Some(own_page)) => (Some(own_page), None),
        (false, None) if matches!(name, "edges" | "nodes") => (page_of_parent.cloned(), None),
        (false, None) => (None, None),
    };
    Some(CostNode {
        key: field.response_key().node.to_string(),
        points: if flat { VOUCHERS_POINTS } else { 1 },
        children: if flat {
            Vec::new()
        } else {
            nodes(contract, ty, &field.selection_set.node, below.as_ref())
        },
        page,
        only_on: None,
    })
}

fn page(field: &Field, definition: &FieldDefinition) -> Option<Page> {
    let is_size = |name: &Name| matches!(name.as_str(), "first" | "last");
    let declared = definition.arguments.iter().find(|argument| is_size(&argument.name))?;
    let default = declared.default_value.as_ref().and_then(|value| value.to_i32());
    let sizes = field.arguments.iter().filter(|(name, _)| matches!(name.node.as_str(), "first" | "last"));
    Some(Page {
        sizes: sizes.map(|(_, value)| value.node.clone()).collect(),
        default: default.and_then(|size| u64::try_from(size).ok()).unwrap_or(DEFAULT_PAGE),
    })
}

impl Page {
    fn items(&self, variables: &Variables) -> u64 {
        let sizes = self.sizes.iter().filter_map(|size| match size {
            Value::Number(number) => number.as_u64(),
            Value::Variable(name) => match variables.get(name) {
                Some(ConstValue::Number(number)) => number.as_u64(),
                _ => None,
            },
            _ => None,
        });
        sizes.max().unwrap_or(self.default).clamp(1, LARGEST_PAGE)
    }
}

fn requested(nodes: &[CostNode], variables: &Variables) -> u64 {
    let mut always = 0_u64;
    let mut by_type: IndexMap<&str, u64> = IndexMap::new();
    for node in nodes {
        let inner = requested(&node.children, variables).saturating_add(node.points);
        let times = node.page.as_ref().map_or(1, |page| page.items(variables));
        let points = inner.saturating_mul(times);
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

fn spent(nodes: &[CostNode], members: &IndexMap<ExecutableName, ConstValue>) -> u64 {
    let mut seen: Vec<&str> = Vec::with_capacity(nodes.len());
    let mut sum = 0_u64;
    for node in nodes {
        // Types that exclude one another may use the same key: it is paid for once.
        if seen.contains(&node.key.as_str()) {
            continue;
        }
        if let Some(value) = members.get(node.key.as_str()) {
            seen.push(&node.key);
            sum = sum.saturating_add(spent_on(node, value));
        }
    }
    sum
}

fn spent_on(node: &CostNode, value: &ConstValue) -> u64 {
    match value {
        ConstValue::Object(members) => node.points.saturating_add(spent(&node.children, members)),
        // A flat price is paid once for the whole list.
        ConstValue::List(_) if node.children.is_empty() && node.page.is_none() => node.points,
        ConstValue::List(items) => {
            items.iter().fold(0, |sum: u64, item| sum.saturating_add(spent_on(node, item)))
        }
        _ => node.points,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{merge::merge, parse::parse, validate::validate, variables::coerce};
    use super::*;

    const SDL: &str = "
        type Query { order: Order orders(first: Int, last: Int): OrderConnection events(first: Int = 50): [Event!] node: Node }
        type Mutation { createOrder(x: Int): Payload cancelOrder: Payload }
        type Payload { order: Order errors: [Event!]! }
        interface Node { id: ID }
        type Order implements Node { id: ID total: Money vouchers(first: Int = 1000): [Voucher!] units(first: Int): UnitConnection }
        type Event implements Node { id: ID money: Money }
        type Money { amount: String }
        type Voucher { code: String }
        type Unit { id: ID money: Money }
        type PageInfo { more: Boolean }
        type UnitConnection { nodes: [Unit!]! edges: [UnitEdge!]! pageInfo: PageInfo }
        type UnitEdge { node: Unit }
        type OrderConnection { nodes: [Order!]! pageInfo: PageInfo }
    ";

    fn tree(text: &str, variables: serde_json::Value) -> (CostTree, Variables) {
        let contract = Contract::parse(SDL).unwrap();
        let document = validate(&contract, &parse(text).unwrap()).unwrap();
        let operation = document.operations.iter().next().unwrap();
        let variables = coerce(&contract, operation, variables.as_object().unwrap().clone()).unwrap();
        let merged = merge(&contract, &document, operation, &variables).unwrap();
        (CostTree::of(&contract, &merged, operation.object_type()), variables)
    }

    #[test]
    fn prices_documents() {
        for (text, variables, points) in [
            ("{__typename}", json!({}), 1),
            ("{order{id}}", json!({}), 1),
            ("{order{id total{amount}}}", json!({}), 2),
            ("{order{vouchers{code}}}", json!({}), 11),
            ("{order{vouchers(first: 1000){code}}}", json!({}), 11),
            ("mutation {createOrder{order{id total{amount} vouchers{code}} errors{id}}}", json!({}), 1),
            ("mutation {a: createOrder{order{id}} b: createOrder{order{id}}}", json!({}), 2),
            ("mutation {createOrder{order{units(first: 50){nodes{id}}}}}", json!({}), 51),
            ("mutation {cancelOrder{order{id total{amount} vouchers{code}} errors{id}}}", json!({}), 24),
            ("{orders{nodes{id}}}", json!({}), 21),
            ("{orders(first: 100){nodes{id total{amount}} pageInfo{more}}}", json!({}), 202),
            ("query ($n: Int) {orders(first: $n){nodes{id}}}", json!({"n": 5}), 6),
            ("query ($n: Int) {orders(first: $n){nodes{id}}}", json!({}), 21),
            ("{orders(last: 7){nodes{id}}}", json!({}), 8),
            ("{orders(first: 10){nodes{vouchers{code}}}}", json!({}), 111),
            (
                "{orders(first: 10){nodes{units(first: 100){nodes{money{amount}}}}}}",
                json!({}),
                1 + 10 * (1 + 1 + 200),
            ),
            ("{order{units(first: 3){edges{node{id}}}}}", json!({}), 1 + 1 + 3 * 2),
            ("{events{money{amount}}}", json!({}), 100),
            (
                "{orders(first: 2000000000){nodes{units(first: 2000000000){nodes{id}}}}}",
                json!({}),
                1 + 10_000 * 10_002,
            ),
            ("{node{... on Order{total{amount} vouchers{code}} ... on Event{money{amount}}}}", json!({}), 12),
        ] {
            let (tree, variables) = tree(text, variables);
            assert_eq!(tree.requested(&variables), points, "{text}");
        }
    }

    #[test]
    fn prices_answers() {
        let answer = |value: serde_json::Value| ConstValue::from_json(value).unwrap();
        let (tree, _) =
            tree("{orders(first: 100){nodes{id total{amount} vouchers{code}} pageInfo{more}}}", json!({}));
        let two = answer(json!({"orders": {"nodes": [
            {"id": "1", "total": {"amount": "1"}, "vouchers": [{"code": "a"}, {"code": "b"}]},
            {"id": "2", "total": null, "vouchers": []},
        ], "pageInfo": {"more": false}}}));
        assert_eq!(tree.actual(&two, 1_302), 1 + 2 * (1 + 1 + 10) + 1);
        assert_eq!(tree.actual(&answer(json!({"orders": null})), 1_302), 1);
        assert_eq!(tree.actual(&ConstValue::Null, 1_302), 1);
        assert_eq!(tree.actual(&two, 5), 5, "never more than was taken");
    }
}
