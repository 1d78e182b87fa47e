//! What a page may do, and who may have it in a frame.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::response::Response;

/// What the headers of a page's responses say.
#[derive(Clone)]
pub(super) struct Policy {
    content: HeaderValue,
    framing: HeaderValue,
}

impl Policy {
    /// The page has no frames, and is in nobody's frame.
    pub(super) fn unframed(rules: &str) -> Self {
        Self::new(&format!("{rules}; frame-ancestors 'none'"), "DENY")
    }

    /// The page may have pages of `origin` in a frame, which may lead back to the page itself.
    pub(super) fn framing(rules: &str, origin: &str) -> Self {
        Self::new(&format!("{rules}; frame-src 'self' {origin}; frame-ancestors 'self'"), "SAMEORIGIN")
    }

    fn new(content: &str, framing: &'static str) -> Self {
        // An origin is ASCII, as the rules are. Otherwise nothing would be allowed.
        let content =
            HeaderValue::from_str(content).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
        Self { content, framing: HeaderValue::from_static(framing) }
    }
}

/// Gives a page's responses their policy, and forbids whatever else a page does not need.
pub(super) async fn secure(State(policy): State<Policy>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy.content);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, policy.framing);
    response
}
