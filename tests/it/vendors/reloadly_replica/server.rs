//! The replica of Reloadly's gift card service, and of its token service, on a port of its own.
//! Always true: shapes, errors and oddities are those that are documented or were measured; its check of identifiers is not atomic,
//! its search takes no heed of letter case, its filters take dates for UTC-4.
//! Not here: what it sells (`products.rs`), and its books (`books.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{Method, Response};
use entity::timestamp::Timestamp;
use octopus_cards::clock::{Clock, FixedClock};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Barrier;

use super::books::{Booked, Books, Ordered};
use super::faults::{afterwards, answer, error, instead, json};
use super::products::{SOLD, filler, number, shown};
use crate::vendors::hostile::Fault;
use crate::vendors::stage::At;

pub const CLIENT_ID: &str = "client-id-of-octopus";
pub const CLIENT_SECRET: &str = "client-secret-of-octopus";
/// How many products stand before those that are sold, so that the catalog has two pages.
const FILLERS: usize = 198;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Method and path with its query.
    pub line: String,
    pub accept: String,
    pub body: String,
}

/// What is answered once instead of the truth: to which call, with which status, media type and body.
pub struct Canned(pub &'static str, pub u16, pub &'static str, pub String);

/// Why an order is not taken: status, code and words.
struct Refused(u16, Option<&'static str>, &'static str);

pub struct Replica {
    pub address: String,
    pub clock: Arc<FixedClock>,
    pub books: Mutex<Books>,
    pub seen: Mutex<Vec<Seen>>,
    pub faults: Mutex<BTreeMap<&'static str, Fault>>,
    pub streamed: Arc<AtomicU64>,
    /// Where orders wait for each other between the check of their identifier and their booking.
    pub crossing: Mutex<Option<Arc<Barrier>>>,
    canned: Mutex<VecDeque<Canned>>,
    tokens: Mutex<BTreeMap<String, Timestamp>>,
    given: AtomicU64,
}

/// The name of a place at which faults are played.
pub fn place(at: At) -> &'static str {
    match at {
        At::Purchase => "purchase",
        At::Find => "find",
        At::Statement => "statement",
        At::Catalog => "catalog",
    }
}

type Answered = Response<Body>;

