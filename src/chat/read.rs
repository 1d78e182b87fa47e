//! Reading the viewer's rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sea_orm::{DbErr, EntityTrait, FromQueryResult, QueryResult, QueryTrait, Select, Statement};

use super::Chat;
use crate::database::Connection;
use crate::entity::{conversation, deleted_message, message};
use crate::error::Error;

/// What a row is without its texts, about.
pub(super) const ROW: usize = 512;

/// A row with texts of any length.
pub(super) trait Texts {
    /// How many bytes the row takes, about.
    fn bytes(&self) -> usize;
}

impl Texts for conversation::Model {
    fn bytes(&self) -> usize {
        ROW + self.title.as_ref().map_or(0, String::len) + self.metadata.len()
    }
}

impl Texts for message::Model {
    fn bytes(&self) -> usize {
        let calls = self.tool_calls.0.iter().map(|call| call.arguments.len()).sum::<usize>();
        ROW + self.content.len()
            + self.metadata.len()
            + calls
            + self.rating_comment.as_ref().map_or(0, String::len)
    }
}

impl Texts for deleted_message::Model {
    fn bytes(&self) -> usize {
        ROW
    }
}

impl Chat {
    /// Reads with `query`, when it is the viewer's turn.
    pub(super) async fn read<T, Q>(&self, query: Q) -> Result<T, Error>
    where
        Q: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbErr>>,
    {
        self.database.read_for(self.user(), query).await
    }

    /// The rows of `query`; see [`Chat::gather`].
    pub(super) async fn rows<E>(&self, query: Select<E>) -> Result<Vec<Arc<E::Model>>, Error>
    where
        E: EntityTrait<Model: Texts>,
    {
        self.gather(query.build(self.database.backend())).await
    }

    /// The rows that `statement` finds, unless their texts are more than the request's share has room for: no more
    /// than that is ever read. From then on they are shared, however often an answer repeats them.
    pub(super) async fn gather<M>(&self, statement: Statement) -> Result<Vec<Arc<M>>, Error>
    where
        M: FromQueryResult + Send + Texts,
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
                    connection.read_rows(statement, take).await?;
                    Ok((rows, bytes))
                })
            })
            .await?;
        self.budget.take(bytes)?;
        Ok(rows.into_iter().map(Arc::new).collect())
    }
}
