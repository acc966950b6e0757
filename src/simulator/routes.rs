//! The API of the sandbox vendor, as the header of `mod.rs` describes it.
//!
//! What lives here: each path, and how what the shop says looks in JSON.
//! What is always true: what is bought is bought whether or not the caller still listens; whatever waits for the disk waits on a
//! thread of its own.
//! What is not here: what is sold (`shop.rs`), and bad answers (`manner.rs`).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use entity::currency::Currency;
use entity::decimal::Decimal;
use entity::timestamp::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::behaviour::Manner;
use super::gate::{self, SCRIPT, SCRIPT_PRODUCTS};
use super::ledger::{Purchase, Recipient, Wanted};
use super::products::Amendment;
use super::refusal::Reason;
use super::shop::{Deal, Shop};
use super::{Question, Simulator, manner};

pub(super) fn router(simulator: Simulator) -> Router {
    Router::new()
        .route("/purchases", post(purchase))
        .route("/purchases/{reference}", get(find))
        .route("/statement", get(statement))
        .route("/products", get(products))
        .route("/recipients/check", post(check_recipient))
        .route("/balance", get(balance))
        .route(SCRIPT, post(script))
        .route(SCRIPT_PRODUCTS, post(script_product))
        .fallback(async || Reason::NoSuchPath)
        .layer(middleware::from_fn_with_state(simulator.clone(), gate::pass))
        .with_state(simulator)
}

/// A body that is read strictly.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reason> {
    serde_json::from_slice(body).map_err(|_| Reason::Malformed)
}

/// Does something with the shop on a thread that may wait for the disk, to its end even if the caller has gone.
async fn at_the_shop<T: Send + 'static>(
    simulator: &Simulator,
    work: impl FnOnce(&Shop) -> T + Send + 'static,
) -> Result<T, Reason> {
    let simulator = simulator.clone();
    tokio::task::spawn_blocking(move || work(&simulator.0.shop)).await.map_err(|_| Reason::Failed)
}

async fn answer(simulator: &Simulator, manner: Manner, status: StatusCode, body: Value) -> Response {
    manner::answer(manner, status, body, Arc::clone(&simulator.0.streamed)).await
}

/// Answers a question that buys nothing, in the manner that was scripted for it.
async fn answer_question(
    simulator: &Simulator,
    question: Question,
    about: String,
    work: impl FnOnce(&Shop) -> Result<Value, Reason> + Send + 'static,
) -> Response {
    let asked = at_the_shop(simulator, move |shop| (shop.manner(question, &about), work(shop))).await;
    let (manner, (status, body)) = match asked {
        Ok((manner, Ok(body))) => (manner, (StatusCode::OK, body)),
        Ok((manner, Err(reason))) => (manner, (reason.status(), reason.body())),
        Err(reason) => return reason.into_response(),
    };
    answer(simulator, manner, status, body).await
}

async fn purchase(State(simulator): State<Simulator>, body: Bytes) -> Response {
    let wanted: Wanted = match parse(&body) {
        Ok(wanted) => wanted,
        Err(reason) => return reason.into_response(),
    };
    let bought = at_the_shop(&simulator, move |shop| (shop.buy(wanted), shop.clock.now())).await;
    let ((manner, deal), now) = match bought {
        Ok((Ok(bought), now)) => (bought, now),
        Ok((Err(error), _)) => {
            tracing::error!(%error, "the sandbox vendor's books cannot be written");
            return Reason::Failed.into_response();
        }
        Err(reason) => return reason.into_response(),
    };
    let (status, purchase) = match deal {
        Deal::New(purchase) => (StatusCode::CREATED, purchase),
        Deal::Again(purchase) => (StatusCode::OK, purchase),
        Deal::Not(reason) => return answer(&simulator, manner, reason.status(), reason.body()).await,
    };
    match purchase.refusal.filter(|_| purchase.settles_at <= now) {
        Some(reason) => answer(&simulator, manner, reason.status(), reason.body()).await,
        None => answer(&simulator, manner, status, told(&purchase, now)).await,
    }
}

async fn find(State(simulator): State<Simulator>, Path(reference): Path<String>) -> Response {
    let about = reference.clone();
    let work = move |shop: &Shop| {
        let purchase = shop.find(&reference).ok_or(Reason::UnknownReference)?;
        Ok(told(&purchase, shop.clock.now()))
    };
    answer_question(&simulator, Question::Find, about, work).await
}

/// Where a listing goes on, and since when a statement is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    since: Option<Timestamp>,
    cursor: Option<usize>,
}

