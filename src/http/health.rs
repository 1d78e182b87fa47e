//! Whether the server is alive, and whether it can serve.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::App;
use super::problem::problem;

/// `/healthz` and `/readyz`.
pub(super) fn router() -> Router<App> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

async fn alive() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

async fn ready(State(app): State<App>) -> Response {
    match app.0.database.migrations().await {
        Ok(migrations) if migrations.are_complete() => Json(json!({ "status": "ready" })).into_response(),
        Ok(_) => unready("The database is not migrated."),
        Err(error) => {
            error.log();
            unready("The database does not answer, or is newer than this server.")
        }
    }
}

fn unready(message: &str) -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
}
