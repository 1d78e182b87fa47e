//! The texts that lead to a reply: read, or known from the reply before.

use std::collections::VecDeque;

use sea_orm::{DbErr, FromQueryResult};

use super::preceding::Preceding;
use crate::assistant::Speaker;
use crate::database::{Database, Row};
use crate::entity::message::{self, Role, Status};
use crate::error::Error;

/// How many bytes of text a message costs apart from its text.
pub(super) const OVERHEAD: u32 = 16;

/// The newest messages before a reply that may fit the budget, newest first, without failed, unfinished and empty ones.
/// `branch` goes from the reply's parent up to the first message on the active path; the messages before that one are on
/// the path and found by position. `span` counts them from there, 32 positions at a time, until they exceed the budget:
/// what is read grows with the budget and not with the path. With 100,000 messages of 250 bytes it takes 0.2 ms and 39
/// buffers; without `span` it took 15 ms and 140. Lengths are told without reading the texts. The limit on rows is for a
/// branch beside the path.
const HISTORY: &str = "
WITH RECURSIVE branch (id, parent_id, position, active) AS (
    SELECT id, parent_id, position, active FROM message WHERE user_id = $1 AND id = $3
    UNION ALL
    SELECT above.id, above.parent_id, above.position, above.active
    FROM branch JOIN message AS above ON above.user_id = $1 AND above.id = branch.parent_id
    WHERE NOT branch.active
), span (upper, bytes) AS (
    SELECT COALESCE(MAX(position), 0), CAST(0 AS BIGINT) FROM branch WHERE active
    UNION ALL
    SELECT upper - 32, bytes + (
        SELECT COALESCE(SUM($6 + octet_length(content)), 0) FROM message
        WHERE user_id = $1 AND conversation_id = $2 AND active AND position <= upper AND position > upper - 32
            AND status IN ('COMPLETE', 'STOPPED') AND content <> ''
    )
    FROM span WHERE upper > 0 AND bytes <= $5
)
SELECT role, status, content, position FROM (
    SELECT role, status, content, position, SUM($6 + octet_length(content)) OVER (ORDER BY position DESC) AS bytes
    FROM (
        SELECT role, status, content, position FROM message
        WHERE user_id = $1 AND conversation_id = $2 AND active
            AND position <= (SELECT MAX(upper) FROM span) AND position > (SELECT MIN(upper) FROM span)
            AND status IN ('COMPLETE', 'STOPPED') AND content <> ''
        UNION ALL
        SELECT role, status, content, position FROM message
        WHERE user_id = $1 AND id IN (SELECT id FROM branch WHERE NOT active)
            AND status IN ('COMPLETE', 'STOPPED') AND content <> ''
        ORDER BY position DESC LIMIT $4
    ) AS newest
) AS measured
WHERE bytes - octet_length(content) - $6 <= $5
UNION ALL
SELECT 'CONVERSATION', '', instructions, CAST(0 AS BIGINT) FROM conversation_setting
WHERE user_id = $1 AND conversation_id = $2 AND instructions IS NOT NULL
UNION ALL
SELECT 'VIEWER', '', instructions, CAST(-1 AS BIGINT) FROM viewer_setting
WHERE user_id = $1 AND instructions IS NOT NULL
ORDER BY position DESC";

/// What the rows with instructions have in place of a role.
const CONVERSATION: &str = "CONVERSATION";
const VIEWER: &str = "VIEWER";

/// A message of a history. The texts of a user, and of a complete reply, never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) speaker: Speaker,
    pub(super) content: String,
}

impl Said {
    fn bytes(&self) -> u64 {
        u64::from(OVERHEAD) + self.content.len() as u64
    }
}

/// The texts that lead to a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// Oldest first.
    said: VecDeque<Said>,
    bytes: u64,
    /// For how many bytes of texts it is enough; `None` if it is the whole.
    enough_for: Option<u64>,
}

/// What users have the assistant told.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub(crate) struct Instructions {
    /// In all conversations.
    pub(crate) viewer_instructions: Option<String>,
    /// In one of them.
    pub(crate) conversation_instructions: Option<String>,
}

/// What asks for a reply, as far as the write knows it that has stored it.
#[derive(Clone, Debug)]
pub(crate) struct NewTurn {
    /// The message before; `None` if it is the first one.
    pub(crate) after: Option<uuid::Uuid>,
    /// The user's text.
    pub(crate) text: String,
    pub(crate) instructions: Instructions,
    /// What was said before, if it was read.
    pub(crate) preceding: Option<Preceding>,
}

/// What was read for a prompt.
pub(super) struct Read {
    /// Newest first.
    pub(super) said: Vec<Said>,
    pub(super) instructions: Instructions,
    /// Whether the texts may be kept: they lead to the reply without a gap, and none of them can change.
    pub(super) is_lasting: bool,
    /// Whether they are all that there is.
    pub(super) is_whole: bool,
}

struct HistoryRow {
    role: String,
    status: String,
    content: String,
    position: i64,
}

impl HistoryRow {
    fn decode(row: Row<'_>) -> Result<Self, DbErr> {
        Ok(Self { role: row.get(0)?, status: row.get(1)?, content: row.get(2)?, position: row.get(3)? })
    }
}

