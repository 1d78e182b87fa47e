//! The GraphiQL page at `/graphiql`. It sends its operations to `graphql` beside it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use serde_json::json;

use super::DevUser;
use super::bundle::{Bundle, asset};
use super::policy::{Policy, secure};
use super::views::Views;

/// Monaco, the page's editor, writes its styles while it runs; its fonts are in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'";

static BUNDLE: Option<Bundle> = include!(concat!(env!("OUT_DIR"), "/graphiql.rs"));

/// Serves `/graphiql` and its assets.
pub(super) fn router(users: &[DevUser]) -> Router {
    let router = match &BUNDLE {
        Some(bundle) => {
            let signed_in = users.first().map(|user| json!({ "token": user.token }));
            let views = Arc::new(Views::new(bundle, &json!({ "token": null }), signed_in.as_ref()));
            let open = async |State(views): State<Arc<Views>>, uri: Uri, headers: HeaderMap| {
                views.answer(&uri, &headers)
            };
            Router::new()
                .route("/graphiql", get(open).with_state(views))
                .route("/graphiql/assets/{name}", get(asset).with_state(bundle))
        }
        None => Router::new().route("/graphiql", get(missing)),
    };
    router
        .route("/graphiql/", get(async || Redirect::permanent("../graphiql")))
        .layer(middleware::map_response_with_state(Policy::unframed(POLICY), secure))
}

async fn missing() -> impl IntoResponse {
    (StatusCode::NOT_IMPLEMENTED, [(CACHE_CONTROL, "no-store")], Html(include_str!("graphiql_missing.html")))
}
