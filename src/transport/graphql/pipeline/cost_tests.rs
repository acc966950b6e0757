//! What documents and answers cost.

use serde_json::json;

use super::super::{merge::merge, parse::parse, validate::validate, variables::coerce};
use super::*;

const SDL: &str = "
    type Query {
        order: Order orders(first: Int, last: Int, filter: Filter): OrderConnection
        events(first: Int = 50, types: [String!]): [Event!]
        node: Node nodes(ids: [ID!]!): [Node] statement(first: Int = 10000, from: String): Statement
    }
    input Filter { status: String sku: String }
    type Statement { content: String entryCount: Int }
    type Mutation { createOrder(x: Int): Payload cancelOrder: Payload }
    type Payload { order: Order errors: [Event!]! }
    interface Node { id: ID }
    type Order implements Node { id: ID total: Money vouchers(first: Int = 1000): [Voucher!] units(first: Int): UnitConnection }
    type Event implements Node { id: ID money: Money }
    type Money { amount: String }
    type Voucher { code: String }
    type Unit { id: ID money: Money }
    type PageInfo { more: Boolean }
    type UnitConnection { nodes: [Unit!]! edges: [UnitEdge!]! pageInfo: PageInfo totalCount: Int! }
    type UnitEdge { node: Unit }
    type OrderConnection { nodes: [Order!]! pageInfo: PageInfo totalCount: Int! }
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
        ("{orders(first: 5){totalCount}}", json!({}), 1 + 20),
        (
            "{orders(first: 5){a: totalCount b: totalCount nodes{units{totalCount}}}}",
            json!({}),
            1 + 40 + 5 * 22,
        ),
        ("{orders(first: 5, filter: null){nodes{id}}}", json!({}), 6),
        ("{orders(first: 5, filter: {}){nodes{id}}}", json!({}), 6),
        ("{orders(first: 5, filter: {status: null}){nodes{id}}}", json!({}), 6),
        ("{orders(first: 5, filter: {status: \"X\"}){nodes{id}}}", json!({}), 106),
        ("query ($f: Filter) {orders(first: 5, filter: $f){nodes{id}}}", json!({}), 6),
        ("query ($f: Filter) {orders(first: 5, filter: $f){nodes{id}}}", json!({"f": {"sku": null}}), 6),
        ("query ($f: Filter) {orders(first: 5, filter: $f){nodes{id}}}", json!({"f": {"sku": "a"}}), 106),
        ("query ($s: String) {orders(first: 5, filter: {sku: $s}){nodes{id}}}", json!({"s": "a"}), 106),
        ("query ($t: [String!]) {events(types: $t){id}}", json!({"t": ["x"]}), 150),
        ("{nodes(ids: [\"a\", \"b\", \"c\"]){id}}", json!({}), 3),
        ("{nodes(ids: \"a\"){id}}", json!({}), 1),
        ("{nodes(ids: []){id}}", json!({}), 1),
        ("query ($i: [ID!]!) {nodes(ids: $i){id}}", json!({"i": ["a", "b"]}), 2),
        ("query ($i: ID!) {nodes(ids: [$i, $i]){id}}", json!({"i": "a"}), 2),
        (
            "query ($i: [ID!]!) {nodes(ids: $i){... on Order{units(first: 50){nodes{id}}}}}",
            json!({"i": ["a", "b"]}),
            2 * (1 + 1 + 50),
        ),
        ("{statement{content}}", json!({}), 10_000),
        ("{statement(first: 7, from: \"x\"){content}}", json!({}), 107),
        ("{__schema{types{name fields{name}}}}", json!({}), 500),
        ("{a: __type(name: \"Order\"){name} b: __type(name: \"Order\"){name}}", json!({}), 100),
        ("{node{... on Order{total{amount} vouchers{code}} ... on Event{money{amount}}}}", json!({}), 12),
    ] {
        let (tree, variables) = tree(text, variables);
        assert_eq!(tree.requested(&variables), points, "{text}");
    }
}

#[test]
fn prices_answers() {
    let orders = json!({"orders": {"nodes": [
        {"id": "1", "total": {"amount": "1"}, "vouchers": [{"code": "a"}, {"code": "b"}]},
        {"id": "2", "total": null, "vouchers": []},
    ], "pageInfo": {"more": false}}});
    let all = "{orders(first: 100){nodes{id total{amount} vouchers{code}} pageInfo{more}}}";
    let narrowed = "query ($n: Int, $s: String) {orders(first: $n, filter: {sku: $s}){totalCount nodes{id}}}";
    let nodes = "query ($i: [ID!]!) {nodes(ids: $i){id ... on Order{total{amount}}}}";
    for (text, variables, data, points) in [
        (all, json!({}), orders.clone(), 1 + 2 * (1 + 1 + 10) + 1),
        (all, json!({}), json!({"orders": null}), 1),
        (all, json!({}), json!(null), 1),
        (
            narrowed,
            json!({"n": 9, "s": "a"}),
            json!({"orders": {"totalCount": 0, "nodes": []}}),
            100 + 1 + 20,
        ),
        (narrowed, json!({"n": 9}), json!({"orders": {"totalCount": 0, "nodes": [{"id": "1"}]}}), 1 + 20 + 1),
        (nodes, json!({"i": ["a", "b"]}), json!({"nodes": [null, {"id": "b", "total": {"amount": "1"}}]}), 3),
        // What stands for a page has cost what it was asked for, unless it tells less.
        ("{statement{content}}", json!({}), json!({"statement": {"content": "…"}}), 10_000),
        (
            "query ($n: Int) {statement(first: $n){content}}",
            json!({"n": 70}),
            json!({"statement": {"content": "…"}}),
            70,
        ),
        ("{statement{content n: entryCount}}", json!({}), json!({"statement": {"content": "…", "n": 9}}), 9),
        ("{statement{entryCount}}", json!({}), json!({"statement": {"entryCount": 0}}), 1),
        ("{statement(from: \"x\"){entryCount}}", json!({}), json!({"statement": {"entryCount": 2}}), 102),
        ("{statement{content}}", json!({}), json!({"statement": null}), 1),
    ] {
        let (tree, variables) = tree(text, variables);
        let deciding = tree.deciding(&variables);
        let requested = tree.requested(&variables);
        assert_eq!(tree.requested(&deciding), requested, "{text}: they are all that decides");
        let data = ConstValue::from_json(data).unwrap();
        assert_eq!(tree.actual(&data, &deciding, requested), points, "{text}");
        assert_eq!(tree.actual(&data, &deciding, 1), 1, "{text}: never more than was taken");
    }
}

#[test]
fn every_argument_of_a_list_pages_orders_or_narrows_it() {
    const OTHERS: [&str; 6] = ["after", "before", "first", "last", "orderBy", "settlementOnly"];
    let contract = Contract::bundled();
    for (name, definition) in &contract.schema().types {
        let Some(object) = definition.as_object() else { continue };
        let lists =
            object.fields.values().filter(|field| field.ty.inner_named_type().ends_with("Connection"));
        for argument in lists.flat_map(|field| &field.arguments) {
            let known =
                OTHERS.contains(&argument.name.as_str()) || NARROWING.contains(&argument.name.as_str());
            assert!(known, "{name}: price the argument {}", argument.name);
        }
    }
}
