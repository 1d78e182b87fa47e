//! Following what happens.

use async_graphql::{Context, ID, SimpleObject, Subscription, Union};
use futures_util::{Stream, StreamExt};

use super::change::{ChangeEvent, long_columns};
use super::context::ContextExt;
use super::cursor::{Cursor, ReplyCursor};
use super::id;
use super::message::Message;
use crate::chat::ChangeCursor;
use crate::error::Error;
use crate::reply::ProgressEvent;

/// Following what happens. Everything is the viewer's own.
///
/// A stream ends with the first event that has errors, so that nothing is skipped: whoever subscribes again with the
/// last cursor gets what that event was to tell.
#[derive(Debug)]
pub struct Subscription;

/// Following what happens. Everything is the viewer's own.
///
/// A stream ends with the first event that has errors, so that nothing is skipped: whoever subscribes again with the
/// last cursor gets what that event was to tell.
#[Subscription]
impl Subscription {
    /// Follows a reply: first the text that is there, then the text that comes, then its end. The texts since the
    /// last `ReplyRestarted` make up the reply's `content`.
    ///
    /// Whoever loses the connection subscribes again, at any server, with the last cursor as `after`: no text is
    /// repeated, none is missing. Leaving never stops the reply; `stopReply` does.
    async fn reply_progress(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The reply.")] message_id: ID,
        #[graphql(desc = "The cursor of the last event received; from the start without one.")] after: Option<
            String,
        >,
    ) -> Result<impl Stream<Item = Result<ReplyEvent, Error>> + 'static, Error> {
        let chat = context.chat()?;
        let id = id::require(&message_id, "reply")?;
        let after = ReplyCursor::parse("after", after.as_deref())?;
        if after.is_some_and(|after| after.reply != id) {
            return Err(Error::BadUserInput("`after` is a cursor of another reply.".to_owned()));
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

    /// Follows everything that changes for the viewer, in order: first what was missed since a cursor, then what
    /// comes. No change is skipped, whichever server it came through.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn changes(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "Only changes after this cursor, such as `viewer { changeCursor }`; from the beginning \
                          without one."
        )]
        since: Option<String>,
    ) -> Result<impl Stream<Item = Result<ChangeEvent, Error>> + 'static, Error> {
        let chat = context.chat()?;
        let since = ChangeCursor::parse("since", since.as_deref())?;
        let columns = long_columns(&[context.look_ahead()]);
        Ok(chat.follow_changes(since, columns).map(|change| Ok(change?.into())))
    }
}

/// Something that happened to a reply.
#[derive(Union)]
pub(super) enum ReplyEvent {
    Text(ReplyText),
    Restarted(ReplyRestarted),
    Ended(ReplyEnded),
}

/// More text of the reply.
#[derive(SimpleObject)]
pub(super) struct ReplyText {
    /// The place after this event: give the last one received as `after` to go on.
    cursor: String,
    /// The text, to be put after what was received before.
    text: String,
}

/// The reply is written anew, or has lost the end of its text: what was received of it is void.
#[derive(SimpleObject)]
pub(super) struct ReplyRestarted {
    /// The place after this event: give the last one received as `after` to go on.
    cursor: String,
    /// The attempt whose text comes next, counted from 1.
    attempt: i32,
}

/// The reply has ended.
#[derive(SimpleObject)]
pub(super) struct ReplyEnded {
    /// The place after this event.
    cursor: String,
    /// The reply as it is now.
    message: Message,
}
