//! The statement that finds hits.

use sea_orm::{DbBackend, Iden, Iterable, Statement, Value};

use super::{SearchCursor, SearchFilter, SearchScope, round_up};
use crate::chat::Slice;
use crate::entity::{conversation, message};
use crate::search::{Lookup, Query, Term, scope};

/// What the names of a message's columns begin with.
pub(super) const MESSAGE: &str = "message_";

/// What the names of a conversation's columns begin with.
pub(super) const CONVERSATION: &str = "whole_";

/// Collects the values of a statement.
struct Sql {
    backend: DbBackend,
    values: Vec<Value>,
}

impl Sql {
    /// Adds a value, and returns its placeholder. Nothing that a client sends becomes part of the SQL text.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Adds a term's pattern and its number of characters, and returns their placeholders.
    fn bind_pattern(&mut self, term: &Term) -> (String, String) {
        let pattern = term.pattern();
        let length = i64::try_from(pattern.chars().count()).unwrap_or(i64::MAX);
        (self.bind(pattern), self.bind(length))
    }
}

/// The statement that finds a page of hits and reads them, in one snapshot; `None` if the filter excludes everything.
///
/// The index finds the owner's candidates by their tokens, and their folded texts then decide. Terms are counted once,
/// in a materialized part of the statement.
pub(super) fn statement(
    backend: DbBackend,
    user: &str,
    query: &Query,
    filter: &SearchFilter,
    slice: &Slice<SearchCursor>,
    parts: bool,
) -> Option<Statement> {
    let mut sql = Sql { backend, values: Vec::new() };
    let user_id = sql.bind(user);
    let lookups = query.lookups(&scope(user));
    let tokens = (!lookups.is_empty()).then(|| sql.bind(index_query(backend, &lookups)));
    let mut columns = Vec::new();
    for (number, term) in query.wanted.iter().enumerate() {
        let (pattern, length) = sql.bind_pattern(term);
        columns.push(format!(
            "(length(s.text) - length(replace(s.text, {pattern}, ''))) / CAST({length} AS BIGINT) AS count{number}"
        ));
    }
    columns.push("length(s.text) / 2000 AS size".to_owned());
    let mut conditions = Vec::new();
    for term in &query.unwanted {
        let (pattern, _) = sql.bind_pattern(term);
        conditions.push(format!("length(replace(s.text, {pattern}, '')) = length(s.text)"));
    }
    let search = Search {
        user_id: &user_id,
        tokens: tokens.as_deref(),
        columns: &columns.join(", "),
        conditions: &conditions,
        filter,
    };
    let mut branches = Vec::new();
    if filter.scope != Some(SearchScope::Titles) {
        branches.push(search.messages(&mut sql));
    }
    if filter.scope != Some(SearchScope::Messages) && filter.role.is_none() {
        branches.push(search.titles(&mut sql));
    }
    if branches.is_empty() {
        return None;
    }
    let page = rank(&mut sql, &branches.join("\nUNION ALL\n"), query.wanted.len(), slice);
    let text = with_rows(&mut sql, &page, &user_id, slice, parts);
    Some(Statement::from_sql_and_values(backend, text, sql.values))
}

/// Ranks the candidates that have every wanted term, and takes a page.
fn rank(sql: &mut Sql, candidates: &str, terms: usize, slice: &Slice<SearchCursor>) -> String {
    let of_terms = |part: fn(usize) -> String, with: &str, none: &str| match terms {
        0 => none.to_owned(),
        _ => (0..terms).map(part).collect::<Vec<_>>().join(with),
    };
    let all = of_terms(|number| format!("count{number} > 0"), " AND ", "1 = 1");
    let score = of_terms(|number| format!("1000 * count{number} / (count{number} + 1 + size)"), " + ", "0");
    let after = slice.after.map(|place| {
        let (score, id) = (sql.bind(place.score), sql.bind(place.id));
        format!("WHERE (score, id) < ({score}, {id})")
    });
    let limit = sql.bind(slice.limit + 1);
    format!(
        "WITH candidate AS MATERIALIZED (\n{candidates}\n), hit AS (
    SELECT id, is_title, CAST((1 + is_title) * ({score}) AS BIGINT) AS score FROM candidate WHERE {all}
)
SELECT id, is_title, score, ROW_NUMBER() OVER (ORDER BY score DESC, id DESC) AS number FROM hit {}
ORDER BY score DESC, id DESC LIMIT {limit}",
        after.unwrap_or_default(),
    )
}

/// Adds the messages and conversations of the hits of `page`, of which the one beyond the slice only tells that there
/// are more.
fn with_rows(sql: &mut Sql, page: &str, user_id: &str, slice: &Slice<SearchCursor>, parts: bool) -> String {
    let limit = sql.bind(slice.limit);
    let joins = match sql.backend {
        // With `OFFSET 0` each is a loop over the primary key, also while there are no statistics.
        DbBackend::Postgres => format!(
            "LEFT JOIN LATERAL (
    SELECT * FROM message WHERE user_id = {user_id} AND id = page.id AND page.is_title = 0 AND page.number <= {limit} OFFSET 0
) AS m ON TRUE
LEFT JOIN LATERAL (
    SELECT * FROM conversation
    WHERE user_id = {user_id} AND id = COALESCE(m.conversation_id, page.id) AND page.number <= {limit} OFFSET 0
) AS c ON TRUE"
        ),
        _ => format!(
            "LEFT JOIN message AS m
    ON m.user_id = {user_id} AND m.id = page.id AND page.is_title = 0 AND page.number <= {limit}
LEFT JOIN conversation AS c
    ON c.user_id = {user_id} AND c.id = COALESCE(m.conversation_id, page.id) AND page.number <= {limit}"
        ),
    };
    let messages = message::Column::iter().map(|column| {
        let name = column.to_string();
        match column {
            message::Column::Reasoning if !parts => format!("'' AS {MESSAGE}{name}"),
            message::Column::Parts if !parts => format!("{} AS {MESSAGE}{name}", no_parts(sql.backend)),
            _ => format!("m.{name} AS {MESSAGE}{name}"),
        }
    });
    let conversations = conversation::Column::iter()
        .map(|column| column.to_string())
        .map(|name| format!("c.{name} AS {CONVERSATION}{name}"));
    let columns = messages.chain(conversations).collect::<Vec<_>>().join(", ");
    format!(
        "WITH page AS (\n{page}\n)
SELECT page.id, page.is_title, page.score, page.number, {columns} FROM page {joins}"
    )
}

