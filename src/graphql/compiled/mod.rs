//! Queries and subscriptions that are executed without the library.
//!
//! The library resolves each field of each row by a future of its own, and builds a tree of values, which is then written.
//! A query all of whose fields have a line in the tables here is instead compiled once, with its document, into a plan:
//! what is to be read, and how it is written as JSON. What fields need beside their rows, such as a message's place among its
//! siblings, is named by walking the plan once those rows are read. Any other is executed by the library as a whole: one with a
//! directive or a field without a line, and one whose arguments are wrong, so that there is one place which says so.
//! Both answer with the same bytes, as `tests/api/compiled` shows of random documents. In the same way a subscription is
//! compiled, with a plan for each kind of event.
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
mod loads;
mod nodes;
mod object;
mod query;
mod read;
mod request;
mod selection;
mod settings;
mod subscription;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition};

pub(super) use self::arguments::{Arguments, Inputs};
pub(super) use self::compiler::{Compiler, SearchNeeds};
pub(crate) use self::json::WrittenAnswer;
pub(super) use self::json::{Json, Written};
pub(super) use self::list::{List, Node};
pub(super) use self::nodes::{
    ConversationNode, ConversationOf, MessageNode, MessageOrder, active_reply, answered, conversation,
    conversation_of_message, last_message, messages, parent, queued_replies, rank, siblings, unread_count,
};
pub(super) use self::object::{Field, ObjectPlan, ObjectType, Typed, Write, list, long, value};
pub(crate) use self::query::CompiledQuery;
pub(super) use self::selection::Selected;
pub(super) use self::settings::of_conversation as settings;
pub(crate) use self::subscription::CompiledSubscription;

/// An operation that was compiled.
#[derive(Clone)]
pub(crate) enum Compiled {
    Query(Arc<CompiledQuery>),
    Subscription(Arc<CompiledSubscription>),
}

impl Compiled {
    /// An operation of a valid document, if all of it can be compiled to at most `size` fields.
    pub(crate) fn new(
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        size: usize,
    ) -> Option<Self> {
        let query = CompiledQuery::compile(document, operation, size).map(Arc::new).map(Self::Query);
        query.or_else(|| {
            let subscription = CompiledSubscription::compile(document, operation, size)?;
            Some(Self::Subscription(Arc::new(subscription)))
        })
    }
}
