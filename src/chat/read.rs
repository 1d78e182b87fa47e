//! Reading the viewer's rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryResult, QueryTrait, Select, Statement,
};

use super::Chat;
use crate::database::{Connection, Row, models};
use crate::entity::{conversation, deleted_message, message};
use crate::error::Error;

/// About how many bytes a row has without its texts.
pub(super) const ROW_BYTES: usize = 512;

/// How much a statement asks of the database.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effort {
    /// It reads a page of rows at most, by an index; see [`crate::database::Database::read_at_once`].
    Brief,
    /// As most do.
    Usual,
    /// It keeps the database busy; see [`crate::database::Database::read_expensive_for`].
    Expensive,
}

/// A row whose size depends on its texts.
pub(super) trait RowSize {
    /// About how many bytes the row has.
    fn bytes(&self) -> usize;
}

impl<T: RowSize> RowSize for Option<T> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, RowSize::bytes)
    }
}

impl RowSize for conversation::Model {
    fn bytes(&self) -> usize {
        ROW_BYTES + self.title.as_ref().map_or(0, String::len) + self.metadata.len()
    }
}

impl RowSize for message::Model {
    fn bytes(&self) -> usize {
        ROW_BYTES
            + self.content.len()
            + self.reasoning.len()
            + self.parts.bytes()
            + self.metadata.len()
            + self.rating_comment.as_ref().map_or(0, String::len)
    }
}

impl RowSize for deleted_message::Model {
    fn bytes(&self) -> usize {
        ROW_BYTES
    }
}

impl Chat {
    /// Runs `query` as [`crate::database::Database::read_for`] does.
    pub(super) async fn read<T, Q>(&self, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        self.database.read_for(self.user(), query).await
    }

    /// The rows of `statement`, which are small and not counted.
    pub(super) async fn find<T: FromQueryResult>(&self, statement: Statement) -> Result<Vec<T>, Error> {
        let rows = self.read(|connection| connection.query_all_raw(statement.clone())).await?;
        Ok(models(&rows)?)
    }

    /// The rows of `query`, read as [`Chat::load`] reads them.
    pub(super) async fn rows<E>(&self, query: Select<E>) -> Result<Vec<Arc<E::Model>>, Error>
    where
        E: EntityTrait<Model: RowSize>,
    {
        self.load(query.build(self.database.backend())).await
    }

    /// The rows of `statement`, read as [`Chat::load_rows`] reads them. They are shared, however often an answer repeats
    /// them.
    pub(super) async fn load<M>(&self, statement: Statement) -> Result<Vec<Arc<M>>, Error>
    where
        M: FromQueryResult + Send + RowSize + 'static,
    {
        Ok(self.load_rows(statement, Effort::Usual).await?.into_iter().map(Arc::new).collect())
    }

    /// The rows of `statement`, which count against the request's memory budget. Reading stops when the budget is used
    /// up, and fails.
    pub(super) async fn load_rows<M>(&self, statement: Statement, effort: Effort) -> Result<Vec<M>, Error>
    where
        M: FromQueryResult + Send + RowSize + 'static,
    {
        self.load_sent(statement, effort, |row| M::from_query_result(row, "")).await
    }

    /// As [`Chat::load_rows`], of rows that `decode` reads.
    pub(super) async fn load_decoded<M>(
        &self,
        statement: Statement,
        effort: Effort,
        decode: impl Fn(Row<'_>) -> Result<M, DbErr> + Clone + Send + Sync + 'static,
    ) -> Result<Vec<M>, Error>
    where
        M: Send + RowSize + 'static,
    {
        if matches!(effort, Effort::Brief) {
            let mut taken = Taken::up_to(self.budget.left());
            if self.database.read_at_once(&statement, |row| Ok(taken.add(decode(row)?))).is_some() {
                self.budget.take(taken.bytes)?;
                return Ok(taken.rows);
            }
        }
        self.load_sent(statement, effort, move |row| decode(Row::Driver(row))).await
    }

    async fn load_sent<M>(
        &self,
        statement: Statement,
        effort: Effort,
        decode: impl Fn(&QueryResult) -> Result<M, DbErr> + Clone + Send + Sync + 'static,
    ) -> Result<Vec<M>, Error>
    where
        M: Send + RowSize + 'static,
    {
        let room = self.budget.left();
        let (rows, bytes) = match effort {
            Effort::Brief | Effort::Usual => {
                self.read(|connection| {
                    Box::pin(rows_up_to(connection, statement.clone(), room, decode.clone()))
                })
                .await?
            }
            Effort::Expensive => {
                self.database
                    .read_expensive_for(self.user(), |connection| {
                        Box::pin(rows_up_to(connection, statement.clone(), room, decode.clone()))
                    })
                    .await?
            }
        };
        self.budget.take(bytes)?;
        Ok(rows)
    }
}

/// The rows of `statement`, and how many bytes they have, up to the row with which those are more than `room`.
async fn rows_up_to<M: Send + RowSize>(
    connection: &Connection,
    statement: Statement,
    room: usize,
    decode: impl Fn(&QueryResult) -> Result<M, DbErr> + Send + Sync,
) -> Result<(Vec<M>, usize), DbErr> {
    let mut taken = Taken::up_to(room);
    connection.for_each_row(statement, |row| Ok(taken.add(decode(row)?))).await?;
    Ok((taken.rows, taken.bytes))
}

/// Rows, and how many bytes they have, up to the row with which those are more than there is room for.
struct Taken<M> {
    rows: Vec<M>,
    bytes: usize,
    room: usize,
}

impl<M: RowSize> Taken<M> {
    fn up_to(room: usize) -> Self {
        Self { rows: Vec::new(), bytes: 0, room }
    }

    fn add(&mut self, row: M) -> ControlFlow<()> {
        self.bytes += row.bytes();
        self.rows.push(row);
        if self.bytes > self.room { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
