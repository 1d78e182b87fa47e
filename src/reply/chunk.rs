//! Reading a reply's text in chunks.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Value};
use uuid::Uuid;

use super::Replies;
use crate::entity::message::{Status, VISIBLE};
use crate::error::Error;

/// How many bytes of a reply's text are read at a time. A reader holds no more in memory.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// The state of a reply, and a chunk of its text: from byte `$4` on if it is of attempt `$3`, or else from its start.
/// The length is known without reading the text.
macro_rules! state {
    ($bytes:literal) => {
        concat!(
            "SELECT status, attempt, octet_length(content) AS length, ",
            "CASE WHEN $5 > 0 AND octet_length(content) > CASE WHEN attempt = $3 THEN $4 ELSE 0 END ",
            "THEN substr(",
            $bytes,
            ", CASE WHEN attempt = $3 THEN $4 ELSE 0 END + 1, $5) END AS chunk ",
            "FROM message WHERE user_id = $1 AND id = $2 AND role = 'ASSISTANT' ",
            "AND {visible}",
        )
    };
}

const STATE_SQLITE: &str = state!("CAST(content AS BLOB)");
const STATE_POSTGRES: &str = state!("convert_to(content, 'UTF8')");

#[derive(FromQueryResult)]
struct Row {
    status: Status,
    attempt: i32,
    length: i32,
    chunk: Option<Vec<u8>>,
}

/// The state of a reply.
pub(super) struct State {
    pub(super) status: Status,
    pub(super) attempt: i32,
    pub(super) chunk: Chunk,
}

/// A chunk of a text from an offset on.
#[derive(Debug)]
pub(super) struct Chunk {
    /// How many bytes the whole text has.
    pub(super) length: usize,
    bytes: Vec<u8>,
}

impl Chunk {
    /// A chunk of a text of `length` bytes. It may end within a character.
    pub(super) fn new(length: usize, bytes: Vec<u8>) -> Self {
        Self { length, bytes }
    }

    /// The whole characters; `None` if the chunk does not begin with one.
    pub(super) fn into_text(mut self) -> Option<String> {
        if let Err(error) = std::str::from_utf8(&self.bytes) {
            let whole = error.valid_up_to();
            if whole == 0 {
                return None;
            }
            self.bytes.truncate(whole);
        }
        String::from_utf8(self.bytes).ok()
    }
}

impl Replies {
    /// The state of a reply of `user`, with the chunk of its text after `offset` bytes of `attempt`, or at the start of
    /// another attempt. `None` if the user has no such reply.
    pub(super) async fn state(
        &self,
        user: &str,
        id: Uuid,
        attempt: i32,
        offset: usize,
    ) -> Result<Option<State>, Error> {
        self.read_state(user, id, attempt, offset, CHUNK_BYTES).await
    }

    /// The status of a reply of `user`.
    pub(crate) async fn status(&self, user: &str, id: Uuid) -> Result<Option<Status>, Error> {
        Ok(self.read_state(user, id, 0, 0, 0).await?.map(|state| state.status))
    }

    async fn read_state(
        &self,
        user: &str,
        id: Uuid,
        attempt: i32,
        offset: usize,
        count: usize,
    ) -> Result<Option<State>, Error> {
        let sql = match self.0.database.backend() {
            DbBackend::Postgres => STATE_POSTGRES,
            _ => STATE_SQLITE,
        };
        // No text is longer than an `i32` can count.
        let number = |bytes: usize| Value::from(i32::try_from(bytes).unwrap_or(i32::MAX - 1));
        let values = [user.into(), id.into(), attempt.into(), number(offset), number(count)];
        let statement = self.0.database.statement(sql.replace("{visible}", VISIBLE), values);
        let row =
            self.0.database.read_for(user, |connection| connection.query_one_raw(statement.clone())).await?;
        let Some(row) = row else { return Ok(None) };
        let row = Row::from_query_result(&row, "")?;
        let length = usize::try_from(row.length).unwrap_or_default();
        let chunk = Chunk::new(length, row.chunk.unwrap_or_default());
        Ok(Some(State { status: row.status, attempt: row.attempt, chunk }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_of_whole_characters() {
        let text = |bytes: &[u8]| Chunk::new(9, bytes.to_vec()).into_text();
        assert_eq!(text(b""), Some(String::new()));
        assert_eq!(text("né".as_bytes()), Some("né".to_owned()));
        assert_eq!(text(&"né".as_bytes()[..2]), Some("n".to_owned()));
        assert_eq!(text(&"né".as_bytes()[2..]), None);
    }
}
