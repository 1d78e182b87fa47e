//! Rows, one file a table: no queries, no GraphQL.

pub mod account;
pub mod conversation;
pub mod conversation_metadata;
pub mod deleted_message;
pub mod message;
pub mod receipt;
