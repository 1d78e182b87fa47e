//! Rows, one file a table: no queries, no GraphQL.

pub mod account;
pub mod conversation;
pub mod conversation_metadata;
pub mod conversation_setting;
pub mod deleted_message;
pub mod message;
pub mod parameters;
pub mod receipt;
pub mod viewer_setting;
