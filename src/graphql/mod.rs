//! Names, shapes and documentation of the API, a folder for each subject. It is thin: every rule is in [`crate::chat`].

mod assistant;
mod change;
mod compiled;
mod conversation;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod message;
mod node;
mod reply;
mod search;
mod shared;
mod usage;
mod viewer;

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, SchemaBuilder, ValidationMode};

use self::assistant::AssistantQueries;
use self::change::{ChangeQueries, ChangeSubscriptions};
pub(crate) use self::compiled::{CompiledQuery, WrittenAnswer};
use self::conversation::{
    ConversationLists, ConversationMutations, ConversationQueries, TrashMutations, UpdateMutations,
};
use self::message::{MessageMutations, MessageQueries};
use self::node::NodeQueries;
use self::reply::{FeedbackMutations, ReplyMutations, ReplyRequestSubscriptions, ReplySubscriptions};
use self::search::SearchQueries;
use self::shared::ErrorCode;
pub use self::shared::{Batches, RequestContext, StartCursor};
pub(crate) use self::shared::{Cursor, ReplyCursor};
use self::viewer::{ViewerMutations, ViewerQueries};

/// The queries. They return only what belongs to the viewer; what belongs to another user does not exist for them.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    ViewerQueries,
    AssistantQueries,
    ConversationQueries,
    ConversationLists,
    MessageQueries,
    SearchQueries,
    NodeQueries,
    ChangeQueries,
);

/// The mutations. They fail with `NOT_FOUND` if an argument names something that does not exist or that belongs to
/// another user, a conversation or message that is in the trash (unless the mutation restores it), or a message of
/// another role than the mutation requires, and with `BAD_USER_INPUT` if an argument is outside its documented limits.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    ViewerMutations,
    ConversationMutations,
    UpdateMutations,
    TrashMutations,
    MessageMutations,
    ReplyMutations,
    FeedbackMutations,
);

/// The subscriptions. They return only what belongs to the viewer.
///
/// A stream ends after the first event that has errors, so that no event is lost: subscribe again with the last cursor to
/// receive it.
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(ReplyRequestSubscriptions, ReplySubscriptions, ChangeSubscriptions);

/// The executable schema. It holds no connection to a database: each request brings its own [`RequestContext`].
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the schema.
#[must_use]
pub fn schema() -> Schema {
    builder()
        // Admission has validated what is executed: an extension that says so would make the library take its slow way
        // with each field.
        .validation_mode(ValidationMode::Fast)
        // Admission bounds the depth of what it lets pass.
        .limit_recursive_depth(usize::MAX)
        // They would show the schema where it may not be explored, and cost much for each unknown name.
        .disable_suggestions()
        .finish()
}

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    // The codes of errors are in `extensions`, which have no type of their own.
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .register_output_type::<ErrorCode>()
}

/// The schema in the GraphQL schema language, as committed in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    let text = builder().finish().sdl_with_options(SDLExportOptions::new().include_specified_by());
    format!("{}\n", text.trim_end())
}
