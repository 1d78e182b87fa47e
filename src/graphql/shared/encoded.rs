//! Cursors as fields of events.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};

use super::cursor::Cursor;

/// A cursor that is encoded only where it is selected: few readers need that of each event.
pub(crate) struct Encoded<C>(pub(crate) C);

impl<C: Cursor + Send + Sync> OutputType for Encoded<C> {
    fn type_name() -> Cow<'static, str> {
        <String as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <String as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::String(self.0.encode()))
    }
}
