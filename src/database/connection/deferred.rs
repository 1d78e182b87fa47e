//! Statements whose results nobody needs, on SQLite.
//!
//! Each statement that is run goes to the driver's thread, and its result comes back, which takes more processor time than
//! most statements do themselves. Those that only write go there together with the next one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::sea_query::Values;
use sea_orm::{DbBackend, Statement, Value};

/// What waits for the next statement.
#[derive(Default)]
pub(super) struct Deferred(Mutex<State>);

#[derive(Default)]
struct State {
    sql: String,
    values: Vec<Value>,
    savepoint: Savepoint,
}

/// Whether there is a savepoint.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Savepoint {
    #[default]
    None,
    /// It waits for the next statement.
    Deferred,
    /// It went to the thread with a statement that has not succeeded.
    Sent,
    Set,
}

impl Deferred {
    /// Adds a statement.
    pub(super) fn add(&self, statement: &Statement) {
        self.lock().add(statement);
    }

    /// Adds `sql`, which sets a savepoint.
    pub(super) fn add_savepoint(&self, sql: &str) {
        let mut state = self.lock();
        state.add_sql(sql, 0);
        state.savepoint = Savepoint::Deferred;
    }

    /// Puts those that wait before `statement`.
    pub(super) fn join(&self, statement: &mut Statement) {
        let mut state = self.lock();
        if !state.sql.is_empty() {
            state.add(statement);
            (statement.sql, statement.values) = state.take();
        }
    }

    /// Those that wait, as one statement; `None` if there are none.
    pub(super) fn take(&self) -> Option<Statement> {
        let mut state = self.lock();
        if state.sql.is_empty() {
            return None;
        }
        let (sql, values) = state.take();
        Some(Statement { sql, values, db_backend: DbBackend::Sqlite })
    }

    /// Notes that what was taken has succeeded.
    pub(super) fn succeed(&self) {
        let mut state = self.lock();
        if state.savepoint == Savepoint::Sent {
            state.savepoint = Savepoint::Set;
        }
    }

    /// Forgets all that waits, and the savepoint. Returns what that was.
    pub(super) fn clear(&self) -> Savepoint {
        std::mem::take(&mut *self.lock()).savepoint
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, statement: &Statement) {
        let before = self.values.len();
        self.add_sql(&statement.sql, before);
        self.values.extend(statement.values.iter().flat_map(|values| values.0.iter().cloned()));
    }

    /// Adds `sql`, whose values come after `before` others.
    fn add_sql(&mut self, sql: &str, before: usize) {
        if !self.sql.is_empty() {
            self.sql.push_str(";\n");
        }
        number_values(&mut self.sql, sql, before);
    }

    fn take(&mut self) -> (String, Option<Values>) {
        if self.savepoint == Savepoint::Deferred {
            self.savepoint = Savepoint::Sent;
        }
        (std::mem::take(&mut self.sql), Some(Values(std::mem::take(&mut self.values))))
    }
}

/// Appends `sql` to `to`, with its values, which are `$1` or `?`, counted from `before` on.
fn number_values(to: &mut String, sql: &str, before: usize) {
    let (mut quote, mut marks) = (None, before);
    let mut rest = sql.char_indices();
    while let Some((at, c)) = rest.next() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '?') => {
                marks += 1;
                to.push('$');
                to.push_str(&marks.to_string());
                continue;
            }
            (None, '$') => {
                let digits = sql[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
                if let Ok(number) = sql[at + 1..=at + digits].parse::<usize>() {
                    to.push('$');
                    to.push_str(&(before + number).to_string());
                    rest.nth(digits - 1);
                    continue;
                }
            }
            _ => {}
        }
        to.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sql: &str, values: impl IntoIterator<Item = i32>) -> Statement {
        Statement::from_sql_and_values(DbBackend::Sqlite, sql, values.into_iter().map(Value::from))
    }

    fn joined(deferred: &Deferred, mut statement: Statement) -> Statement {
        deferred.join(&mut statement);
        statement
    }

    #[test]
    fn statements_go_with_the_next_one_and_keep_their_values() {
        let deferred = Deferred::default();
        let alone = statement("SELECT $1", [1]);
        assert_eq!(joined(&deferred, alone.clone()), alone);
        deferred.add(&statement("INSERT INTO a VALUES ($2, $1, '$1?', $2)", [1, 2]));
        deferred.add(&statement("INSERT INTO b VALUES (?, \"?\", ?)", [3, 4]));
        let all = joined(&deferred, statement("SELECT b ->> '$.c', $1", [5]));
        assert_eq!(
            all,
            statement(
                "INSERT INTO a VALUES ($2, $1, '$1?', $2);\nINSERT INTO b VALUES ($3, \"?\", $4);\nSELECT b ->> '$.c', $5",
                [1, 2, 3, 4, 5]
            )
        );
        assert_eq!(deferred.take(), None);
    }

    #[test]
    fn a_savepoint_is_known_to_be_set_once_its_statement_has_succeeded() {
        let deferred = Deferred::default();
        deferred.add_savepoint("SAVEPOINT a");
        assert!(deferred.clear() == Savepoint::Deferred && deferred.clear() == Savepoint::None);
        deferred.add_savepoint("SAVEPOINT a");
        assert_eq!(joined(&deferred, statement("SELECT 1", [])).sql, "SAVEPOINT a;\nSELECT 1");
        assert!(deferred.clear() == Savepoint::Sent);
        deferred.add_savepoint("SAVEPOINT a");
        drop(joined(&deferred, statement("SELECT 1", [])));
        deferred.succeed();
        assert!(deferred.clear() == Savepoint::Set);
    }
}
