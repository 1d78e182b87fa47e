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
mod validated;
mod viewer;

use async_graphql::SDLExportOptions;

pub use self::batch::Batches;
pub use self::context::Session;
pub use self::mutation::Mutation;
pub use self::query::Query;
pub use self::subscription::Subscription;
use self::validated::SkipValidation;
pub use self::validated::Validated;

/// The executable schema. It holds no connection to a database: each request brings its own [`Session`].
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the schema.
#[must_use]
pub fn schema() -> Schema {
    Schema::build(Query, Mutation, Subscription)
        .extension(SkipValidation)
        // Admission bounds the depth of what it lets pass.
        .limit_recursive_depth(usize::MAX)
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
