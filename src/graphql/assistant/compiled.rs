//! Assistants and parameters of messages, for queries that are compiled.

use super::Assistant;
use crate::assistant::Parameters;
use crate::graphql::compiled::{Field, Json, ObjectType, value};

pub(in crate::graphql) const ASSISTANT: ObjectType<Assistant> =
    ObjectType::new(&["Assistant", "Node"], assistant_field);

fn assistant_field(name: &str) -> Option<Field<Assistant>> {
    match name {
        "id" => value(|it, json| json.string(&it.0.id)),
        "name" => value(|it, json| json.string(&it.0.name)),
        "description" => value(|it, json| json.optional(it.0.description.as_deref(), Json::string)),
        "contextTokens" => value(|it, json| json.number(it.0.context_tokens)),
        _ => None,
    }
}

pub(in crate::graphql) const PARAMETERS: ObjectType<Parameters> =
    ObjectType::new(&["Parameters"], parameters_field).simple();

fn parameters_field(name: &str) -> Option<Field<Parameters>> {
    match name {
        "temperature" => value(|it, json| json.optional(it.temperature, Json::number)),
        "topP" => value(|it, json| json.optional(it.top_p, Json::number)),
        "maxTokens" => value(|it, json| json.optional(it.max_tokens, Json::number)),
        "reasoningEffort" => value(|it, json| json.optional(it.reasoning_effort.as_deref(), Json::string)),
        _ => None,
    }
}
