//! A live feed of the viewer's changes and of what their running replies bring.
//!
//! Only running replies are followed, and there are at most `--max-user-replies` of them: a queued one is a change when
//! it begins. Each is followed from the row that a change has told of, so that the reader has what comes before. Nothing
//! is read ahead: each reader waits until its next event is asked for.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{QueryFilter, QuerySelect};
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::{Change, ChangeCursor, LongColumns};
use crate::chat::Chat;
use crate::entity::message::{self, Status};
use crate::error::Error;
use crate::reply::{ProgressEvent, ReplyEvents, ReplyPosition};

/// How long the reader of a reply that has ended may take for its rest. After that the whole reply is told instead.
const REST_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a feed waits before it tries again while the database is unavailable.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// An event of a feed, and the cursor of the last change that was told up to it.
#[derive(Debug)]
pub struct FeedEvent {
    /// Where the feed can be resumed: running replies are then told of again, as they are by then.
    pub cursor: ChangeCursor,
    /// What is told.
    pub content: FeedContent,
}

/// What a feed tells.
#[derive(Debug)]
pub enum FeedContent {
    /// A changed row.
    Change(Change),
    /// What this reply has brought since the last change or event of it.
    Reply(Uuid, (ProgressEvent, ReplyPosition)),
}

impl Chat {
    /// As [`Chat::follow_changes`], with what running replies bring. Those that began before `since` come first.
    ///
    /// A reply's events follow the change of its row, from exactly the text that the row has. The last one stands for the
    /// change of the row that has ended, unless the reply was retried at once.
    #[must_use]
    pub fn follow_changes_and_replies(
        &self,
        since: Option<ChangeCursor>,
    ) -> BoxStream<'static, Result<FeedEvent, Error>> {
        let reader = Self { budget: self.budget.another(), ..self.clone() };
        let feed = Feed {
            chat: self.clone(),
            changes: reader.follow_changes(since, LongColumns::ALL),
            cursor: since.unwrap_or(ChangeCursor::START),
            earlier: None,
            replies: Vec::new(),
            turn: 0,
            ended: HashMap::new(),
            ending: None,
        };
        try_unfold(feed, |mut feed| async move {
            let content = feed.next().await?;
            Ok(Some((FeedEvent { cursor: feed.cursor, content }, feed)))
        })
        .boxed()
    }
}

struct Feed {
    chat: Chat,
    changes: BoxStream<'static, Result<Change, Error>>,
    cursor: ChangeCursor,
    /// The running replies that began before the feed, and are still to be told of; `None` before they are read.
    earlier: Option<VecDeque<Uuid>>,
    replies: Vec<Followed>,
    /// Which reply is asked first.
    turn: usize,
    /// The revisions of replies whose end was told before the feed has come to them.
    ended: HashMap<Uuid, i64>,
    /// The change of a reply that has ended, while the rest of its text is told.
    ending: Option<Ending>,
}

/// A running reply.
struct Followed {
    id: Uuid,
    conversation_id: Uuid,
    events: ReplyEvents,
}

struct Ending {
    id: Uuid,
    change: Change,
    deadline: Instant,
}

/// What comes next.
enum Next {
    Change(Change),
    Reply(usize, Option<Result<(ProgressEvent, ReplyPosition), Error>>),
}

impl Feed {
    async fn next(&mut self) -> Result<FeedContent, Error> {
        loop {
            if let Some(row) = self.next_earlier().await? {
                self.follow(&row);
                return Ok(FeedContent::Change(Change::Message(row, LongColumns::ALL)));
            }
            if let Some(content) = self.finish_ending().await? {
                return Ok(content);
            }
            let told = match poll_fn(|context| self.poll(context)).await? {
                Next::Change(change) => self.take_change(change),
                Next::Reply(index, event) => self.take_event(index, event)?,
            };
            if let Some(content) = told {
                return Ok(content);
            }
        }
    }

    /// The next reply that began before the feed and still runs. One that has ended since is a change of the feed.
    async fn next_earlier(&mut self) -> Result<Option<Arc<message::Model>>, Error> {
        loop {
            let Some(earlier) = &mut self.earlier else {
                if let Some(ids) = wait_while_unavailable(self.chat.running_up_to(self.cursor).await).await? {
                    self.earlier = Some(ids.into());
                }
                continue;
            };
            let Some(id) = earlier.front() else { return Ok(None) };
            let Some(row) = wait_while_unavailable(self.chat.message(*id).await).await? else { continue };
            earlier.pop_front();
            if let Some(row) = row.filter(|row| row.status == Status::Generating) {
                return Ok(Some(row));
            }
        }
    }

