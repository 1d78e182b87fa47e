//! Who sends a request, and what it may take.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::admission::{AdmittedPlain, PlainRequest, Principal};
use crate::auth::Viewer;
use crate::blocking::TRANSPORT;
use crate::chat::Chat;
use crate::concurrency::Permit;
use crate::error::{Code, Error};
use crate::http::App;
use crate::http::access::LogFields;
use crate::http::address::Client;
use crate::http::holding::hold_until_sent;
use crate::http::problem::problem;
use crate::memory::MemoryBudget;

/// A user whose request may go on.
pub(super) struct Caller {
    pub(super) viewer: Viewer,
    pub(super) chat: Chat,
    pub(super) budget: MemoryBudget,
    /// The permit of the request.
    pub(super) permit: Permit,
    /// The permit of the stream, if its answer is one.
    pub(super) subscription: Option<Permit>,
}

impl Caller {
    /// Judges a request for what belongs to `user_id`, whose body is said to have `bytes` bytes.
    ///
    /// # Errors
    /// The answer to one that may not go on.
    pub(super) async fn admit(
        app: &App,
        (log_fields, client): (LogFields, Client),
        headers: &HeaderMap,
        bytes: usize,
        user_id: &str,
        is_stream: bool,
    ) -> Result<Self, Response> {
        let viewer = app.viewer(headers).await.map_err(IntoResponse::into_response)?;
        let viewer = viewer.ok_or_else(|| Error::Unauthenticated.into_response())?;
        log_fields.user(&viewer);
        let principal = Principal::new(Some(&viewer), client.0);
        let admitted = app.0.admission.admit_plain(&PlainRequest { principal, bytes, is_stream });
        let AdmittedPlain { budget, permit, subscription } = admitted.map_err(IntoResponse::into_response)?;
        if viewer.id() != user_id {
            let message = "The token belongs to another user than the one in the URL.";
            return Err(problem(Code::Forbidden, message));
        }
        let chat = app.chat(viewer.clone(), budget.clone());
        Ok(Self { viewer, chat, budget, permit, subscription })
    }

    /// Answers with `answer`, whose texts are in the budget.
    pub(super) async fn respond(
        self,
        status: StatusCode,
        answer: impl FnOnce() -> Result<Vec<u8>, serde_json::Error> + Send + 'static,
    ) -> Result<Response, Error> {
        let (held, bytes) = (self.budget.clone(), self.budget.taken());
        let write = move |_: &_| (answer(), held);
        let (body, budget) = TRANSPORT.run(self.budget.holder(), bytes, write).await?;
        let body = body.map_err(|error| Error::Internal(error.to_string()))?;
        // Written out, its text may take several times what it was.
        budget.take(body.len())?;
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        let body = hold_until_sent(Body::from(body), (budget.release(), Some(self.permit)));
        Ok((status, headers, body).into_response())
    }
}

/// As JSON.
pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(value)
}
