//! The replies of conversations that have not ended: what is unread beside them, which one runs, and which wait.
//!
//! All that is asked about the conversations of a page is read in one statement, and therefore from one snapshot. It
//! reads the indexes of such replies, of which there are as many at most as a user may have under way and queued.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sea_orm::{DbBackend, DbErr, FromQueryResult, QueryResult, Statement, Value};
use uuid::Uuid;

use super::read::{Effort, ROW_BYTES, RowSize};
use super::{Chat, CountedPage, Page, Slice};
use crate::entity::message;
use crate::error::Error;

/// A place in the queue of a conversation: of two replies at the same position, which are on different branches, the one
/// with the lower id begins first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueuePosition {
    /// The reply's position on its branch.
    pub position: i64,
    /// The reply.
    pub id: Uuid,
}

impl QueuePosition {
    /// The place of a queued reply.
    #[must_use]
    pub fn of(reply: &message::Model) -> Self {
        Self { position: reply.position, id: reply.id }
    }
}

/// What is asked about the replies of a conversation that have not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnendedReplies {
    /// The conversation.
    pub conversation: Uuid,
    /// What is asked.
    pub question: Question,
}

/// See [`UnendedReplies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// How many messages of the active path are not read, those replies aside.
    Unread,
    /// Which reply is being written, on the active path or not.
    Active,
    /// Which replies wait for their turn, on the active path or not, in the order in which they are to begin.
    Queued(Slice<QueuePosition>),
}

/// What is known of a conversation's replies that have not ended.
#[derive(Clone, Debug)]
pub struct Unended {
    /// The number of messages that are not read.
    pub unread: i64,
    /// The replies that were asked for: at most one that is being written, or a page of those that wait.
    pub replies: CountedPage<Arc<message::Model>>,
}

/// A reply that was asked for, or none.
struct UnendedRow {
    /// The question's index in the statement.
    number: i64,
    unread: i64,
    /// How many replies are queued.
    queued: i64,
    reply: Option<message::Model>,
}

impl FromQueryResult for UnendedRow {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let id: Option<Uuid> = row.try_get(prefix, "id")?;
        Ok(Self {
            number: row.try_get(prefix, "number")?,
            unread: row.try_get(prefix, "unread")?,
            queued: row.try_get(prefix, "queued")?,
            reply: id.map(|_| message::Model::from_query_result(row, prefix)).transpose()?,
        })
    }
}

impl RowSize for UnendedRow {
    fn bytes(&self) -> usize {
        self.reply.as_ref().map_or(ROW_BYTES, RowSize::bytes)
    }
}

/// `{wanted}` are the questions, about the conversations `{conversations}` of the user `$1`. The statuses are spelled out,
/// as the databases must see that the partial indexes apply.
const STATEMENT: &str = "
WITH wanted (number, conversation_id, status, low, low_id, high, high_id, first, last) AS (VALUES {wanted}),
unended AS MATERIALIZED (
    SELECT id, conversation_id, position, active, status FROM message
    WHERE user_id = $1 AND conversation_id IN ({conversations}) AND status = 'GENERATING'
    UNION ALL SELECT id, conversation_id, position, active, status FROM message
    WHERE user_id = $1 AND conversation_id IN ({conversations}) AND status = 'QUEUED'
),
place AS (
    SELECT wanted.number, unended.id, wanted.first, wanted.last,
        row_number() OVER (PARTITION BY wanted.number ORDER BY unended.position, unended.id) AS forwards,
        row_number() OVER (PARTITION BY wanted.number ORDER BY unended.position DESC, unended.id DESC) AS backwards
    FROM wanted JOIN unended ON unended.conversation_id = wanted.conversation_id AND unended.status = wanted.status
        AND (unended.position, unended.id) > (wanted.low, wanted.low_id)
        AND (unended.position, unended.id) < (wanted.high, wanted.high_id)
)
SELECT CAST(wanted.number AS BIGINT) AS number,
    conversation.last_position - conversation.read_position - (
        SELECT count(*) FROM unended WHERE unended.conversation_id = conversation.id AND unended.active
            AND unended.position > conversation.read_position) AS unread,
    (SELECT count(*) FROM unended WHERE unended.conversation_id = conversation.id AND unended.status = 'QUEUED'
        AND conversation.deleted_at IS NULL) AS queued,
    message.*
