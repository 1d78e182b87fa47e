//! Deleting a message and its descendants.

use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Value};
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::path::path_changed;
use super::super::receipt::IdempotentRequest;
use super::super::unread::read_at_most;
use super::super::{Chat, unchanged};
use super::activate::{DESCENDANTS, Leaf};
use super::steps::{ensure_no_steps, set_target, step_at};
use super::title::{derived_title, index_derived_title};
use super::traversal::{Descendant, STEP, nested_loop};
use crate::database::Write;
use crate::entity::conversation::{self, Column};
use crate::entity::{deleted_message, message};
use crate::error::Error;
use crate::signal::Topic;
use crate::usage::{self, UnderWay};

/// How many messages one step deletes. It is fewer than [`STEP`], as each has entries in the search index and all
/// others.
const BATCH: usize = 64;

/// A message to delete.
#[derive(Clone, Debug, Serialize)]
pub struct DeleteMessage {
    /// The message.
    pub message_id: Uuid,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// The result of a deletion.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The conversation.
    pub conversation: conversation::Model,
}

const INSERT_TOMBSTONES: &str = "
INSERT INTO deleted_message (user_id, id, conversation_id, revision)
SELECT $1, id, $2, $4 FROM descendant LIMIT $5";

const INSERT_LISTED_TOMBSTONES: &str = "
INSERT INTO deleted_message (user_id, id, conversation_id, revision)
SELECT user_id, id, conversation_id, $2 FROM message WHERE user_id = $1 AND id IN ({ids})";

const PATH_END: &str = "
SELECT COALESCE(MAX(position), 0) AS position FROM message WHERE user_id = $1 AND conversation_id = $2 AND active";

#[derive(FromQueryResult)]
struct PathEnd {
    position: i64,
}

/// The digests of deleted texts are deleted, too.
const CLEAR_DIGESTS: &str = "
UPDATE receipt SET request_digest = NULL
WHERE user_id = $1 AND message_id IN (SELECT id FROM deleted_message WHERE user_id = $1 AND revision = $2)";

const DELETE_MESSAGES: &str = "
DELETE FROM message
WHERE user_id = $1 AND id IN (SELECT id FROM deleted_message WHERE user_id = $1 AND revision = $2)";

