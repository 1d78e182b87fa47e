//! The search index: one entry for each text, written in the transaction that changes the text, or later from the
//! backlog.

mod backlog;
mod batch;
mod entry;

pub use self::backlog::{catch_up, index_path};
pub use self::entry::{Entry, delete_title, index_message, index_title, store_message, store_title};
