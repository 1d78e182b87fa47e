//! From a request to its answers, the same on every transport.

use std::future::ready;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response as Answer};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::timeout;

use super::request::Fields;
use crate::admission::{AdmissionRequest, Admitted, LimitExceeded, Principal, Refused, timed_out};
use crate::auth::Viewer;
use crate::concurrency::Permit;
use crate::graphql::{Batches, RequestContext, StartCursor};
use crate::http::{App, Introspection};
use crate::memory::{MemoryBudget, Reservation};

/// A request that may run.
pub(super) struct Execution {
    pub(super) admitted: Admitted,
    batches: Batches,
    start_cursor: StartCursor,
}

impl App {
    /// Has the request that `fields` make judged.
    pub(super) async fn admit(
        &self,
        fields: Fields,
        viewer: Option<&Viewer>,
        principal: Principal,
        may_write: bool,
    ) -> Result<Execution, Refused> {
        let may_introspect = match self.0.options.introspection {
            Introspection::On => true,
            Introspection::SignedIn => viewer.is_some(),
            Introspection::Off => false,
        };
        let candidate = AdmissionRequest {
            principal,
            text: fields.query,
            document: fields.document,
            operation_name: fields.operation_name,
            variables: fields.variables,
            may_introspect,
            may_write,
        };
        let mut admitted = self.0.admission.admit(candidate).await?;
        let session = match viewer {
            Some(viewer) => RequestContext::of(self.chat(viewer.clone(), admitted.budget.clone())),
            None => RequestContext::anonymous(),
        };
        let (batches, start_cursor) = (session.batches(), session.start_cursor());
        admitted.request = admitted.request.data(session);
        if !may_introspect {
            admitted.request = admitted.request.disable_introspection();
        }
        Ok(Execution { admitted, batches, start_cursor })
    }
}

impl Execution {
    /// Runs a query or a mutation. The permit is to be kept until the answer is sent.
    pub(super) async fn run(self, app: &App) -> (Result<Answer, LimitExceeded>, Permit) {
        let Admitted { request, permit, expensive, .. } = self.admitted;
        let answer = execute(app, self.batches, &self.start_cursor, request, expensive).await;
        (answer, permit)
    }

    /// Runs any operation: the answers of a subscription, or the one of something else. A subscription ends with the
    /// first answer that has errors.
    pub(super) fn stream(self, app: &App) -> Answers {
        let is_subscription = self.admitted.operation.kind == OperationType::Subscription;
        let writes = self.admitted.operation.writes;
        let Admitted { request, budget, permit, mut writing, expensive, .. } = self.admitted;
        let stream = if is_subscription {
            let answers = self.batches.follow(app.0.schema.execute_stream(request));
            let answers = until_error(answers.inspect(move |_| drop(writing.take())).boxed());
            if writes { begun(answers) } else { answers }
        } else {
            let app = app.clone();
            let answer = async move {
                let answer = execute(&app, self.batches, &self.start_cursor, request, expensive).await;
                answer.unwrap_or_else(|exceeded| Answer::from_errors(vec![exceeded.error()]))
            };
            stream::once(answer).boxed()
        };
        Answers { stream, budget: Some(budget), _permit: Some(permit) }
    }
}

/// Runs a query or a mutation, which holds its permit among expensive ones meanwhile.
async fn execute(
    app: &App,
    batches: Batches,
    start_cursor: &StartCursor,
    mut request: Request,
    _expensive: Option<Permit>,
) -> Result<Answer, LimitExceeded> {
    let answer = async {
        start_cursor.read_for(&mut request).await;
        batches.run(app.0.schema.execute(request)).await
    };
    timeout(app.0.options.limits.request_timeout, answer).await.map_err(|_| timed_out())
}

/// The answers of an operation, and what it holds until they are sent.
pub(super) struct Answers {
    stream: BoxStream<'static, Answer>,
    budget: Option<MemoryBudget>,
    _permit: Option<Permit>,
}

impl Answers {
    /// One answer, for which nothing was run.
    pub(super) fn one(answer: Answer) -> Self {
        Self { stream: stream::once(ready(answer)).boxed(), budget: None, _permit: None }
    }

    /// The next answer.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        self.stream.next().await
    }

    /// Whose they are; nobody's if nothing was run.
    pub(super) fn principal(&self) -> &str {
        self.budget.as_ref().map_or("", MemoryBudget::holder)
    }

    /// How many bytes of text the last answer has, about.
    pub(super) fn bytes(&self) -> usize {
        self.budget.as_ref().map_or(0, MemoryBudget::taken)
    }

    /// What the last answer holds of the server's memory until it is sent.
    pub(super) fn release(&self) -> Option<Reservation> {
        self.budget.as_ref().map(MemoryBudget::release)
    }
}

/// `answers` up to the first one with errors. The library would continue after it, and the event that failed would be
/// lost; the client subscribes again with the cursor of the last event that it has.
fn until_error(answers: BoxStream<'static, Answer>) -> BoxStream<'static, Answer> {
    stream::unfold(Some(answers), |answers| async {
        let mut answers = answers?;
        let answer = answers.next().await?;
        let rest = answer.is_ok().then_some(answers);
        Some((answer, rest))
    })
    .boxed()
}

/// `answers`, of which the first one is asked for now. What is to be written is written, even if nobody comes to read.
fn begun(mut answers: BoxStream<'static, Answer>) -> BoxStream<'static, Answer> {
    match answers.next().now_or_never() {
        None => answers,
        Some(first) => stream::iter(first).chain(answers).boxed(),
    }
}
