//! What SQLite and PostgreSQL spell differently.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// Replaces `{user}`, `{key}`, `{uuid}`, `{instant}`, `{date}`, `{json}`, `{bytes}`, `{flag}`, `{big}` and `{table}` in `sql`,
/// and runs it.
///
/// User ids, and keys that lists are ordered by, compare by their bytes on both databases: order and uniqueness
/// then never change with a locale or with an upgrade of the system's collation tables.
pub(crate) async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let names: [(&str, &str); 10] = match connection.get_database_backend() {
        DbBackend::Sqlite => [
            ("{user}", "TEXT"),
            ("{key}", "TEXT"),
            ("{uuid}", "BLOB"),
            ("{instant}", "TEXT"),
            ("{date}", "TEXT"),
            ("{json}", "TEXT"),
            ("{bytes}", "BLOB"),
            ("{flag}", "INTEGER"),
            ("{big}", "INTEGER"),
            ("{table}", "STRICT"),
        ],
        DbBackend::Postgres => [
            ("{user}", "TEXT COLLATE \"C\""),
            ("{key}", "TEXT COLLATE \"C\""),
            ("{uuid}", "UUID"),
            ("{instant}", "TIMESTAMPTZ"),
            ("{date}", "DATE"),
            ("{json}", "JSONB"),
            ("{bytes}", "BYTEA"),
            ("{flag}", "BOOLEAN"),
            ("{big}", "BIGINT"),
            ("{table}", ""),
        ],
        other => return Err(DbErr::Migration(format!("{other:?} is not supported"))),
    };
    let sql = names.iter().fold(sql.to_owned(), |sql, (name, spelling)| sql.replace(name, spelling));
    connection.execute_unprepared(&sql).await?;
    Ok(())
}
