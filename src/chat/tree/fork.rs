//! A conversation of its own out of a branch.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter,
    Statement, Value,
};
use uuid::Uuid;

use super::super::receipt::{Created, IdempotentRequest};
use super::super::{AfterCommit, Chat, run_detached, text};
use super::branch::{BRANCH, WAY};
use super::climb::one_by_one;
use super::steps::STEP;
use crate::database::Write;
use crate::entity::conversation::{self, Column, TitleOrigin};
use crate::error::Error;
use crate::search;
use crate::signal::Topic;

/// A branch to copy.
#[derive(Clone, Debug)]
pub struct ForkConversation {
    /// The branch's last message.
    pub message_id: Uuid,
    /// The client's name for this request: a second one with the same key finds the first one's conversation.
    pub idempotency_key: Option<String>,
}

/// Whether a reply on the way is under way, and the words of its first message.
const UNFINISHED: &str = "
SELECT EXISTS (SELECT 1 FROM way WHERE status IN ('QUEUED', 'GENERATING')) AS unfinished,
    (SELECT content FROM way WHERE position = 1) AS first";

/// From message `$2` upwards to after position `$3`, but for what is not finished.
const PIECE: &str = "
WITH RECURSIVE branch (id, parent_id, position) AS (
    SELECT id, parent_id, position FROM message WHERE user_id = $1 AND id = $2
    UNION ALL
    SELECT above.id, above.parent_id, above.position
    FROM branch CROSS JOIN message AS above
    WHERE above.user_id = $1 AND above.id = branch.parent_id AND above.position > $3
),
way AS (
    SELECT * FROM message
    WHERE user_id = $1 AND id IN (SELECT id FROM branch) AND status IN ('COMPLETE', 'STOPPED', 'FAILED')
)";

/// Copies the way. Of a copy's id the first twelve bytes are the same in all, and the last four its position, so that it
/// knows its parent's.
const COPY: &str = "
INSERT INTO message (
    user_id, id, conversation_id, parent_id, position, active, role, status, content, tool_calls, finish_reason,
    failure, model, usage, metadata, attempt, created_at, finished_at, created_revision, revision
)
SELECT
    user_id, {own}, {conversation}, CASE WHEN position > 1 THEN {parent} END, position, TRUE, role, status, content, tool_calls,
    finish_reason, failure, model, usage, metadata, attempt, created_at, finished_at, {revision}, {revision}
FROM way";

impl Chat {
    /// Copies a message and the way to it into a new conversation with the same title. Everything in it was
    /// finished; nothing else is copied.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such message; [`Error::ConversationBusy`] if a reply on the way, or
    /// the message itself, is under way.
    pub async fn fork_conversation(&self, request: ForkConversation) -> Result<conversation::Model, Error> {
        let arguments = [request.message_id.as_bytes().as_slice()];
        let idempotent =
            IdempotentRequest::new(request.idempotency_key.as_deref(), "forkConversation", &arguments)?;
        match self.fork_at_once(request.message_id, idempotent.clone()).await {
            Err(Error::TooManyMessages) => self.fork_in_steps(request.message_id, idempotent).await,
            result => result,
        }
    }

    async fn fork_at_once(
        &self,
        message_id: Uuid,
        idempotent: Option<IdempotentRequest>,
    ) -> Result<conversation::Model, Error> {
        let created = Uuid::now_v7();
        self.write(idempotent, move |chat, write, idempotent| {
            Box::pin(async move {
                let receipt = Created { conversation: Some(created), ..Created::default() };
                let earlier = chat.record_receipt(write, idempotent.as_ref(), receipt).await?;
                if let Some(earlier) = earlier.and_then(|earlier| earlier.conversation) {
                    return Ok((chat.conversation_within(write, earlier).await?, AfterCommit::nothing()));
                }
                let after_commit = AfterCommit { signals: vec![Topic::Backlog], ..AfterCommit::default() };
                Ok((chat.fork(write, message_id, created).await?, after_commit))
            })
        })
        .await
    }

    async fn fork(
        &self,
        write: &Write,
        message_id: Uuid,
        created: Uuid,
    ) -> Result<conversation::Model, Error> {
        let end = self.message_within(write, message_id).await?.ok_or(Error::NotFound("message"))?;
        if end.position > STEP {
            return Err(Error::TooManyMessages);
        }
        let original = self.conversation_within(write, end.conversation_id).await?;
        let way = [
            Value::from(self.user()),
            Value::from(end.id),
            Value::from(end.conversation_id),
            Value::from(1i64),
            Value::from(end.position + 1),
        ];
        let backend = write.get_database_backend();
        let unfinished = one_by_one(backend, &format!("{BRANCH}{WAY}{UNFINISHED}"));
        let unfinished = Statement::from_sql_and_values(backend, unfinished, way.clone());
        let row = write.query_one_raw(unfinished).await?;
        let row = row.ok_or_else(|| Error::Internal("a select without a row".to_owned()))?;
        if row.try_get_by_index(0)? {
            return Err(Error::ConversationBusy);
        }
        let title = copied_title(original, row.try_get_by_index(1)?);
        let fork = conversation::Model {
            id: created,
            read_position: end.position,
            ..self.new_conversation(write, title, end.position)
        };
        conversation::Entity::insert(fork.clone().into_active_model())
            .exec_without_returning(&**write)
            .await?;
        let copies = [Value::from(created), Value::from(id_prefix()), Value::from(write.revision)];
        let copy = format!("{BRANCH}{WAY}{}", copy_sql(backend, "$6", "$7", "$8"));
        let copy = one_by_one(backend, &copy);
        let copy = Statement::from_sql_and_values(backend, copy, way.into_iter().chain(copies));
        write.execute_raw(copy).await?;
        search::index_title(write, &fork).await?;
        search::index_path(write, self.user(), fork.id, 0, end.position).await?;
        Ok(fork)
    }
}

