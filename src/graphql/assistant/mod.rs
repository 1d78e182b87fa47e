//! Assistants: which there are, and how they are asked.

mod compiled;
mod fields;
mod parameters;
mod price;

use std::sync::Arc;

use async_graphql::{Context, Object};

pub(super) use self::compiled::{ASSISTANT, PARAMETERS};
pub(super) use self::parameters::{Parameters, ParametersInput, choice, patch};
use super::shared::ContextExt;
use crate::assistant::Profile;
use crate::chat::Chat;
use crate::error::Error;

/// An assistant that the viewer may choose.
#[derive(Clone)]
pub(super) struct Assistant(Arc<Profile>);

impl Assistant {
    /// The assistant of a reply that was asked of `id`, if the viewer may choose it, and not one that has replaced it.
    pub(super) fn of_reply(chat: &Chat, id: &str) -> Option<Self> {
        chat.assistant(id).filter(|profile| profile.id == id).cloned().map(Self)
    }

    /// The assistant that answers where `id` is chosen, if the viewer may choose it.
    pub(super) fn chosen(chat: &Chat, id: &str) -> Option<Self> {
        chat.assistant(id).cloned().map(Self)
    }

    /// The assistants that the viewer may choose, in the operator's order.
    pub(super) fn all(chat: &Chat) -> Vec<Self> {
        chat.assistants().cloned().map(Self).collect()
    }
}

#[derive(Debug, Default)]
pub(super) struct AssistantQueries;

#[Object]
impl AssistantQueries {
    /// The assistants that the viewer may choose, in the operator's order: at most 100.
    #[expect(clippy::unused_self, reason = "the macro wants it")]
    fn assistants(&self, context: &Context<'_>) -> Result<Vec<Assistant>, Error> {
        Ok(Assistant::all(context.chat()?))
    }
}
