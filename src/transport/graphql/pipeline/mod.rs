//! The one pipeline that every request to `/graphql` takes, whatever carries it: POST, GET or a socket.
//!
//! Lives here: [`Pipeline`] and the order of its steps, one file a step:
//! `shape` (what was sent, as a request) → `persisted` (documents by hash) → `tokens` and `parse` (within limits) → `count` (in
//! linear time, before anything expands fragments) → `validate` and `variables` (against schema.graphql) → `merge`
//! (one field a response key) → `access` (operation type, token) → `cost` and `throttle` → `execute` → `answer`.
//! Always true: no step sees what an earlier one refused, and no transport has a way around one. The order is that of
//! DESIGN.md, 4: counting before validating is what refuses a hostile document of 64 kB in a millisecond or two.
//! Not here: sizes of bodies, addresses, tokens (transport/http.rs, ws.rs, auth.rs): they come before.

pub mod access;
pub mod answer;
pub mod contract;
pub mod cost;
pub mod count;
pub mod documents;
pub mod execute;
pub mod media;
pub mod memory;
pub mod merge;
pub mod parse;
pub mod persisted;
pub mod refusal;
pub mod shape;
pub mod throttle;
pub mod tokens;
pub mod validate;
pub mod variables;

use std::sync::Arc;
use std::time::Duration;

use apollo_compiler::ast::OperationType;
use async_graphql::{Data, Executor, Variables};
use futures_util::stream::{BoxStream, StreamExt};

use crate::transport::limits::Allowance;
use access::{Carrier, Denial, Standing};
use answer::{Answer, Cost};
use contract::Contract;
use documents::{Documents, Ready};
use persisted::PersistedDocuments;
use shape::Call;
use throttle::{Throttle, ThrottleStatus};

/// The limits that an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long an operation may take, waiting for orders aside.
    pub timeout: Duration,
    /// What a principal may spend.
    pub allowance: Allowance,
}

/// One request on its way in.
pub struct Passage {
    /// What carries it.
    pub carrier: Carrier,
    /// Whose documents and whose allowance: the partner, or the address of a caller without a token.
    pub principal: Arc<str>,
    /// How the caller stands.
    pub standing: Standing,
    /// The time, in milliseconds since any fixed moment; it only fills buckets.
    pub now_ms: u64,
    /// What the request is called in logs and answers.
    pub request_id: String,
}

/// A request that may be run, and has been paid for.
pub struct Admitted {
    ready: Arc<Ready>,
    variables: Variables,
    passage: Passage,
    requested_points: u64,
    status: ThrottleStatus,
}

impl Admitted {
    /// Whether it is to be answered by a stream.
    #[must_use]
    pub fn is_subscription(&self) -> bool {
        self.ready.operation_type == OperationType::Subscription
    }

    /// The operation as it will be executed, for logs.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }
}

/// The pipeline over one contract and one executor.
pub struct Pipeline<E> {
    persisted: PersistedDocuments,
    documents: Documents,
    throttle: Throttle,
    executor: E,
    limits: Limits,
}

impl<E: Executor> Pipeline<E> {
    /// A pipeline that remembers nothing yet.
    #[must_use]
    pub fn new(contract: Contract, executor: E, limits: Limits) -> Self {
        Self {
            persisted: PersistedDocuments::default(),
            documents: Documents::new(contract),
            throttle: Throttle::new(limits.allowance),
            executor,
            limits,
        }
    }

    /// Takes a request through every step ahead of execution.
    ///
    /// # Errors
    ///
    /// A [`Denial`] with the refusal of the first step that did not let it pass.
    pub fn admit(&self, call: Call, passage: Passage) -> Result<Admitted, Denial> {
        let admitted = self.judge(call, passage);
        if let Err(Denial::NotByGet(refusal) | Denial::TokenExpired(refusal) | Denial::Refused(refusal)) =
            &admitted
        {
            metrics::counter!("octopus_graphql_refused_total", "code" => refusal.code.as_str()).increment(1);
        }
        admitted
    }

    fn judge(&self, call: Call, passage: Passage) -> Result<Admitted, Denial> {
        match self.prepare(call, &passage) {
            Ok((ready, variables)) => {
                access::admit(&ready, passage.carrier, passage.standing)?;
                let requested_points = ready.cost.requested(&variables);
                let status = self
                    .throttle
                    .take(&passage.principal, requested_points, passage.now_ms)
                    .map_err(Denial::Refused)?;
                Ok(Admitted { ready, variables, passage, requested_points, status })
            }
            Err(refusal) => Err(Denial::Refused(refusal)),
        }
    }

    fn prepare(&self, call: Call, passage: &Passage) -> Result<(Arc<Ready>, Variables), refusal::Refusal> {
        let text = self.persisted.find(&passage.principal, &call)?;
        let checked = self.documents.check(&text)?;
        let operation = checked.operation(call.operation_name.as_deref())?;
        let variables = variables::coerce(self.documents.contract(), operation, call.variables)?;
        let ready = self.documents.ready(&checked, operation, &variables)?;
        Ok((ready, variables))
    }

    /// Takes points from a principal's allowance for a call that is no document: all transports spend from one.
    ///
    /// # Errors
    ///
    /// RATE_LIMITED with the time after which they will be there.
    pub fn spend(&self, principal: &Arc<str>, points: u64, now_ms: u64) -> Result<(), refusal::Refusal> {
        self.throttle.take(principal, points, now_ms).map(drop)
    }

    /// Runs a query or a mutation.
    pub async fn execute(&self, admitted: Admitted, data: Data) -> Answer {
        let Admitted { ready, variables, passage, requested_points, .. } = admitted;
        let timeout = self.limits.timeout.saturating_add(execute::order_wait(&ready, &variables));
        let deciding = ready.cost.deciding(&variables);
        let request = execute::request(&ready, variables, data);
        let answer = execute::execute(&self.executor, request, timeout, &passage.request_id).await;
        // What failed as a whole is not given back: it has cost the server as much as it could.
        let Some(data) = answer.data() else { return answer };
        let actual_points = ready.cost.actual(data, &deciding, requested_points);
        let unspent = requested_points.saturating_sub(actual_points);
        let throttle_status = self.throttle.give_back(&passage.principal, unspent, passage.now_ms);
        answer.with_cost(Cost {
            requested_query_cost: requested_points,
            actual_query_cost: Some(actual_points),
            throttle_status,
        })
    }

    /// Runs a subscription.
    pub fn subscribe(&self, admitted: Admitted, data: Data) -> BoxStream<'static, Answer> {
        let Admitted { ready, variables, passage, requested_points, status } = admitted;
        let request = execute::request(&ready, variables, data);
        let stream = execute::subscribe(&self.executor, request, passage.request_id);
        // A subscription is charged when it begins; its first event says how much.
        let mut cost = Some(Cost {
            requested_query_cost: requested_points,
            actual_query_cost: None,
            throttle_status: status,
        });
        stream
            .map(move |answer| match cost.take() {
                Some(cost) => answer.with_cost(cost),
                None => answer,
            })
            .boxed()
    }
}

#[cfg(test)]
mod tests;