impl Read {
    /// Reads what leads to `reply`, as much as fits `bytes` and at most `rows` messages.
    pub(super) async fn of(
        database: &Database,
        reply: &message::Model,
        rows: i64,
        bytes: i64,
    ) -> Result<Self, Error> {
        let (user, conversation) = (reply.user_id.as_str().into(), reply.conversation_id.into());
        let values = [
            user,
            conversation,
            reply.parent_id.into(),
            rows.into(),
            bytes.into(),
            OVERHEAD.cast_signed().into(),
        ];
        let rows = database.brief_rows(database.statement(HISTORY, values), HistoryRow::decode).await?;
        Ok(Self::from_rows(rows, reply.position))
    }

    fn from_rows(rows: Vec<HistoryRow>, position: i64) -> Self {
        let mut read = Self {
            said: Vec::new(),
            instructions: Instructions::default(),
            is_lasting: true,
            is_whole: false,
        };
        let mut below = position;
        for row in rows {
            let speaker = match row.role.as_str() {
                CONVERSATION => {
                    read.instructions.conversation_instructions = Some(row.content);
                    continue;
                }
                VIEWER => {
                    read.instructions.viewer_instructions = Some(row.content);
                    continue;
                }
                role if role == sea_orm::ActiveEnum::to_value(&Role::User) => Speaker::User,
                _ => Speaker::Assistant,
            };
            let is_complete = row.status == sea_orm::ActiveEnum::to_value(&Status::Complete);
            read.is_lasting &= is_complete && row.position == below - 1;
            below = row.position;
            read.said.push(Said { speaker, content: row.content });
        }
        read.is_whole = below == 1;
        read
    }

    /// The history, if it may be kept. It was read for `bytes`.
    pub(super) fn into_history(self, bytes: u64) -> Option<History> {
        (self.is_lasting && !self.said.is_empty()).then(|| History {
            bytes: self.said.iter().map(Said::bytes).sum(),
            said: self.said.into_iter().rev().collect(),
            enough_for: (!self.is_whole).then_some(bytes),
        })
    }
}

impl History {
    /// Whether nothing is missing that may fit `bytes`.
    pub(super) fn suffices(&self, bytes: u64) -> bool {
        self.enough_for.is_none_or(|enough| enough >= bytes)
    }

    /// Adds the next message.
    pub(super) fn push(&mut self, speaker: Speaker, content: String) {
        let said = Said { speaker, content };
        self.bytes += said.bytes();
        self.said.push_back(said);
    }

    /// Drops what cannot fit `bytes` any more.
    pub(super) fn trim(&mut self, bytes: u64) {
        while let Some(oldest) = self.said.front().map(Said::bytes)
            && self.bytes - oldest > bytes
        {
            self.bytes -= oldest;
            self.said.pop_front();
            self.enough_for = Some(self.enough_for.map_or(bytes, |enough| enough.min(bytes)));
        }
    }

    /// The messages, newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Said> {
        self.said.iter().rev()
    }

    /// About how much memory it takes.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>()
            + self.said.iter().map(|said| size_of::<Said>() + said.content.capacity()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(role: &str, status: &str, content: &str, position: i64) -> HistoryRow {
        HistoryRow { role: role.to_owned(), status: status.to_owned(), content: content.to_owned(), position }
    }

    fn history(rows: Vec<HistoryRow>, position: i64) -> Option<History> {
        Read::from_rows(rows, position).into_history(1000)
    }

    #[test]
    fn what_can_change_or_is_not_whole_is_not_kept() {
        let whole = || {
            vec![
                row("USER", "COMPLETE", "two", 3),
                row("ASSISTANT", "COMPLETE", "one", 2),
                row("USER", "COMPLETE", "one", 1),
            ]
        };
        assert!(history(whole(), 4).unwrap().suffices(u64::MAX));
        let mut stopped = whole();
        stopped[1].status = "STOPPED".to_owned();
        assert_eq!(history(stopped, 4), None);
        let mut with_gap = whole();
        with_gap.remove(1);
        assert_eq!(history(with_gap, 4), None, "a reply has failed");
        assert_eq!(history(whole(), 6), None, "the last ones have failed");
        assert_eq!(history(Vec::new(), 2), None);
        let mut newest = whole();
        newest.pop();
        let newest = history(newest, 4).unwrap();
        assert!(newest.suffices(1000) && !newest.suffices(1001));
    }

    #[test]
    fn instructions_are_no_part_of_it() {
        let rows = vec![
            row("USER", "COMPLETE", "one", 1),
            row("CONVERSATION", "", "In French.", 0),
            row("VIEWER", "", "Be brief.", -1),
        ];
        let read = Read::from_rows(rows, 2);
        assert_eq!(read.instructions.viewer_instructions.as_deref(), Some("Be brief."));
        assert_eq!(read.instructions.conversation_instructions.as_deref(), Some("In French."));
        assert!(read.into_history(1000).unwrap().suffices(u64::MAX));
    }

    #[test]
    fn what_no_longer_fits_is_dropped() {
        let mut history = History::default();
        for content in ["a", "b", "c"] {
            history.push(Speaker::User, content.repeat(84));
        }
        history.trim(200);
        assert_eq!(history.said.len(), 3, "the oldest one still fits in part");
        history.trim(199);
        assert_eq!((history.said.len(), history.bytes), (2, 200));
        assert!(history.suffices(199) && !history.suffices(200));
        history.trim(0);
        assert_eq!(history.said.len(), 1, "the newest one is always shown");
    }
}
