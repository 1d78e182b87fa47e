//! The drivers' connections behind one interface.

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use sea_orm::sea_query::Values;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{
    self, AssertSqlSafe, Connection as _, Database, Executor, PgConnection, SqliteConnection,
};
use sea_orm::{DbErr, ExecResult, QueryResult, RuntimeErr, SqlxError, Statement};
use sea_query_sqlx::SqlxValues;

/// A connection of one of the two drivers.
pub(super) enum Driver {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Driver {
    pub(super) async fn execute(&mut self, statement: &Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(driver) => prepared(statement).execute(driver).await.map(ExecResult::from),
            Self::Sqlite(driver) => prepared(statement).execute(driver).await.map(ExecResult::from),
        }
        .map_err(execution_error)
    }

    pub(super) async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Postgres(driver) => driver.execute(AssertSqlSafe(sql)).await.map(ExecResult::from),
            Self::Sqlite(driver) => driver.execute(AssertSqlSafe(sql)).await.map(ExecResult::from),
        }
        .map_err(execution_error)
    }

    pub(super) fn rows<'d>(
        &'d mut self,
        statement: &'d Statement,
    ) -> BoxStream<'d, Result<QueryResult, DbErr>> {
        match self {
            Self::Postgres(driver) => {
                prepared(statement).fetch(driver).map_ok(QueryResult::from).map_err(query_error).boxed()
            }
            Self::Sqlite(driver) => {
                prepared(statement).fetch(driver).map_ok(QueryResult::from).map_err(query_error).boxed()
            }
        }
    }

    pub(super) async fn close(self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(driver) => driver.close().await,
            Self::Sqlite(driver) => driver.close().await,
        }
    }
}

fn prepared<D>(statement: &Statement) -> Query<'_, D, SqlxValues>
where
    D: Database,
    SqlxValues: sqlx::IntoArguments<D>,
{
    let values = SqlxValues(statement.values.clone().unwrap_or(Values(Vec::new())));
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), values)
}

fn query_error(error: SqlxError) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

pub(super) fn execution_error(error: SqlxError) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}
