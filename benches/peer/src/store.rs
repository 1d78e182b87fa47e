//! The statements.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Error, FromRow, PgPool};
use uuid::Uuid;

use crate::page::{self, Page};

const LIST: &str = "SELECT id, title, created_at, updated_at FROM conversation WHERE user_id = $1
    ORDER BY updated_at DESC, id DESC LIMIT $2";
const LIST_AFTER: &str = "SELECT id, title, created_at, updated_at FROM conversation
    WHERE user_id = $1 AND (updated_at, id) < ($3, $4) ORDER BY updated_at DESC, id DESC LIMIT $2";
const ONE: &str = "SELECT id, title, created_at, updated_at FROM conversation WHERE id = $1 AND user_id = $2";
const MESSAGES: &str = "SELECT id, role, content, position, created_at FROM message
    WHERE conversation_id = $1 AND position < $2 ORDER BY position DESC LIMIT $3";
const TOUCH: &str = "UPDATE conversation SET updated_at = now() WHERE id = $1 AND user_id = $2
    RETURNING id, title, created_at, updated_at";
const APPEND: &str = "INSERT INTO message (id, conversation_id, user_id, position, role, content)
    SELECT $3, $1, $2, coalesce(max(position), 0) + 1, $4, $5 FROM message WHERE conversation_id = $1
    RETURNING id, role, content, position, created_at";

#[derive(FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    id: Uuid,
    title: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    id: Uuid,
    role: String,
    content: String,
    position: i64,
    created_at: DateTime<Utc>,
}

/// A conversation with a page of its messages.
#[derive(Serialize)]
pub struct Opened {
    #[serde(flatten)]
    conversation: Conversation,
    messages: Page<Message>,
}

/// Users' rows.
pub struct Store(pub PgPool);

impl Store {
    /// The conversations of `user` that were active last, or last before a place.
    pub async fn list(
        &self,
        user: &str,
        first: i64,
        after: Option<(DateTime<Utc>, Uuid)>,
    ) -> Result<Page<Conversation>, Error> {
        let query = sqlx::query_as(if after.is_some() { LIST_AFTER } else { LIST });
        let mut query = query.bind(user).bind(first + 1);
        if let Some((instant, id)) = after {
            query = query.bind(instant).bind(id);
        }
        let mut rows: Vec<Conversation> = query.fetch_all(&self.0).await?;
        let next = truncate(&mut rows, first);
        Ok(Page::new(rows, |row| page::place(row.updated_at, row.id), next, after.is_some()))
    }

    /// A conversation with its newest messages, or its newest before a position.
    pub async fn open(
        &self,
        user: &str,
        id: Uuid,
        last: i64,
        before: Option<i64>,
    ) -> Result<Option<Opened>, Error> {
        let conversation = sqlx::query_as(ONE).bind(id).bind(user).fetch_optional(&self.0).await?;
        let Some(conversation) = conversation else { return Ok(None) };
        let query = sqlx::query_as(MESSAGES).bind(id).bind(before.unwrap_or(i64::MAX)).bind(last + 1);
        let mut rows: Vec<Message> = query.fetch_all(&self.0).await?;
        let previous = truncate(&mut rows, last);
        rows.reverse();
        let messages = Page::new(rows, |row| page::position(row.position), before.is_some(), previous);
        Ok(Some(Opened { conversation, messages }))
    }

    /// Appends a message to a conversation, in a transaction of its own.
    pub async fn append(
        &self,
        user: &str,
        id: Uuid,
        role: &str,
        content: &str,
    ) -> Result<Option<(Conversation, Message)>, Error> {
        let mut transaction = self.0.begin().await?;
        let touched = sqlx::query_as(TOUCH).bind(id).bind(user).fetch_optional(&mut *transaction).await?;
        let Some(conversation) = touched else { return Ok(None) };
        let query = sqlx::query_as(APPEND).bind(id).bind(user).bind(Uuid::now_v7()).bind(role).bind(content);
        let message = query.fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Some((conversation, message)))
    }
}

/// Takes away what was read beyond `limit`; returns whether there was something.
fn truncate<T>(rows: &mut Vec<T>, limit: i64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    more
}
