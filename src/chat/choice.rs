//! Which assistant is asked for a reply, and how it is to write.

use std::sync::Arc;

use serde::Serialize;

use super::Chat;
use crate::assistant::{Parameters, Profile};
use crate::error::Error;
use crate::reply::ReplyContext;

/// What a request says of it. What it leaves out is as the conversation has it, else as the viewer has it, else as the
/// operator has it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Choice {
    /// The assistant.
    pub assistant_id: Option<String>,
    /// How it is to write.
    pub parameters: Option<Parameters>,
}

/// What a reply is asked for with, as its row has it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) assistant_id: String,
    pub(super) parameters: Option<Parameters>,
}

impl Choice {
    /// Whether the request says nothing of it.
    pub(super) fn is_empty(&self) -> bool {
        self.assistant_id.is_none() && self.parameters.is_none()
    }
}

impl Chat {
    /// The assistants that the viewer may choose, in the operator's order.
    pub fn assistants(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.replies.catalog().offered_to(self.viewer.plan())
    }

    /// The assistant with this id, or the one that has replaced it, if the viewer may choose it.
    #[must_use]
    pub fn assistant(&self, id: &str) -> Option<&Arc<Profile>> {
        self.replies.catalog().find_for(id, self.viewer.plan())
    }

    /// Whether the viewer's replies are asked of this assistant unless somebody chooses another.
    #[must_use]
    pub fn is_default_assistant(&self, profile: &Profile) -> bool {
        self.replies.catalog().default_profile().id == profile.id
    }

    /// What prices are in.
    #[must_use]
    pub fn currency(&self) -> &str {
        self.replies.catalog().currency()
    }

    /// The assistant of the first of these ids that is one, or the default one.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the server has no such assistant, or the viewer may not choose it: never another one.
    pub(super) fn chosen_assistant(&self, ids: [Option<&str>; 3]) -> Result<&Arc<Profile>, Error> {
        let id = ids.into_iter().flatten().next();
        let id = id.unwrap_or(&self.replies.catalog().default_profile().id);
        self.assistant(id).ok_or(Error::NotFound("assistant"))
    }

    /// Which assistant is asked for a reply in a conversation, and how. The conversation's parameters that do not fit the
    /// assistant are left out, as they were chosen for another.
    ///
    /// # Errors
    /// As [`Self::chosen_assistant`]; [`Error::BadUserInput`] if the parameters of the request do not fit.
    pub(super) fn choose(&self, choice: &Choice, context: &ReplyContext) -> Result<Chosen, Error> {
        let settings = &context.settings;
        let profile = self.chosen_assistant([
            choice.assistant_id.as_deref(),
            settings.conversation_assistant_id.as_deref(),
            settings.viewer_assistant_id.as_deref(),
        ])?;
        let asked = choice.parameters.clone().unwrap_or_default();
        profile.settable.check(&asked)?;
        let kept = profile.settable.fitting(settings.conversation_parameters.clone().unwrap_or_default());
        let parameters = asked.or(kept).or(profile.settable.defaults()).some();
        Ok(Chosen { assistant_id: profile.id.clone(), parameters })
    }
}
