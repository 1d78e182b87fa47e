//! What admission has validated, the library does not validate again.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::{CacheControl, ServerError, ValidationResult};

/// Marks a request that admission has let pass.
#[derive(Clone, Copy, Debug)]
pub struct Validated;

/// Skips the library's validation for such requests.
#[derive(Debug)]
pub(super) struct SkipValidation;

impl ExtensionFactory for SkipValidation {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for SkipValidation {
    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        if context.data_opt::<Validated>().is_none() {
            return next.run(context).await;
        }
        Ok(ValidationResult { cache_control: CacheControl::default(), complexity: 0, depth: 0 })
    }
}
