//! Everything that judges a request, before anything of it runs. In the order in which it happens:
//!
//! 1. [`Permits`]: a connection counts among those of its address.
//! 2. [`Rates`]: a request counts for its address when its head has come, its body as it arrives, and all of it for its
//!    user once the token is checked.
//! 3. [`Memory`]: the body takes of what its address may hold, and [`values`]: its JSON has not too many of them.
//! 4. [`Admission::admit`], for requests of GraphQL, and [`Admission::admit_plain`] for others are lists of the rest.

mod cache;
mod cost;
mod document;
mod documents;
mod executable;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod limits;
mod operation;
mod permits;
mod plain;
#[cfg(test)]
mod prices;
mod principal;
mod query_limits;
mod rate;
mod refusal;
mod schema;
mod size;
mod subscription;
mod tokens;
mod trusted;
mod validation;
pub(crate) mod values;
mod variables;

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Variables};
use tokio::time::timeout;

pub use self::cache::hash;
use self::document::Document;
use self::documents::Documents;
pub use self::limits::Limits;
pub use self::operation::Operation;
pub(crate) use self::permits::Permits;
pub(crate) use self::plain::{AdmittedPlain, PlainRequest};
pub use self::principal::Principal;
pub use self::query_limits::QueryLimits;
pub(crate) use self::rate::Rates;
pub use self::refusal::{LimitExceeded, READ_ONLY, Refusal, Refused};
pub use self::trusted::TrustedDocuments;
use crate::concurrency::{ConcurrencyLimit, Permit};
use crate::error::Code;
use crate::graphql::Compiled;
use crate::memory::{Memory, MemoryBudget};

/// The complexity above which a query keeps a processor busy for so long that others would feel it.
const EXPENSIVE: u64 = 5000;

/// Who judges requests. Every server counts for itself.
#[derive(Debug)]
pub(crate) struct Admission {
    documents: Documents,
    query_limits: QueryLimits,
    answer_bytes: usize,
    body_bytes: usize,
    request_timeout: Duration,
    pub(crate) rates: Rates,
    pub(crate) permits: Permits,
    memory: Memory,
    /// Expensive queries: one of each user's at a time, and no more in all than half of the processors.
    expensive: Arc<ConcurrencyLimit>,
}

/// A request of GraphQL.
pub(crate) struct AdmissionRequest {
    /// Who sends it.
    pub(crate) principal: Principal,
    /// The text of the document.
    pub(crate) text: Option<String>,
    /// The name of a document that the server knows.
    pub(crate) document: Option<String>,
    /// Which operation of the document is meant.
    pub(crate) operation_name: Option<String>,
    pub(crate) variables: Variables,
    /// Whether it may ask for the schema.
    pub(crate) may_introspect: bool,
    /// Whether it may change anything.
    pub(crate) may_write: bool,
}

