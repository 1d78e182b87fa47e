//! Forking: copying a branch into a new conversation.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, Value,
};
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::metadata_index::{IndexChange, check_values};
use super::super::receipt::{Created, IdempotentRequest};
use super::super::{Chat, Metadata, spawn_and_wait, text, unchanged};
use super::branch::{BRANCH, WHOLE_BRANCH};
use super::traversal::{STEP, STEP_BYTES, nested_loop, row_bytes};
use crate::database::Write;
use crate::entity::conversation::{self, Column, TitleOrigin};
use crate::error::Error;
use crate::index;
use crate::signal::Topic;

/// A branch to copy.
#[derive(Clone, Debug, Serialize)]
pub struct ForkConversation {
    /// The branch's last message.
    pub message_id: Uuid,
    /// The idempotency key: a second request with the same key returns the first one's conversation.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
    /// The client's metadata of the new conversation.
    pub metadata: Metadata,
}

/// Whether the branch has a queued or running reply, how long it is in bytes, and the text of its first message.
const UNFINISHED: &str = "
SELECT EXISTS (SELECT 1 FROM whole_branch WHERE status IN ('QUEUED', 'GENERATING')) AS unfinished,
    (SELECT CAST(SUM({bytes}) AS BIGINT) FROM whole_branch AS above) AS bytes,
    (SELECT content FROM whole_branch WHERE position = 1) AS first";

#[derive(FromQueryResult)]
struct BranchState {
    unfinished: bool,
    bytes: Option<i64>,
    first: Option<String>,
}

/// Message `$2` and its ancestors after position `$3`, without queued and running replies.
const SEGMENT: &str = "
WITH RECURSIVE branch (id, parent_id, position) AS (
    SELECT id, parent_id, position FROM message WHERE user_id = $1 AND id = $2
    UNION ALL
    SELECT above.id, above.parent_id, above.position
    FROM branch CROSS JOIN message AS above
    WHERE above.user_id = $1 AND above.id = branch.parent_id AND above.position > $3
),
whole_branch AS (
    SELECT * FROM message
    WHERE user_id = $1 AND id IN (SELECT id FROM branch) AND status IN ('COMPLETE', 'STOPPED', 'FAILED')
)";

/// Copies the branch. The ids of the copies have the first twelve bytes in common and end with the position in four
/// bytes, so the id of a copy's parent is known.
const COPY: &str = "
INSERT INTO message (
    user_id, id, conversation_id, parent_id, position, active, role, status, content, reasoning, parts,
    finish_reason, failure, assistant_id, parameters, model, usage, metadata, attempt, created_at, finished_at, created_revision, revision
)
SELECT
    user_id, {own}, {conversation}, CASE WHEN position > 1 THEN {parent} END, position, TRUE, role, status, content, reasoning, parts,
    finish_reason, failure, assistant_id, parameters, model, usage, metadata, attempt, created_at, finished_at, {revision}, {revision}
FROM whole_branch";

