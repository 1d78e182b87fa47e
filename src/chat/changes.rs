//! What has changed for the viewer, complete and in order.
//!
//! Every write raises the viewer's revision and stamps it on the rows that it touches, one write after another, so
//! the rows with a higher revision than one that a client has seen are exactly what it has missed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::sleep;
use uuid::Uuid;

use super::{Chat, Page};
use crate::entity::{account, conversation, deleted_message, message};
use crate::error::Error;
use crate::memory::Load;
use crate::signal::{Listener, Topic};

/// How often a silent feed looks at the database, should signals be lost.
const PACE: Duration = Duration::from_secs(5);

/// How many changes a feed reads at once: they are held until the reader has taken them.
const FEED_PAGE: u64 = 20;

/// A place in the viewer's changes. Several rows may share a revision: within it conversations come before
/// messages, messages before deleted ones, and each in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeCursor {
    /// The revision.
    pub revision: i64,
    /// The table.
    pub kind: ChangeKind,
    /// The row.
    pub id: Uuid,
}

/// The table that a change is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A conversation.
    Conversation,
    /// A message.
    Message,
    /// The tombstone of a message.
    DeletedMessage,
}

/// A row that has changed, as it is now.
#[derive(Clone, Debug)]
pub enum Change {
    /// A conversation was started, renamed, deleted, or changed otherwise.
    Conversation(Arc<conversation::Model>),
    /// A conversation was taken out of the trash, and its messages with it: they are no changes of their own, as
    /// that would cost a write of each.
    Restored(Arc<conversation::Model>),
    /// A message was added, a reply has begun or ended, or a message has entered or left the active path.
    Message(Arc<message::Model>),
    /// A message was deleted.
    DeletedMessage(Arc<deleted_message::Model>),
}

impl Change {
    /// The place of this change.
    #[must_use]
    pub fn cursor(&self) -> ChangeCursor {
        let (revision, kind, id) = match self {
            Self::Conversation(row) | Self::Restored(row) => (row.revision, ChangeKind::Conversation, row.id),
            Self::Message(row) => (row.revision, ChangeKind::Message, row.id),
            Self::DeletedMessage(row) => (row.revision, ChangeKind::DeletedMessage, row.id),
        };
        ChangeCursor { revision, kind, id }
    }
}

impl Chat {
    /// The place after all that has changed so far.
    pub async fn change_cursor(&self) -> Result<ChangeCursor, Error> {
        Ok(ChangeCursor {
            revision: self.revision().await?,
            kind: ChangeKind::DeletedMessage,
            id: Uuid::max(),
        })
    }

    /// The first `limit` changes after `since`, or from the beginning, in order. Each row is there at most once, at
    /// the place of its last change.
    pub async fn changes(&self, since: Option<ChangeCursor>, limit: u64) -> Result<Page<Change>, Error> {
        // What is written between the statements has a higher revision than this, and comes next time.
        let until = self.revision().await?;
        let of_conversations = after(since, ChangeKind::Conversation);
        let conversations = conversation::Entity::find()
            .filter(conversation::Column::UserId.eq(self.user()))
            .filter(conversation::Column::Revision.lte(until))
            .filter(of_conversations)
            .order_by_asc(conversation::Column::Revision)
            .order_by_asc(conversation::Column::Id)
            .limit(limit + 1);
        let messages = self
            .own_messages()
            .filter(message::Column::Revision.lte(until))
            .filter(after(since, ChangeKind::Message))
            .order_by_asc(message::Column::Revision)
            .order_by_asc(message::Column::Id)
            .limit(limit + 1);
        let deleted = deleted_message::Entity::find()
            .filter(deleted_message::Column::UserId.eq(self.user()))
            .filter(deleted_message::Column::Revision.lte(until))
            .filter(after(since, ChangeKind::DeletedMessage))
            .order_by_asc(deleted_message::Column::Revision)
            .order_by_asc(deleted_message::Column::Id)
            .limit(limit + 1);
        let conversations = self.rows(conversations).await?;
        let messages = self.rows(messages).await?;
        let deleted = self.rows(deleted).await?;
        let seen = since.map_or(0, |since| since.revision);
        let of_conversation = |row: Arc<conversation::Model>| match row.restored_revision {
            Some(restored) if restored > seen && row.deleted_at.is_none() => Change::Restored(row),
            _ => Change::Conversation(row),
        };
        let mut changes: Vec<Change> = conversations.into_iter().map(of_conversation).collect();
        changes.extend(messages.into_iter().map(Change::Message));
        changes.extend(deleted.into_iter().map(Change::DeletedMessage));
        changes.sort_by_key(Change::cursor);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_next = changes.len() > limit;
        changes.truncate(limit);
        Ok(Page { items: changes, has_previous: since.is_some(), has_next })
    }

    /// The changes after `since`, or from the beginning, and then those that come, for ever.
    #[must_use]
    pub fn follow_changes(&self, since: Option<ChangeCursor>) -> BoxStream<'static, Result<Change, Error>> {
        let listener = self.replies.listen(Topic::of_user(self.user()));
        let feed = Feed { chat: self.clone(), since, listener, pending: VecDeque::new(), load: None };
        try_unfold(feed, |mut feed| async move {
            let change = feed.next().await?;
            Ok(Some((change, feed)))
        })
        .boxed()
    }

    /// How often the viewer has written.
    async fn revision(&self) -> Result<i64, Error> {
        let query = account::Entity::find_by_id(self.user()).select_only().column(account::Column::Revision);
        let revision: Option<i64> =
            self.read(|connection| Box::pin(query.clone().into_tuple().one(connection))).await?;
        Ok(revision.unwrap_or(0))
    }
}

/// What of a table lies after a place.
fn after(since: Option<ChangeCursor>, kind: ChangeKind) -> SimpleExpr {
    let Some(since) = since else { return Expr::value(true) };
    let (revision, id) = (Expr::col("revision"), Expr::col("id"));
    match kind.cmp(&since.kind) {
        std::cmp::Ordering::Less => revision.gt(since.revision),
        std::cmp::Ordering::Equal => {
            Expr::tuple([revision, id]).gt(Expr::tuple([Expr::value(since.revision), Expr::value(since.id)]))
        }
        std::cmp::Ordering::Greater => revision.gte(since.revision),
    }
}

struct Feed {
    chat: Chat,
    since: Option<ChangeCursor>,
    listener: Listener,
    pending: VecDeque<Change>,
    /// What they take of the server's memory.
    load: Option<Load>,
}

impl Feed {
    async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                self.since = Some(change.cursor());
                if self.pending.is_empty() {
                    self.load = None;
                }
                return Ok(change);
            }
            // A feed outlives an outage of the database, and waits while the viewer has too much in hand.
            match self.chat.changes(self.since, FEED_PAGE).await {
                Ok(page) if !page.items.is_empty() => {
                    self.load = Some(self.chat.share.hand_over());
                    self.pending = page.items.into();
                    continue;
                }
                Err(error) if !error.is_unavailable() && error.retry_after().is_none() => return Err(error),
                Ok(_) | Err(_) => {}
            }
            tokio::select! {
                () = self.listener.woken() => {}
                () = sleep(PACE) => {}
            }
        }
    }
}