FROM wanted
JOIN conversation ON conversation.user_id = $1 AND conversation.id = wanted.conversation_id
LEFT JOIN place ON place.number = wanted.number AND conversation.deleted_at IS NULL
    AND (place.forwards <= place.first OR place.backwards <= place.last)
LEFT JOIN message ON message.user_id = $1 AND message.id = place.id";

impl Chat {
    /// The answers to `questions` about conversations of the viewer, from one snapshot. A conversation in the trash has no
    /// such replies, but they do not count as unread.
    pub async fn unended_replies(
        &self,
        questions: &[UnendedReplies],
    ) -> Result<HashMap<UnendedReplies, Unended>, Error> {
        let rows = self.load_rows::<UnendedRow>(self.unended(questions), Effort::Usual).await?;
        let mut answers: HashMap<UnendedReplies, Unended> = HashMap::new();
        for UnendedRow { number, unread, queued, reply } in rows {
            let Some(asked) = usize::try_from(number).ok().and_then(|number| questions.get(number)) else {
                continue;
            };
            let replies = CountedPage { page: Page::empty(), total: queued };
            let new = || Unended { unread: unread.max(0), replies };
            answers.entry(*asked).or_insert_with(new).replies.page.items.extend(reply.map(Arc::new));
        }
        for (asked, answer) in &mut answers {
            if let Question::Queued(slice) = asked.question {
                let items = &mut answer.replies.page.items;
                items.sort_unstable_by_key(|reply| QueuePosition::of(reply));
                if slice.from_end {
                    items.reverse();
                }
                answer.replies.page = Page::from_rows(std::mem::take(items), &slice);
            }
        }
        Ok(answers)
    }

    fn unended(&self, questions: &[UnendedReplies]) -> Statement {
        let mut values = Values { backend: self.database.backend(), values: vec![self.user().into()] };
        let mut conversations: HashMap<Uuid, String> = HashMap::new();
        let mut wanted = String::new();
        for (number, UnendedReplies { conversation, question }) in questions.iter().enumerate() {
            let (status, slice) = match question {
                Question::Unread => ("", None),
                Question::Active => ("GENERATING", None),
                Question::Queued(slice) => ("QUEUED", Some(slice)),
            };
            let conversation = conversations.entry(*conversation).or_insert_with(|| values.id(*conversation));
            let low = values.place(slice.and_then(|slice| slice.after), 0);
            let high = values.place(slice.and_then(|slice| slice.before), i64::MAX);
            // One more shows that there are more.
            let limit = slice.map_or(1, |slice| slice.limit + 1);
            let (first, last) =
                if slice.is_some_and(|slice| slice.from_end) { (0, limit) } else { (limit, 0) };
            let comma = if number > 0 { ", " } else { "" };
            let _ = write!(
                wanted,
                "{comma}({number}, {conversation}, '{status}', {low}, {high}, {first}, {last})"
            );
        }
        let conversations: Vec<String> = conversations.into_values().collect();
        let sql =
            STATEMENT.replace("{wanted}", &wanted).replace("{conversations}", &conversations.join(", "));
        self.database.statement(sql, values.values)
    }
}

/// The values of a statement.
struct Values {
    backend: DbBackend,
    values: Vec<Value>,
}

impl Values {
    /// Adds an id, and returns how the statement names it.
    fn id(&mut self, id: Uuid) -> String {
        self.values.push(id.into());
        let number = self.values.len();
        match self.backend {
            DbBackend::Postgres => format!("CAST(${number} AS UUID)"),
            _ => format!("${number}"),
        }
    }

    /// Adds the two parts of a place; without one it is the first at this position.
    fn place(&mut self, place: Option<QueuePosition>, or: i64) -> String {
        let Some(QueuePosition { position, id }) = place else {
            let nil = match self.backend {
                DbBackend::Postgres => format!("CAST('{}' AS UUID)", Uuid::nil()),
                _ => format!("X'{}'", Uuid::nil().simple()),
            };
            return format!("CAST({or} AS BIGINT), {nil}");
        };
        self.values.push(position.into());
        let number = self.values.len();
        format!("CAST(${number} AS BIGINT), {}", self.id(id))
    }
}
