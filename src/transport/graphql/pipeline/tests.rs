//! The pipeline over a small schema whose resolvers count what they do.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{Context, Error, ErrorExtensions, Object, Schema, SimpleObject, Subscription};
use serde_json::{Value as Json, json};
use sha2::Digest;

use super::*;
use crate::problem::ErrorCode;
use crate::transport::graphql::list::List;

const SDL: &str = "
    type Query {
        slow: Int
        broken: Int
        secret: Int
        known: Int
        strict: Strict
        pair: Pair!
        order: Order
        orders(first: Int): [Order!]
    }
    type Strict { must: Int! may: Int list: [Item!] }
    type Item { must: Int! }
    type Pair { left: Int right: Int must: Int! }
    type Order { id: ID! code: String }
    type Mutation { createOrder(quantity: Int = 1): Order }
    type Subscription { ticks: Int! }
";

#[derive(Default)]
struct Orders(AtomicUsize);

struct Query;
struct Mutation;

impl Query {
    fn empty(&self) -> Option<i32> {
        None
    }
}

struct Ticks;
struct Strict;
struct Item;
struct Pair;

#[derive(SimpleObject)]
struct Order {
    id: async_graphql::ID,
    code: Option<String>,
}

#[Object]
impl Query {
    async fn slow(&self) -> Option<i32> {
        std::future::pending::<()>().await;
        None
    }
    async fn broken(&self) -> Option<i32> {
        Some(self.empty().expect("password=hunter2"))
    }
    async fn secret(&self) -> Option<Result<i32, Error>> {
        Some(Err(Error::new("password=hunter2")))
    }
    async fn known(&self) -> Option<Result<i32, Error>> {
        Some(Err(Error::new("Not yours.").extend_with(|_, extensions| extensions.set("code", "FORBIDDEN"))))
    }
    async fn strict(&self) -> Option<Strict> {
        Some(Strict)
    }
    async fn pair(&self) -> Pair {
        Pair
    }
    async fn order(&self) -> Option<Order> {
        Some(Order { id: "1".into(), code: None })
    }
    async fn orders(&self, first: Option<i32>) -> Option<Vec<Order>> {
        first.map(|_| vec![Order { id: "1".into(), code: None }])
    }
}

#[Object]
impl Strict {
    async fn must(&self) -> Result<i32, Error> {
        Err(Error::new("no").extend_with(|_, extensions| extensions.set("code", "NOT_FOUND")))
    }
    async fn may(&self) -> Option<i32> {
        Some(1)
    }
    async fn list(&self) -> Option<List<Item>> {
        Some(List(vec![Item, Item]))
    }
}

#[Object]
impl Item {
    async fn must(&self) -> Result<i32, Error> {
        Err(Error::new("no").extend_with(|_, extensions| extensions.set("code", "NOT_FOUND")))
    }
}

#[Object]
impl Pair {
    async fn left(&self) -> Option<i32> {
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        Some(1)
    }
    async fn right(&self) -> Option<i32> {
        Some(2)
    }
    async fn must(&self) -> i32 {
        3
    }
}

#[Object]
impl Mutation {
    async fn create_order(&self, ctx: &Context<'_>, #[graphql(default = 1)] quantity: i32) -> Option<Order> {
        let made = ctx.data_unchecked::<Arc<Orders>>().0.fetch_add(1, Ordering::SeqCst);
        Some(Order { id: format!("{made}x{quantity}").into(), code: Some("c".to_owned()) })
    }
}

#[Subscription]
impl Ticks {
    async fn ticks(&self) -> impl futures_util::Stream<Item = i32> {
        futures_util::stream::iter([1, 2])
    }
}

struct Bench {
    pipeline: Pipeline<Schema<Query, Mutation, Ticks>>,
    orders: Arc<Orders>,
}

fn bench() -> Bench {
    let limits = Limits {
        timeout: Duration::from_millis(50),
        allowance: Allowance { maximum_points: 1_000, restore_points_per_second: 10 },
    };
    let schema =
        Schema::build(Query, Mutation, Ticks).validation_mode(async_graphql::ValidationMode::Fast).finish();
    Bench {
        pipeline: Pipeline::new(Contract::parse(SDL).unwrap(), schema, limits),
        orders: Arc::new(Orders::default()),
    }
}

impl Bench {
    fn passage(&self, carrier: Carrier) -> Passage {
        Passage {
            carrier,
            principal: Arc::from("me"),
            standing: Standing::SignedIn,
            now_ms: 0,
            request_id: "req_1".to_owned(),
        }
    }

    fn data(&self) -> Data {
        let mut data = Data::default();
        data.insert(Arc::clone(&self.orders));
        data
    }

    async fn run(&self, query: &str, variables: Json) -> Json {
        serde_json::from_str(&self.text(query, variables).await).unwrap()
    }

