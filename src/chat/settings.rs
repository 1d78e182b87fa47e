//! What the viewer has chosen for a conversation, and for all of them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryTrait, Value};
use serde::Serialize;
use uuid::Uuid;

use super::read::{Effort, ROW_BYTES, RowSize};
use super::receipt::IdempotentRequest;
use super::{Chat, text};
use crate::assistant::Parameters;
use crate::database::Write;
use crate::entity::{conversation_setting, viewer_setting};
use crate::error::Error;

/// What becomes of something that may be chosen.
#[derive(Clone, Debug, Default, Serialize)]
pub enum Patch<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is no longer chosen.
    Clear,
    /// It is chosen.
    Set(T),
}

impl<T> From<Option<T>> for Patch<T> {
    fn from(chosen: Option<T>) -> Self {
        chosen.map_or(Self::Keep, Self::Set)
    }
}

impl<T: Clone> Patch<T> {
    /// Whether it stays as it is.
    #[must_use]
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    fn apply(&self, earlier: Option<T>) -> Option<T> {
        match self {
            Self::Keep => earlier,
            Self::Clear => None,
            Self::Set(value) => Some(value.clone()),
        }
    }
}

/// What changes in the choices for a conversation.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ConversationSettings {
    /// The assistant.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub assistant_id: Patch<String>,
    /// How it is to write: all that is set.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub parameters: Patch<Parameters>,
    /// What it is told.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub instructions: Patch<String>,
}

/// Choices for all conversations to change.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigureViewer {
    /// The assistant.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub assistant_id: Patch<String>,
    /// What every assistant is told.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub instructions: Patch<String>,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

impl RowSize for conversation_setting::Model {
    fn bytes(&self) -> usize {
        ROW_BYTES + self.instructions.as_ref().map_or(0, String::len)
    }
}

impl RowSize for viewer_setting::Model {
    fn bytes(&self) -> usize {
        ROW_BYTES + self.instructions.as_ref().map_or(0, String::len)
    }
}

const STORE_CONVERSATION: &str = "
INSERT INTO conversation_setting (user_id, conversation_id, assistant_id, parameters, instructions)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id, conversation_id) DO UPDATE
SET assistant_id = excluded.assistant_id, parameters = excluded.parameters, instructions = excluded.instructions";

const STORE_VIEWER: &str = "
INSERT INTO viewer_setting (user_id, assistant_id, instructions, revision) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id) DO UPDATE
SET assistant_id = excluded.assistant_id, instructions = excluded.instructions, revision = excluded.revision";

const COPY: &str = "
INSERT INTO conversation_setting (user_id, conversation_id, assistant_id, parameters, instructions)
SELECT user_id, $3, assistant_id, parameters, instructions FROM conversation_setting
WHERE user_id = $1 AND conversation_id = $2";

impl ConversationSettings {
    /// Whether all stays as it is.
    pub(super) fn is_empty(&self) -> bool {
        self.assistant_id.is_keep() && self.parameters.is_keep() && self.instructions.is_keep()
    }
}