impl Chat {
    /// Copies a message and its ancestors into a new conversation with the same title.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message; [`Error::ConversationBusy`] if one of those
    /// messages is a queued or running reply.
    pub async fn fork_conversation(&self, request: ForkConversation) -> Result<conversation::Model, Error> {
        check_values(&request.metadata)?;
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "forkConversation", &request)?;
        match self.fork_at_once(request.clone(), idempotent.clone()).await {
            Err(Error::TooManyMessages) => self.fork_in_steps(request, idempotent).await,
            result => result,
        }
    }

    async fn fork_at_once(
        &self,
        request: ForkConversation,
        idempotent: Option<IdempotentRequest>,
    ) -> Result<conversation::Model, Error> {
        let created = Uuid::now_v7();
        self.write((request, idempotent), move |chat, write, (request, idempotent)| {
            Box::pin(async move {
                let receipt = Created { conversation: Some(created), ..Created::default() };
                let earlier = chat.record_receipt(write, idempotent.as_ref(), receipt).await?;
                if let Some(earlier) = earlier.and_then(|earlier| earlier.conversation) {
                    return Ok(unchanged(write, chat.conversation_within(write, earlier).await?));
                }
                chat.signal_after_commit(write, Topic::Backlog);
                chat.fork(write, request, created).await
            })
        })
        .await
    }

    async fn fork(
        &self,
        write: &Write,
        request: &ForkConversation,
        created: Uuid,
    ) -> Result<conversation::Model, Error> {
        let end = self.message_within(write, request.message_id).await?.ok_or(Error::NotFound("message"))?;
        if end.position > STEP {
            return Err(Error::TooManyMessages);
        }
        let original = self.conversation_within(write, end.conversation_id).await?;
        let (user, start, stop) = (self.user().into(), 1i64.into(), (end.position + 1).into());
        let values: [Value; 5] = [user, end.id.into(), end.conversation_id.into(), start, stop];
        let backend = write.get_database_backend();
        let unfinished = UNFINISHED.replace("{bytes}", row_bytes(backend));
        let unfinished = nested_loop(backend, &format!("{BRANCH}{WHOLE_BRANCH}{unfinished}"));
        let branch: BranchState = write.only(unfinished, values.clone()).await?;
        if branch.unfinished {
            return Err(Error::ConversationBusy);
        }
        if branch.bytes > Some(STEP_BYTES) {
            return Err(Error::TooManyMessages);
        }
        let title = copied_title(original, branch.first);
        let fork = conversation::Model {
            id: created,
            read_position: end.position,
            metadata: request.metadata.clone().into_text(),
            ..self.new_conversation(write, title, end.position)
        };
        conversation::Entity::insert(fork.clone().into_active_model())
            .exec_without_returning(&**write)
            .await?;
        let copies = [Value::from(created), Value::from(id_prefix()), Value::from(write.revision)];
        let copy = format!("{BRANCH}{WHOLE_BRANCH}{}", copy_sql(backend, "$6", "$7", "$8"));
        write.run(nested_loop(backend, &copy), values.into_iter().chain(copies)).await?;
        index::index_title(write, &fork).await?;
        self.index_metadata(write, &[IndexChange::new(&fork)]).await?;
        self.copy_settings(write, end.conversation_id, fork.id).await?;
        index::index_path(write, self.user(), fork.id, 0, end.position).await?;
        Ok(fork)
    }
}

impl Chat {
    /// Copies the branch in steps into a conversation that is marked as being erased, and clears the mark at the end.
    /// If this server stops meanwhile, the job that empties the trash deletes the copies. The receipt is written at the
    /// end, too: a second request with the same key then finds the first one's conversation, or makes its own.
    async fn fork_in_steps(
        &self,
        request: ForkConversation,
        idempotent: Option<IdempotentRequest>,
    ) -> Result<conversation::Model, Error> {
        let chat = self.unbudgeted();
        spawn_and_wait(async move { chat.take_fork_steps(request, idempotent).await }).await
    }

    async fn take_fork_steps(
        &self,
        request: ForkConversation,
        idempotent: Option<IdempotentRequest>,
    ) -> Result<conversation::Model, Error> {
        let message_id = request.message_id;
        let plan = self.plan_branch(message_id, true).await?;
        let first = self.message(plan.top).await?.ok_or(Error::NotFound("message"))?;
        let (prefix, mut start) = (id_prefix(), 0);
        let mut claim = self.write((), |chat, write, ()| Box::pin(chat.begin_copy(write))).await?;
        let id = claim.id;
        let work = self.heavy_work();
        for step_end in &plan.step_ends {
            let step = CopyStep {
                prefix: prefix.clone(),
                end: step_end.id,
                start,
                length: step_end.position - start,
            };
            let began = Instant::now();
            claim = self
                .write((claim, step), |chat, write, (claim, step)| {
                    Box::pin(async move {
                        // Devices do not see the copy yet.
                        write.clear_after_commit();
                        chat.signal_after_commit(write, Topic::Backlog);
                        chat.copy_step(write, claim, step).await
                    })
                })
                .await?;
            start = step_end.position;
            work.rest_after(began).await;
        }
        let input = (claim, idempotent, first, request.metadata);
        self.write(input, move |chat, write, (claim, idempotent, first, metadata)| {
            Box::pin(async move {
                let receipt = Created { conversation: Some(id), ..Created::default() };
                let earlier = chat.record_receipt(write, idempotent.as_ref(), receipt).await?;
                if let Some(earlier) = earlier.and_then(|earlier| earlier.conversation) {
                    return Ok(unchanged(write, chat.conversation_within(write, earlier).await?));
                }
                let end = chat.message_within(write, message_id).await?.ok_or(Error::NotFound("message"))?;
                let original = chat.conversation_within(write, end.conversation_id).await?;
                let title = copied_title(original, Some(first.content.clone()));
                let fork = conversation::Model {
                    id,
                    read_position: start,
                    metadata: metadata.clone().into_text(),
                    // Devices whose cursors have passed its messages learn of it as of a restoration.
                    restored_revision: Some(write.revision),
                    ..chat.new_conversation(write, title, start)
                };
                chat.update_claimed(write, claim, fork.clone()).await?;
                index::index_title(write, &fork).await?;
                chat.index_metadata(write, &[IndexChange::new(&fork)]).await?;
                chat.copy_settings(write, end.conversation_id, fork.id).await?;
                Ok(fork)
            })
        })
        .await
    }

