//! Following a reply while it is written.

use async_graphql::{Context, ID, SimpleObject, Subscription, Union};
use futures_util::{Stream, StreamExt};

use crate::error::Error;
use crate::graphql::message::Message;
use crate::graphql::shared::{ContextExt, Cursor, ReplyCursor, require_id};
use crate::reply::ProgressEvent;

#[derive(Debug, Default)]
pub(crate) struct ReplySubscriptions;

#[Subscription]
impl ReplySubscriptions {
    /// Streams a reply: the text so far, then the text as it is written, then the end of the reply. The texts since the
    /// last `ReplyRestarted`, concatenated, are the reply's `content`.
    ///
    /// To resume after a lost connection, subscribe again at any server with the last cursor as `after`: no text is
    /// repeated or skipped. Unsubscribing does not stop the reply; `stopReply` does.
    async fn reply_progress(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The id of the reply.")] message_id: ID,
        #[graphql(
            desc = "The cursor of the last event that was received. If it is omitted, the stream begins at the start \
                    of the reply."
        )]
        after: Option<String>,
    ) -> Result<impl Stream<Item = Result<ReplyEvent, Error>> + 'static, Error> {
        let chat = context.chat()?;
        let id = require_id(&message_id, "reply")?;
        let after = ReplyCursor::parse("after", after.as_deref())?;
        if after.is_some_and(|after| after.reply != id) {
            let message = "`after` is a cursor of another reply; use one of this reply, or omit it.";
            return Err(Error::input("after", message));
        }
        let events = chat.reply_progress(id, after.map(|after| after.place)).await?;
        let chat = chat.clone();
        Ok(events.map(move |event| {
            let (event, place) = event?;
            let cursor = ReplyCursor { reply: id, place }.encode();
            Ok(match event {
                ProgressEvent::Text(text) => {
                    chat.take(text.len())?;
                    ReplyEvent::Text(ReplyText { cursor, text })
                }
                ProgressEvent::Restarted => {
                    ReplyEvent::Restarted(ReplyRestarted { cursor, attempt: place.attempt })
                }
                ProgressEvent::Ended(row) => ReplyEvent::Ended(ReplyEnded { cursor, message: (*row).into() }),
            })
        }))
    }
}

/// An event of a reply.
#[derive(Union)]
enum ReplyEvent {
    Text(ReplyText),
    Restarted(ReplyRestarted),
    Ended(ReplyEnded),
}

/// The reply has more text.
#[derive(SimpleObject)]
struct ReplyText {
    /// The cursor of this event, for the argument `after`.
    cursor: String,
    /// The text to append to the text received before.
    text: String,
}

/// The reply was restarted, or the end of its text was lost: discard the text received before.
#[derive(SimpleObject)]
struct ReplyRestarted {
    /// The cursor of this event, for the argument `after`.
    cursor: String,
    /// The number of the attempt whose text follows, counted from 1.
    attempt: i32,
}

/// The reply has ended.
#[derive(SimpleObject)]
struct ReplyEnded {
    /// The cursor of this event, for the argument `after`.
    cursor: String,
    /// The reply as it is now.
    message: Message,
}
