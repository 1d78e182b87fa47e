//! The GraphiQL page at `/graphiql`. Everything it loads is in the binary.

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::{Path, State, rejection::PathRejection},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{
            CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST,
            IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
        uri::Authority,
    },
    middleware,
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use serde_json::json;
use url::Host;

use super::problem::not_found;
use crate::outbound::is_loopback;

/// Monaco, the page's editor, writes its styles while it runs; its fonts are in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static BUNDLE: Option<Bundle> = include!(concat!(env!("OUT_DIR"), "/graphiql.rs"));

/// The page and what it loads, as `make web` built them.
struct Bundle {
    page: &'static str,
    assets: &'static [Asset],
}

/// A file that the page loads. Its name holds a hash of its content.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    gzip: &'static [u8],
}

/// What the page opens with.
#[derive(Clone, Default)]
pub struct Page {
    /// A bearer token that is filled in for whoever opens the page; `None` leaves a place to type one.
    ///
    /// Only for development: it is given to every page view that names the server by a loopback address.
    pub token: Option<String>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("token", &self.token.as_ref().map(|_| "…")).finish()
    }
}

/// Serves `/graphiql` and its assets. A build without the page's files says how to get them.
///
/// The page's addresses are relative, so that it works below any path of a reverse proxy; it sends its
/// operations to `graphql` beside it. Cross-origin reading must stay forbidden for these routes.
pub fn router(page: Page) -> Router {
    let router = match &BUNDLE {
        Some(bundle) => Router::new()
            .route("/graphiql", get(open))
            .route("/graphiql/assets/{name}", get(asset))
            .with_state(Arc::new(Views::new(bundle, page))),
        None => Router::new().route("/graphiql", get(missing)),
    };
    router
        .route("/graphiql/", get(async || Redirect::permanent("../graphiql")))
        .layer(middleware::map_response(secure))
}

/// The page as strangers see it, and as a developer does on their own machine.
struct Views {
    bundle: &'static Bundle,
    plain: String,
    signed_in: Option<String>,
}

impl Views {
    fn new(bundle: &'static Bundle, page: Page) -> Self {
        // `<` would let a value end the script element that holds it.
        let render = |token: Option<String>| {
            bundle.page.replace("{{page}}", &json!({ "token": token }).to_string().replace('<', "\\u003c"))
        };
        Self { bundle, plain: render(None), signed_in: page.token.map(|token| render(Some(token))) }
    }
}

async fn open(State(views): State<Arc<Views>>, uri: Uri, headers: HeaderMap) -> Response {
    let signed_in = views.signed_in.as_ref().filter(|_| is_own_page_view(&uri, &headers));
    let html = signed_in.unwrap_or(&views.plain).clone();
    ([(CACHE_CONTROL, "no-store")], Html(html)).into_response()
}

/// Whether somebody on this machine opens the page, and no script of another site reads it: such a script
/// either fetches, or has pointed a host name of its own at this machine.
fn is_own_page_view(uri: &Uri, headers: &HeaderMap) -> bool {
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let navigates = matches!(header(HeaderName::from_static("sec-fetch-mode")), None | Some("navigate"));
    let authority =
        header(HOST).map_or_else(|| uri.authority().cloned(), |host| host.parse::<Authority>().ok());
    let host = authority.and_then(|authority| Host::parse(authority.host()).ok());
    navigates && host.is_some_and(|host| is_loopback(&host))
}

async fn asset(
    State(views): State<Arc<Views>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    // A name that is not UTF-8 is no asset's.
    let asset = name.ok().and_then(|Path(name)| views.bundle.assets.iter().find(|asset| asset.name == name));
    let Some(asset) = asset else { return not_found() };
    let tag = format!("\"{}\"", asset.name);
    let known =
        headers.get_all(IF_NONE_MATCH).iter().any(|tags| tags.to_str().is_ok_and(|it| it.contains(&tag)));
    let cached = [(ETAG, tag), (CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, cached).into_response();
    }
    // Compressed only: every browser reads it, and it keeps the binary small.
    let content = [(CONTENT_TYPE, asset.content_type), (CONTENT_ENCODING, "gzip")];
    (cached, content, asset.gzip).into_response()
}

async fn missing() -> impl IntoResponse {
    (StatusCode::NOT_IMPLEMENTED, [(CACHE_CONTROL, "no-store")], Html(include_str!("graphiql_missing.html")))
}

async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}
