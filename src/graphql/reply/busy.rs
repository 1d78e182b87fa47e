//! Requesting a reply where another one has not ended, and waiting for its end.

use async_graphql::Enum;

use crate::chat::{self, Chat};
use crate::entity::message;
use crate::error::Error;

/// What a mutation that requests a reply does to earlier replies in the conversation that have not ended.
#[derive(Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "chat::OnBusy")]
pub(crate) enum OnBusy {
    /// The new reply begins when they have ended, and takes them into account.
    #[default]
    Enqueue,
    /// The mutation changes nothing and fails with `CONVERSATION_BUSY`.
    Reject,
    /// They are stopped, their text so far is kept, and the new reply begins.
    Interrupt,
    /// As `INTERRUPT`; in addition, the messages at the end of the conversation that are left without a complete reply
    /// leave the active path.
    Rollback,
}

/// The reply: once it has ended, unless `wait` is `false`.
pub(crate) async fn await_reply(
    chat: &Chat,
    reply: message::Model,
    wait: Option<bool>,
) -> Result<message::Model, Error> {
    if wait.unwrap_or(true) && !reply.status.is_terminal() {
        chat.reply_ended(reply.id).await
    } else {
        Ok(reply)
    }
}
