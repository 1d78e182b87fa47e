//! Reading long branches and large parts of a tree, in statements of bounded length.

use sea_orm::{DbBackend, FromQueryResult, Statement, Value};
use uuid::Uuid;

use super::super::Chat;
use super::steps::STEP;
use crate::error::Error;

/// How many places one statement climbs or descends.
const LEVELS: i64 = 10_000;

/// How many messages one statement descends from.
const FRONTIER: usize = 500;

/// From message `$2` of user `$1` upwards to position `$3`; with `$4` past the active path. Only the messages at which a
/// step ends are read, and the uppermost.
const CLIMB: &str = "
WITH RECURSIVE branch (id, parent_id, position, active) AS (
    SELECT id, parent_id, position, active FROM message WHERE user_id = $1 AND id = $2
    UNION ALL
    SELECT above.id, above.parent_id, above.position, above.active
    FROM branch CROSS JOIN message AS above
    WHERE above.user_id = $1 AND above.id = branch.parent_id AND ($4 OR NOT branch.active) AND branch.position > $3
)
SELECT id, position, active FROM branch
WHERE position <= $3 OR position = 1 OR position % {step} = 0 OR (active AND NOT $4)
ORDER BY position DESC";

/// The messages `{ids}` of conversation `$2` of user `$1`, and what hangs below them down to position `$3`.
const DESCEND: &str = "
WITH RECURSIVE below (id, position, created_revision) AS (
    SELECT id, position, created_revision FROM message
    WHERE user_id = $1 AND conversation_id = $2 AND id IN ({ids})
    UNION ALL
    SELECT child.id, child.position, child.created_revision
    FROM below CROSS JOIN message AS child
    WHERE child.user_id = $1 AND child.conversation_id = $2 AND child.parent_id = below.id AND below.position < $3
)
SELECT id, position, created_revision FROM below";

/// `sql` with its join of messages made one by one, by their index: SQLite joins in the order written, and would otherwise
/// read all that it has found so far for each message of the conversation; PostgreSQL has to be kept from reading the
/// conversation for each message, as it would do before it has statistics.
pub(super) fn one_by_one(backend: DbBackend, sql: &str) -> String {
    const JOIN: &str = "CROSS JOIN message AS ";
    let parts = sql.split_once(JOIN).and_then(|(before, rest)| {
        let (alias, rest) = rest.split_once('\n')?;
        let (condition, after) = rest.split_once("\n)")?;
        Some((before, alias, condition, after))
    });
    match parts {
        Some((before, alias, condition, after)) if backend == DbBackend::Postgres => format!(
            "{before}CROSS JOIN LATERAL (\nSELECT * FROM message AS {alias}\n{condition} OFFSET 0) AS {alias}\n){after}"
        ),
        _ => sql.to_owned(),
    }
}

/// A message on the way at which a step ends.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Stop {
    pub(super) id: Uuid,
    pub(super) position: i64,
    active: bool,
}

/// The way to a message.
#[derive(Debug)]
pub(super) struct Way {
    /// The position of the last message on it that is on the active path; 0 if there is none.
    pub(super) junction: i64,
    /// The uppermost message that was looked at.
    pub(super) top: Uuid,
    /// What steps from there end with, at most [`STEP`] places apart; the message itself is the last.
    pub(super) stops: Vec<Stop>,
}

/// A message in a part of the tree.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Below {
    pub(super) id: Uuid,
    pub(super) position: i64,
    pub(super) created_revision: i64,
}

impl Chat {
    /// The way to message `target` from the active path, or from the start of its conversation if it is to be `whole`.
    pub(super) async fn way_to(&self, target: Uuid, whole: bool) -> Result<Way, Error> {
        let end = self.message(target).await?.ok_or(Error::NotFound("message"))?;
        let sql = CLIMB.replace("{step}", &STEP.to_string());
        let mut stops = vec![Stop { id: end.id, position: end.position, active: end.active }];
        let (mut start, mut position) = (target, end.position);
        loop {
            let floor = (position - LEVELS).max(1);
            let values =
                [Value::from(self.user()), Value::from(start), Value::from(floor), Value::from(whole)];
            let rows: Vec<Stop> = self.traverse(&sql, values.to_vec()).await?;
            let top = *rows.last().ok_or(Error::NotFound("message"))?;
            let ends = rows.into_iter().filter(|row| row.position % STEP == 0 && row.position < position);
            stops.extend(ends.filter(|row| whole || !row.active));
            if !whole && top.active || top.position == 1 {
                stops.reverse();
                let junction = if top.active { top.position } else { 0 };
                return Ok(Way { junction, top: top.id, stops });
            }
            if top.position > floor {
                return Err(Error::NotFound("message"));
            }
            (start, position) = (top.id, top.position);
        }
    }

    /// Message `root` at `position`, and all that hangs below it; parents come before what hangs below them.
    pub(super) async fn all_below(
        &self,
        conversation_id: Uuid,
        root: Uuid,
        position: i64,
    ) -> Result<Vec<Below>, Error> {
        let mut found: Vec<Below> = Vec::new();
        let mut frontiers = vec![(vec![root], position - 1)];
        while let Some((frontier, seen)) = frontiers.pop() {
            let floor = seen + LEVELS;
            let ids =
                (4..frontier.len() + 4).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
            let mut values = vec![Value::from(self.user()), Value::from(conversation_id), Value::from(floor)];
            values.extend(frontier.into_iter().map(Value::from));
            let rows: Vec<Below> = self.traverse(&DESCEND.replace("{ids}", &ids), values).await?;
            let next: Vec<Uuid> = rows.iter().filter(|row| row.position == floor).map(|row| row.id).collect();
            frontiers.extend(next.chunks(FRONTIER).map(|ids| (ids.to_vec(), floor)));
            found.extend(rows.into_iter().filter(|row| row.position > seen));
        }
        found.sort_by_key(|row| row.position);
        Ok(found)
    }

    /// The newest message among message `root` at `position` and all that hangs below it, however many there are.
    pub(super) async fn newest_of_many(
        &self,
        conversation_id: Uuid,
        root: Uuid,
        position: i64,
    ) -> Result<Below, Error> {
        let all = self.all_below(conversation_id, root, position).await?;
        let newest = all.into_iter().max_by_key(|row| (row.created_revision, row.position));
        newest.ok_or(Error::NotFound("message"))
    }

    async fn traverse<T: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<T>, Error> {
        let backend = self.database.backend();
        self.find(Statement::from_sql_and_values(backend, one_by_one(backend, sql), values)).await
    }
}
