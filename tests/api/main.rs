//! Every promise, through real sockets; one binary, one module a topic.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a helper of a test that fails should fail the test"
)]

mod assistant;
mod auth;
mod conversations;
mod pages;
mod progress;
mod replies;
mod support;
mod tree;
