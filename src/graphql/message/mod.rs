//! Messages.

mod compiled;
mod fields;
mod list;
mod mutations;
mod parts;
mod siblings;

use std::sync::Arc;

pub(super) use self::compiled::TOOL_CALL;
pub(super) use self::fields::Role;
pub(super) use self::list::{MessageConnection, MessageQueries, counted, list, page_slice};
pub(super) use self::mutations::{EditMessageInput, MessageMutations, SendMessageInput};
use self::parts::MessagePart;
pub(super) use self::parts::ToolCall;
use crate::chat::LongColumns;
use crate::entity::message;

#[derive(Clone)]
pub(super) struct Message {
    row: Arc<message::Model>,
    /// Which of its long columns were read.
    columns: LongColumns,
}

impl Message {
    /// A message of whose long columns only these were read, as no others were selected.
    pub(super) fn partial(row: Arc<message::Model>, columns: LongColumns) -> Self {
        Self { row, columns }
    }

    /// Its row.
    pub(super) fn row(&self) -> &Arc<message::Model> {
        &self.row
    }
}

impl From<Arc<message::Model>> for Message {
    fn from(row: Arc<message::Model>) -> Self {
        Self::partial(row, LongColumns::ALL)
    }
}

impl From<message::Model> for Message {
    fn from(row: message::Model) -> Self {
        Arc::new(row).into()
    }
}
