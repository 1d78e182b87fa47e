//! A page as strangers see it, and as a developer does on their own machine.

use axum::http::header::{CACHE_CONTROL, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;
use url::Host;

use super::bundle::Bundle;
use crate::outbound::is_loopback;

pub(super) struct Views {
    plain: String,
    signed_in: Option<String>,
}

impl Views {
    /// Both views: what the page opens with for everybody, and with a developer's tokens.
    pub(super) fn new(bundle: &Bundle, plain: &Value, signed_in: Option<&Value>) -> Self {
        // `<` would let a value end the script element that holds it.
        let render =
            |value: &Value| bundle.page.replace("{{page}}", &value.to_string().replace('<', "\\u003c"));
        Self { plain: render(plain), signed_in: signed_in.map(render) }
    }

    /// The view for this request.
    pub(super) fn answer(&self, uri: &Uri, headers: &HeaderMap) -> Response {
        let signed_in = self.signed_in.as_ref().filter(|_| is_own_page_view(uri, headers));
        ([(CACHE_CONTROL, "no-store")], Html(signed_in.unwrap_or(&self.plain).clone())).into_response()
    }
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
