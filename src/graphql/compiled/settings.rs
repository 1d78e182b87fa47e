//! What is chosen for a conversation, or by the viewer for all of them.

use super::json::{Json, Written};
use super::loads::Lookup;
use super::nodes::ConversationNode;
use super::object::{Field, ObjectPlan};
use crate::assistant::Parameters;
use crate::entity::{conversation_setting, viewer_setting};
use crate::error::Error;
use crate::graphql::assistant::{ASSISTANT, Assistant, PARAMETERS};

/// Finds the settings that hold for a `T`.
type Find<T, S> = for<'c> fn(&T, &mut Json<'c>) -> Result<Lookup<&'c S>, Error>;

/// The settings of a conversation.
pub(in crate::graphql) fn of_conversation(name: &str) -> Option<Field<ConversationNode>> {
    let find: Find<ConversationNode, conversation_setting::Model> = |it, json| json.settings(it.row.id);
    match name {
        "assistant" => assistant(find, |row| row.assistant_id.as_deref()),
        "assistantId" => text(find, |row| row.assistant_id.as_deref(), short),
        "instructions" => text(find, |row| row.instructions.as_deref(), long),
        "parameters" => Some(Field::Compiled(Box::new(move |compiler, selected| {
            compiler.loads();
            let (plan, position) = (PARAMETERS.compile(compiler, selected)?, selected.position);
            Some(Box::new(move |it, json| {
                json.nullable(position, |json| {
                    let parameters: Option<&Parameters> = match find(it, json)? {
                        Lookup::Named => return Ok(()),
                        Lookup::Found(row) => row.parameters.as_ref(),
                        Lookup::Missing => None,
                    };
                    json.optional(parameters, |json, parameters| plan.write(parameters, json))
                })
            }))
        }))),
        _ => None,
    }
}

/// The settings of the viewer.
pub(super) fn of_viewer<T: 'static>(name: &str) -> Option<Field<T>> {
    let find: Find<T, viewer_setting::Model> = |_, json| json.own_settings();
    match name {
        "assistant" => assistant(find, |row| row.assistant_id.as_deref()),
        "assistantId" => text(find, |row| row.assistant_id.as_deref(), short),
        "instructions" => text(find, |row| row.instructions.as_deref(), long),
        _ => None,
    }
}

fn short(json: &mut Json<'_>, text: &str) -> Written {
    json.string(text)
}

fn long(json: &mut Json<'_>, text: &str) -> Written {
    json.text(text)
}

/// A field with a text, or `null`.
fn text<T: 'static, S: 'static>(
    find: Find<T, S>,
    get: fn(&S) -> Option<&str>,
    write: for<'c> fn(&mut Json<'c>, &str) -> Written,
) -> Option<Field<T>> {
    Some(Field::Compiled(Box::new(move |compiler, selected| {
        compiler.loads();
        let position = selected.position;
        Some(Box::new(move |it, json| {
            json.nullable(position, |json| {
                let text = match find(it, json)? {
                    Lookup::Named => return Ok(()),
                    Lookup::Found(row) => get(row),
                    Lookup::Missing => None,
                };
                json.optional(text, |json, text| write(json, text))
            })
        }))
    })))
}

/// A field with the assistant that answers where one is chosen, or `null`.
fn assistant<T: 'static, S: 'static>(find: Find<T, S>, get: fn(&S) -> Option<&str>) -> Option<Field<T>> {
    Some(Field::Compiled(Box::new(move |compiler, selected| {
        compiler.loads();
        let plan: ObjectPlan<Assistant> = ASSISTANT.compile(compiler, selected)?;
        let position = selected.position;
        Some(Box::new(move |it, json| {
            json.nullable(position, |json| {
                let id = match find(it, json)? {
                    Lookup::Named => return Ok(()),
                    Lookup::Found(row) => get(row),
                    Lookup::Missing => None,
                };
                let assistant = id.and_then(|id| Assistant::chosen(json.chat(), id));
                json.optional(assistant, |json, assistant| plan.write(&assistant, json))
            })
        }))
    })))
}