/// A request that may run, and what it holds while it does.
pub(crate) struct Admitted {
    pub(crate) operation: Operation,
    document: Arc<Document>,
    operation_name: Option<String>,
    /// The variables, checked.
    pub(crate) variables: Variables,
    /// What it may hold of the server's memory.
    pub(crate) budget: MemoryBudget,
    /// Its permit among its user's requests or subscriptions, until its answer is sent.
    pub(crate) permit: Option<Permit>,
    /// The permit of a subscription that writes among its user's requests, until its first event.
    pub(crate) writing: Option<Permit>,
    /// Its permit among expensive queries, if it is one, until it has been executed.
    pub(crate) expensive: Option<Permit>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits, trusted: Option<TrustedDocuments>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            documents: Documents::new(limits.query, trusted),
            query_limits: limits.query,
            answer_bytes: limits.answer_bytes,
            body_bytes: limits.body_bytes,
            request_timeout: limits.request_timeout,
            rates: Rates::new(limits.user_rate, limits.address_rate),
            permits: Permits::new(limits),
            memory: Memory::new(limits.memory_bytes),
            expensive: Arc::new(ConcurrencyLimit::new(1, Some((processors / 2).max(1)))),
        }
    }

    /// What a body from `address` may take of this server's memory.
    pub(crate) fn body_budget(&self, address: IpAddr) -> MemoryBudget {
        self.memory.budget(&Principal::new(None, address).key(), self.body_bytes)
    }

    /// What an answer to `principal` may take of this server's memory. A large one counts for several requests.
    pub(crate) fn budget(&self, principal: &Principal) -> MemoryBudget {
        self.memory.rated_budget(&principal.key(), self.answer_bytes, self.rates.of(principal).cloned())
    }

    /// Judges a request.
    pub(crate) async fn admit(&self, candidate: AdmissionRequest) -> Result<Admitted, Refused> {
        let early = |error| Refused { operation: None, reason: Refusal::from(error) };
        let principal = &candidate.principal;
        // The text is within its bounds, and a document.
        let document = self
            .documents
            .find(principal, candidate.text, candidate.document.as_deref())
            .await
            .map_err(early)?;
        // It has the operation that is meant.
        let operation = document.select(candidate.operation_name.as_deref()).map_err(early)?;
        let refused = |reason| Refused { operation: Some(operation.clone()), reason };
        // A link must not change anything.
        if operation.writes && !candidate.may_write {
            return Err(refused(Refusal::ReadOnly));
        }
        // There are not too many others like it.
        let is_subscription = operation.kind == OperationType::Subscription;
        let limit = if is_subscription { &self.permits.subscriptions } else { &self.permits.requests };
        let permit = limit.acquire(principal).map_err(|limit| refused(limit.into()))?;
        // A subscription that writes is a request like any other until it has written.
        let writing = (is_subscription && operation.writes).then(|| self.permits.requests.acquire(principal));
        let writing = writing.transpose().map_err(|limit| refused(limit.into()))?;
        // The document is within its bounds and breaks no rule.
        let cost = document.cost(&candidate.variables).map_err(|errors| refused(Refusal::Invalid(errors)))?;
        cost.check(&self.query_limits).map_err(|error| refused(error.into()))?;
        if cost.introspections > 0 && !candidate.may_introspect {
            return Err(refused(
                refusal::invalid("Introspection is not allowed for this request.", None).into(),
            ));
        }
        // The variables are what the operation declares.
        let mut variables = candidate.variables;
        document.check_variables(&operation, &mut variables).map_err(|error| refused(error.into()))?;
        // What it costs is not too much for its user's rate.
        self.rates.charge_cost(principal, &cost).map_err(|limit| refused(limit.into()))?;
        // An expensive query waits for its permit. Mutations do not wait here: they may wait for replies, and would be in the way.
        let expensive = if operation.kind == OperationType::Query && cost.complexity > EXPENSIVE {
            let permit = timeout(self.request_timeout, self.expensive.acquire(&principal.key())).await;
            Some(permit.map_err(|_| refused(timed_out().into()))?)
        } else {
            None
        };
        let (budget, operation_name) = (self.budget(principal), candidate.operation_name);
        Ok(Admitted {
            operation,
            document,
            operation_name,
            variables,
            budget,
            permit: Some(permit),
            writing,
            expensive,
        })
    }
}

impl Admitted {
    /// The operation as it was compiled, if it was.
    pub(crate) fn compiled(&self) -> Option<Compiled> {
        self.document.compiled(&self.operation).cloned()
    }

    /// What the library executes: its own copy of the document.
    pub(crate) fn request(&mut self) -> Request {
        let mut request = Request::new("").variables(std::mem::take(&mut self.variables));
        request.operation_name = self.operation_name.take();
        request.set_parsed_query(self.document.executable());
        request
    }
}

/// A request took longer than one may.
pub(crate) fn timed_out() -> LimitExceeded {
    LimitExceeded::unavailable(Code::Timeout, "The request took too long.".to_owned())
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;
    use crate::auth::UserId;

    fn candidate(user: &str, text: &str) -> AdmissionRequest {
        AdmissionRequest {
            principal: Principal::User(UserId::new(user).unwrap()),
            text: Some(text.to_owned()),
            document: None,
            operation_name: None,
            variables: Variables::default(),
            may_introspect: true,
            may_write: false,
        }
    }

    #[tokio::test]
    async fn one_expensive_query_of_a_user_runs_at_a_time() {
        let admission = Admission::new(&Limits::default(), None);
        let schema = |number| format!("s{number}: __schema {{ queryType {{ name }} }} ");
        let expensive = format!("{{ {} }}", (0..3).map(schema).collect::<String>());
        let first = admission.admit(candidate("ann", &expensive)).await.unwrap();
        assert!(first.expensive.is_some());
        let mut second = Box::pin(admission.admit(candidate("ann", &expensive)));
        assert!(poll!(&mut second).is_pending());
        let cheap = admission.admit(candidate("ann", "{ __typename }")).await.unwrap();
        assert!(cheap.expensive.is_none());
        drop(first.expensive);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn a_refusal_names_the_operation() {
        let admission = Admission::new(&Limits { user_requests: 0, ..Limits::default() }, None);
        let refused = admission.admit(candidate("ann", "mutation M { nothing }")).await.err().unwrap();
        assert!(matches!(refused.reason, Refusal::ReadOnly));
        assert_eq!(
            (refused.kind(), refused.operation.unwrap().name.as_deref()),
            (OperationType::Mutation, Some("M"))
        );
        let refused = admission.admit(candidate("ann", "{ nothing }")).await.err().unwrap();
        assert!(matches!(refused.reason, Refusal::Limit(limit) if limit.code == Code::RateLimited));
    }
}