impl Replica {
    /// Opens it.
    pub async fn open() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let replica = Arc::new(Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            clock: Arc::new(FixedClock::at("2026-11-24T12:00:00Z".parse().unwrap())),
            books: Mutex::new(Books::new()),
            seen: Mutex::default(),
            faults: Mutex::default(),
            streamed: Arc::default(),
            crossing: Mutex::default(),
            canned: Mutex::default(),
            tokens: Mutex::default(),
            given: AtomicU64::new(0),
        });
        let router = axum::Router::new().fallback(serve).with_state(Arc::clone(&replica));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        replica
    }

    /// Has a call answered with something else, once; several wait in line.
    pub fn answer_once(&self, canned: Canned) {
        self.canned.lock().unwrap().push_back(canned);
    }

    /// How many tokens were asked for and given.
    pub fn tokens_given(&self) -> u64 {
        self.given.load(Ordering::SeqCst)
    }

    /// No token is good any more.
    pub fn revoke_tokens(&self) {
        self.tokens.lock().unwrap().clear();
    }

    /// The requests whose line begins like this.
    pub fn seen(&self, line: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.line.starts_with(line)).cloned().collect()
    }

    /// Changes the last transaction.
    pub fn change_last(&self, change: impl FnOnce(&mut Booked)) {
        change(self.books.lock().unwrap().booked.last_mut().unwrap());
    }

    fn fault(&self, at: At) -> Option<Fault> {
        self.faults.lock().unwrap().get(place(at)).copied()
    }

    fn token(&self, body: &str) -> Answered {
        let asked: Value = serde_json::from_str(body).unwrap();
        if asked["client_id"] != CLIENT_ID || asked["client_secret"] != CLIENT_SECRET {
            return error(401, Some("INVALID_CREDENTIALS"), "Access Denied");
        }
        if asked["grant_type"] != "client_credentials" || asked["audience"] != self.address.as_str() {
            return error(400, Some("INVALID_AUDIENCE"), "Access Denied");
        }
        let token = format!("token-{}", self.given.fetch_add(1, Ordering::SeqCst) + 1);
        let body = format!(
            r#"{{"access_token":"{token}","scope":"developer","expires_in":3600,"token_type":"Bearer"}}"#
        );
        self.tokens.lock().unwrap().insert(token, self.clock.now().plus_seconds(3_600));
        json(200, body)
    }

    /// What is wrong with the token.
    fn turned_away(&self, authorization: Option<&str>) -> Option<Answered> {
        let Some(authorization) = authorization else {
            return Some(error(401, Some("MISSING_TOKEN"), "The token is missing"));
        };
        let tokens = self.tokens.lock().unwrap();
        let good = authorization.strip_prefix("Bearer ").and_then(|token| tokens.get(token));
        let is_good = good.is_some_and(|until| self.clock.now() < *until);
        (!is_good).then(|| error(401, Some("INVALID_TOKEN"), "The token is not valid"))
    }

    fn canned(&self, line: &str) -> Option<Answered> {
        let mut waiting = self.canned.lock().unwrap();
        let at = waiting.iter().position(|canned| line.starts_with(canned.0))?;
        let Canned(_, status, kind, body) = waiting.remove(at)?;
        Some(answer(status, kind, body))
    }

    async fn order(&self, body: &str) -> Answered {
        let fault = self.fault(At::Purchase);
        if let Some(answer) = instead(fault).await {
            return answer;
        }
        let asked: Value = serde_json::from_str(body).unwrap();
        let identifier = asked["customIdentifier"].as_str().map(str::to_owned);
        let is_used = self.books.lock().unwrap().booked.iter().any(|booked| booked.identifier == identifier);
        if identifier.is_some() && is_used {
            let words = "The custom identifier provided has already been used. Please provide a new one";
            return error(400, Some("CUSTOM_IDENTIFIER_ALREADY_USED"), words);
        }
        let crossing = self.crossing.lock().unwrap().clone();
        if let Some(crossing) = crossing {
            crossing.wait().await;
        }
        let ordered = match self.ordered(&asked, identifier) {
            Ok(ordered) => ordered,
            Err(Refused(status, code, words)) => return error(status, code, words),
        };
        let body = self.book(ordered, fault);
        afterwards(fault, body, &self.streamed).await
    }

    fn ordered(&self, asked: &Value, identifier: Option<String>) -> Result<Ordered, Refused> {
        let invalid = |words| Refused(400, Some("INVALID_INPUT_PROVIDED"), words);
        if identifier.as_ref().is_some_and(|told| told.chars().count() > 150) {
            return Err(invalid("Maximum length allowed for field customIdentifier is 150"));
        }
        for member in ["recipientEmail", "recipientPhoneDetails", "preOrder"] {
            assert!(asked.get(member).is_none(), "{member} has the code sent to somebody, or later");
        }
        let quantity = asked["quantity"].as_i64().filter(|quantity| *quantity > 0);
        let quantity = quantity.ok_or_else(|| invalid("Missing required field quantity"))?;
        let product = SOLD.iter().find(|product| asked["productId"].as_u64() == Some(product.id));
        let product = product.ok_or(Refused(404, Some("INVALID_PRODUCT"), "Product not found"))?.clone();
        let unit_price = number(&asked["unitPrice"].to_string());
        if !product.comes_in(&unit_price) {
            let words = "Invalid price. Please ensure you selected the right price";
            return Err(Refused(400, Some("WRONG_PRODUCT_PRICE"), words));
        }
        if &unit_price * number(product.rate) * number(&quantity.to_string()) > number("100") {
            let words = "Sorry, you cannot order products valued more than 100 USD at a go.";
            return Err(Refused(400, None, words));
        }
        if product.price(&unit_price, quantity) > self.books.lock().unwrap().balance {
            let words = "Insufficient funds in the wallet to complete this transaction";
            return Err(Refused(400, Some("INSUFFICIENT_BALANCE"), words));
        }
        Ok(Ordered { identifier, product, quantity, unit_price })
    }

    fn book(&self, ordered: Ordered, fault: Option<Fault>) -> String {
        let now = self.clock.now();
        let is_slow = ordered.product.is_slow || fault == Some(Fault::Pending);
        let made_at = if is_slow { now.plus_seconds(1) } else { now };
        let mut books = self.books.lock().unwrap();
        let booked = books.book(ordered, now, made_at);
        match fault {
            Some(Fault::WrongCurrency) => "GBP".clone_into(&mut booked.currency),
            Some(Fault::WrongFace) => booked.unit_price = number("6"),
            Some(Fault::More) => booked.cards += 1,
            Some(Fault::Fewer) => booked.cards -= 1,
            _ => {}
        }
        let mut told = booked.clone();
        if fault == Some(Fault::OtherReference) {
            told.identifier = Some("somebody-elses".to_owned());
        }
        books.record(&told, now)
    }

    fn cards(&self, id: &str, accept: &str) -> Answered {
        let books = self.books.lock().unwrap();
        let Some(booked) = books.booked.iter().find(|booked| booked.id.to_string() == id) else {
            return error(404, None, "Invalid transaction id");
        };
        let cards = (0..booked.cards).map(|card| {
            let code = booked.code(card);
            match accept {
                "application/com.reloadly.giftcards-v2+json" => {
                    format!(r#"{{"cardNumber":"{code}","pinCode":"{card}","redemptionUrl":null}}"#)
                }
                _ => format!(r#"{{"cardNumber":"{code}","pinCode":"{card}"}}"#),
            }
        });
        match accept {
            "application/com.reloadly.giftcards-v1+json" | "application/com.reloadly.giftcards-v2+json" => {
                json(200, format!("[{}]", cards.collect::<Vec<_>>().join(",")))
            }
            _ => answer(406, "text/plain", ""),
        }
    }

    async fn report(&self, asked: &BTreeMap<String, String>) -> Answered {
        let told = |name: &str| asked.get(name).map(String::as_str);
        let at = if told("customIdentifier").is_some() { At::Find } else { At::Statement };
        let fault = self.fault(at);
        if let Some(answer) = instead(fault).await {
            return answer;
        }
        let (from, until) = (told("startDate").map(filter), told("endDate").map(filter));
        let body = {
            let books = self.books.lock().unwrap();
            let rows = books.booked.iter().rev().filter(|booked| {
                let same = told("customIdentifier").is_none_or(|sought| {
                    booked.identifier.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(sought))
                });
                same && from.is_none_or(|from| booked.created_at >= from)
                    && until.is_none_or(|until| booked.created_at <= until)
            });
            let rows = rows.map(|booked| books.record(booked, self.clock.now())).collect::<Vec<_>>();
            page(&rows, asked, 50)
        };
        afterwards(fault, body, &self.streamed).await
    }

    fn transaction(&self, id: &str) -> Answered {
        let books = self.books.lock().unwrap();
        match books.booked.iter().find(|booked| booked.id.to_string() == id) {
            Some(booked) => json(200, books.record(booked, self.clock.now())),
            None => error(404, None, "Gift Card transaction not found."),
        }
    }

    async fn products(&self, asked: &BTreeMap<String, String>) -> Answered {
        let fault = self.fault(At::Catalog);
        if let Some(answer) = instead(fault).await {
            return answer;
        }
        let rows: Vec<String> =
            (0..FILLERS).map(filler).chain(SOLD.iter().map(super::products::Product::row)).collect();
        afterwards(fault, page(&rows, asked, 200), &self.streamed).await
    }

    fn balance(&self) -> Answered {
        let balance = shown(&self.books.lock().unwrap().balance, 6);
        json(
            200,
            format!(
                r#"{{"balance":{balance},"currencyCode":"USD","currencyName":"US Dollar","frozenBalance":null,
                "lowBalanceThreshold":0.000000,"updatedAt":"2026-11-24 16:00:00"}}"#
            ),
        )
    }
}

