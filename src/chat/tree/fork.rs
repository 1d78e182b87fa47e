//! A conversation of its own out of a branch.

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, Statement, Value};
use uuid::Uuid;

use super::super::receipt::{Made, Repeatable};
use super::super::{AfterCommit, Chat};
use super::branch::{BRANCH, WAY};
use crate::database::Write;
use crate::entity::conversation;
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

const UNFINISHED: &str = "
SELECT EXISTS (SELECT 1 FROM way WHERE status IN ('QUEUED', 'GENERATING')) AS unfinished";

/// Copies the way into conversation `$6`. Of a copy's id the first twelve bytes are `$7`, and the last four its
/// position, so that it knows its parent's.
const COPY: &str = "
INSERT INTO message (
    user_id, id, conversation_id, parent_id, position, active, role, status, content, tool_calls, finish_reason,
    failure, model, usage, metadata, attempt, created_at, finished_at, created_revision, revision
)
SELECT
    user_id, {own}, $6, CASE WHEN position > 1 THEN {parent} END, position, TRUE, role, status, content, tool_calls,
    finish_reason, failure, model, usage, metadata, attempt, created_at, finished_at, $8, $8
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
        let repeatable = Repeatable::new(request.idempotency_key.as_deref(), "forkConversation", &arguments)?;
        let made = Uuid::now_v7();
        let message_id = request.message_id;
        self.write(repeatable, move |chat, write, repeatable| {
            Box::pin(async move {
                let receipt = Made { conversation: Some(made), ..Made::default() };
                let earlier = chat.receive(write, repeatable.as_ref(), receipt).await?;
                if let Some(earlier) = earlier.and_then(|earlier| earlier.conversation) {
                    return Ok((chat.conversation_within(write, earlier).await?, AfterCommit::nothing()));
                }
                let due = AfterCommit { wake: vec![Topic::Backlog], ..AfterCommit::default() };
                Ok((chat.fork(write, message_id, made).await?, due))
            })
        })
        .await
    }

    async fn fork(&self, write: &Write, message_id: Uuid, made: Uuid) -> Result<conversation::Model, Error> {
        let end = self.message_within(write, message_id).await?.ok_or(Error::NotFound("message"))?;
        let original = self.conversation_within(write, end.conversation_id).await?;
        let way = [
            Value::from(self.user()),
            Value::from(end.id),
            Value::from(end.conversation_id),
            Value::from(1i64),
            Value::from(end.position + 1),
        ];
        let backend = write.get_database_backend();
        let unfinished = format!("{BRANCH}{WAY}{UNFINISHED}");
        let unfinished = Statement::from_sql_and_values(backend, unfinished, way.clone());
        if let Some(row) = write.query_one_raw(unfinished).await?
            && row.try_get_by_index(0)?
        {
            return Err(Error::ConversationBusy);
        }
        let title = original.title.zip(original.title_origin);
        let fork = conversation::Model {
            id: made,
            read_position: end.position,
            ..self.new_conversation(write, title, end.position)
        };
        conversation::Entity::insert(fork.clone().into_active_model())
            .exec_without_returning(&**write)
            .await?;
        let mut prefix = Uuid::now_v7().simple().to_string();
        prefix.truncate(24);
        let copies = [Value::from(made), Value::from(prefix), Value::from(write.revision)];
        let copy = format!(
            "{BRANCH}{WAY}{}",
            COPY.replace("{own}", &id_at(backend, "position"))
                .replace("{parent}", &id_at(backend, "(position - 1)"))
        );
        let copy = Statement::from_sql_and_values(backend, copy, way.into_iter().chain(copies));
        write.execute_raw(copy).await?;
        search::index_title(write, &fork).await?;
        search::index_conversation(write, self.user(), fork.id).await?;
        Ok(fork)
    }
}

/// The id of the copy at `position`.
fn id_at(backend: DbBackend, position: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("CAST($7 || lpad(to_hex({position}), 8, '0') AS UUID)"),
        _ => format!("unhex($7 || printf('%08x', {position}))"),
    }
}
