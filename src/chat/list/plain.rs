//! The list that nearly every request asks for: the active conversations, without a filter. Its statement is written out:
//! building it from expressions was a twentieth of such a request. What is asked about the whole list comes with each
//! row, without a join, after which the rows would be sorted once more.

use std::fmt::Write as _;

use sea_orm::{Statement, Value};

use super::statement::ListStatement;
use super::{ConversationCursor, ConversationKey, ConversationState};

const OWN: &str = "FROM conversation WHERE user_id = $1 AND deleted_at IS NULL AND archived_at IS NULL";

impl ListStatement<'_> {
    /// The statement, unless the list has a filter. If the page is empty, it does not tell anything else.
    pub(super) fn plain(&self) -> Option<Statement> {
        let filter = self.filter;
        let is_plain = filter.states == [ConversationState::Active]
            && filter.pinned.is_none()
            && self.title_part.is_none()
            && filter.updated_since.is_none()
            && self.metadata.is_empty();
        if !is_plain {
            return None;
        }
        let (order, slice) = (self.order, self.slice);
        let key = order.columns().join(", ");
        let mut values = vec![Value::from(self.chat.user())];
        let (mut facts, mut conditions) = (String::new(), String::new());
        if self.wanted.counted {
            let _ = write!(facts, "(SELECT COUNT(*) {OWN}), ");
        }
        for (cursor, after) in [(&slice.after, true), (&slice.before, false)] {
            let Some(cursor) = cursor else { continue };
            let bound = bind(cursor, &mut values);
            let (beyond, other, nearest) =
                if after == order.is_descending() { ("<", ">=", "ASC") } else { (">", "<=", "DESC") };
            let _ = write!(conditions, " AND ({key}) {beyond} ({bound})");
            let nearest = sorted(&order.columns(), nearest);
            let _ = write!(
                facts,
                "COALESCE((SELECT TRUE {OWN} AND ({key}) {other} ({bound}) ORDER BY {nearest} LIMIT 1), FALSE), "
            );
        }
        values.push(Value::from(i64::try_from(slice.limit + 1).unwrap_or(i64::MAX)));
        let limit = values.len();
        let sorted =
            sorted(&order.columns(), if slice.from_end == order.is_descending() { "ASC" } else { "DESC" });
        let columns = self.columns().join(", ");
        let sql = format!("SELECT {facts}{columns} {OWN}{conditions} ORDER BY {sorted} LIMIT ${limit}");
        Some(self.chat.database.statement(sql, values))
    }
}

/// Adds what a cursor stands for to `values`, and returns the places.
fn bind(cursor: &ConversationCursor, values: &mut Vec<Value>) -> String {
    let first = values.len() + 1;
    match &cursor.key {
        ConversationKey::Instant(instant) => values.push((*instant).into()),
        ConversationKey::Title(key) => values.push(key.as_str().into()),
        ConversationKey::Pinned(pinned, instant) => {
            values.push((*pinned).into());
            values.push((*instant).into());
        }
    }
    values.push(cursor.id.into());
    (first..=values.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

fn sorted(columns: &[&str], direction: &str) -> String {
    columns.iter().map(|column| format!("{column} {direction}")).collect::<Vec<_>>().join(", ")
}
