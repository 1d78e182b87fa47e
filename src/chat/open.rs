//! A conversation with pages of its active path, in one statement and therefore from one snapshot.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

use super::columns::{self, Columns, SHARED};
use super::path_page::{PathPages, START, bounds_sql};
use super::read::{Effort, RowSize};
use super::{Chat, CountedPage, MessageColumns, PathPage, Slice};
use crate::database::Row;
use crate::entity::{conversation, message};
use crate::error::Error;

type Opened = (Arc<conversation::Model>, HashMap<PathPage, CountedPage<Arc<message::Model>>>);

/// A row of the result.
enum OpenRow {
    Conversation(Arc<conversation::Model>),
    /// A message of the page with this number.
    Message(i64, message::Model),
}

impl RowSize for OpenRow {
    fn bytes(&self) -> usize {
        match self {
            Self::Conversation(row) => row.bytes(),
            Self::Message(_, row) => row.bytes(),
        }
    }
}

impl Chat {
    /// The conversation, if the viewer has it, with or without its `details`, and with these pages of its active path. Of their
    /// messages these columns are read.
    pub async fn open(
        &self,
        id: Uuid,
        slices: &[Slice<i64>],
        details: bool,
        columns: MessageColumns,
    ) -> Result<Option<Opened>, Error> {
        let page = |slice: &Slice<i64>| PathPage { conversation: id, slice: *slice };
        let pages: Vec<PathPage> = slices.iter().map(page).collect();
        let user = self.user().to_owned();
        let rest = 1 + columns::conversation(details).len();
        let decode = move |row: Row<'_>| {
            let shown = Columns::of(row, 1, &user);
            Ok(match row.get(0)? {
                None => shown.conversation(details)?.map(|row| OpenRow::Conversation(Arc::new(row))),
                Some(number) => {
                    let message = shown.continued_at(rest).message(columns)?;
                    message.map(|message| OpenRow::Message(number, message))
                }
            })
        };
        let statement = self.open_statement(id, &pages, details, columns);
        let rows = self.load_decoded(statement, Effort::Brief, decode).await?;
        let (mut opened, mut messages) = (None, Vec::with_capacity(rows.len()));
        for row in rows.into_iter().flatten() {
            match row {
                OpenRow::Conversation(row) => opened = Some(row),
                OpenRow::Message(number, message) => messages.push((number, message)),
            }
        }
        let Some(row) = opened else { return Ok(None) };
        let mut read = PathPages::new(&pages);
        for number in (0i64..).take(pages.len()) {
            read.add(number, row.last_position, None);
        }
        for (number, message) in messages {
            read.add(number, row.last_position, Some(message));
        }
        Ok(Some((row, read.finish())))
    }

    /// A row for the conversation, and one for each message. The first columns are those of either, and what it has no
    /// columns of is null: each column of a page costs both the server and the database.
    fn open_statement(
        &self,
        id: Uuid,
        pages: &[PathPage],
        details: bool,
        columns: MessageColumns,
    ) -> Statement {
        let mut values = vec![Value::from(self.user()), id.into()];
        let mut wanted = String::new();
        for (number, page) in pages.iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            let _ = write!(wanted, "{comma}(CAST({number} AS BIGINT), {})", bounds_sql(values.len() + 1));
            values.extend(page.bounds().map(Value::from));
        }
        let message: Vec<&str> = columns::message(columns).collect();
        let conversation = columns::conversation(details);
        let no_conversation = nulls(conversation.len() - SHARED);
        let no_message = nulls(message.len() - SHARED);
        let (shared, rest) = message.split_at(SHARED);
        let (shared, rest) = (shared.join(", m."), rest.join(", m."));
        let (conversation, selected) = (conversation.join(", "), message.join(", "));
        let page = "user_id = $1 AND conversation_id = $2 AND active";
        let messages = match self.database.backend() {
            // As in the statement for pages of several conversations.
            DbBackend::Postgres => format!(
                "CROSS JOIN LATERAL (
    SELECT {selected} FROM message WHERE {page} AND position >= {START} AND position < wanted.high OFFSET 0
) AS m"
            ),
            _ => format!(
                "CROSS JOIN message AS m WHERE m.user_id = $1 AND m.conversation_id = $2 AND m.active
    AND m.position >= {START} AND m.position < wanted.high"
            ),
        };
        let sql = format!(
            "WITH c AS MATERIALIZED (
    SELECT {conversation} FROM conversation WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL
), wanted (number, low, high, tail) AS (VALUES {wanted})
SELECT CAST(NULL AS BIGINT), {conversation}, {no_message} FROM c
UNION ALL
SELECT wanted.number, m.{shared}, {no_conversation}, m.{rest} FROM c CROSS JOIN wanted {messages}"
        );
        self.database.statement(sql, values)
    }
}

fn nulls(count: usize) -> String {
    vec!["NULL"; count].join(", ")
}
