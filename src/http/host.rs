//! Which host a request is for. What stands between a client and this server must not read it otherwise.

use axum::extract::Request;
use axum::http::Version;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::Response;

use super::problem::problem;
use crate::error::Code;

/// Refuses requests that name more than one host, and those of HTTP/1.1 that name none. HTTP/1.0 knew no hosts; HTTP/2
/// has them in `:authority`.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return problem(Code::BadRequest, "A request must name one `Host`.");
    }
    next.run(request).await
}
