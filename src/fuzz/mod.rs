//! What fuzzers feed: readers of bytes that strangers send. Only tests and `cargo fuzz` have
//! them: they are no interface.
//!
//! Each function takes any bytes, and panics when a promise is broken.

pub use crate::admission::fuzz::query_guard;
pub use crate::assistant::openai::fuzz::sse;
pub use crate::auth::fuzz::token;
pub use crate::graphql::fuzz::cursor;

#[cfg(test)]
mod tests;
