//! What fuzzers feed: readers of bytes that strangers send. Not an interface for anybody else.
//!
//! Each function takes any bytes, and panics when a promise is broken.

pub use crate::assistant::openai::fuzz::sse;
pub use crate::auth::fuzz::token;
pub use crate::graphql::fuzz::{cursor, query_guard};