/// The parts of a message that were not read.
fn no_parts(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "CAST('[]' AS JSONB)",
        _ => "'[]'",
    }
}

/// The parts of the statement that messages and titles share.
struct Search<'s> {
    user_id: &'s str,
    tokens: Option<&'s str>,
    columns: &'s str,
    conditions: &'s [String],
    filter: &'s SearchFilter,
}

impl Search<'_> {
    fn messages(&self, sql: &mut Sql) -> String {
        let Self { user_id, columns, filter, .. } = self;
        let mut conditions = self.conditions.to_vec();
        // The entry of a running reply is of an earlier attempt.
        conditions.push("m.status IN ('COMPLETE', 'STOPPED', 'FAILED')".to_owned());
        if let Some(id) = filter.conversation_id {
            conditions.push(format!("m.conversation_id = {}", sql.bind(id)));
        }
        if let Some(role) = filter.role {
            conditions.push(format!("m.role = {}", sql.bind(role)));
        }
        if filter.active_path_only {
            conditions.push("m.active".to_owned());
        }
        conditions.extend(self.created(sql, "m"));
        let conditions = conditions.join(" AND ");
        let (from, found) = candidates(sql.backend, "message", self.tokens);
        format!(
            "SELECT s.id, 0 AS is_title, {columns}
{from} CROSS JOIN message AS m CROSS JOIN conversation AS c
WHERE {found} AND s.user_id = {user_id} AND m.user_id = {user_id} AND m.id = s.id
    AND c.user_id = {user_id} AND c.id = m.conversation_id AND c.deleted_at IS NULL
    AND {conditions}"
        )
    }

    fn titles(&self, sql: &mut Sql) -> String {
        let Self { user_id, columns, filter, .. } = self;
        let mut conditions = self.conditions.to_vec();
        conditions.push("c.deleted_at IS NULL".to_owned());
        if let Some(id) = filter.conversation_id {
            conditions.push(format!("c.id = {}", sql.bind(id)));
        }
        conditions.extend(self.created(sql, "c"));
        let conditions = conditions.join(" AND ");
        let (from, found) = candidates(sql.backend, "title", self.tokens);
        format!(
            "SELECT s.id, 1 AS is_title, {columns}
{from} CROSS JOIN conversation AS c
WHERE {found} AND s.user_id = {user_id} AND c.user_id = {user_id} AND c.id = s.id
    AND {conditions}"
        )
    }

    fn created(&self, sql: &mut Sql, table: &str) -> Vec<String> {
        let bounds = [(self.filter.created_since, ">="), (self.filter.created_before, "<")];
        let mut conditions = Vec::new();
        for (instant, operator) in bounds {
            if let Some(instant) = instant {
                conditions.push(format!("{table}.created_at {operator} {}", sql.bind(round_up(instant))));
            }
        }
        conditions
    }
}

/// The tables that candidates come from, and the condition that selects them. A query that only excludes has no tokens,
/// so it reads all of its user's entries.
///
/// PostgreSQL's plan is made for all tokens, and expects one entry in 200 of everybody's for any. Where a user has fewer,
/// it would read all of the user's for the rarest word: with `OFFSET 0` the tokens come first, and they are the user's.
fn candidates(backend: DbBackend, name: &str, tokens: Option<&str>) -> (String, String) {
    match (backend, tokens) {
        (_, None) => (format!("FROM {name}_search AS s"), "1 = 1".to_owned()),
        (DbBackend::Postgres, Some(tokens)) => {
            let found = format!(
                "SELECT user_id, id, text FROM {name}_search WHERE tokens @@ CAST({tokens} AS TSQUERY)"
            );
            (format!("FROM ({found} OFFSET 0) AS s"), "1 = 1".to_owned())
        }
        // SQLite joins in the order written.
        (_, Some(tokens)) => (
            format!("FROM {name}_token CROSS JOIN {name}_search AS s"),
            format!("{name}_token MATCH {tokens} AND s.number = {name}_token.rowid"),
        ),
    }
}

/// A query for all of `lookups` in the database's own query language. Tokens consist of letters, digits and marks, so
/// none can end its quotes.
fn index_query(backend: DbBackend, lookups: &[Lookup]) -> String {
    let (quote, prefix, and) = match backend {
        DbBackend::Postgres => ('\'', ":*", " & "),
        _ => ('"', "*", " AND "),
    };
    let quoted = lookups.iter().map(|lookup| match lookup {
        Lookup::Exact(token) => format!("{quote}{token}{quote}"),
        Lookup::Prefix(token) => format!("{quote}{token}{quote}{prefix}"),
    });
    quoted.collect::<Vec<_>>().join(and)
}
