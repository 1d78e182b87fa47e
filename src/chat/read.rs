//! Reading the viewer's rows.

use std::pin::pin;
use std::sync::Arc;

use futures_util::{Stream, TryStreamExt};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, Select};

use super::Chat;
use crate::entity::{conversation, deleted_message, message};
use crate::error::Error;

/// What a row is without its texts, about.
const ROW: usize = 512;

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
    pub(super) async fn read<'d, T, F, Q>(&'d self, query: Q) -> Result<T, Error>
    where
        Q: Fn(&'d DatabaseConnection) -> F,
        F: Future<Output = Result<T, DbErr>>,
    {
        self.database.read_for(self.user(), query).await
    }

    /// The rows of `query`; see [`Chat::gather`].
    pub(super) async fn rows<E>(&self, query: Select<E>) -> Result<Vec<Arc<E::Model>>, Error>
    where
        E: EntityTrait<Model: Texts>,
    {
        self.gather(|connection| query.clone().stream(connection)).await
    }

    /// The rows that `query` finds, unless their texts are more than the request's share has room for: no more than
    /// that is ever read. From then on they are shared, however often an answer repeats them.
    pub(super) async fn gather<'d, M, S, F, Q>(&'d self, query: Q) -> Result<Vec<Arc<M>>, Error>
    where
        M: Texts,
        Q: Fn(&'d DatabaseConnection) -> F,
        F: Future<Output = Result<S, DbErr>>,
        S: Stream<Item = Result<M, DbErr>>,
    {
        let room = self.share.left();
        // Boxed, as it would make every future above it large.
        let (rows, bytes) = Box::pin(self.read(|connection| {
            let found = query(connection);
            async move {
                let (mut rows, mut bytes) = (Vec::new(), 0);
                let mut found = pin!(found.await?);
                while bytes <= room
                    && let Some(row) = found.try_next().await?
                {
                    bytes += row.bytes();
                    rows.push(Arc::new(row));
                }
                Ok((rows, bytes))
            }
        }))
        .await?;
        self.share.take(bytes)?;
        Ok(rows)
    }
}
