//! Polling a provider of rates, against replicas.
//! Always true: what a poll changes is read where partners read it, or where the command line shows it. Not here: importing rates
//! and what prices do with them (`charges/rates.rs`), settings (`settings.rs`).

mod polling;
mod replica;
mod shapes;
mod watching;

use std::sync::Arc;

use octopus_cards::app;
use octopus_cards::clock::SeededIds;
use octopus_cards::config::{Config, RateSource};
use octopus_cards::ctx::{Ctx, Deps};
use octopus_cards::domain::pricing::{self, PollRefusal, PollReport, RatesStatus};
use octopus_cards::problem::Failure;
use serde_json::json;

use super::support::app::{Partner, TestApp};
use super::support::poll::until;
use super::support::seed;
use replica::Replica;

/// A process on the test's database, with its clock, that asks a replica.
#[derive(Debug, Clone)]
struct Node(Arc<Deps>);

impl Node {
    async fn asking(app: &TestApp, source: RateSource, replica: &Replica) -> Self {
        Self::with(app, source, replica, |_| {}).await
    }

    async fn with(
        app: &TestApp,
        source: RateSource,
        replica: &Replica,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = seed::config(&app.database.url, app.database.folder.path());
        config.rate_provider = Some(source);
        config.rate_provider_url = Some(replica.url.clone());
        config.rate_provider_key = Some("0123456789abcdef".parse().unwrap());
        change(&mut config);
        let ids = Arc::new(SeededIds::new(7));
        Self(app::open(config, app.clock.clone(), ids).await.expect("the database opens"))
    }

    fn ctx(&self) -> Ctx {
        Ctx::system(Arc::clone(&self.0))
    }

    /// Asks now.
    async fn poll(&self) -> PollReport {
        pricing::poll_rates(&self.ctx()).await.expect("the poll ends well")
    }

    /// Asks now, and is told nothing that can be used; answers why.
    async fn poll_in_vain(&self) -> String {
        match pricing::poll_rates(&self.ctx()).await {
            Err(Failure::Refused(refusal @ PollRefusal::Failed { .. })) => refusal.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// One look of the background work.
    async fn tend(&self) -> Option<PollReport> {
        pricing::refresh(&self.0).await.expect("the database answers");
        pricing::tend_once(&self.0).await.expect("the database answers")
    }

    async fn status(&self) -> RatesStatus {
        pricing::refresh(&self.0).await.expect("the database answers");
        pricing::rates_status(&self.ctx()).await.expect("the database answers")
    }

    async fn close(self) {
        app::close(&self.0).await;
    }
}

/// A rate as a partner reads it.
async fn rate(partner: &Partner, base: &str, quote: &str) -> String {
    let document = "query Rate($base: CurrencyCode!, $quote: CurrencyCode!) {
        exchangeRate(base: $base, quote: $quote) { rate } }";
    let shown = partner.graphql(document, json!({ "base": base, "quote": quote })).await;
    shown.text("exchangeRate.rate").to_owned()
}

/// Waits until a partner reads a rate.
async fn shown(partner: &Partner, base: &str, quote: &str, wanted: &str) {
    until("the server shows the rate", async || (rate(partner, base, quote).await == wanted).then_some(()))
        .await;
}

/// How many currencies have this rate, in text that stays whatever is polled.
async fn count(app: &TestApp, condition: &str) -> i64 {
    app.database.number(&format!("SELECT count(*) FROM exchange_rates WHERE {condition}")).await
}
