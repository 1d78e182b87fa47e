//! The schema, as those who judge documents and variables need it.

use std::sync::LazyLock;

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use async_graphql::registry::{MetaType, Registry};
use async_graphql::{OutputType, SubscriptionType, Value};

use crate::graphql::{Mutation, Query, Subscription, sdl};

/// What the library's introspection has and the specification's last edition not yet.
const ONE_OF: &str = "extend type __Type { isOneOf: Boolean! }";

/// The schema for the rules of validation. It is printed from the code, so it is valid.
#[expect(clippy::expect_used, reason = "it does not depend on anything that may vary")]
static SCHEMA: LazyLock<Valid<Schema>> = LazyLock::new(|| {
    let schema = Schema::builder().parse(sdl(), "schema.graphql").parse(ONE_OF, "introspection.graphql");
    schema.build().expect("the schema can be read").validate().expect("the schema is valid")
});

/// The types as the library has them, which know what values are theirs. It lets nobody have its own registry.
static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::default();
    <Query as OutputType>::create_type_info(&mut registry);
    <Mutation as OutputType>::create_type_info(&mut registry);
    <Subscription as SubscriptionType>::create_type_info(&mut registry);
    registry
});

/// The schema for the rules of validation.
pub(super) fn schema() -> &'static Valid<Schema> {
    &SCHEMA
}

/// The type called `name`.
pub(super) fn type_named(name: &str) -> Option<&'static MetaType> {
    REGISTRY.types.get(name)
}

/// Whether `value` is one of the scalar called `name`: the rules of validation know nothing of our own.
pub(super) fn is_scalar(name: &str, value: &Value) -> bool {
    match type_named(name) {
        Some(MetaType::Scalar { is_valid: Some(is_valid), .. }) => is_valid(value),
        _ => true,
    }
}
