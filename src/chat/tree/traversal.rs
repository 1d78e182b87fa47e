//! Reading long branches and large subtrees, in statements that each read a bounded number of levels.

use sea_orm::{DbBackend, FromQueryResult, Value};
use uuid::Uuid;

use super::super::Chat;
use crate::error::Error;

/// How many messages are moved, copied or deleted in one transaction at most; more are in several steps.
pub(super) const STEP: i64 = 250;

/// How many messages a step moves or copies, if it takes several. It is fewer than [`STEP`], as other users' writes are
/// slower beside it, and the next step comes after a rest.
pub(super) const PIECE: i64 = 100;

/// How many bytes of messages one step copies at most, besides its last message.
pub(super) const STEP_BYTES: i64 = 512 << 10;

/// How many levels one statement goes up or down.
const MAX_LEVELS: i64 = 10_000;

/// From how many messages one statement goes down.
const MAX_FRONTIER: usize = 500;

/// Message `$2` of user `$1` and its ancestors down to position `$3`; with `$4` also those on the active path. Only the
/// messages at which a step ends are returned, and the first one.
const ANCESTORS: &str = "
WITH RECURSIVE branch (id, parent_id, position, active, bytes) AS (
    SELECT id, parent_id, position, active, {bytes} FROM message AS above WHERE user_id = $1 AND id = $2
    UNION ALL
    SELECT above.id, above.parent_id, above.position, above.active, {bytes}
    FROM branch CROSS JOIN message AS above
    WHERE above.user_id = $1 AND above.id = branch.parent_id AND ($4 OR NOT branch.active) AND branch.position > $3
),
counted AS (SELECT *, CAST(SUM(bytes) OVER (ORDER BY position) AS BIGINT) AS total FROM branch),
divided AS (
    SELECT *, position % {step} = 0 OR total / {step_bytes} <> (total - bytes) / {step_bytes} AS ends_step FROM counted
)
SELECT id, position, active, ends_step FROM divided
WHERE position <= $3 OR position = 1 OR ends_step OR (active AND NOT $4)
ORDER BY position DESC";

/// How many bytes of the row `above` a copy of it writes. Neither database reads a long text for it.
pub(super) fn row_bytes(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "octet_length(above.content) + octet_length(above.reasoning) + pg_column_size(above.parts)"
        }
        _ => "octet_length(above.content) + octet_length(above.reasoning) + octet_length(above.parts)",
    }
}

/// The messages `{ids}` of conversation `$2` of user `$1`, and their descendants up to position `$3`.
const DESCENDANTS_DOWN_TO: &str = "
WITH RECURSIVE descendant (id, position, created_revision) AS (
    SELECT id, position, created_revision FROM message
    WHERE user_id = $1 AND conversation_id = $2 AND id IN ({ids})
    UNION ALL
    SELECT child.id, child.position, child.created_revision
    FROM descendant CROSS JOIN message AS child
    WHERE child.user_id = $1 AND child.conversation_id = $2 AND child.parent_id = descendant.id AND descendant.position < $3
)
SELECT id, position, created_revision FROM descendant";

/// Rewrites the recursive join of `sql` so that it runs as a nested loop over the index. SQLite joins in the order
/// written, so a `CROSS JOIN` is enough there. PostgreSQL would read the whole conversation for each message while it
/// has no statistics; a lateral subquery with `OFFSET 0` prevents that.
pub(super) fn nested_loop(backend: DbBackend, sql: &str) -> String {
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

/// A message at which a step ends.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct StepEnd {
    pub(super) id: Uuid,
    pub(super) position: i64,
    active: bool,
    ends_step: bool,
}

/// A branch, divided into steps.
#[derive(Debug)]
pub(super) struct BranchPlan {
    /// The position of its last message on the active path; 0 if there is none.
    pub(super) ancestor: i64,
    /// The first message that was read.
    pub(super) top: Uuid,
    /// The last messages of the steps, at most [`PIECE`] positions and about [`STEP_BYTES`] apart; the last one is the
    /// branch's own.
    pub(super) step_ends: Vec<StepEnd>,
}

/// A message of a subtree.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Descendant {
    pub(super) id: Uuid,
    pub(super) position: i64,
    pub(super) created_revision: i64,
}

impl Chat {
    /// Divides the branch that ends with message `target` into steps, from the active path on, or from its first
    /// message if `whole`.
    pub(super) async fn plan_branch(&self, target: Uuid, whole: bool) -> Result<BranchPlan, Error> {
        let end = self.message(target).await?.ok_or(Error::NotFound("message"))?;
        let sql = ANCESTORS
            .replace("{step}", &PIECE.to_string())
            .replace("{step_bytes}", &STEP_BYTES.to_string())
            .replace("{bytes}", row_bytes(self.database.backend()));
        let last = StepEnd { id: end.id, position: end.position, active: end.active, ends_step: true };
        let mut step_ends = vec![last];
        let (mut start, mut position) = (target, end.position);
        loop {
            let floor = (position - MAX_LEVELS).max(1);
            let values =
                [Value::from(self.user()), Value::from(start), Value::from(floor), Value::from(whole)];
            let rows: Vec<StepEnd> = self.traverse(&sql, values.to_vec()).await?;
            let top = *rows.last().ok_or(Error::NotFound("message"))?;
            let ends = rows.into_iter().filter(|row| row.ends_step && row.position < position);
            step_ends.extend(ends.filter(|row| whole || !row.active));
            if !whole && top.active || top.position == 1 {
                step_ends.reverse();
                let ancestor = if top.active { top.position } else { 0 };
                return Ok(BranchPlan { ancestor, top: top.id, step_ends });
            }
            if top.position > floor {
                return Err(Error::NotFound("message"));
            }
            (start, position) = (top.id, top.position);
        }
    }

    /// Message `root` at `position` and its descendants, parents before children.
    pub(super) async fn descendants(
        &self,
        conversation_id: Uuid,
        root: Uuid,
        position: i64,
    ) -> Result<Vec<Descendant>, Error> {
        let mut found: Vec<Descendant> = Vec::new();
        let mut frontiers = vec![(vec![root], position - 1)];
        while let Some((frontier, seen)) = frontiers.pop() {
            let floor = seen + MAX_LEVELS;
            let ids =
                (4..frontier.len() + 4).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
            let mut values = vec![Value::from(self.user()), Value::from(conversation_id), Value::from(floor)];
            values.extend(frontier.into_iter().map(Value::from));
            let rows: Vec<Descendant> =
                self.traverse(&DESCENDANTS_DOWN_TO.replace("{ids}", &ids), values).await?;
            let next: Vec<Uuid> = rows.iter().filter(|row| row.position == floor).map(|row| row.id).collect();
            frontiers.extend(next.chunks(MAX_FRONTIER).map(|ids| (ids.to_vec(), floor)));
            found.extend(rows.into_iter().filter(|row| row.position > seen));
        }
        found.sort_by_key(|row| row.position);
        Ok(found)
    }

    /// The newest message among message `root` at `position` and its descendants, however many there are.
    pub(super) async fn newest_of_descendants(
        &self,
        conversation_id: Uuid,
        root: Uuid,
        position: i64,
    ) -> Result<Descendant, Error> {
        let all = self.descendants(conversation_id, root, position).await?;
        let newest = all.into_iter().max_by_key(|row| (row.created_revision, row.position));
        newest.ok_or(Error::NotFound("message"))
    }

    async fn traverse<T: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<T>, Error> {
        let backend = self.database.backend();
        self.find(self.database.statement(nested_loop(backend, sql), values)).await
    }
}
