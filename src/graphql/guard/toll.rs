//! What a request has to pay, and wait for, before anything of it runs.

use std::any::TypeId;
use std::fmt;

use async_graphql::extensions::ExtensionContext;
use async_graphql::parser::types::OperationType;
use async_graphql::{Request, ServerResult};
use futures_util::future::BoxFuture;

/// The complexity above which a query keeps a processor busy for so long that others would feel it.
const DEAR: u64 = 5000;

/// What a transport wants for a request, once its complexity is known.
pub struct Toll {
    gate: Box<dyn Fn(u64) -> ServerResult<()> + Send + Sync>,
    queue: Box<dyn Fn() -> BoxFuture<'static, Turn> + Send + Sync>,
}

/// The right of a dear query to run, until it is dropped.
pub type Turn = Box<dyn Send>;

/// Marks a request that has to wait for its turn.
struct Dear;

impl Toll {
    /// Asks `gate`, with the complexity, whether the request may go on; a dear query then waits in `queue`.
    #[must_use]
    pub fn new(
        gate: impl Fn(u64) -> ServerResult<()> + Send + Sync + 'static,
        queue: impl Fn() -> BoxFuture<'static, Turn> + Send + Sync + 'static,
    ) -> Self {
        Self { gate: Box::new(gate), queue: Box::new(queue) }
    }

    pub(super) fn collect(request: &Request, complexity: u64) -> ServerResult<()> {
        let toll = request.data.get(&TypeId::of::<Self>()).and_then(|toll| toll.downcast_ref::<Self>());
        toll.map_or(Ok(()), |toll| (toll.gate)(complexity))
    }

    /// Has a dear query wait later. Mutations do not: they may wait for replies, and would be in the way.
    pub(super) fn mark(request: &mut Request, kind: OperationType, complexity: u64) {
        if kind == OperationType::Query && complexity > DEAR {
            request.data.insert(Dear);
        }
    }

    /// Waits, if the request has to.
    pub(super) async fn turn(context: &ExtensionContext<'_>) -> Option<Turn> {
        context.data_opt::<Dear>()?;
        let toll = context.data_opt::<Self>()?;
        Some((toll.queue)().await)
    }
}

impl fmt::Debug for Toll {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Toll").finish_non_exhaustive()
    }
}
