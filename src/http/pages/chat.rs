//! The chat page at `/`. It speaks to `graphql` beside it.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, Uri};
use axum::middleware;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use serde_json::{Value, json};
use url::Url;

use super::DevUser;
use super::bundle::{Bundle, asset};
use super::policy::{Policy, secure};
use super::views::Views;

/// What a message holds can run no script and load nothing, whatever the page makes of it.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The page that stands in has its styles within it.
const POLICY_OF_MISSING: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    base-uri 'none'; form-action 'none'";

static BUNDLE: Option<Bundle> = include!(concat!(env!("OUT_DIR"), "/chat.rs"));

/// Serves `/` and the page's assets. A build without them says so there, and leads on.
pub(super) fn router(users: &[DevUser], sign_in: Option<&Url>) -> Router {
    let Some(bundle) = &BUNDLE else {
        return Router::new()
            .route("/", get(missing))
            .layer(middleware::map_response_with_state(Policy::unframed(POLICY_OF_MISSING), secure));
    };
    // Where tokens are renewed, the page is in a frame of its own once the renewal leads back to it.
    let policy = match sign_in {
        Some(url) => Policy::framing(POLICY, &url.origin().ascii_serialization()),
        None => Policy::unframed(POLICY),
    };
    let signed_in = (!users.is_empty()).then(|| opening(users, sign_in));
    let views = Arc::new(Views::new(bundle, &opening(&[], sign_in), signed_in.as_ref()));
    let open =
        async |State(views): State<Arc<Views>>, uri: Uri, headers: HeaderMap| views.answer(&uri, &headers);
    Router::new()
        .route("/", get(open).with_state(views))
        .route("/assets/{name}", get(asset).with_state(bundle))
        .layer(middleware::map_response_with_state(policy, secure))
}

/// What the page opens with.
fn opening(users: &[DevUser], sign_in: Option<&Url>) -> Value {
    let users: Vec<_> =
        users.iter().map(|DevUser { id, token }| json!({ "id": id, "token": token })).collect();
    json!({ "users": users, "signIn": sign_in.map(Url::as_str) })
}

async fn missing() -> impl IntoResponse {
    ([(CACHE_CONTROL, "no-cache")], Html(include_str!("chat_missing.html")))
}
