//! What became of each of several conversations.

use async_graphql::{ID, SimpleObject};
use uuid::Uuid;

use super::Conversation;
use crate::chat::{Outcomes, check_count};
use crate::error::Error;
use crate::graphql::shared::{ErrorCode, parse_id};

/// What a mutation of several conversations did with one of them: exactly one of `conversation` and `error` is `null`.
#[derive(SimpleObject)]
pub(super) struct ConversationOutcome {
    /// The id of the conversation, as it was given.
    conversation_id: ID,
    /// The conversation as it is now.
    conversation: Option<Conversation>,
    /// Why nothing was done with this conversation.
    error: Option<OutcomeError>,
}

/// Why a mutation of several conversations did nothing with one of them.
#[derive(SimpleObject)]
struct OutcomeError {
    /// The code, as `extensions.code` of an error would have it.
    code: ErrorCode,
    /// What was wrong, for people.
    message: String,
    /// The path of the input field that was wrong, as `extensions.field` of an error would have it, such as
    /// `input.metadata`. It is `null` unless the code is `BAD_USER_INPUT`.
    field: Option<String>,
}

impl From<Error> for OutcomeError {
    fn from(error: Error) -> Self {
        let (code, message) = (error.code().into(), error.message());
        let field = match error {
            Error::BadUserInput { field, .. } => Some(field.into_owned()),
            _ => None,
        };
        Self { code, message, field }
    }
}

/// The ids of conversations as a client gives them.
pub(super) struct ConversationIds(Vec<(ID, Option<Uuid>)>);

impl ConversationIds {
    /// Reads the input field `conversationIds`.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if there are more than 100.
    pub(super) fn parse(ids: Vec<ID>) -> Result<Self, Error> {
        // Those that cannot be of a conversation count, too: each has an outcome.
        check_count(ids.len())?;
        let parsed = |id: ID| {
            let uuid = parse_id(&id);
            (id, uuid)
        };
        Ok(Self(ids.into_iter().map(parsed).collect()))
    }

    /// Those that may be of a conversation, each once.
    pub(super) fn known(&self) -> Vec<Uuid> {
        let mut known: Vec<Uuid> = self.0.iter().filter_map(|(_, id)| *id).collect();
        known.sort_unstable();
        known.dedup();
        known
    }

    /// The outcomes in the order of the ids.
    pub(super) fn outcomes(self, outcomes: &Outcomes) -> Vec<ConversationOutcome> {
        let outcome = |(conversation_id, id): (ID, Option<Uuid>)| {
            let result = id.and_then(|id| outcomes.get(&id).cloned());
            match result.unwrap_or(Err(Error::NotFound("conversation"))) {
                Ok(row) => {
                    ConversationOutcome { conversation_id, conversation: Some(row.into()), error: None }
                }
                Err(error) => {
                    let error = Some(error.within("input").into());
                    ConversationOutcome { conversation_id, conversation: None, error }
                }
            }
        };
        self.0.into_iter().map(outcome).collect()
    }
}
