//! Reading the viewer's rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryResult, QueryTrait, Select, Statement,
};

use super::Chat;
use crate::database::{Connection, models};
use crate::entity::{conversation, deleted_message, message};
use crate::error::Error;

/// About how many bytes a row has without its texts.
pub(super) const ROW_BYTES: usize = 512;

/// A row whose size depends on its texts.
pub(super) trait RowSize {
    /// About how many bytes the row has.
    fn bytes(&self) -> usize;
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

    /// The rows of `statement`, which count against the request's memory budget. Reading stops when the budget is used up, and
    /// fails. The rows are shared, however often an answer repeats them.
    pub(super) async fn load<M>(&self, statement: Statement) -> Result<Vec<Arc<M>>, Error>
    where
        M: FromQueryResult + Send + RowSize,
    {
        let room = self.budget.left();
        let (rows, bytes) = self
            .read(|connection| {
                let statement = statement.clone();
                Box::pin(async move {
                    let (mut rows, mut bytes) = (Vec::new(), 0);
                    let take = |row: &QueryResult| {
                        let row = M::from_query_result(row, "")?;
                        bytes += row.bytes();
                        rows.push(row);
                        Ok(if bytes > room { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                    };
                    connection.for_each_row(statement, take).await?;
                    Ok((rows, bytes))
                })
            })
            .await?;
        self.budget.take(bytes)?;
        Ok(rows.into_iter().map(Arc::new).collect())
    }
}