async fn serve(State(replica): State<Arc<Replica>>, request: Request) -> Answered {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let line = format!("{} {}", parts.method, parts.uri);
    let accept = header("accept").unwrap_or_default();
    replica.seen.lock().unwrap().push(Seen {
        line: line.clone(),
        accept: accept.clone(),
        body: body.clone(),
    });
    if let Some(canned) = replica.canned(&line) {
        return canned;
    }
    if line == "POST /oauth/token" {
        return replica.token(&body);
    }
    if let Some(away) = replica.turned_away(header("authorization").as_deref()) {
        return away;
    }
    let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri).unwrap();
    let path: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    match (&parts.method, path.as_slice()) {
        (&Method::POST, ["orders"]) => replica.order(&body).await,
        (&Method::GET, ["orders", "transactions", id, "cards"]) => replica.cards(id, &accept),
        (&Method::GET, ["reports", "transactions"]) => replica.report(&query).await,
        (&Method::GET, ["reports", "transactions", id]) => replica.transaction(id),
        (&Method::GET, ["products"]) => replica.products(&query).await,
        (&Method::GET, ["accounts", "balance"]) => replica.balance(),
        (_, path) => json(
            404,
            format!(
                r#"{{"timestamp":"2026-11-24T12:00:00.000+00:00","status":404,"error":"Not Found","path":"/{}"}}"#,
                path.join("/")
            ),
        ),
    }
}

/// An instant out of a filter, which is taken for UTC-4.
fn filter(written: &str) -> Timestamp {
    format!("{}-04:00", written.replace(' ', "T")).parse().unwrap()
}

/// A page of Spring's, which counts from 1; page 0 is the first one, too.
fn page(rows: &[String], asked: &BTreeMap<String, String>, cap: usize) -> String {
    let told = |name: &str| asked.get(name).map(|value| value.parse::<usize>().unwrap());
    let (number, size) = (told("page").unwrap_or(1).max(1), told("size").unwrap_or(cap).min(cap));
    let pages = rows.len().div_ceil(size);
    let shown: Vec<&str> = rows.iter().skip((number - 1) * size).take(size).map(String::as_str).collect();
    let is_last = number >= pages;
    format!(
        r#"{{"content":[{}],"totalElements":{},"totalPages":{pages},"last":{is_last},"number":{},"size":{size}}}"#,
        shown.join(","),
        rows.len(),
        number - 1
    )
}