async fn statement(
    State(simulator): State<Simulator>,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let page = simulator.0.page;
    let work = move |shop: &Shop| {
        let Query(from) = from.map_err(|_| Reason::Malformed)?;
        let since = from.since.ok_or(Reason::Malformed)?;
        let (purchases, next) = shop.statement(since, from.cursor, page);
        let part: Vec<Value> = purchases.iter().map(line).collect();
        Ok(json!({ "purchases": part, "next": next.map(|next| next.to_string()) }))
    };
    answer_question(&simulator, Question::Statement, String::new(), work).await
}

async fn products(State(simulator): State<Simulator>, from: Result<Query<From>, QueryRejection>) -> Response {
    let page = simulator.0.page;
    let work = move |shop: &Shop| {
        let Query(from) = from.map_err(|_| Reason::Malformed)?;
        let start = from.cursor.unwrap_or(0);
        let products = shop.products();
        let part: Vec<Value> =
            products.listed().skip(start).take(page).map(|product| product.as_json()).collect();
        let total = products.listed().count();
        let next = start.checked_add(page).filter(|next| *next < total);
        Ok(json!({ "products": part, "next": next.map(|next| next.to_string()), "total": total }))
    };
    answer_question(&simulator, Question::Products, String::new(), work).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checked {
    sku: String,
    recipient: Recipient,
}

async fn check_recipient(State(simulator): State<Simulator>, body: Bytes) -> Response {
    let work = move |shop: &Shop| {
        let checked: Checked = parse(&body)?;
        Ok(json!({ "can_receive": shop.can_receive(&checked.sku, &checked.recipient) }))
    };
    answer_question(&simulator, Question::Recipient, String::new(), work).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    currency: Currency,
}

async fn balance(State(simulator): State<Simulator>, of: Result<Query<Of>, QueryRejection>) -> Response {
    let work = move |shop: &Shop| {
        let Query(Of { currency }) = of.map_err(|_| Reason::Malformed)?;
        Ok(amount(shop.funds_micros(currency), currency))
    };
    answer_question(&simulator, Question::Balance, String::new(), work).await
}

/// A change of what a question meets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scripted {
    on: Question,
    sku: Option<String>,
    behaviour: Option<String>,
}

async fn script(State(simulator): State<Simulator>, body: Bytes) -> Response {
    let changed = parse(&body).and_then(|changed: Scripted| {
        let (sku, behaviour) = (changed.sku.as_deref(), changed.behaviour.as_deref());
        simulator.play(changed.on, sku, behaviour).map_err(|_| Reason::Malformed)
    });
    match changed {
        Ok(()) => Json(json!({ "changed": true })).into_response(),
        Err(reason) => reason.into_response(),
    }
}

/// A change of a product.
#[derive(Debug, Deserialize)]
struct Amended {
    sku: String,
    #[serde(flatten)]
    amendment: Amendment,
}

async fn script_product(State(simulator): State<Simulator>, body: Bytes) -> Response {
    let changed = parse(&body).and_then(|amended: Amended| {
        let is_known = simulator.amend(&amended.sku, amended.amendment);
        if is_known { Ok(()) } else { Err(Reason::Malformed) }
    });
    match changed {
        Ok(()) => Json(json!({ "changed": true })).into_response(),
        Err(reason) => reason.into_response(),
    }
}

fn amount(micros: i64, currency: Currency) -> Value {
    json!({ "amount": Decimal::new(micros.into(), 6), "currency": currency })
}

/// A purchase as it is at an instant.
fn told(purchase: &Purchase, now: Timestamp) -> Value {
    let wanted = &purchase.wanted;
    let (status, refusal, is_delivered) = match purchase.refusal {
        _ if purchase.settles_at > now => ("pending", None, false),
        Some(reason) => ("refused", Some(reason.as_json()), false),
        None => ("delivered", None, true),
    };
    json!({
        "id": purchase.id,
        "reference": wanted.reference,
        "sku": wanted.sku,
        "quantity": wanted.quantity,
        "face_value": wanted.face_value,
        "currency": wanted.currency,
        "status": status,
        "at": purchase.at,
        "units": if is_delivered { purchase.units.as_slice() } else { &[] },
        "undelivered": if is_delivered { purchase.undelivered } else { 0 },
        "cost": is_delivered.then(|| amount(purchase.cost_micros, wanted.currency)),
        "refusal": refusal,
    })
}

/// A purchase as the statement has it.
fn line(purchase: &Arc<Purchase>) -> Value {
    let wanted = &purchase.wanted;
    json!({
        "id": purchase.id,
        "reference": wanted.reference,
        "sku": wanted.sku,
        "quantity": purchase.units.len(),
        "cost": amount(purchase.cost_micros, wanted.currency),
        "at": purchase.at,
    })
}
