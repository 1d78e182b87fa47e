//! Names, shapes and documentation of the API; thin: every rule is in [`crate::chat`].

mod change;
mod connection;
mod context;
mod conversation;
mod cursor;
mod feedback;
mod id;
mod list;
mod loader;
mod message;
mod mutation;
mod node;
mod organise;
mod query;
mod scalar;
mod subscription;
mod viewer;

pub use self::context::Session;
pub use self::mutation::Mutation;
pub use self::query::Query;
pub use self::subscription::Subscription;

/// The executable schema. It holds no connection to a database: each request brings its own [`Session`].
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the schema.
#[must_use]
pub fn schema() -> Schema {
    Schema::build(Query, Mutation, Subscription).finish()
}

/// The schema in the GraphQL schema language, as committed in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    let text = schema().sdl();
    format!("{}\n", text.trim_end())
}
