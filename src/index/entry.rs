//! Entries of the index. Each is written in the transaction of its text, and the database deletes it with the row.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use crate::blocking::STORING;
use crate::database::Write;
use crate::entity::conversation;
use crate::error::Error;
use crate::search::{Folded, scope, tokens};

/// The entry of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    folded: String,
    tokens: String,
}

impl Entry {
    /// Makes the entry of a text of `user`. The time grows with the text; for long texts use [`Entry::prepare`].
    #[must_use]
    pub fn of(user: &str, text: &str) -> Self {
        let folded = Folded::of(text).into_string();
        let tokens = tokens(&scope(user), &folded);
        Self { folded, tokens }
    }

    /// As [`Entry::of`], on a blocking thread if the text is long. Call it before a transaction, not within one.
    ///
    /// # Errors
    /// [`Error::Internal`] if that fails.
    pub async fn prepare(user: &str, text: String) -> Result<Self, Error> {
        let owner = user.to_owned();
        STORING.run(user, text.len(), move |_| Self::of(&owner, &text)).await
    }

    /// The folded text; empty if there is nothing to index.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.folded
    }

    /// The tokens, separated by spaces.
    #[must_use]
    pub fn tokens(&self) -> &str {
        &self.tokens
    }

    /// The size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.folded.len() + self.tokens.len()
    }
}

/// Indexes a message whose text will not change any more.
pub async fn index_message(write: &Write, user: &str, id: Uuid, content: &str) -> Result<(), Error> {
    store_message(write, user, id, &Entry::of(user, content)).await
}

/// As [`index_message`], with a prepared entry.
pub async fn store_message(write: &Write, user: &str, id: Uuid, entry: &Entry) -> Result<(), Error> {
    put(write, &MESSAGES, user, id, entry).await
}

/// Indexes the title of a conversation, in place of an earlier one.
pub async fn index_title(write: &Write, conversation: &conversation::Model) -> Result<(), Error> {
    let title = conversation.title.as_deref().unwrap_or_default();
    let entry = Entry::of(&conversation.user_id, title);
    store_title(write, &conversation.user_id, conversation.id, &entry).await
}

/// As [`index_title`], with a prepared entry.
pub async fn store_title(write: &Write, user: &str, id: Uuid, entry: &Entry) -> Result<(), Error> {
    put(write, &TITLES, user, id, entry).await
}

/// The statement that deletes the entry of a conversation's title.
#[must_use]
pub fn delete_title(backend: DbBackend, user: &str, id: Uuid) -> Statement {
    Statement::from_sql_and_values(backend, TITLES.delete, [Value::from(user), Value::from(id)])
}

struct Table {
    delete: &'static str,
    /// PostgreSQL: text and tokens in one row.
    upsert: &'static str,
    /// SQLite: the text in place of an earlier one, and then the tokens under its number.
    replace: &'static str,
}

macro_rules! table {
    ($entries:literal, $tokens:literal) => {
        Table {
            delete: concat!("DELETE FROM ", $entries, " WHERE user_id = $1 AND id = $2"),
            upsert: concat!(
                "INSERT INTO ",
                $entries,
                " (user_id, id, text, tokens)",
                " VALUES ($1, $2, $3, array_to_tsvector(string_to_array($4, ' ')))",
                " ON CONFLICT (user_id, id) DO UPDATE SET text = excluded.text, tokens = excluded.tokens",
            ),
            replace: concat!(
                "DELETE FROM ",
                $entries,
                " WHERE user_id = $1 AND id = $2; INSERT INTO ",
                $entries,
                " (user_id, id, text) VALUES ($1, $2, $3); INSERT INTO ",
                $tokens,
                " (rowid, tokens) SELECT number, $4 FROM ",
                $entries,
                " WHERE user_id = $1 AND id = $2",
            ),
        }
    };
}

const MESSAGES: Table = table!("message_search", "message_token");
const TITLES: Table = table!("title_search", "title_token");

async fn put(write: &Write, table: &Table, user: &str, id: Uuid, entry: &Entry) -> Result<(), Error> {
    let backend = write.get_database_backend();
    let key = [Value::from(user), Value::from(id)].into_iter();
    let statement = if entry.folded.is_empty() {
        Statement::from_sql_and_values(backend, table.delete, key)
    } else {
        let sql = if backend == DbBackend::Postgres { table.upsert } else { table.replace };
        Statement::from_sql_and_values(backend, sql, key.chain([entry.text().into(), entry.tokens().into()]))
    };
    write.run_later(statement).await?;
    Ok(())
}
