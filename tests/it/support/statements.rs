//! The statements that a request to the server in this process has cost.
//! Always true: a statement counts for the request in whose span it ran, wherever it ran: the pollers in the background
//! have none; what a pool says to a connection before it lends it (ROLLBACK, PRAGMA) belongs to no request, and the ends
//! of transactions are left out, since one driver tells them and the other does not.
//! Not here: what a page costs (`statements.rs` of the suite).

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{LazyLock, Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use super::answer::Answer;

/// By request.
static RUN: LazyLock<Mutex<HashMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);

/// Begins to record. Call it before the requests whose statements are wanted.
pub fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let relevant =
            filter_fn(|it| it.target() == "sqlx::query" || (it.is_span() && it.name() == "request"));
        let subscriber = tracing_subscriber::registry().with(Recorder.with_filter(relevant));
        tracing::subscriber::set_global_default(subscriber).expect("a test starts no other log");
    });
}

/// The statements of the request that was answered so, in their order.
pub fn of(answer: &Answer) -> Vec<String> {
    let run = RUN.lock().unwrap_or_else(PoisonError::into_inner);
    run.get(answer.header("x-request-id")).cloned().unwrap_or_default()
}

struct Recorder;

/// What a span of a request is called, beside it.
struct RequestName(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(span), Some(name)) = (context.span(id), fields.0.remove("id")) {
            span.extensions_mut().insert(RequestName(name));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // A short statement is its own summary.
        let whole = fields.0.remove("db.statement").filter(|text| !text.is_empty());
        let Some(statement) = whole.or_else(|| fields.0.remove("summary")) else { return };
        let statement = statement.trim();
        let is_left_out =
            ["BEGIN", "COMMIT", "PRAGMA", "ROLLBACK"].iter().any(|word| statement.starts_with(word));
        let name = context
            .event_scope(event)
            .into_iter()
            .flatten()
            .find_map(|span| span.extensions().get::<RequestName>().map(|name| name.0.clone()));
        if let (Some(name), false) = (name, is_left_out) {
            let mut run = RUN.lock().unwrap_or_else(PoisonError::into_inner);
            run.entry(name).or_default().push(statement.to_owned());
        }
    }
}

/// The fields of a span or an event, as text.
#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
