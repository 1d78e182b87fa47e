//! A page of changes in one statement, and therefore from one snapshot.
//!
//! It finds the keys of the page in the indexes by revision, then how many of them fit with the wanted texts, and only
//! then reads the rows.

use std::cmp::Ordering;
use std::sync::Arc;

use sea_orm::{
    DbBackend, DbErr, EntityTrait, FromQueryResult, IdenStatic, Iterable, QueryResult, Statement, Value,
};
use uuid::Uuid;

use super::{Change, ChangeCursor, ChangeKind, LongColumns};
use crate::chat::read::{ROW_BYTES, RowSize};
use crate::entity::{conversation, deleted_message, message};

/// Which changes are wanted.
pub(super) struct PageRequest {
    pub(super) since: Option<ChangeCursor>,
    pub(super) limit: u64,
    pub(super) columns: LongColumns,
    /// How many bytes the page may have; its first change may have more.
    pub(super) bytes: usize,
}

/// A row of the result.
pub(super) enum Row {
    /// A conversation that was changed at this revision.
    Conversation(conversation::Model, i64),
    Message(message::Model),
    DeletedMessage(deleted_message::Model),
    /// Another change follows the page.
    Next,
    /// The page ends with this message, as so many were looked at that are in the trash.
    Horizon(ChangeCursor),
}

/// The tables' numbers in the statement, in the order of [`ChangeKind`].
const CONVERSATION: i32 = 0;
const MESSAGE: i32 = 1;

/// The number of [`Row::Horizon`].
const HORIZON: i32 = 3;

/// How many messages one statement looks at. A conversation in the trash hides its messages, which may be any number.
const WALK: u64 = 1000;

/// The last message that the statement looks at, if there are so many.
const HORIZON_KEY: &str = "
SELECT revision, id FROM message WHERE user_id = $1 AND (revision, id) > ($2, $4)
ORDER BY revision, id LIMIT 1 OFFSET {walk}";

impl Row {
    /// The change in this row; `columns` were read of messages.
    pub(super) fn into_change(self, columns: LongColumns) -> Option<Change> {
        match self {
            Self::Conversation(row, revision) => Some(conversation_change(row, revision)),
            Self::Message(row) => Some(Change::Message(Arc::new(row), columns)),
            Self::DeletedMessage(row) => Some(Change::DeletedMessage(Arc::new(row))),
            Self::Next | Self::Horizon(_) => None,
        }
    }
}

/// What happened to a conversation at `revision`.
fn conversation_change(row: conversation::Model, revision: i64) -> Change {
    let row = Arc::new(row);
    match revision {
        _ if row.deleted_at.is_some() => Change::Conversation(row),
        _ if row.restored_revision == Some(revision) => Change::Restored(row),
        _ if row.path_revision == Some(revision) => Change::ActivePath(row),
        _ => Change::Conversation(row),
    }
}

impl FromQueryResult for Row {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        let kind = row.try_get::<i32>("", "kind")?;
        if kind == HORIZON {
            let (revision, id) = (row.try_get("", "revision")?, row.try_get("", "id")?);
            return Ok(Self::Horizon(ChangeCursor { revision, kind: ChangeKind::Message, id }));
        }
        if !row.try_get::<bool>("", "fits")? {
            return Ok(Self::Next);
        }
        match kind {
            CONVERSATION => {
                let revision = row.try_get("", "revision")?;
                Ok(Self::Conversation(conversation::Model::from_query_result(row, "c_")?, revision))
            }
            MESSAGE => Ok(Self::Message(message::Model::from_query_result(row, "m_")?)),
            _ => Ok(Self::DeletedMessage(deleted_message::Model::from_query_result(row, "d_")?)),
        }
    }
}

impl RowSize for Row {
    fn bytes(&self) -> usize {
        match self {
            Self::Conversation(row, _) => row.bytes(),
            Self::Message(row) => row.bytes(),
            Self::DeletedMessage(row) => row.bytes(),
            Self::Next | Self::Horizon(_) => 0,
        }
    }
}

/// The keys of each table's changes, in order; `{limit}` is one more than the page may have. Limits are literals, as
/// the plans depend on them.
const KEYS: &str = "
SELECT * FROM (
    SELECT 0 AS kind, revision, id, {row} + COALESCE(octet_length(title), 0) + octet_length(metadata) AS bytes
    FROM conversation WHERE user_id = $1 AND (revision, id) > ($2, $3)
    ORDER BY revision, id LIMIT {limit}) AS changed
{moments}UNION ALL SELECT * FROM (
    SELECT 1, revision, id, {row} + octet_length(metadata) + COALESCE(octet_length(rating_comment), 0)
        + CASE WHEN $6 THEN octet_length(content) ELSE 0 END
        + CASE WHEN $7 THEN octet_length(reasoning) + octet_length(CAST(parts AS TEXT)) ELSE 0 END
    FROM message WHERE user_id = $1 AND (revision, id) > ($2, $4)
        AND revision <= COALESCE((SELECT revision FROM horizon), 9223372036854775807) AND {visible}
    ORDER BY revision, id LIMIT {limit}) AS written
