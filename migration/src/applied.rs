//! What has been applied to a database, also by a newer version.

use std::collections::{HashMap, HashSet};

use sea_orm_migration::MigratorTrait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::Migrator;

const TABLES_SQLITE: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('seaql_migrations', 'schema_version')";

const TABLES_POSTGRES: &str = "SELECT relname::text FROM pg_class \
    WHERE oid IN (to_regclass('seaql_migrations'), to_regclass('schema_version'))";

const STEPS: &str = "SELECT version FROM seaql_migrations ORDER BY version";

const COMPATIBILITY: &str = "SELECT step, compatible_from FROM schema_version";

/// The steps that a database has and may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Each step of this version, in order, and whether it is applied.
    pub steps: Vec<(String, bool)>,
    /// Each step of newer versions that is applied, in order, and whether this version can serve a database with it.
    pub newer: Vec<(String, bool)>,
}

impl Applied {
    /// Reads what is applied; writes nothing.
    pub async fn read<C: ConnectionTrait>(connection: &C) -> Result<Self, DbErr> {
        let tables = match connection.get_database_backend() {
            DbBackend::Postgres => TABLES_POSTGRES,
            _ => TABLES_SQLITE,
        };
        let tables: HashSet<String> = rows::<_, 1>(connection, tables).await?.map(|[name]| name).collect();
        let applied: Vec<String> = if tables.contains("seaql_migrations") {
            rows::<_, 1>(connection, STEPS).await?.map(|[step]| step).collect()
        } else {
            Vec::new()
        };
        let known: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
        let newest = known.last().cloned().unwrap_or_default();
        let mut newer = Vec::new();
        if applied.iter().any(|step| !known.contains(step)) {
            let compatible_from: HashMap<String, String> = if tables.contains("schema_version") {
                rows::<_, 2>(connection, COMPATIBILITY).await?.map(|[step, from]| (step, from)).collect()
            } else {
                HashMap::new()
            };
            let unknown = applied.iter().filter(|step| !known.contains(step));
            let can_serve = |step: &String| compatible_from.get(step).is_some_and(|from| *from <= newest);
            newer = unknown.map(|step| (step.clone(), can_serve(step))).collect();
        }
        let steps = known.into_iter().map(|step| (applied.contains(&step), step));
        Ok(Self { steps: steps.map(|(applied, step)| (step, applied)).collect(), newer })
    }

    /// Whether this version's steps are all applied.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|(_, applied)| *applied)
    }

    /// Whether this version can serve a database with the steps of newer versions that are applied.
    #[must_use]
    pub fn is_compatible(&self) -> bool {
        self.newer.iter().all(|(_, compatible)| *compatible)
    }
}

/// The rows of `sql`, whose columns are texts.
async fn rows<C: ConnectionTrait, const COLUMNS: usize>(
    connection: &C,
    sql: &str,
) -> Result<impl Iterator<Item = [String; COLUMNS]>, DbErr> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let mut rows = Vec::new();
    for row in connection.query_all_raw(statement).await? {
        let mut columns = [const { String::new() }; COLUMNS];
        for (index, column) in columns.iter_mut().enumerate() {
            *column = row.try_get_by_index(index)?;
        }
        rows.push(columns);
    }
    Ok(rows.into_iter())
}
