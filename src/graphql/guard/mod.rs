//! What a query may cost, decided before anything else walks it.
//!
//! The library follows every fragment spread before it applies limits of its own: a query of two kilobytes, each
//! fragment spreading the next one twice, would keep it busy for ever. Here each fragment is visited once.

mod document;
mod escape;
mod limits;
mod literal;
mod measure;
mod price;
mod refusal;
mod rules;
mod subscription;
mod tokens;
mod toll;
mod variable;

use std::any::TypeId;
use std::sync::Arc;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextPrepareRequest, NextValidation,
};
use async_graphql::{CacheControl, Request, Response, ServerError, ServerResult, ValidationResult};

pub use self::document::{Document, Documents, Selected, hash};
pub use self::limits::QueryLimits;
use self::measure::measure;
use self::refusal::invalid;
use self::rules::Rules;
pub use self::toll::{Toll, Turn};

/// Refuses requests that cost too much, that break a rule of the language, or whose variables are not what the
/// operation declares.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    limits: QueryLimits,
    rules: Arc<Rules>,
}

impl Guard {
    /// The guard of the schema that `sdl` describes.
    ///
    /// # Panics
    /// If that is no schema: it is printed from the code.
    #[expect(clippy::expect_used, reason = "it does not depend on anything that may vary")]
    pub(super) fn new(sdl: &str, limits: QueryLimits) -> Self {
        Self { limits, rules: Arc::new(Rules::new(sdl).expect("the schema is valid")) }
    }
}

impl ExtensionFactory for Guard {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(self.clone())
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
            None => Arc::new(Document::parse(&request.query, &self.limits)?),
        };
        let complexity = measure(registry, &document, &request, &self.limits)?;
        Toll::collect(&request, complexity)?;
        let mut parsed = document.parsed().clone();
        if let Some(operation) = document::select_mut(&mut parsed, request.operation_name.as_deref()) {
            variable::check(registry, &operation.variable_definitions, &request.variables)?;
            subscription::flatten(operation, document.parsed())?;
            Toll::mark(&mut request, operation.ty, complexity);
            variable::drop_undeclared(&operation.variable_definitions, &mut request.variables);
        }
        request.set_parsed_query(parsed);
        request.data.insert(document);
        Ok(request)
    }

    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let _turn = Toll::turn(context).await;
        next.run(context, operation_name).await
    }

    /// In place of the library's rules.
    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        _next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        match context.data_opt::<Arc<Document>>().map(|document| document.broken(&self.rules)) {
            Some(broken) if broken.is_empty() => {
                Ok(ValidationResult { cache_control: CacheControl::default(), complexity: 0, depth: 0 })
            }
            Some(broken) => Err(broken),
            None => Err(vec![invalid("The document cannot be read.", None)]),
        }
    }
}

/// The document that the transport has parsed already.
fn attached(request: &Request) -> Option<Arc<Document>> {
    let document = request.data.get(&TypeId::of::<Arc<Document>>())?;
    document.downcast_ref::<Arc<Document>>().cloned()
}