impl Chat {
    /// The choices for these conversations, as far as there are any.
    pub async fn conversation_settings(
        &self,
        ids: &[Uuid],
    ) -> Result<Vec<conversation_setting::Model>, Error> {
        use conversation_setting::{Column, Entity};
        let query = Entity::find()
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::ConversationId.is_in(ids.iter().copied()));
        self.load_rows(query.build(self.database.backend()), Effort::Usual).await
    }

    /// The choices for all conversations, if there are any.
    pub async fn viewer_settings(&self) -> Result<Option<viewer_setting::Model>, Error> {
        let query = viewer_setting::Entity::find_by_id(self.user().to_owned());
        let rows = self.load_rows(query.build(self.database.backend()), Effort::Usual);
        Ok(rows.await?.pop())
    }

    /// Changes the choices for all conversations. If nothing differs, they keep their revision.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer may choose no such assistant; [`Error::BadUserInput`] if the instructions are
    /// not within their bounds.
    pub async fn configure_viewer(&self, mut request: ConfigureViewer) -> Result<(), Error> {
        self.check_instructions(&mut request.instructions)?;
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "configureViewer", &request)?;
        self.write((request, idempotent), |chat, write, (request, idempotent)| {
            Box::pin(async move {
                if chat.is_repeated(write, idempotent.as_ref()).await? {
                    write.clear_after_commit();
                    return Ok(());
                }
                let query = viewer_setting::Entity::find_by_id(chat.user().to_owned());
                let earlier = query.one(&**write).await?;
                let (assistant, instructions) =
                    earlier.map(|row| (row.assistant_id, row.instructions)).unwrap_or_default();
                let changed = (
                    chat.assistant_after(&request.assistant_id, assistant.clone())?,
                    request.instructions.apply(instructions.clone()),
                );
                if changed == (assistant, instructions) {
                    write.clear_after_commit();
                    return Ok(());
                }
                let (assistant, instructions) = changed;
                let values: [Value; 4] =
                    [chat.user().into(), assistant.into(), instructions.into(), write.revision.into()];
                write.run(STORE_VIEWER, values).await?;
                Ok(())
            })
        })
        .await
    }

    /// Changes the choices for a conversation of the viewer's. Returns whether anything differs.
    pub(super) async fn change_settings(
        &self,
        write: &Write,
        conversation: Uuid,
        changes: &ConversationSettings,
    ) -> Result<bool, Error> {
        let query = conversation_setting::Entity::find_by_id((self.user().to_owned(), conversation));
        let earlier = query.one(&**write).await?;
        let earlier = earlier.unwrap_or_else(|| self.no_settings(conversation));
        let changed = conversation_setting::Model {
            assistant_id: self.assistant_after(&changes.assistant_id, earlier.assistant_id.clone())?,
            parameters: changes.parameters.apply(earlier.parameters.clone()).and_then(Parameters::some),
            instructions: changes.instructions.apply(earlier.instructions.clone()),
            ..earlier.clone()
        };
        if let Patch::Set(parameters) = &changes.parameters {
            let viewer = viewer_setting::Entity::find_by_id(self.user().to_owned()).one(&**write).await?;
            let viewer = viewer.and_then(|row| row.assistant_id);
            let ids = [changed.assistant_id.as_deref(), viewer.as_deref(), None];
            self.chosen_assistant(ids)?.settable.check(parameters)?;
        }
        if changed == earlier {
            return Ok(false);
        }
        self.store_settings(write, changed).await?;
        Ok(true)
    }

    /// Stores what the first message of a conversation was sent with.
    pub(super) async fn store_first_choice(
        &self,
        write: &Write,
        conversation: Uuid,
        assistant_id: Option<String>,
        parameters: Option<Parameters>,
    ) -> Result<(), Error> {
        let none = self.no_settings(conversation);
        self.store_settings(write, conversation_setting::Model { assistant_id, parameters, ..none }).await
    }

    /// Gives a copy of a conversation the choices for it.
    pub(super) async fn copy_settings(&self, write: &Write, from: Uuid, to: Uuid) -> Result<(), Error> {
        let values: [Value; 3] = [self.user().into(), from.into(), to.into()];
        write.run(COPY, values).await?;
        Ok(())
    }

    /// Checks instructions that are to be stored, and trims them.
    pub(super) fn check_instructions(&self, instructions: &mut Patch<String>) -> Result<(), Error> {
        if let Patch::Set(instructions) = instructions {
            let limit = self.limits.instructions_chars;
            *instructions = text::instructions(instructions, limit)?.to_owned();
        }
        Ok(())
    }

    /// The id of the chosen assistant after a change; of one that was replaced, its successor's.
    fn assistant_after(
        &self,
        patch: &Patch<String>,
        earlier: Option<String>,
    ) -> Result<Option<String>, Error> {
        match patch {
            Patch::Set(id) => Ok(Some(self.chosen_assistant([Some(id), None, None])?.id.clone())),
            patch => Ok(patch.apply(earlier)),
        }
    }

    fn no_settings(&self, conversation_id: Uuid) -> conversation_setting::Model {
        let user_id = self.user().to_owned();
        conversation_setting::Model {
            user_id,
            conversation_id,
            assistant_id: None,
            parameters: None,
            instructions: None,
        }
    }

    async fn store_settings(&self, write: &Write, row: conversation_setting::Model) -> Result<(), Error> {
        let (user, conversation) = (row.user_id.into(), row.conversation_id.into());
        let values: [Value; 5] =
            [user, conversation, row.assistant_id.into(), row.parameters.into(), row.instructions.into()];
        write.run(STORE_CONVERSATION, values).await?;
        Ok(())
    }
}
