//! Which host a request is for. What stands between a client and this server must not read it otherwise.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{StatusCode, Version};
use axum::middleware::Next;
use axum::response::Response;

use super::problem::problem;

/// Refuses requests that name more than one host, and those of HTTP/1.1 that name none. HTTP/1.0 knew no hosts; HTTP/2
/// has them in `:authority`.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return problem(StatusCode::BAD_REQUEST, "BAD_REQUEST", "A request must name one `Host`.");
    }
    next.run(request).await
}
