//! Which operation of its document a request asks for.

use async_graphql::parser::types::OperationType;

/// The operation of a document that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Whether it reads, writes or subscribes.
    pub kind: OperationType,
    /// Whether it changes anything: mutations do, and subscriptions that have the name of one.
    pub writes: bool,
}
