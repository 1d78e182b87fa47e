//! What a request has to pay before anything of it runs.

use std::any::TypeId;
use std::fmt;

use async_graphql::{Request, ServerResult};

/// What a transport wants for a request, once its complexity is known.
pub struct Toll(Box<dyn Fn(u64) -> ServerResult<()> + Send + Sync>);

impl Toll {
    /// Asks `gate`, with the complexity, whether the request may go on.
    #[must_use]
    pub fn new(gate: impl Fn(u64) -> ServerResult<()> + Send + Sync + 'static) -> Self {
        Self(Box::new(gate))
    }

    pub(super) fn collect(request: &Request, complexity: u64) -> ServerResult<()> {
        let toll = request.data.get(&TypeId::of::<Self>()).and_then(|toll| toll.downcast_ref::<Self>());
        toll.map_or(Ok(()), |toll| (toll.0)(complexity))
    }
}

impl fmt::Debug for Toll {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Toll").finish_non_exhaustive()
    }
}
