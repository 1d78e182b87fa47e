//! From a request to its answers, the same on every transport.

use std::future::ready;

use async_graphql::Request;
use async_graphql::parser::types::OperationType;
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::timeout;

use super::answer::Answer;
use super::request::Fields;
use crate::admission::{AdmissionRequest, Admitted, LimitExceeded, Principal, Refused, timed_out};
use crate::auth::Viewer;
use crate::blocking::{Cancelled, TRANSPORT, is_small};
use crate::concurrency::Permit;
use crate::error::Error;
use crate::graphql::{Compiled, RequestContext, WrittenAnswer};
use crate::http::{App, Introspection};
use crate::memory::{MemoryBudget, Reservation};

/// By what the bytes of a compiled answer are divided to count its work as that of an answer which the library writes: it
/// only copies texts. What is written in place takes a tenth of a millisecond or so, as does a page of 50 messages, for
/// which a change of threads took longer than writing it.
const WRITING_DIVISOR: usize = 32;

/// A request that may run.
pub(super) struct Execution {
    pub(super) admitted: Admitted,
    context: RequestContext,
    may_introspect: bool,
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
        let admitted = self.0.admission.admit(candidate).await?;
        let context = match viewer {
            Some(viewer) => RequestContext::of(self.chat(viewer.clone(), admitted.budget.clone())),
            None => RequestContext::anonymous(),
        };
        Ok(Execution { admitted, context, may_introspect })
    }
}

/// Why there is no answer.
pub(super) enum Unanswered {
    Limit(LimitExceeded),
    Error(Error),
}

impl Unanswered {
    /// The answer of a stream, whose status is sent already.
    fn into_answer(self) -> Answer {
        Answer::from_errors(vec![match self {
            Self::Limit(exceeded) => exceeded.error(),
            Self::Error(error) => {
                error.log();
                error.code().error(error.message())
            }
        }])
    }
}

impl IntoResponse for Unanswered {
    fn into_response(self) -> Response {
        match self {
            Self::Limit(exceeded) => exceeded.into_response(),
            Self::Error(error) => error.into_response(),
        }
    }
}

impl Execution {
    /// Runs a query or a mutation. The permit is to be kept until the answer is sent.
    pub(super) async fn run(mut self, app: &App) -> (Result<Answer, Unanswered>, Option<Permit>) {
        let answer = execute(app, &mut self.admitted, self.context, self.may_introspect).await;
        (answer, self.admitted.permit)
    }

    /// Runs any operation: the answers of a subscription, or the one of something else. A subscription ends with the
    /// first answer that has errors.
    pub(super) fn stream(self, app: &App) -> Answers {
        let Self { mut admitted, context, may_introspect } = self;
        let (budget, permit) = (Some(admitted.budget.clone()), admitted.permit.take());
        if admitted.operation.kind != OperationType::Subscription {
            let app = app.clone();
            let answer = async move {
                let answer = execute(&app, &mut admitted, context, may_introspect).await;
                answer.unwrap_or_else(Unanswered::into_answer)
            };
            return Answers { stream: stream::once(answer).boxed(), budget, _permit: permit };
        }
        let (writes, mut writing) = (admitted.operation.writes, admitted.writing.take());
        let answers = follow(app, admitted, context, may_introspect);
        let answers = until_error(answers.inspect(move |_| drop(writing.take())).boxed());
        let stream = if writes { begun(answers) } else { answers };
        Answers { stream, budget, _permit: permit }
    }
}

/// Runs a query or a mutation, which holds its permit among expensive ones meanwhile.
async fn execute(
    app: &App,
    admitted: &mut Admitted,
    context: RequestContext,
    may_introspect: bool,
) -> Result<Answer, Unanswered> {
    let _expensive = admitted.expensive.take();
    let answer = async {
        if let Some(Compiled::Query(query)) = admitted.compiled()
            && let Some(read) = query.read(&context, &admitted.variables).await
        {
            let taken = admitted.budget.taken();
            let bytes = read.bytes(taken);
            return write(&admitted.budget, bytes, move |cancelled| read.write(taken, cancelled)).await;
        }
        let (batches, start_cursor) = (context.batches(), context.start_cursor());
        let mut request = library_request(admitted, context, may_introspect);
        start_cursor.read_for(&mut request).await;
        Ok(batches.run(app.0.schema.execute(request)).await.into())
    };
    timeout(app.0.options.limits.request_timeout, answer)
        .await
        .unwrap_or_else(|_| Err(Unanswered::Limit(timed_out())))
}

/// Runs a subscription: its events are written from its plan if it was compiled, and resolved by the library otherwise.
/// The library resolves each field of each event by a future of its own, and builds a tree of values that is then written.
fn follow(
    app: &App,
    mut admitted: Admitted,
    context: RequestContext,
    may_introspect: bool,
) -> BoxStream<'static, Answer> {
    if let Some(Compiled::Subscription(subscription)) = admitted.compiled()
        && let Some(events) = subscription.stream(&context, &admitted.variables)
    {
        let budget = admitted.budget;
        let answers = events.then(move |event| {
            let bytes = event.bytes(budget.taken()) / WRITING_DIVISOR;
            // A word is written here and now, without a future for what it does not need.
            if !event.needs_reading() && is_small(bytes) {
                return Either::Left(ready(Answer::from(event.write(&Cancelled::never()))));
            }
            let budget = budget.clone();
            // Boxed, as is what reads events: a stream that waits has no room for what it does with one. That was 17 of the
            // 54 kB that an idle event stream took.
            Either::Right(Box::pin(async move {
                let event = event.read().await;
                let bytes = event.bytes(budget.taken());
                let answer = write(&budget, bytes, move |cancelled| event.write(cancelled)).await;
                answer.unwrap_or_else(Unanswered::into_answer)
            }))
        });
        return answers.boxed();
    }
    let batches = context.batches();
    let request = library_request(&mut admitted, context, may_introspect);
    batches.follow(app.0.schema.execute_stream(request)).map(Answer::from).boxed()
}

/// Has an answer written, of which about so many `bytes` are texts.
async fn write(
    budget: &MemoryBudget,
    bytes: usize,
    write: impl FnOnce(&Cancelled<WrittenAnswer>) -> WrittenAnswer + Send + 'static,
) -> Result<Answer, Unanswered> {
    let written = TRANSPORT.run(budget.holder(), bytes / WRITING_DIVISOR, write).await;
    written.map(Answer::from).map_err(Unanswered::Error)
}

/// What the library executes.
fn library_request(admitted: &mut Admitted, context: RequestContext, may_introspect: bool) -> Request {
    let request = admitted.request().data(context);
    if may_introspect { request } else { request.disable_introspection() }
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

    /// How many bytes of text are still to be written of the last answer, about.
    pub(super) fn bytes(&self, answer: &Answer) -> usize {
        self.budget.as_ref().filter(|_| answer.is_unwritten()).map_or(0, MemoryBudget::taken)
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
