//! One operation on a socket.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use async_graphql::{Response as Answer, ServerError};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc::Sender;

use super::message::Outgoing;
use crate::auth::Viewer;
use crate::error::{Code, Error};
use crate::http::App;
use crate::http::graphql::answer::Shape;
use crate::http::graphql::request::Fields;
use crate::http::traffic::{What, Who};
use crate::memory::Load;

/// What an operation tells its socket.
pub(super) struct Event {
    pub(super) id: String,
    /// Which of the socket's operations it was: a client may use an id again.
    pub(super) serial: u64,
    /// A message that is ready to be sent.
    pub(super) text: String,
    /// Whether it is the last one.
    pub(super) ended: bool,
    /// What it takes of the server's memory until it is sent.
    pub(super) _load: Option<Load>,
}

/// Runs an operation and sends what it answers. It goes on only as fast as the socket takes its events.
pub(super) struct Subscriber {
    pub(super) app: App,
    pub(super) viewer: Option<Viewer>,
    pub(super) who: Who,
    pub(super) id: String,
    pub(super) serial: u64,
    pub(super) events: Sender<Event>,
}

impl Subscriber {
    pub(super) async fn run(self, fields: Fields) {
        let started = Instant::now();
        let mut name = None;
        let ran = AssertUnwindSafe(self.answers(fields, &mut name)).catch_unwind().await;
        let refused =
            ran.unwrap_or_else(|_| Some(Answer::from_errors(vec![Code::Internal.error(Error::INTERNAL)])));
        let status = if refused.is_some() { "refused" } else { "complete" };
        let text = match &refused {
            Some(answer) => {
                let shape = Shape::new(answer, self.app.0.options.limits.errors);
                Outgoing::Error { id: &self.id, payload: &shape.errors }.write()
            }
            None => Outgoing::Complete { id: &self.id }.write(),
        };
        tracing::info!(
            user = self.viewer.as_ref().map(Viewer::log_id),
            operation = name,
            status,
            ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "operation",
        );
        self.send(text, true, None).await;
    }

    /// Sends the answers; returns the one that refuses the request.
    async fn answers(&self, fields: Fields, name: &mut Option<String>) -> Option<Answer> {
        let refuse = |error: ServerError| Some(Answer::from_errors(vec![error]));
        let operation = match self.app.prepare(fields, self.viewer.as_ref(), &self.who) {
            Ok(operation) => operation,
            Err(error) => return refuse(error),
        };
        name.clone_from(&operation.selected.name);
        let what = if operation.is_subscription() { What::Subscription } else { What::Request };
        let _held = match self.app.0.traffic.hold(self.who.clone(), what) {
            Ok(held) => held,
            Err(refusal) => return refuse(refusal.error()),
        };
        let share = operation.share.clone();
        let mut answers = self.app.stream(operation);
        let mut is_first = true;
        while let Some(answer) = answers.next().await {
            let shape = Shape::new(&answer, self.app.0.options.limits.errors);
            if is_first && shape.is_refusal() {
                return Some(answer);
            }
            is_first = false;
            let text = Outgoing::Next { id: &self.id, payload: &shape }.write();
            drop(answer);
            self.send(text, false, Some(share.hand_over())).await;
        }
        None
    }

    async fn send(&self, text: String, ended: bool, load: Option<Load>) {
        let event = Event { id: self.id.clone(), serial: self.serial, text, ended, _load: load };
        // The socket may be gone: then nobody listens, and this task is about to be aborted.
        let _ = self.events.send(event).await;
    }
}
