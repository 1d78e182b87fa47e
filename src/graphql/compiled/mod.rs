//! Queries that are executed without the library.
//!
//! The library resolves each field of each row by a future of its own, and builds a tree of values, which is then written.
//! A query all of whose fields have a line in the tables here is instead compiled once, with its document, into a plan:
//! what is to be read, and how it is written as JSON. Any other is executed by the library as a whole: one with a
//! directive or a field without a line, and one whose arguments are wrong, so that there is one place which says so.
//! Both answer with the same bytes, as `tests/api/compiled` shows of random queries.
//!
//! Resolving the fields, the values and serialising them were 138 of 447 microseconds of a page of conversations, and 450
//! of 1,250 of an open conversation.

#![expect(
    clippy::unnecessary_wraps,
    reason = "the lines of a table, and what writes a value, all return the same"
)]

mod arguments;
mod compiler;
mod json;
mod list;
mod object;
mod query;
mod read;
mod selection;

pub(super) use self::arguments::{Arguments, Inputs};
pub(super) use self::json::Json;
pub(super) use self::list::Node;
pub(super) use self::object::{Field, ObjectType, list, long, value};
pub(crate) use self::query::{CompiledQuery, WrittenAnswer};
pub(super) use self::read::{ConversationNode, MessageNode, last_message, messages};