UNION ALL SELECT * FROM (
    SELECT 2, revision, id, {row}
    FROM deleted_message WHERE user_id = $1 AND (revision, id) > ($2, $5)
    ORDER BY revision, id LIMIT {limit}) AS deleted";

/// The keys of the conversations' changes that have a revision of their own, `{moment}`. Where the row was last changed
/// at that revision, the key is the same, and there once.
const MOMENTS: &str = "UNION SELECT * FROM (
    SELECT 0, {moment}, id, {row} + COALESCE(octet_length(title), 0) + octet_length(metadata)
    FROM conversation WHERE user_id = $1 AND ({moment}, id) > ($2, $3)
        AND {moment} IS NOT NULL AND deleted_at IS NULL
    ORDER BY {moment}, id LIMIT {limit}) AS {moment}
";

/// The rows of the keys that fit on the page, and the key of the change after them.
const ROWS: &str = "
SELECT page.kind, page.revision, page.id, page.fits, {columns}
FROM page
LEFT JOIN conversation ON page.fits AND page.kind = 0
    AND conversation.user_id = $1 AND conversation.id = page.id
LEFT JOIN message ON page.fits AND page.kind = 1
    AND message.user_id = $1 AND message.id = page.id
LEFT JOIN deleted_message ON page.fits AND page.kind = 2
    AND deleted_message.user_id = $1 AND deleted_message.id = page.id";

/// The statement that finds the changes in `request` of `user`.
pub(super) fn statement(backend: DbBackend, user: &str, request: &PageRequest) -> Statement {
    let moments = ["restored_revision", "path_revision"].map(|moment| MOMENTS.replace("{moment}", moment));
    let keys = KEYS
        .replace("{moments}", &moments.concat())
        .replace("{limit}", &(request.limit + 1).to_string())
        .replace("{row}", &ROW_BYTES.to_string())
        .replace("{visible}", message::VISIBLE);
    let rows = ROWS.replace("{columns}", &columns());
    let sql = format!(
        "WITH horizon AS MATERIALIZED ({horizon}),
change_key AS ({keys}
UNION ALL SELECT {HORIZON}, revision, id, 0 FROM horizon),
page AS (
    SELECT kind, revision, id, row_number() OVER so_far <= {limit}
        AND (row_number() OVER so_far = 1 OR sum(bytes) OVER so_far <= $8) AS fits
    FROM change_key
    WHERE kind = {HORIZON} OR NOT EXISTS (SELECT 1 FROM horizon
        WHERE (change_key.revision, change_key.kind, change_key.id) > (horizon.revision, {MESSAGE}, horizon.id))
    WINDOW so_far AS (ORDER BY revision, kind, id)
    ORDER BY revision, kind, id LIMIT {limit} + 1
){rows}",
        limit = request.limit,
        horizon = HORIZON_KEY.replace("{walk}", &(WALK - 1).to_string()),
    );
    let (revision, [conversation, message, deleted_message]) = bounds(request.since);
    let bytes = i64::try_from(request.bytes).unwrap_or(i64::MAX);
    Statement::from_sql_and_values(
        backend,
        sql,
        [
            Value::from(user),
            Value::from(revision),
            Value::from(conversation),
            Value::from(message),
            Value::from(deleted_message),
            Value::from(request.columns.content),
            Value::from(request.columns.parts),
            Value::from(bytes),
        ],
    )
}

/// The revision, and for each table the id, after which its rows are wanted. Within one revision the tables follow one
/// another.
fn bounds(since: Option<ChangeCursor>) -> (i64, [Uuid; 3]) {
    let Some(since) = since else { return (0, [Uuid::nil(); 3]) };
    let kinds = [ChangeKind::Conversation, ChangeKind::Message, ChangeKind::DeletedMessage];
    let ids = kinds.map(|kind| match kind.cmp(&since.kind) {
        Ordering::Less => Uuid::max(),
        Ordering::Equal => since.id,
        Ordering::Greater => Uuid::nil(),
    });
    (since.revision, ids)
}

/// All columns of the three tables under distinct names; long ones that are not wanted are empty.
fn columns() -> String {
    let mut columns = list::<conversation::Entity>("conversation", "c_", |_| None);
    columns += ", ";
    columns += &list::<message::Entity>("message", "m_", |column| match column {
        message::Column::Content => Some("CASE WHEN $6 THEN message.content ELSE '' END"),
        message::Column::Reasoning => Some("CASE WHEN $7 THEN message.reasoning ELSE '' END"),
        message::Column::Parts => Some("CASE WHEN $7 THEN message.parts ELSE '[]' END"),
        _ => None,
    });
    columns += ", ";
    columns + &list::<deleted_message::Entity>("deleted_message", "d_", |_| None)
}

fn list<E: EntityTrait>(
    table: &str,
    prefix: &str,
    instead: impl Fn(&E::Column) -> Option<&'static str>,
) -> String {
    let columns = E::Column::iter().map(|column| {
        let name = column.as_str();
        match instead(&column) {
            Some(expression) => format!("{expression} AS {prefix}{name}"),
            None => format!("{table}.{name} AS {prefix}{name}"),
        }
    });
    columns.collect::<Vec<_>>().join(", ")
}