    /// Creates the conversation that the branch is copied into.
    async fn begin_copy(&self, write: &Write) -> Result<conversation::Model, Error> {
        let hidden = conversation::Model {
            deleted_at: Some(write.now),
            erasing_at: Some(write.now),
            // No device is to see it yet.
            revision: 0,
            ..self.new_conversation(write, None, 0)
        };
        conversation::Entity::insert(hidden.clone().into_active_model())
            .exec_without_returning(&**write)
            .await?;
        Ok(unchanged(write, hidden))
    }

    async fn copy_step(
        &self,
        write: &Write,
        claim: &conversation::Model,
        step: &CopyStep,
    ) -> Result<conversation::Model, Error> {
        let backend = write.get_database_backend();
        let renewed = conversation::Model { erasing_at: Some(write.now), ..claim.clone() };
        self.update_claimed(write, claim, renewed.clone()).await?;
        let copy = nested_loop(backend, &format!("{SEGMENT}{}", copy_sql(backend, "$4", "$5", "$6")));
        let (user, prefix) = (self.user().into(), step.prefix.as_str().into());
        let values =
            [user, step.end.into(), step.start.into(), claim.id.into(), prefix, write.revision.into()];
        let copied = write.run(copy, values).await?;
        if i64::try_from(copied).ok() != Some(step.length) {
            let end = self.message_within(write, step.end).await?;
            return Err(end.map_or(Error::NotFound("message"), |_| Error::ConversationBusy));
        }
        let end = step.start + step.length;
        index::index_path(write, self.user(), claim.id, step.start, end).await?;
        Ok(renewed)
    }

    /// Stores `row` in place of `claim`, unless the job that empties the trash has taken it.
    async fn update_claimed(
        &self,
        write: &Write,
        claim: &conversation::Model,
        row: conversation::Model,
    ) -> Result<(), Error> {
        let updated = conversation::Entity::update_many()
            .set(row.into_active_model().reset_all())
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.eq(claim.id))
            .filter(Column::ErasingAt.eq(claim.erasing_at))
            .filter(Column::ErasedAt.is_null())
            .exec(&**write)
            .await?;
        let lost = || Error::Unavailable("a copy took too long, and was deleted".to_owned());
        if updated.rows_affected == 1 { Ok(()) } else { Err(lost()) }
    }
}

/// A part of the branch, which one step copies.
struct CopyStep {
    prefix: String,
    /// The last message.
    end: Uuid,
    /// The position before the first one.
    start: i64,
    length: i64,
}

/// The title of a copy that begins with `first`. A title that was derived from another message is derived anew.
fn copied_title(original: conversation::Model, first: Option<String>) -> Option<(String, TitleOrigin)> {
    match original.title_origin {
        Some(TitleOrigin::Message) => first.map(|words| (text::derive_title(&words), TitleOrigin::Message)),
        origin => original.title.zip(origin),
    }
}

/// The common prefix of the ids of copies.
fn id_prefix() -> String {
    let mut prefix = Uuid::now_v7().simple().to_string();
    prefix.truncate(24);
    prefix
}

/// [`COPY`] with its placeholders of the conversation, the ids' prefix and the revision.
fn copy_sql(backend: DbBackend, conversation: &str, prefix: &str, revision: &str) -> String {
    let id = |position: &str| match backend {
        DbBackend::Postgres => format!("CAST({prefix} || lpad(to_hex({position}), 8, '0') AS UUID)"),
        _ => format!("unhex({prefix} || printf('%08x', {position}))"),
    };
    COPY.replace("{own}", &id("position"))
        .replace("{parent}", &id("(position - 1)"))
        .replace("{conversation}", conversation)
        .replace("{revision}", revision)
}
