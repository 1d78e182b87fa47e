//! From a request to its answers, the same on every transport.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response as Answer, ServerError};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::persisted;
use super::request::Fields;
use crate::auth::Viewer;
use crate::error::Code;
use crate::graphql::guard::{Selected, Toll, Turn};
use crate::graphql::{Batches, Session};
use crate::http::traffic::Who;
use crate::http::{App, Introspection};
use crate::memory::Share;

/// A request that was read and can be run.
pub(super) struct Operation {
    request: Request,
    batches: Batches,
    /// What it takes of the server's memory.
    pub(super) share: Share,
    pub(super) selected: Selected,
}

impl Operation {
    pub(super) fn is_subscription(&self) -> bool {
        self.selected.kind == OperationType::Subscription
    }
}

impl App {
    /// Finds the document and the operation that `fields` ask for.
    pub(super) fn prepare(
        &self,
        fields: Fields,
        viewer: Option<&Viewer>,
        who: &Who,
    ) -> Result<Operation, ServerError> {
        let options = &self.0.options;
        let document = persisted::document(&fields, &self.0.documents, options.trusted_documents.as_ref())?;
        let selected = document.select(fields.operation_name.as_deref())?;
        let share = self.share(who);
        let session = match viewer {
            Some(viewer) => Session::of(self.chat(viewer.clone(), share.clone())),
            None => Session::anonymous(),
        };
        let batches = session.batches();
        let mut request = Request::new(document.text())
            .variables(fields.variables)
            .data(session)
            .data(self.toll(who))
            .data(Arc::clone(&document));
        request.operation_name = fields.operation_name;
        let may_explore = match options.introspection {
            Introspection::On => true,
            Introspection::SignedIn => viewer.is_some(),
            Introspection::Off => false,
        };
        if !may_explore {
            request = request.disable_introspection();
        }
        Ok(Operation { request, batches, share, selected })
    }

    /// Dear operations count for more than one.
    fn toll(&self, who: &Who) -> Toll {
        let (traffic, who) = (self.0.traffic.clone(), who.clone());
        let (queue, payer) = (self.0.dear.clone(), who.clone());
        Toll::new(
            move |complexity| traffic.charge(&payer, complexity).map_err(|refusal| refusal.error()),
            move || {
                let (queue, key) = (queue.clone(), who.key());
                Box::pin(async move { Box::new(queue.acquire(&key).await) as Turn })
            },
        )
    }

    /// Runs a query or a mutation.
    pub(super) async fn run(&self, operation: Operation) -> Answer {
        let answer = operation.batches.run(self.0.schema.execute(operation.request));
        let answer = timeout(self.0.options.limits.request_time, answer);
        answer
            .await
            .unwrap_or_else(|_| Answer::from_errors(vec![Code::Timeout.error("The request took too long.")]))
    }

    /// Runs any operation: the answers of a subscription, or the one of something else. A subscription ends with the
    /// first answer that has errors.
    pub(super) fn stream(&self, operation: Operation) -> BoxStream<'static, Answer> {
        if operation.is_subscription() {
            let answers = self.0.schema.execute_stream(operation.request);
            return until_error(operation.batches.follow(answers).boxed());
        }
        let app = self.clone();
        stream::once(async move { app.run(operation).await }).boxed()
    }
}

/// `answers` up to the first one with errors. The library would go on after it, and its source with it: what that
/// answer was to tell would never be told. So the client comes again, with the cursor of the last event that it has.
fn until_error(answers: BoxStream<'static, Answer>) -> BoxStream<'static, Answer> {
    stream::unfold(Some(answers), |answers| async {
        let mut answers = answers?;
        let answer = answers.next().await?;
        let rest = answer.is_ok().then_some(answers);
        Some((answer, rest))
    })
    .boxed()
}
