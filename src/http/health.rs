//! Whether the server is alive, and whether it can serve.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use serde_json::json;

use super::App;
use super::problem::problem;
use crate::database::Database;
use crate::error::{Code, Error};
use crate::outage::Outage;

/// How often the database is asked at most, whoever and however many ask.
const PERIOD: Duration = Duration::from_secs(1);

/// Whether the database has a schema that this version can serve.
static SCHEMA: Outage = Outage::of("a compatible schema");

/// Why the server cannot serve; nothing if it can.
type Verdict = Result<(), &'static str>;

/// Whether the server can serve, as the database said within the last second.
#[derive(Default)]
pub(super) struct Readiness {
    /// When the last check began, and how it ends: all who ask meanwhile wait for the same one.
    last: Mutex<Option<(Instant, Shared<BoxFuture<'static, Verdict>>)>>,
}

impl Readiness {
    async fn of(&self, database: &Database) -> Verdict {
        let check = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            match &*last {
                Some((began, check)) if began.elapsed() < PERIOD || check.peek().is_none() => check.clone(),
                _ => {
                    // A task, which ends and is remembered also if all who ask go away.
                    let task = tokio::spawn(check(database.clone()));
                    let check = async { task.await.unwrap_or(Err("The check has failed.")) }.boxed().shared();
                    *last = Some((Instant::now(), check.clone()));
                    check
                }
            }
        };
        check.await
    }
}

async fn check(database: Database) -> Verdict {
    match database.migrations().await {
        Ok(applied) if applied.is_complete() => {
            SCHEMA.succeeded();
            Ok(())
        }
        Ok(_) => Err("The database is not migrated."),
        Err(Error::Internal(cause)) => {
            // Balancers ask for ever: the log is told once.
            SCHEMA.failed(cause);
            Err("The database is not one that this version can serve.")
        }
        Err(error) => {
            error.log();
            Err("The database does not answer.")
        }
    }
}

/// `/healthz` and `/readyz`.
pub(super) fn router() -> Router<App> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

pub(super) async fn alive() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

async fn ready(State(app): State<App>) -> Response {
    match app.0.readiness.of(&app.0.database).await {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(message) => problem(Code::Unavailable, message),
    }
}