impl Chat {
    /// Deletes a message and its descendants. If it is on the active path, the path continues with the sibling that was
    /// created last before it, or else first after it, and that one's newest descendant; without a sibling it ends with
    /// the parent. Running replies among the descendants are abandoned.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message.
    pub async fn delete_message(&self, request: DeleteMessage) -> Result<Deleted, Error> {
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "deleteMessage", &request)?;
        match self.delete_at_once(request.message_id, idempotent.clone()).await {
            Err(Error::TooManyMessages) => {}
            result => return result,
        }
        let id = request.message_id;
        let started = self.write(idempotent, move |chat, write, idempotent| {
            Box::pin(async move {
                if chat.is_repeated(write, idempotent.as_ref()).await? {
                    let Deleted { conversation } = chat.find_deletion(write, id).await?;
                    return Ok(unchanged(write, conversation.id));
                }
                let message = chat.message_within(write, id).await?.ok_or(Error::NotFound("message"))?;
                let conversation_id = message.conversation_id;
                ensure_no_steps(chat.conversation_within(write, conversation_id).await?)?;
                let changes = [(Column::DeletionId, Expr::value(id)), step_at(write)];
                chat.update_conversation(write, conversation_id, changes).await?;
                Ok(conversation_id)
            })
        });
        Ok(Deleted { conversation: self.finish_steps(started.await?).await? })
    }

    async fn delete_at_once(
        &self,
        id: Uuid,
        idempotent: Option<IdempotentRequest>,
    ) -> Result<Deleted, Error> {
        self.write(idempotent, move |chat, write, idempotent| {
            Box::pin(async move {
                if chat.is_repeated(write, idempotent.as_ref()).await? {
                    return Ok(unchanged(write, chat.find_deletion(write, id).await?));
                }
                chat.delete(write, id).await
            })
        })
        .await
    }

    async fn find_deletion(&self, write: &Write, id: Uuid) -> Result<Deleted, Error> {
        let key = (self.user().to_owned(), id);
        let tombstone = deleted_message::Entity::find_by_id(key).one(&**write).await?;
        let Some(tombstone) = tombstone else {
            // Of a deletion in steps, this message goes last.
            let left = self.message_within(write, id).await?;
            return Err(left.map_or(Error::NotFound("message"), |_| Error::ConversationBusy));
        };
        Ok(Deleted { conversation: self.conversation_within(write, tombstone.conversation_id).await? })
    }

    async fn delete(&self, write: &Write, id: Uuid) -> Result<Deleted, Error> {
        let message = self.message_within(write, id).await?.ok_or(Error::NotFound("message"))?;
        let conversation_id = message.conversation_id;
        let mut changes = Vec::new();
        let mut successor: Option<Leaf> = None;
        let mut first = None;
        if message.active {
            if let Some(sibling) = self.nearest_sibling(&**write, &message).await? {
                let leaf = self.newest_descendant(write, conversation_id, sibling.id).await?;
                if leaf.position - message.position >= STEP {
                    return Err(Error::TooManyMessages);
                }
                successor = Some(leaf);
                first = Some(sibling.content);
            }
            let length = successor.as_ref().map_or(message.position - 1, |leaf| leaf.position);
            changes.push((Column::LastPosition, Expr::value(length)));
            changes.push(match successor {
                Some(_) => (Column::ReadPosition, Expr::value(length)),
                None => read_at_most(length),
            });
            if successor.is_some() {
                changes.push(path_changed(write));
            }
        }
        if message.position == 1 {
            if !message.active {
                first = self.first_text(write, conversation_id).await?;
            }
            changes.extend(derived_title(first.as_deref()));
        }
        let conversation = ensure_no_steps(self.update_conversation(write, conversation_id, changes).await?)?;
        if message.position == 1 {
            index_derived_title(write, &conversation).await?;
        }
        let unfinished_replies = self.unfinished_replies(write, conversation_id).await?;
        let requests = usage::under_way(write, self.user(), &unfinished_replies).await?;
        self.delete_descendants(write, &message).await?;
        // The end of the path was deleted with the message, so nothing has to leave the path.
        if let Some(leaf) = successor {
            self.activate_branch(write, Some(leaf.id)).await?;
        }
        self.abandon(write, unfinished_replies, requests).await?;
        Ok(Deleted { conversation })
    }

    async fn delete_descendants(&self, write: &Write, message: &message::Model) -> Result<(), Error> {
        let (user, limit) = (self.user().into(), (STEP + 1).into());
        let subtree = [user, message.conversation_id.into(), message.id.into(), write.revision.into(), limit];
        let backend = write.get_database_backend();
        let tombstones = nested_loop(backend, &format!("{DESCENDANTS}{INSERT_TOMBSTONES}"));
        if i64::try_from(write.run(tombstones, subtree).await?).unwrap_or(i64::MAX) > STEP {
            return Err(Error::TooManyMessages);
        }
        self.delete_tombstoned(write).await
    }

    /// Deletes the messages that this transaction has inserted tombstones of.
    async fn delete_tombstoned(&self, write: &Write) -> Result<(), Error> {
        for sql in [CLEAR_DIGESTS, DELETE_MESSAGES] {
            write.run(sql, [self.user().into(), write.revision.into()]).await?;
        }
        Ok(())
    }

    /// Starts another reply in place of those of `replies` that this transaction has deleted, settles what the `requests`
    /// for them have used, and signals their servers and readers. A signal about one that was not deleted does no harm.
    async fn abandon(&self, write: &Write, replies: Vec<Uuid>, requests: Vec<UnderWay>) -> Result<(), Error> {
        if replies.is_empty() {
            return Ok(());
        }
        let deleted: Vec<Uuid> = deleted_message::Entity::find()
            .select_only()
            .column(deleted_message::Column::Id)
            .filter(deleted_message::Column::UserId.eq(self.user()))
            .filter(deleted_message::Column::Id.is_in(replies.iter().copied()))
            .into_tuple()
            .all(&**write)
            .await?;
        for request in requests.iter().filter(|request| deleted.contains(&request.reply_id)) {
            self.replies.ledger().settle_lost(write, self.user(), request).await?;
        }
        usage::cancel(write, self.user(), &deleted).await?;
        if let Some(claim) = self.replies.claim_next(write, self.user()).await? {
            self.generate_after_commit(write, claim);
        }
        for id in replies {
            self.signal_after_commit(write, Topic::Stop(id));
            self.signal_after_commit(write, Topic::Reply(id));
        }
        Ok(())
    }

    /// The queued and running replies of a conversation.
    async fn unfinished_replies(&self, write: &Write, conversation_id: Uuid) -> Result<Vec<Uuid>, Error> {
        let ids = message::Entity::find()
            .select_only()
            .column(message::Column::Id)
            .filter(message::Column::UserId.eq(self.user()))
            .filter(message::Column::ConversationId.eq(conversation_id))
            // Spelled out, as the databases must see that the partial indexes apply.
            .filter(Expr::cust("(status = 'QUEUED' OR status = 'GENERATING')"))
            .into_tuple()
            .all(&**write)
            .await?;
        Ok(ids)
    }
}