    /// Changes come first: there are few of them, and text would never let them pass.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Next, Error>> {
        if let Poll::Ready(Some(change)) = self.changes.poll_next_unpin(context) {
            return Poll::Ready(change.map(Next::Change));
        }
        let count = self.replies.len();
        for index in (0..count).map(|step| (self.turn + step) % count) {
            if let Poll::Ready(event) = self.replies[index].events.poll_next_unpin(context) {
                self.turn = index + 1;
                return Poll::Ready(Ok(Next::Reply(index, event)));
            }
        }
        Poll::Pending
    }

    fn take_change(&mut self, change: Change) -> Option<FeedContent> {
        let cursor = change.cursor();
        self.ended.retain(|_, revision| *revision >= cursor.revision);
        match &change {
            // Its end was told.
            Change::Message(row, _) if self.ended.get(&row.id).is_some_and(|told| *told >= row.revision) => {
                self.cursor = cursor;
                return None;
            }
            Change::Message(row, _) if row.status == Status::Generating => self.follow(row),
            Change::Message(row, _) if row.status.is_terminal() && self.is_followed(row.id) => {
                let deadline = Instant::now() + REST_TIMEOUT;
                self.ending = Some(Ending { id: row.id, change, deadline });
                return None;
            }
            Change::Message(row, _) => self.leave(row.id),
            Change::DeletedMessage(row) => self.leave(row.id),
            Change::Conversation(row) if row.deleted_at.is_some() => {
                self.replies.retain(|reply| reply.conversation_id != row.id);
            }
            // Its messages are to be read again, and what they have by then is not known here.
            Change::Restored(row) => self.replies.retain(|reply| reply.conversation_id != row.id),
            Change::Conversation(_) | Change::ActivePath(_) => {}
        }
        self.cursor = cursor;
        Some(FeedContent::Change(change))
    }

    fn take_event(
        &mut self,
        index: usize,
        event: Option<Result<(ProgressEvent, ReplyPosition), Error>>,
    ) -> Result<Option<FeedContent>, Error> {
        let id = self.replies[index].id;
        match event {
            Some(Ok((event, position))) => {
                if let ProgressEvent::Ended(row) = &event {
                    self.ended.insert(id, row.revision);
                    self.leave(id);
                }
                Ok(Some(FeedContent::Reply(id, (event, position))))
            }
            // It was deleted, as a change says.
            None | Some(Err(Error::NotFound(_))) => {
                self.leave(id);
                Ok(None)
            }
            Some(Err(error)) => Err(error),
        }
    }

    /// The next event of the reply that has ended; its change instead if its reader does not come to its end, for
    /// example as it was retried.
    async fn finish_ending(&mut self) -> Result<Option<FeedContent>, Error> {
        let Some(Ending { id, change, deadline }) = self.ending.take() else { return Ok(None) };
        let index = self.replies.iter().position(|reply| reply.id == id);
        let event = match index {
            Some(index) => timeout_at(deadline, self.replies[index].events.next()).await.ok().flatten(),
            None => None,
        };
        let (Some(index), Some(Ok(event))) = (index, event) else {
            self.leave(id);
            self.cursor = change.cursor();
            return Ok(Some(FeedContent::Change(change)));
        };
        let told = self.take_event(index, Some(Ok(event)))?;
        if self.is_followed(id) {
            self.ending = Some(Ending { id, change, deadline });
        } else {
            self.cursor = change.cursor();
        }
        Ok(told)
    }

    /// Follows a running reply from where `row` ends.
    fn follow(&mut self, row: &message::Model) {
        self.leave(row.id);
        let after = ReplyPosition::in_row(row);
        let events = self.chat.replies.progress_of(row, after, self.chat.budget.clone());
        self.replies.push(Followed { id: row.id, conversation_id: row.conversation_id, events });
    }

    fn leave(&mut self, id: Uuid) {
        self.replies.retain(|reply| reply.id != id);
    }

    fn is_followed(&self, id: Uuid) -> bool {
        self.replies.iter().any(|reply| reply.id == id)
    }
}

/// What was read; `None`, after a pause, if it could not be read now.
async fn wait_while_unavailable<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_unavailable() || error.retry_after().is_some() => {
            sleep(RETRY_PAUSE).await;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Chat {
    /// The viewer's running replies whose last changes are not after `cursor`.
    async fn running_up_to(&self, cursor: ChangeCursor) -> Result<Vec<Uuid>, Error> {
        let query = self
            .own_messages()
            .select_only()
            .column(message::Column::Id)
            // Spelled out, as the databases must see that the partial index applies.
            .filter(Expr::cust("status = 'GENERATING'"))
            .filter(Expr::col(message::Column::Revision).lte(cursor.revision));
        self.read(|connection| Box::pin(query.clone().into_tuple().all(connection))).await
    }
}
