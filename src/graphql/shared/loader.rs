//! Loading rows that many fields want at once in one statement.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use uuid::Uuid;

use crate::chat::{
    Chat, CountedPage, MessageColumns, PathPage, SiblingKey, SiblingPage, SiblingRank, Unended,
    UnendedReplies,
};
use crate::entity::{conversation, conversation_setting, message, viewer_setting};
use crate::error::Error;

/// The viewer's rows. Each operation has its own: a loader that users share would show one the other's rows.
pub(crate) struct Rows {
    chat: Chat,
}

impl Rows {
    pub(crate) fn new(chat: Chat) -> Self {
        Self { chat }
    }
}

/// The conversation of a message that was read, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConversationId(pub(crate) Uuid);

/// A message by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MessageId(pub(crate) Uuid);

/// What is chosen for a conversation, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SettingsOf(pub(crate) Uuid);

/// What the viewer has chosen for all conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OwnSettings;

impl Loader<SettingsOf> for Rows {
    type Value = Arc<conversation_setting::Model>;
    type Error = Error;

    async fn load(&self, keys: &[SettingsOf]) -> Result<HashMap<SettingsOf, Self::Value>, Error> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let rows = self.chat.conversation_settings(&ids).await?;
        Ok(rows.into_iter().map(|row| (SettingsOf(row.conversation_id), Arc::new(row))).collect())
    }
}

impl Loader<OwnSettings> for Rows {
    type Value = Arc<viewer_setting::Model>;
    type Error = Error;

    async fn load(&self, _: &[OwnSettings]) -> Result<HashMap<OwnSettings, Self::Value>, Error> {
        let row = self.chat.viewer_settings().await?;
        Ok(row.into_iter().map(|row| (OwnSettings, Arc::new(row))).collect())
    }
}

impl Loader<ConversationId> for Rows {
    type Value = Arc<conversation::Model>;
    type Error = Error;

    async fn load(&self, keys: &[ConversationId]) -> Result<HashMap<ConversationId, Self::Value>, Error> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let rows = self.chat.conversations_by_id(&ids).await?;
        Ok(rows.into_iter().map(|row| (ConversationId(row.id), row)).collect())
    }
}

impl Loader<MessageId> for Rows {
    type Value = Arc<message::Model>;
    type Error = Error;

    async fn load(&self, keys: &[MessageId]) -> Result<HashMap<MessageId, Self::Value>, Error> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let rows = self.chat.messages_by_id(&ids).await?;
        Ok(rows.into_iter().map(|row| (MessageId(row.id), row)).collect())
    }
}

impl Loader<UnendedReplies> for Rows {
    type Value = Unended;
    type Error = Error;

    async fn load(&self, keys: &[UnendedReplies]) -> Result<HashMap<UnendedReplies, Self::Value>, Error> {
        self.chat.unended_replies(keys).await
    }
}

impl Loader<PathPage> for Rows {
    type Value = CountedPage<Arc<message::Model>>;
    type Error = Error;

    async fn load(&self, keys: &[PathPage]) -> Result<HashMap<PathPage, Self::Value>, Error> {
        self.chat.path_pages(keys, MessageColumns::ALL).await
    }
}

impl Loader<SiblingKey> for Rows {
    type Value = SiblingRank;
    type Error = Error;

    async fn load(&self, keys: &[SiblingKey]) -> Result<HashMap<SiblingKey, Self::Value>, Error> {
        self.chat.sibling_ranks(keys).await
    }
}

impl Loader<SiblingPage> for Rows {
    type Value = CountedPage<Arc<message::Model>>;
    type Error = Error;

    async fn load(&self, keys: &[SiblingPage]) -> Result<HashMap<SiblingPage, Self::Value>, Error> {
        self.chat.sibling_pages(keys).await
    }
}