impl Chat {
    /// Deletes message `root` and its descendants, children before parents, and then has the path set to the newest
    /// descendant of the nearest sibling.
    pub(super) async fn delete_in_steps(&self, conversation_id: Uuid, root: Uuid) -> Result<(), Error> {
        // Another server may have finished the deletion.
        let Some(message) = self.message(root).await? else { return Ok(()) };
        let successor = if message.active {
            let query = self.nearest_siblings(&message);
            self.read(|connection| Box::pin(query.clone().one(connection))).await?
        } else {
            None
        };
        let mut all = self.descendants(conversation_id, root, message.position).await?;
        let plan = Arc::new(Deletion { conversation_id, message, successor });
        let work = self.heavy_work();
        while !all.is_empty() {
            let ids: Vec<Uuid> = all
                .split_off(all.len().saturating_sub(BATCH))
                .iter()
                .map(|row: &Descendant| row.id)
                .collect();
            let input = (plan.clone(), ids, all.is_empty());
            let began = Instant::now();
            let continues = self.write(input, |chat, write, (plan, ids, is_last)| {
                Box::pin(chat.delete_step(write, plan, ids, *is_last))
            });
            if !continues.await? || all.is_empty() {
                break;
            }
            work.rest_after(began).await;
        }
        Ok(())
    }

    /// Deletes `ids`. Returns whether the deletion is still to be continued.
    async fn delete_step(
        &self,
        write: &Write,
        plan: &Deletion,
        ids: &[Uuid],
        is_last: bool,
    ) -> Result<bool, Error> {
        let (conversation_id, root) = (plan.conversation_id, &plan.message);
        let row = self.conversation_within(write, conversation_id).await?;
        if row.deletion_id != Some(root.id) {
            return Ok(unchanged(write, false));
        }
        let unfinished_replies = self.unfinished_replies(write, conversation_id).await?;
        let abandoned: Vec<Uuid> = unfinished_replies.into_iter().filter(|id| ids.contains(id)).collect();
        let requests = usage::under_way(write, self.user(), &abandoned).await?;
        let numbers = (3..ids.len() + 3).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
        let values = [Value::from(self.user()), Value::from(write.revision)];
        let values = values.into_iter().chain(ids.iter().map(|id| Value::from(*id)));
        write.run(INSERT_LISTED_TOMBSTONES.replace("{ids}", &numbers), values).await?;
        self.delete_tombstoned(write).await?;
        let mut changes = Vec::new();
        if root.active {
            let end: PathEnd = write.only(PATH_END, [self.user().into(), conversation_id.into()]).await?;
            let end = end.position;
            changes.extend([(Column::LastPosition, Expr::value(end)), read_at_most(end)]);
        }
        if is_last {
            changes.push((Column::DeletionId, Expr::value(None::<Uuid>)));
            if let Some(sibling) = &plan.successor {
                changes.extend(set_target(write, sibling.id, None));
            } else {
                changes.push((Column::StepAt, Expr::value(None::<sea_orm::prelude::DateTimeUtc>)));
            }
            if root.position == 1 {
                let first = match &plan.successor {
                    Some(sibling) => Some(sibling.content.clone()),
                    None => self.first_text(write, conversation_id).await?,
                };
                changes.extend(derived_title(first.as_deref()));
            }
        } else {
            changes.push(step_at(write));
        }
        let conversation = self.update_conversation(write, conversation_id, changes).await?;
        if is_last && root.position == 1 {
            index_derived_title(write, &conversation).await?;
        }
        self.abandon(write, abandoned, requests).await?;
        Ok(true)
    }
}

/// A deletion in steps.
struct Deletion {
    conversation_id: Uuid,
    message: Arc<message::Model>,
    /// The sibling with which the path continues.
    successor: Option<message::Model>,
}