    /// The answer as it is sent: the order of its keys matters.
    async fn text(&self, query: &str, variables: Json) -> String {
        let call = Call::from_value(json!({"query": query, "variables": variables})).unwrap();
        let answer = match self.pipeline.admit(call, self.passage(Carrier::Post)) {
            Ok(admitted) => self.pipeline.execute(admitted, self.data()).await,
            Err(Denial::Refused(refusal) | Denial::NotByGet(refusal) | Denial::TokenExpired(refusal)) => {
                Answer::refused(refusal)
            }
        };
        serde_json::to_string(&answer).unwrap()
    }

    async fn data_of(&self, query: &str) -> String {
        let answer = self.text(query, json!({})).await;
        let data = answer.strip_prefix("{\"data\":").expect("no errors");
        data.split(",\"extensions\"").next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_mutation_selected_twice_under_one_key_runs_once() {
    for query in [
        "mutation { createOrder { id } createOrder { code } }",
        "mutation { a: createOrder(quantity: 2) { id } a: createOrder(quantity: 2) { code } }",
        "mutation { createOrder { id } ...F } fragment F on Mutation { createOrder { code } }",
    ] {
        let bench = bench();
        let data = bench.data_of(query).await;
        assert_eq!(bench.orders.0.load(Ordering::SeqCst), 1, "{query}");
        assert!(data.contains("id") && data.contains("code"), "{data}");
    }
    let bench = bench();
    bench.data_of("mutation { a: createOrder { id } b: createOrder { id } }").await;
    assert_eq!(bench.orders.0.load(Ordering::SeqCst), 2, "two keys are two fields");
}

#[tokio::test]
async fn keys_come_in_the_order_of_the_document() {
    let bench = bench();
    assert_eq!(bench.data_of("{pair{left right must}}").await, r#"{"pair":{"left":1,"right":2,"must":3}}"#);
    assert_eq!(bench.data_of("{pair{must right left}}").await, r#"{"pair":{"must":3,"right":2,"left":1}}"#);
}

#[tokio::test]
async fn a_failing_non_null_field_nulls_its_parent_and_says_where() {
    let bench = bench();
    let answer = bench.run("{strict{may must} order{id}}", json!({})).await;
    assert_eq!(answer["data"], json!({"strict": null, "order": {"id": "1"}}));
    assert_eq!(answer["errors"][0]["path"], json!(["strict", "must"]));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND");
    let answer = bench.run("{known order{id}}", json!({})).await;
    assert_eq!(answer["data"], json!({"known": null, "order": {"id": "1"}}));
    assert_eq!(answer["errors"][0]["path"], json!(["known"]));
    let answer = bench.run("{strict{may list{must}}}", json!({})).await;
    assert_eq!(answer["data"], json!({"strict": {"may": 1, "list": null}}));
    assert_eq!(answer["errors"][0]["path"], json!(["strict", "list", 0, "must"]));
}

#[tokio::test]
async fn unexpected_errors_are_masked() {
    let bench = bench();
    let answer = bench.run("{secret order{id}}", json!({})).await;
    assert_eq!(
        answer["errors"][0]["extensions"],
        json!({"code": "INTERNAL_SERVER_ERROR", "requestId": "req_1"})
    );
    assert_eq!(answer["data"]["order"]["id"], "1");
    let answer = bench.run("{broken}", json!({})).await;
    assert_eq!(
        answer["errors"][0]["extensions"],
        json!({"code": "INTERNAL_SERVER_ERROR", "requestId": "req_1"})
    );
    assert!(answer.get("data").is_none());
    assert!(!answer.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_slow_operation_is_answered() {
    let answer = bench().run("{slow}", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "TIMEOUT");
}

#[tokio::test]
async fn the_cost_is_told_and_what_was_not_spent_is_given_back() {
    let bench = bench();
    let answer = bench.run("{orders(first: 50){id}}", json!({})).await;
    assert_eq!(
        answer["extensions"]["cost"],
        json!({
            "requestedQueryCost": 50,
            "actualQueryCost": 1,
            "throttleStatus": {"maximumAvailable": 1000, "currentlyAvailable": 999, "restoreRate": 10},
        })
    );
}

#[tokio::test]
async fn an_empty_purse_is_rate_limited() {
    let bench = bench();
    for _ in 0..1_000 {
        bench.data_of("mutation { createOrder { id } }").await;
    }
    let answer = bench.run("mutation { createOrder { id } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"], json!({"code": "RATE_LIMITED", "retryAfterMs": 100}));
    assert_eq!(bench.orders.0.load(Ordering::SeqCst), 1_000);
}

#[tokio::test]
async fn refusals_have_codes_and_no_data() {
    let bench = bench();
    for (query, variables, code) in [
        ("{", json!({}), "GRAPHQL_PARSE_FAILED"),
        ("{nothing}", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("query A {order{id}} query B {order{id}}", json!({}), "BAD_REQUEST"),
        ("mutation ($q: Int) {createOrder(quantity: $q){id}}", json!({"q": "x"}), "BAD_USER_INPUT"),
        ("subscription {ticks}", json!({}), "BAD_REQUEST"),
    ] {
        let answer = bench.run(query, variables).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{query}");
        assert!(answer.get("data").is_none(), "{query}");
    }
    assert_eq!(bench.orders.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn everything_skipped_is_an_empty_object() {
    assert_eq!(bench().data_of("{__typename @skip(if: true)}").await, "{}");
    assert_eq!(bench().data_of("{order{id @skip(if: true)}}").await, r#"{"order":{}}"#);
}

#[tokio::test]
async fn a_variable_that_was_not_given_leaves_the_default() {
    let bench = bench();
    let answer = bench.run("mutation ($q: Int) {createOrder(quantity: $q){id}}", json!({})).await;
    assert_eq!(answer["data"]["createOrder"]["id"], "0x1");
    let answer = bench.run("mutation ($q: Int) {createOrder(quantity: $q){id}}", json!({"q": 7})).await;
    assert_eq!(answer["data"]["createOrder"]["id"], "1x7");
}

#[tokio::test]
async fn conditions_are_not_mixed_up_in_memory() {
    let bench = bench();
    let query = "query ($c: Boolean!) {order{id @include(if: $c) code}}";
    for _ in 0..2 {
        assert_eq!(
            bench.run(query, json!({"c": true})).await["data"]["order"],
            json!({"id": "1", "code": null})
        );
        assert_eq!(bench.run(query, json!({"c": false})).await["data"]["order"], json!({"code": null}));
    }
}

#[tokio::test]
async fn a_subscription_streams_answers() {
    let bench = bench();
    let call = Call::from_value(json!({"query": "subscription {ticks}"})).unwrap();
    let Ok(admitted) = bench.pipeline.admit(call, bench.passage(Carrier::Socket)) else { panic!("admitted") };
    assert!(admitted.is_subscription());
    let answers: Vec<Json> = bench
        .pipeline
        .subscribe(admitted, bench.data())
        .map(|answer| serde_json::to_value(answer).unwrap())
        .collect()
        .await;
    assert_eq!(answers[0]["data"], json!({"ticks": 1}));
    assert_eq!(answers[0]["extensions"]["cost"]["requestedQueryCost"], 1);
    assert_eq!(answers[1], json!({"data": {"ticks": 2}}));
    assert_eq!(answers.len(), 2);
}

#[test]
fn refused_documents_are_refused_by_every_carrier() {
    let bench = bench();
    for carrier in [Carrier::Get, Carrier::Post, Carrier::Socket] {
        let bomb = "{...a ...a} fragment a on Query {...b ...b} fragment b on Query {".to_owned()
            + &"order{id} ".repeat(300)
            + "}";
        let call = Call::from_value(json!({"query": bomb})).unwrap();
        match bench.pipeline.admit(call, bench.passage(carrier)) {
            Err(Denial::Refused(refusal)) => assert_eq!(refusal.code, ErrorCode::QueryTooComplex),
            _ => panic!("refused"),
        }
    }
}

/// Whoever sends a new document each time, without a token, fills the memories to their bounds and no further.
#[test]
fn what_is_remembered_stays_within_its_bounds() {
    let bench = bench();
    let long = "x".repeat(30_000);
    for number in 0..1_200 {
        let query = format!("query {long}{number} {{orders(first: {number}){{id}}}}#{long}");
        let hash = sha2::Sha256::digest(query.as_bytes());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let persisted = json!({"version": 1, "sha256Hash": hash});
        let call = Call::from_value(json!({"query": query, "extensions": {"persistedQuery": persisted}}));
        let passage = Passage { standing: Standing::Anonymous, ..bench.passage(Carrier::Post) };
        match bench.pipeline.admit(call.unwrap(), passage) {
            Err(Denial::Refused(refusal)) => assert_eq!(refusal.code, ErrorCode::Unauthenticated),
            _ => panic!("refused"),
        }
    }
    let (checked, ready) = bench.pipeline.documents.bytes();
    let persisted = bench.pipeline.persisted.bytes();
    for (bytes, bound) in
        [(checked, memory::CHECKED_BYTES), (ready, memory::READY_BYTES), (persisted, memory::PERSISTED_BYTES)]
    {
        assert!(bytes <= bound, "{bytes} of {bound}");
        assert!(bytes * 2 > bound, "{bytes} of {bound}: what was sent is counted");
    }
}
