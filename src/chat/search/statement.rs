//! The statement that finds hits.

use sea_orm::{DbBackend, Statement, Value};

use super::{SearchCursor, SearchFilter, SearchScope, stored};
use crate::chat::Slice;
use crate::search::{Lookup, Query, scope};

/// A statement in the making.
struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// The placeholder of a value. Nothing that comes from a client is ever part of the text.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }
}

/// Candidates come out of the index by their tokens, all of them the owner's; their folded texts then decide. Each
/// count is taken once, in a part of the statement that the databases do not merge with the rest.
pub(super) fn statement(
    backend: DbBackend,
    user: &str,
    query: &Query,
    filter: &SearchFilter,
    slice: &Slice<SearchCursor>,
) -> Statement {
    let mut sql = Sql { backend, text: String::new(), values: Vec::new() };
    let user_id = sql.bind(user);
    let lookups = query.lookups(&scope(user));
    let tokens = (!lookups.is_empty()).then(|| sql.bind(engine_query(backend, &lookups)));
    let pattern = |sql: &mut Sql, pattern: String| {
        let length = pattern.chars().count();
        (sql.bind(pattern), length)
    };
    let wanted: Vec<_> = query.wanted.iter().map(|term| pattern(&mut sql, term.pattern())).collect();
    let unwanted: Vec<_> = query.unwanted.iter().map(|term| pattern(&mut sql, term.pattern())).collect();

    let mut texts = String::new();
    for (number, (place, length)) in wanted.iter().enumerate() {
        let length = i64::try_from(*length).unwrap_or(i64::MAX);
        let length = sql.bind(length);
        texts += &format!(
            ", (length(s.text) - length(replace(s.text, {place}, ''))) / CAST({length} AS BIGINT) AS count{number}"
        );
    }
    let without: String = unwanted
        .iter()
        .map(|(place, _)| format!(" AND length(replace(s.text, {place}, '')) = length(s.text)"))
        .collect();

    let mut branches = Vec::new();
    if filter.scope != Some(SearchScope::Titles) {
        branches.push(messages(&mut sql, &user_id, tokens.as_deref(), filter, &texts, &without));
    }
    if filter.scope != Some(SearchScope::Messages) && filter.role.is_none() {
        branches.push(titles(&mut sql, &user_id, tokens.as_deref(), filter, &texts, &without));
    }
    sql.text = match branches.is_empty() {
        true => "SELECT '' AS id, 0 AS is_title, 0 AS score WHERE 1 = 0".to_owned(),
        false => rank(&mut sql, &branches.join("\nUNION ALL\n"), wanted.len(), slice),
    };
    Statement::from_sql_and_values(sql.backend, sql.text, sql.values)
}

/// Puts the candidates that have every wanted term in order, and takes a page.
fn rank(sql: &mut Sql, candidates: &str, terms: usize, slice: &Slice<SearchCursor>) -> String {
    let all = (0..terms).map(|number| format!(" AND count{number} > 0")).collect::<String>();
    let score = (0..terms)
        .map(|number| format!(" + 1000 * count{number} / (count{number} + 1 + size)"))
        .collect::<String>();
    let after = slice.after.map(|place| {
        let (score, id) = (sql.bind(place.score), sql.bind(place.id));
        format!("WHERE (score, id) < ({score}, {id})")
    });
    let limit = sql.bind(slice.limit + 1);
    format!(
        "WITH candidate AS MATERIALIZED (\n{candidates}\n), hit AS (
    SELECT id, is_title, CAST((1 + is_title) * (0{score}) AS BIGINT) AS score FROM candidate WHERE 1 = 1{all}
)
SELECT id, is_title, score FROM hit {}
ORDER BY score DESC, id DESC LIMIT {limit}",
        after.unwrap_or_default(),
    )
}

fn messages(
    sql: &mut Sql,
    user_id: &str,
    tokens: Option<&str>,
    filter: &SearchFilter,
    texts: &str,
    without: &str,
) -> String {
    // An entry of a reply that is being written anew is of its last attempt.
    let mut narrow = " AND m.status IN ('COMPLETE', 'STOPPED', 'FAILED')".to_owned();
    if let Some(id) = filter.conversation_id {
        narrow += &format!(" AND m.conversation_id = {}", sql.bind(id));
    }
    if let Some(role) = filter.role {
        narrow += &format!(" AND m.role = {}", sql.bind(role));
    }
    if filter.active_path_only {
        narrow += " AND m.active";
    }
    narrow += &created(sql, "m", filter);
    let (from, found) = engine(sql.backend, "message", tokens);
    format!(
        "SELECT s.id, 0 AS is_title, length(s.text) / 2000 AS size{texts}
{from}
CROSS JOIN message AS m
CROSS JOIN conversation AS c
WHERE {found} AND s.user_id = {user_id} AND m.user_id = {user_id} AND m.id = s.id
    AND c.user_id = {user_id} AND c.id = m.conversation_id AND c.deleted_at IS NULL{narrow}{without}"
    )
}

fn titles(
    sql: &mut Sql,
    user_id: &str,
    tokens: Option<&str>,
    filter: &SearchFilter,
    texts: &str,
    without: &str,
) -> String {
    let mut narrow = String::new();
    if let Some(id) = filter.conversation_id {
        narrow += &format!(" AND c.id = {}", sql.bind(id));
    }
    narrow += &created(sql, "c", filter);
    let (from, found) = engine(sql.backend, "title", tokens);
    format!(
        "SELECT s.id, 1 AS is_title, length(s.text) / 2000 AS size{texts}
{from}
CROSS JOIN conversation AS c
WHERE {found} AND s.user_id = {user_id}
    AND c.user_id = {user_id} AND c.id = s.id AND c.deleted_at IS NULL{narrow}{without}"
    )
}

fn created(sql: &mut Sql, table: &str, filter: &SearchFilter) -> String {
    let mut narrow = String::new();
    for (instant, operator) in [(filter.created_since, ">="), (filter.created_before, "<")] {
        if let Some(instant) = instant {
            narrow += &format!(" AND {table}.created_at {operator} {}", sql.bind(stored(instant)));
        }
    }
    narrow
}

/// Where candidates come from, and what makes them candidates. A query that only excludes has no tokens to go by:
/// it reads all of its user's entries.
fn engine(backend: DbBackend, name: &str, tokens: Option<&str>) -> (String, String) {
    match (backend, tokens) {
        (_, None) => (format!("FROM {name}_search AS s"), "1 = 1".to_owned()),
        (DbBackend::Postgres, Some(tokens)) => {
            (format!("FROM {name}_search AS s"), format!("s.tokens @@ CAST({tokens} AS TSQUERY)"))
        }
        // SQLite joins in the order written.
        (_, Some(tokens)) => (
            format!("FROM {name}_token CROSS JOIN {name}_search AS s"),
            format!("{name}_token MATCH {tokens} AND s.number = {name}_token.rowid"),
        ),
    }
}

/// All of `lookups` in the engine's own language. Tokens are made of letters, digits and marks, so that none can
/// end its quotes.
fn engine_query(backend: DbBackend, lookups: &[Lookup]) -> String {
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
