//! One turn of a conversation.
#![expect(missing_docs, reason = "SeaORM generates items beside the row")]

mod parts;

use sea_orm::FromJsonQueryResult;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SimpleExpr;
use serde::{Deserialize, Serialize};

pub use self::parts::{Part, PartText, Parts, Reasoning, ToolCall};
pub use super::parameters::Parameters;

/// One message; a reply's row exists before its first word does. The default is a row that is yet to be filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub struct Model {
    /// The owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// A UUID of version 7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The conversation; it has the same owner.
    pub conversation_id: Uuid,
    /// The message before it; `None` for a first one.
    pub parent_id: Option<Uuid>,
    /// The place counted from the conversation's start, from 1.
    pub position: i64,
    /// Whether it is on the active path.
    pub active: bool,
    /// Who speaks.
    pub role: Role,
    /// How far it is.
    pub status: Status,
    /// The text; of a reply that runs, the text up to the last checkpoint.
    pub content: String,
    /// The assistant's reasoning, up to the same point; empty without any.
    pub reasoning: String,
    /// In what order text, reasoning and tool calls came.
    pub parts: Parts,
    /// Why the reply ended, as its provider told.
    pub finish_reason: Option<FinishReason>,
    /// Why the reply failed.
    pub failure: Option<Failure>,
    /// The assistant that the reply was asked of; `None` in a user's message.
    pub assistant_id: Option<String>,
    /// How it was asked to write.
    pub parameters: Option<Parameters>,
    /// The model that wrote the reply.
    pub model: Option<String>,
    /// Tokens used.
    pub usage: Option<Usage>,
    /// The run of the assistant that the content is of; 0 before the first one, and in a user's message.
    pub attempt: i32,
    /// How often the reply may still be restarted after a server's death.
    pub restarts_left: i32,
    /// The server that writes the reply.
    pub lease_owner: Option<Uuid>,
    /// When the lease ends unless it is extended.
    pub lease_until: Option<DateTimeUtc>,
    /// When the user asked to stop the reply.
    pub stop_requested_at: Option<DateTimeUtc>,
    /// The client's own JSON object, as compact text.
    pub metadata: String,
    /// What the user thinks of the reply.
    pub rating: Option<Rating>,
    /// The user's words about that.
    pub rating_comment: Option<String>,
    /// When it was sent, or the reply was asked for.
    pub created_at: DateTimeUtc,
    /// When it was complete, stopped or failed.
    pub finished_at: Option<DateTimeUtc>,
    /// The owner's revision that made the row: the order of creation, whichever servers' clocks were right.
    pub created_revision: i64,
    /// The owner's revision that last touched the row.
    pub revision: i64,
}

/// Queries never join: the owner and the id of the other row are both at hand.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    #[default]
    User,
    Assistant,
}

/// How far a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    #[default]
    Queued,
    Generating,
    Complete,
    Stopped,
    Failed,
}

impl Status {
    /// Whether nothing more will be written.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Stopped | Self::Failed)
    }
}

/// What a user thinks of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rating {
    Up,
    Down,
}

/// Why a reply ended, as its provider reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    Other,
}

/// What one attempt has used, stored as JSON. `None` is unknown, not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// Tokens of the prompt that the provider took from its cache.
    pub cached_input_tokens: Option<u64>,
    /// Whether the provider has not told the tokens of the prompt or those written, and an estimate stands in their place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// The cost, in billionths of the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<i64>,
}

/// Why an attempt failed, stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Failure {
    /// The kind of failure, for programs.
    pub code: FailureCode,
    /// What happened, for people: one sentence without keys, addresses or the provider's raw body.
    pub message: String,
    /// Whether another attempt may succeed without a change of anything.
    pub retryable: bool,
}

/// The kinds of [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureCode {
    AssistantUnavailable,
    AssistantTimeout,
    AssistantRateLimited,
    AssistantRejected,
    ContextTooLong,
    ContentFiltered,
    Truncated,
    Empty,
    ToolsUnsupported,
    Interrupted,
}

/// The condition that a message's conversation has not been deleted. A deleted conversation keeps its messages until it
/// is restored or erased; the condition costs one look at the conversation's primary key for each message, and spares
/// deleting to touch each of them.
pub(crate) fn visible() -> SimpleExpr {
    Expr::cust(VISIBLE)
}

/// [`visible`] in SQL.
pub(crate) const VISIBLE: &str = r#"EXISTS (SELECT 1 FROM "conversation" AS "whole" WHERE "whole"."user_id" = "message"."user_id"
    AND "whole"."id" = "message"."conversation_id" AND "whole"."deleted_at" IS NULL)"#;
