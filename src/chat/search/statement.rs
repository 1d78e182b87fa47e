//! The statement that finds hits.

use sea_orm::{DbBackend, Statement, Value};

use super::{SearchCursor, SearchFilter, SearchScope, stored};
use crate::chat::Slice;
use crate::search::{Lookup, Query, Term, scope};

/// The values of a statement in the making.
struct Sql {
    backend: DbBackend,
    values: Vec<Value>,
}

impl Sql {
    /// The placeholder of a value. Nothing that comes from a client is ever part of the text.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// The placeholders of a term's pattern, and of how many characters it has.
    fn bind_pattern(&mut self, term: &Term) -> (String, String) {
        let pattern = term.pattern();
        let length = i64::try_from(pattern.chars().count()).unwrap_or(i64::MAX);
        (self.bind(pattern), self.bind(length))
    }
}

/// Candidates come out of the index by their tokens, all of them the owner's; their folded texts then decide. Each
/// count is taken once, in a part of the statement that the databases do not merge with the rest.
///
/// None if the filter leaves nothing to search.
pub(super) fn statement(
    backend: DbBackend,
    user: &str,
    query: &Query,
    filter: &SearchFilter,
    slice: &Slice<SearchCursor>,
) -> Option<Statement> {
    let mut sql = Sql { backend, values: Vec::new() };
    let user_id = sql.bind(user);
    let lookups = query.lookups(&scope(user));
    let tokens = (!lookups.is_empty()).then(|| sql.bind(engine_query(backend, &lookups)));
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
    let text = rank(&mut sql, &branches.join("\nUNION ALL\n"), query.wanted.len(), slice);
    Some(Statement::from_sql_and_values(backend, text, sql.values))
}

/// Puts the candidates that have every wanted term in order, and takes a page.
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
SELECT id, is_title, score FROM hit {}
ORDER BY score DESC, id DESC LIMIT {limit}",
        after.unwrap_or_default(),
    )
}

/// What the two kinds of entries are searched for.
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
        // An entry of a reply that is being written anew is of its last attempt.
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
        let (from, found) = engine(sql.backend, "message", self.tokens);
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
        let (from, found) = engine(sql.backend, "title", self.tokens);
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
                conditions.push(format!("{table}.created_at {operator} {}", sql.bind(stored(instant))));
            }
        }
        conditions
    }
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
