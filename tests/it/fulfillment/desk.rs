//! A vendor that tells whatever it is given: statements, and what became of purchases.
//! Always true: it takes the place of a vendor at its address, and speaks its API. Not here: what is told (each test).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use octopus_cards::domain::fulfillment;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::app::TestApp;
use crate::support::vendor::TestVendor;

/// The vendor.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// `None` fails.
    statement: Option<Vec<Value>>,
    /// What answers about purchases have other than the ordinary.
    otherwise: Value,
    /// What was asked for, by reference.
    wanted: BTreeMap<String, Value>,
}

impl Desk {
    /// Takes the place of a vendor at its address, with an empty statement.
    pub async fn instead_of(app: &TestApp, vendor: &TestVendor) -> Self {
        let desk = Self::default();
        desk.tell(Some(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/statement", get(statement))
            .route("/recipients/check", post(async || Json(json!({ "can_receive": true }))))
            .route("/purchases", post(purchase))
            .route("/purchases/{reference}", get(find))
            .with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fulfillment::move_vendor(&app.system(), &vendor.row.name, &url).await.unwrap();
        fulfillment::refresh(&app.deps).await.unwrap();
        desk
    }

    /// Its statement from now on; `None` fails.
    pub fn tell(&self, lines: Option<Vec<Value>>) {
        self.0.lock().unwrap().statement = lines;
    }

    /// Has it know a purchase of a unit of EUR 20.
    pub fn know(&self, reference: &str, sku: &str) {
        let wanted = json!({ "reference": reference, "sku": sku, "quantity": 1, "face_value": "20", "currency": "EUR" });
        self.0.lock().unwrap().wanted.insert(reference.to_owned(), wanted);
    }

    /// What it says of purchases from now on other than that they were delivered under its own name, `T-1`, for 19 euros.
    pub fn say(&self, otherwise: Value) {
        self.0.lock().unwrap().otherwise = otherwise;
    }

    fn answer(&self, reference: &str) -> (StatusCode, Json<Value>) {
        let told = self.0.lock().unwrap();
        let Some(wanted) = told.wanted.get(reference) else {
            let error = json!({ "error": { "code": "unknown_reference", "message": "unknown" } });
            return (StatusCode::NOT_FOUND, Json(error));
        };
        let unit = json!({ "code": format!("CODE-{reference}"), "pin": null, "serial": null, "url": null, "receipt": null,
            "expires_at": null, "face_value": wanted["face_value"], "currency": wanted["currency"] });
        let mut answer = json!({ "id": "T-1", "reference": reference, "sku": wanted["sku"], "quantity": wanted["quantity"],
            "face_value": wanted["face_value"], "currency": wanted["currency"], "status": "delivered",
            "at": "2026-11-22T12:00:00Z", "units": [unit], "undelivered": 0, "cost": { "amount": "19", "currency": "EUR" },
            "refusal": null });
        for (member, value) in told.otherwise.as_object().into_iter().flatten() {
            answer[member] = value.clone();
        }
        (StatusCode::OK, Json(answer))
    }
}

async fn statement(State(desk): State<Desk>) -> Result<Json<Value>, StatusCode> {
    let told = desk.0.lock().unwrap();
    let lines = told.statement.as_ref().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(json!({ "purchases": lines, "next": null })))
}

async fn purchase(State(desk): State<Desk>, Json(wanted): Json<Value>) -> (StatusCode, Json<Value>) {
    let reference = wanted["reference"].as_str().unwrap().to_owned();
    desk.0.lock().unwrap().wanted.insert(reference.clone(), wanted);
    desk.answer(&reference)
}

async fn find(State(desk): State<Desk>, Path(reference): Path<String>) -> (StatusCode, Json<Value>) {
    desk.answer(&reference)
}
