//! Vendors that list whatever they are told to, part by part.
//! Always true: each reading from the beginning gets the next listing, and the last one again and again. Not here: vendors that
//! sell (`vendor.rs`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use octopus_cards::domain::fulfillment;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::app::TestApp;
use super::vendor::TestVendor;

/// A vendor's catalog desk, which speaks as the sandbox vendor does.
#[derive(Clone)]
pub struct Desk {
    listings: Arc<Mutex<VecDeque<Vec<String>>>>,
    /// What happens before a part is told.
    before: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Deserialize)]
struct From {
    cursor: Option<usize>,
}

impl Desk {
    /// Takes the place of a vendor at its address.
    pub async fn instead_of(app: &TestApp, vendor: &TestVendor) -> Self {
        Self::that(app, vendor, || ()).await
    }

    /// The same; something happens before each part is told.
    pub async fn that(app: &TestApp, vendor: &TestVendor, before: impl Fn() + Send + Sync + 'static) -> Self {
        let desk = Self { listings: Arc::default(), before: Arc::new(before) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/products", get(tell)).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fulfillment::move_vendor(&app.system(), &vendor.row.name, &url).await.unwrap();
        fulfillment::refresh(&app.deps).await.unwrap();
        desk
    }

    /// Has it list these from the next reading on, in one part.
    pub fn list(&self, items: &[Value]) {
        self.list_in_turn(&[&[items]]);
    }

    /// Has the next readings be told these listings, each in these parts, and that there are as many items as they have.
    pub fn list_in_turn(&self, listings: &[&[&[Value]]]) {
        let texts = listings.iter().map(|parts| {
            let total: usize = parts.iter().map(|part| part.len()).sum();
            let text = |(number, part): (usize, &&[Value])| {
                let next = (number + 1 < parts.len()).then(|| (number + 1).to_string());
                json!({ "products": part, "next": next, "total": total }).to_string()
            };
            parts.iter().enumerate().map(text).collect()
        });
        *self.listings.lock().unwrap() = texts.collect();
    }

    /// Has it tell so many parts of so many bytes, which list nothing.
    pub fn list_bytes(&self, parts: usize, bytes: usize) {
        let blanks = " ".repeat(bytes);
        let part =
            |number: usize| format!("{{\"products\":[],\"next\":\"{}\",\"total\":0}}{blanks}", number + 1);
        *self.listings.lock().unwrap() = VecDeque::from([(0..parts).map(part).collect()]);
    }
}

async fn tell(State(desk): State<Desk>, Query(from): Query<From>) -> impl IntoResponse {
    (desk.before)();
    let mut listings = desk.listings.lock().unwrap();
    let part = listings[0][from.cursor.unwrap_or(0)].clone();
    let is_last = from.cursor.unwrap_or(0) + 1 == listings[0].len();
    if is_last && listings.len() > 1 {
        listings.pop_front();
    }
    ([(CONTENT_TYPE, "application/json")], part)
}

/// A code of ten dollars for the United States, of a brand, that costs 9.20.
pub fn item(sku: &str, brand: &str) -> Value {
    json!({
        "sku": sku, "name": format!("{brand} card"), "brand": brand, "category": "gaming", "country": "US",
        "currency": "USD", "faces": { "fixed": ["10"] }, "cost": { "currency": "USD", "factor": "0.92", "fee": "0" },
        "delivery": "CODE", "recipient": null, "available": 1_000_000,
    })
}

/// The same, with a member of another value.
pub fn but(item: &Value, member: &str, value: Value) -> Value {
    let mut other = item.clone();
    other[member] = value;
    other
}
