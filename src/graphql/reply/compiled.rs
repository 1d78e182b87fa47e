//! What a reply has beside its text, for queries that are compiled.

use super::feedback::Rating;
use super::outcome::FailureCode;
use crate::entity::message::{Failure, Model, Usage};
use crate::graphql::compiled::{Field, Json, ObjectType, value};

pub(crate) const FAILURE: ObjectType<Failure> = ObjectType::new(&["Failure"], failure_field);

fn failure_field(name: &str) -> Option<Field<Failure>> {
    match name {
        "code" => value(|it, json| json.variant(FailureCode::from(it.code))),
        "message" => value(|it, json| json.string(&it.message)),
        "retryable" => value(|it, json| json.boolean(it.retryable)),
        _ => None,
    }
}

pub(crate) const USAGE: ObjectType<Usage> = ObjectType::new(&["Usage"], usage_field).simple();

fn usage_field(name: &str) -> Option<Field<Usage>> {
    match name {
        "inputTokens" => value(|it, json| json.optional(it.input_tokens, Json::number)),
        "outputTokens" => value(|it, json| json.optional(it.output_tokens, Json::number)),
        "cachedInputTokens" => value(|it, json| json.optional(it.cached_input_tokens, Json::number)),
        "estimated" => value(|it, json| json.boolean(it.estimated)),
        "cost" => value(|it, json| json.optional(it.amount(), |json, cost| json.string(&cost.to_string()))),
        _ => None,
    }
}

/// Of a message that is rated.
pub(crate) const FEEDBACK: ObjectType<Model> = ObjectType::new(&["Feedback"], feedback_field);

fn feedback_field(name: &str) -> Option<Field<Model>> {
    match name {
        "rating" => {
            value(|it, json| json.optional(it.rating, |json, rating| json.variant(Rating::from(rating))))
        }
        "comment" => value(|it, json| json.optional(it.rating_comment.as_deref(), Json::text)),
        _ => None,
    }
}
