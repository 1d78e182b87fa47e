//! What a query may cost, decided before anything else walks it.
//!
//! The library follows every fragment spread before it applies limits of its own: a query of two kilobytes, each
//! fragment spreading the next one twice, would keep it busy for ever. Here each fragment is visited once.

mod document;
mod limits;
mod literal;
mod measure;
mod price;
mod refusal;
mod subscription;
mod tokens;
mod toll;
mod variable;

use std::any::TypeId;
use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest};
use async_graphql::{Request, ServerResult};

pub use self::document::{Document, Documents, Selected, hash};
pub use self::limits::QueryLimits;
use self::measure::measure;
pub use self::toll::Toll;

/// Refuses requests that cost too much, or whose variables are not what the operation declares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard(pub(super) QueryLimits);

impl ExtensionFactory for Guard {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(*self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Guard {
    async fn prepare_request(
        &self,
        context: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let mut request = next.run(context, request).await?;
        let registry = &context.schema_env.registry;
        let document = match attached(&request) {
            Some(document) => document,
            None => Arc::new(Document::parse(&request.query, &self.0)?),
        };
        let complexity = measure(registry, &document, &request, &self.0)?;
        Toll::collect(&request, complexity)?;
        let mut parsed = document.parsed().clone();
        if let Some(operation) = document::select_mut(&mut parsed, request.operation_name.as_deref()) {
            variable::check(registry, &operation.variable_definitions, &request.variables)?;
            subscription::flatten(operation, document.parsed())?;
        }
        request.set_parsed_query(parsed);
        Ok(request)
    }
}

/// The document that the transport has parsed already.
fn attached(request: &Request) -> Option<Arc<Document>> {
    let document = request.data.get(&TypeId::of::<Arc<Document>>())?;
    document.downcast_ref::<Arc<Document>>().cloned()
}
