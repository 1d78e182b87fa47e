//! One operation on a socket.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use tokio::sync::mpsc::Sender;

use super::message::Outgoing;
use crate::admission::Principal;
use crate::auth::Viewer;
use crate::blocking::TRANSPORT;
use crate::error::{Code, Error};
use crate::http::App;
use crate::http::graphql::answer::{Answer, ResponseShape, is_refusal};
use crate::http::graphql::request::Fields;
use crate::memory::Reservation;

/// What an operation tells its socket.
pub(super) struct OperationMessage {
    pub(super) id: String,
    /// Which of the socket's operations it was: a client may use an id again.
    pub(super) serial: u64,
    /// A message that is ready to be sent.
    pub(super) text: String,
    /// Whether it is the last one.
    pub(super) ended: bool,
    /// What it takes of the server's memory until it is sent.
    pub(super) _reservation: Option<Reservation>,
}

/// Runs an operation and sends what it answers. It goes on only as fast as the socket takes its events.
pub(super) struct Subscriber {
    pub(super) app: App,
    pub(super) viewer: Option<Viewer>,
    pub(super) principal: Principal,
    pub(super) id: String,
    pub(super) serial: u64,
    pub(super) events: Sender<OperationMessage>,
}

impl Subscriber {
    pub(super) async fn run(self, fields: Fields) {
        let started = Instant::now();
        let mut name = None;
        let ran = AssertUnwindSafe(self.answers(fields, &mut name)).catch_unwind().await;
        let ended =
            ran.unwrap_or_else(|_| Err(Answer::from_errors(vec![Code::Internal.error(Error::INTERNAL)])));
        let status = if ended.is_err() { "refused" } else { "complete" };
        let text = match &ended {
            Err(answer) => {
                let shape = ResponseShape::new(answer, self.app.0.options.limits.errors);
                Outgoing::Error { id: &self.id, payload: &shape.errors }.write()
            }
            Ok(()) => Outgoing::Complete { id: &self.id }.write(),
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

    /// Sends the answers, unless the first one refuses the request.
    async fn answers(&self, fields: Fields, name: &mut Option<String>) -> Result<(), Answer> {
        let execution = self.app.admit(fields, self.viewer.as_ref(), self.principal.clone(), true).await;
        let execution = execution.map_err(|refused| {
            *name = refused.operation.and_then(|operation| operation.name);
            Answer::from_errors(refused.reason.into_errors())
        })?;
        name.clone_from(&execution.admitted.operation.name);
        let mut answers = execution.stream(&self.app);
        let errors = self.app.0.options.limits.errors;
        let mut is_first = true;
        while let Some(answer) = answers.next().await {
            if is_first && is_refusal(&answer) {
                return Err(answer);
            }
            is_first = false;
            let (id, bytes, reservation) = (self.id.clone(), answers.bytes(&answer), answers.release());
            let write = move |_: &_| {
                let text = Outgoing::next(&id, &ResponseShape::new(&answer, errors));
                (text, reservation)
            };
            let written = TRANSPORT.run(answers.principal(), bytes, write).await;
            let (text, reservation) = written.map_err(|error| {
                error.log();
                Answer::from_errors(vec![error.code().error(error.message())])
            })?;
            self.send(text, false, reservation).await;
        }
        Ok(())
    }

    async fn send(&self, text: String, ended: bool, reservation: Option<Reservation>) {
        let event = OperationMessage {
            id: self.id.clone(),
            serial: self.serial,
            text,
            ended,
            _reservation: reservation,
        };
        // The socket may be gone: then nobody listens, and this task is about to be aborted.
        let _ = self.events.send(event).await;
    }
}