impl Chat {
    /// Copies the way piece by piece into a conversation that is in the trash, as one that is being erased, and takes it
    /// out in the end. If this server dies meanwhile, the trash is emptied of what it leaves. The receipt is written in
    /// the end, too: a second request with the same key then finds the first one's conversation, or makes its own.
    async fn fork_in_steps(
        &self,
        message_id: Uuid,
        idempotent: Option<IdempotentRequest>,
    ) -> Result<conversation::Model, Error> {
        let chat = self.clone();
        run_detached(async move { chat.take_fork_steps(message_id, idempotent).await }).await
    }

    async fn take_fork_steps(
        &self,
        message_id: Uuid,
        idempotent: Option<IdempotentRequest>,
    ) -> Result<conversation::Model, Error> {
        let way = self.way_to(message_id, true).await?;
        let first = self.message(way.top).await?.ok_or(Error::NotFound("message"))?;
        let (prefix, mut start) = (id_prefix(), 0);
        let mut claim = self.write((), |chat, write, ()| Box::pin(chat.begin_copy(write))).await?;
        let id = claim.id;
        for stop in &way.stops {
            let piece = Piece { prefix: prefix.clone(), end: stop.id, start, length: stop.position - start };
            claim = self
                .write((claim, piece), |chat, write, (claim, piece)| {
                    Box::pin(async move {
                        let after_commit = AfterCommit {
                            signals: vec![Topic::Backlog],
                            notify_user: false,
                            ..AfterCommit::default()
                        };
                        Ok((chat.copy_piece(write, claim, piece).await?, after_commit))
                    })
                })
                .await?;
            start = stop.position;
        }
        let input = (claim, idempotent, first);
        self.write(input, move |chat, write, (claim, idempotent, first)| {
            Box::pin(async move {
                let receipt = Created { conversation: Some(id), ..Created::default() };
                let earlier = chat.record_receipt(write, idempotent.as_ref(), receipt).await?;
                if let Some(earlier) = earlier.and_then(|earlier| earlier.conversation) {
                    return Ok((chat.conversation_within(write, earlier).await?, AfterCommit::nothing()));
                }
                let end = chat.message_within(write, message_id).await?.ok_or(Error::NotFound("message"))?;
                let original = chat.conversation_within(write, end.conversation_id).await?;
                let title = copied_title(original, Some(first.content.clone()));
                let fork = conversation::Model {
                    id,
                    read_position: start,
                    // To devices that have passed its messages it is new all the same.
                    restored_revision: Some(write.revision),
                    ..chat.new_conversation(write, title, start)
                };
                chat.update_claimed(write, claim, fork.clone()).await?;
                search::index_title(write, &fork).await?;
                Ok((fork, AfterCommit::default()))
            })
        })
        .await
    }

    /// Makes the conversation that a way is to be copied into.
    async fn begin_copy(&self, write: &Write) -> Result<(conversation::Model, AfterCommit), Error> {
        let hidden = conversation::Model {
            deleted_at: Some(write.now),
            erasing_at: Some(write.now),
            // No device has anything to learn of it yet.
            revision: 0,
            ..self.new_conversation(write, None, 0)
        };
        conversation::Entity::insert(hidden.clone().into_active_model())
            .exec_without_returning(&**write)
            .await?;
        Ok((hidden, AfterCommit::nothing()))
    }

    async fn copy_piece(
        &self,
        write: &Write,
        claim: &conversation::Model,
        piece: &Piece,
    ) -> Result<conversation::Model, Error> {
        let backend = write.get_database_backend();
        let renewed = conversation::Model { erasing_at: Some(write.now), ..claim.clone() };
        self.update_claimed(write, claim, renewed.clone()).await?;
        let copy = Statement::from_sql_and_values(
            backend,
            one_by_one(backend, &format!("{PIECE}{}", copy_sql(backend, "$4", "$5", "$6"))),
            [
                Value::from(self.user()),
                Value::from(piece.end),
                Value::from(piece.start),
                Value::from(claim.id),
                Value::from(piece.prefix.as_str()),
                Value::from(write.revision),
            ],
        );
        let copied = write.execute_raw(copy).await?.rows_affected();
        if i64::try_from(copied).ok() != Some(piece.length) {
            let end = self.message_within(write, piece.end).await?;
            return Err(end.map_or(Error::NotFound("message"), |_| Error::ConversationBusy));
        }
        let end = piece.start + piece.length;
        search::index_path(write, self.user(), claim.id, piece.start, end).await?;
        Ok(renewed)
    }

    /// Stores `row` in place of `claim`, unless it is being erased in earnest.
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
        let lost = || Error::Unavailable("a copy took too long, and was given up".to_owned());
        if updated.rows_affected == 1 { Ok(()) } else { Err(lost()) }
    }
}

/// A part of the way, which one step copies.
struct Piece {
    prefix: String,
    /// The last message.
    end: Uuid,
    /// The position before the first one.
    start: i64,
    length: i64,
}

/// The title of a copy that begins with `first`: words of another first message are not taken over.
fn copied_title(original: conversation::Model, first: Option<String>) -> Option<(String, TitleOrigin)> {
    match original.title_origin {
        Some(TitleOrigin::Message) => first.map(|words| (text::derive_title(&words), TitleOrigin::Message)),
        origin => original.title.zip(origin),
    }
}

/// What the ids of copies begin with.
fn id_prefix() -> String {
    let mut prefix = Uuid::now_v7().simple().to_string();
    prefix.truncate(24);
    prefix
}

/// [`COPY`] with the places of its own parameters: the conversation, the ids' prefix and the revision.
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
