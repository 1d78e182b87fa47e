//! What was said before a message, as the statement that sends it reads it on PostgreSQL.
//!
//! A reply whose prompt this server does not know then takes no statement more. After 50 to 60 messages of 320 bytes, a send
//! with its end then took PostgreSQL 780 to 820 µs in place of 1,020 to 1,150, at eight sends a statement.

use sea_orm::sqlx::Row as _;
use sea_orm::{DbErr, QueryResult};

use super::history::{Instructions, OVERHEAD, Read, Said};
use super::prompt::BYTES_PER_TOKEN;
use crate::assistant::Speaker;

/// How many messages the statement looks at. A history of more that may all be shown is read by a statement of its own: by
/// default, if they have 256 bytes or less on average.
const MESSAGES: i64 = 128;

/// The columns of [`preceding`].
pub(crate) const PRECEDING_COLUMNS: &str = ", said, said_by_user, said_completely, said_since, said_count";

/// A part of the statement: what is said on the active path before position `last_position - 1` of `extended`, newest first,
/// as much as may fit `planned.context` tokens, unless `planned.is_known`.
pub(crate) fn preceding() -> String {
    let fits = format!("bytes <= {BYTES_PER_TOKEN} * planned.context");
    format!(
        "
CROSS JOIN LATERAL (
    SELECT array_agg(content) FILTER (WHERE {fits}) AS said, array_agg(role = 'USER') FILTER (WHERE {fits}) AS said_by_user,
        bool_and(status = 'COMPLETE') AS said_completely, MIN(position) AS said_since, COUNT(*) AS said_count
    FROM (
        SELECT content, role, status, position,
            SUM({OVERHEAD} + octet_length(content)) OVER (ORDER BY position DESC ROWS UNBOUNDED PRECEDING) AS bytes
        FROM message
        WHERE user_id = extended.user_id AND conversation_id = extended.id AND active
            AND position < extended.last_position - 1 AND position >= extended.last_position - 1 - {MESSAGES}
            AND status IN ('COMPLETE', 'STOPPED') AND content <> '' AND NOT planned.is_known
    ) AS newest
) AS preceding"
    )
}

/// What was said before a message.
#[derive(Clone, Debug)]
pub(crate) struct Preceding {
    /// Newest first, as much as may fit.
    said: Vec<Said>,
    /// Whether all that was looked at is of users and of complete replies.
    is_complete: bool,
    /// The first position of what was looked at.
    since: Option<i64>,
    /// How many messages were looked at.
    count: i64,
}

impl Preceding {
    /// From the row that the statement returns.
    pub(crate) fn from_row(row: &QueryResult) -> Result<Self, DbErr> {
        let row = row.try_as_pg_row().ok_or_else(|| DbErr::Type("this is read on PostgreSQL".to_owned()))?;
        let unreadable = |error: sea_orm::SqlxError| DbErr::Type(error.to_string());
        let said: Option<Vec<String>> = row.try_get("said").map_err(unreadable)?;
        let by_user: Option<Vec<bool>> = row.try_get("said_by_user").map_err(unreadable)?;
        let said = by_user.unwrap_or_default().into_iter().zip(said.unwrap_or_default());
        let said = said.map(|(is_user, content)| {
            let speaker = if is_user { Speaker::User } else { Speaker::Assistant };
            Said { speaker, content }
        });
        let is_complete: Option<bool> = row.try_get("said_completely").map_err(unreadable)?;
        Ok(Self {
            said: said.collect(),
            is_complete: is_complete.unwrap_or(true),
            since: row.try_get("said_since").map_err(unreadable)?,
            count: row.try_get("said_count").map_err(unreadable)?,
        })
    }

    /// What leads to the reply to `text`, which has a position; `None` if something is missing that may fit.
    pub(super) fn followed_by(self, text: String, position: i64, instructions: Instructions) -> Option<Read> {
        let is_cut = self.count > i64::try_from(self.said.len()).unwrap_or(i64::MAX);
        if position > MESSAGES + 1 && !is_cut {
            return None;
        }
        let since = self.since.unwrap_or(position);
        let is_without_gap = since + self.count == position && (is_cut || since == 1);
        let mut said = self.said;
        said.insert(0, Said { speaker: Speaker::User, content: text });
        let is_lasting = self.is_complete && is_without_gap;
        Some(Read { said, instructions, is_lasting, is_whole: is_lasting && !is_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preceding(said: &[&str], is_complete: bool, since: Option<i64>, count: i64) -> Preceding {
        let said = said.iter().map(|content| Said { speaker: Speaker::User, content: (*content).to_owned() });
        Preceding { said: said.collect(), is_complete, since, count }
    }

    fn read(preceding: Preceding, position: i64) -> Option<Read> {
        preceding.followed_by("new".to_owned(), position, Instructions::default())
    }

    #[test]
    fn what_can_change_or_has_a_gap_is_not_kept() {
        let kept = |preceding, position| read(preceding, position).unwrap().into_history(1000);
        let whole = kept(preceding(&["two", "one"], true, Some(1), 2), 3).unwrap();
        assert!(whole.suffices(u64::MAX));
        assert!(kept(preceding(&[], true, None, 0), 1).unwrap().suffices(u64::MAX));
        assert_eq!(kept(preceding(&["two", "one"], false, Some(1), 2), 3), None, "one was stopped");
        assert_eq!(kept(preceding(&["three", "one"], true, Some(1), 2), 4), None, "one has failed");
        assert_eq!(kept(preceding(&["three", "two"], true, Some(2), 2), 4), None, "the first one has failed");
        assert_eq!(kept(preceding(&[], true, None, 0), 3), None, "all have failed");
        let newest = kept(preceding(&["two"], true, Some(1), 2), 3).unwrap();
        assert!(newest.suffices(1000) && !newest.suffices(1001));
    }

    #[test]
    fn more_may_fit_if_all_that_was_looked_at_does() {
        let many = vec!["word"; 128];
        assert!(read(preceding(&many, true, Some(1), 128), 129).is_some());
        assert!(read(preceding(&many, true, Some(2), 128), 130).is_none());
        assert!(read(preceding(&many[1..], true, Some(2), 128), 130).is_some());
        assert_eq!(read(preceding(&["one"], true, Some(1), 1), 2).unwrap().said[0].content, "new");
    }
}
