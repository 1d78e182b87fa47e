//! Names, shapes and documentation of the API; thin: every rule is in [`crate::chat`].

mod batch;
mod change;
mod connection;
mod context;
mod conversation;
mod cursor;
mod feedback;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod guard;
mod id;
mod list;
mod loader;
mod message;
mod mutation;
mod node;
mod organise;
mod query;
mod scalar;
mod search;
mod sibling;
mod subscription;
mod tree;
mod viewer;

use async_graphql::SDLExportOptions;

pub use self::batch::Batches;
pub use self::context::Session;
use self::guard::Guard;
pub use self::guard::QueryLimits;
pub use self::mutation::Mutation;
pub use self::query::Query;
pub use self::subscription::Subscription;

/// The executable schema. It holds no connection to a database: each request brings its own [`Session`].
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the schema, with the default limits on queries.
#[must_use]
pub fn schema() -> Schema {
    schema_with(QueryLimits::default())
}

/// Builds the schema, with these limits on queries.
#[must_use]
pub fn schema_with(limits: QueryLimits) -> Schema {
    // The guard is asked first; the library's own limit would only be another one.
    let depth = usize::try_from(limits.depth).unwrap_or(usize::MAX).saturating_add(1);
    Schema::build(Query, Mutation, Subscription)
        .extension(Guard::new(&sdl(), limits))
        .limit_recursive_depth(depth)
        // They would show the schema where it may not be explored, and cost much for each unknown name.
        .disable_suggestions()
        .finish()
}

/// The schema in the GraphQL schema language, as committed in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    let schema = Schema::new(Query, Mutation, Subscription);
    let text = schema.sdl_with_options(SDLExportOptions::new().include_specified_by());
    format!("{}\n", text.trim_end())
}
