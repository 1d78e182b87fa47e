//! Chat for clients without GraphQL, as `docs/rest.md` and `docs/openapi.yaml` describe it.

mod answer;
mod caller;
mod chat;
mod lists;
mod stream;
mod wording;

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::App;
use super::problem::with_detail;

/// Everything below `/api/` that needs a token.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/api/{user_id}/chat", post(chat::chat))
        .route("/api/{user_id}/conversations", get(lists::conversations))
        .route("/api/{user_id}/conversations/{conversation_id}/messages", get(lists::messages))
}

/// The description of all that.
pub(super) fn description() -> Router {
    Router::new().route("/api/openapi.yaml", get(openapi))
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/yaml")], include_str!("../../../docs/openapi.yaml"))
}

/// Has what is refused below `/api/` say why in `detail` too.
pub(super) async fn detail(request: Request, next: Next) -> Response {
    let is_rest = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    if is_rest { with_detail(response) } else { response }
}
