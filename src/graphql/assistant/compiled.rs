//! Assistants and parameters of messages, for queries that are compiled.

use serde::Serialize;

use super::Assistant;
use crate::assistant::{Parameters, Range};
use crate::graphql::compiled::{Field, Json, ObjectType, value};
use crate::usage::Rates;

pub(in crate::graphql) const ASSISTANT: ObjectType<Assistant> =
    ObjectType::new(&["Assistant", "Node"], assistant_field);

fn assistant_field(name: &str) -> Option<Field<Assistant>> {
    match name {
        "id" => value(|it, json| json.string(&it.0.id)),
        "name" => value(|it, json| json.string(&it.0.name)),
        "description" => value(|it, json| json.optional(it.0.description.as_deref(), Json::string)),
        "isDefault" => value(|it, json| json.boolean(json.chat().is_default_assistant(&it.0))),
        "contextTokens" => value(|it, json| json.number(it.0.context_tokens)),
        "temperature" => FLOAT_RANGE.optional(|it| it.0.settable.temperature.as_ref()),
        "topP" => FLOAT_RANGE.optional(|it| it.0.settable.top_p.as_ref()),
        "maxTokens" => INT_RANGE.optional(|it| it.0.settable.max_tokens.as_ref()),
        "reasoningEfforts" => value(|it, json| json.strings(&it.0.settable.reasoning_efforts)),
        "price" => PRICE.optional(|it| it.0.price.as_ref()?.rates()),
        _ => None,
    }
}

const FLOAT_RANGE: ObjectType<Range<f64>> = ObjectType::new(&["FloatRange"], range_field).simple();
const INT_RANGE: ObjectType<Range<i32>> = ObjectType::new(&["IntRange"], range_field).simple();

fn range_field<T: Copy + Serialize + 'static>(name: &str) -> Option<Field<Range<T>>> {
    match name {
        "minimum" => value(|it, json| json.number(it.minimum)),
        "maximum" => value(|it, json| json.number(it.maximum)),
        "default" => value(|it, json| json.optional(it.default, Json::number)),
        _ => None,
    }
}

const PRICE: ObjectType<Rates> = ObjectType::new(&["Price"], price_field).simple();

fn price_field(name: &str) -> Option<Field<Rates>> {
    match name {
        "currency" => value(|_, json| json.string(json.chat().currency())),
        "input" => value(|it, json| json.string(&it.input.to_string())),
        "cachedInput" => value(|it, json| json.string(&it.cached_input.to_string())),
        "output" => value(|it, json| json.string(&it.output.to_string())),
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
