//! Changing conversations.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::Conversation;
use super::outcome::{ConversationIds, ConversationOutcome};
use super::revision::Revision;
use crate::chat::{
    ConversationChanges, ConversationSettings, Metadata, UpdateConversation, UpdateConversations,
};
use crate::error::Error;
use crate::graphql::assistant::{ParametersInput, patch};
use crate::graphql::shared::{ContextExt, Json, Payload, parse_metadata, payload, require_id};

#[derive(Debug, Default)]
pub(crate) struct UpdateMutations;

#[Object]
impl UpdateMutations {
    /// Changes a conversation: its title, whether it is pinned or archived, its metadata, and which assistant answers in it
    /// and how. What is omitted stays as it is, and so does what is `null`, but for `assistantId`, `parameters` and
    /// `instructions`, which `null` removes. A conversation that is already as wanted does not change, and keeps its `revision`.
    ///
    /// The mutation fails with `CONFLICT` if `ifRevision` is given and the conversation has changed since.
    async fn update_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: UpdateConversationInput,
    ) -> Payload<UpdateConversationPayload> {
        payload(async {
            let chat = context.chat()?;
            let request = UpdateConversation {
                id: require_id(&input.conversation_id, "conversation")?,
                changes: ConversationChanges {
                    title: input.title,
                    pinned: input.pinned,
                    archived: input.archived,
                    metadata: parse_patch(input.metadata)?,
                    settings: ConversationSettings {
                        assistant_id: patch(input.assistant_id.map_value(|id| id.0)),
                        parameters: patch(input.parameters),
                        instructions: patch(input.instructions),
                    },
                },
                if_revision: Revision::parse(input.if_revision.as_deref())?,
                idempotency_key: input.idempotency_key,
            };
            Ok(UpdateConversationPayload { conversation: chat.update(request).await?.into() })
        })
        .await
    }

    /// Changes up to 100 conversations alike: whether they are pinned or archived, and their metadata. What is omitted
    /// or `null` stays as it is. The changes are made at once; a conversation that cannot be changed does not keep the
    /// others from changing. A repeated request changes nothing: it returns each conversation as it is by then, or
    /// the error if the changes would still be refused.
    async fn update_conversations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: UpdateConversationsInput,
    ) -> Payload<UpdateConversationsPayload> {
        payload(async {
            let chat = context.chat()?;
            let ids = ConversationIds::parse(input.conversation_ids)?;
            let request = UpdateConversations {
                ids: ids.known(),
                changes: ConversationChanges {
                    title: None,
                    pinned: input.pinned,
                    archived: input.archived,
                    metadata: parse_patch(input.metadata)?,
                    settings: ConversationSettings::default(),
                },
                idempotency_key: input.idempotency_key,
            };
            Ok(UpdateConversationsPayload {
                outcomes: ids.outcomes(&chat.update_conversations(request).await?),
            })
        })
        .await
    }
}

/// The metadata of an input that changes it.
fn parse_patch(json: Option<Json>) -> Result<Option<Metadata>, Error> {
    json.map(|json| parse_metadata(Some(json))).transpose()
}

/// The input of `updateConversation`.
#[derive(InputObject)]
struct UpdateConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
    /// The new title: 1 to 200 characters after trimming, without control characters. The assistant does not replace a
    /// title that the user has given. If this field is omitted or `null`, the title stays as it is, unlike
    /// `RateReplyInput.rating`, which is removed.
    title: Option<String>,
    /// Whether the conversation is pinned.
    pinned: Option<bool>,
    /// Whether the conversation is archived: lists omit it unless their filter includes it. It can still be read and
    /// continued.
    archived: Option<bool>,
    /// A JSON object that is merged into the metadata (RFC 7396): a key with `null` is removed, objects are merged key
    /// by key, and any other value, arrays too, replaces what was there. This object and the result each have at most
    /// 4,096 bytes as compact JSON, are nested at most 16 levels deep, and have no NUL characters. The result has at
    /// most 64 different values, by which lists can be filtered.
    metadata: Option<Json>,
    /// The id of the assistant that writes the conversation's replies unless a request names another; with `null` it is the
    /// viewer's, else the default one. The mutation fails with `NOT_FOUND` if the viewer may not choose it.
    assistant_id: MaybeUndefined<ID>,
    /// How the assistant is to write unless a request says otherwise: these in place of all that were set before. They must
    /// be within what the assistant that now answers permits. With `null` none are set. Those that do not fit an
    /// assistant that is chosen later are not sent to it.
    parameters: MaybeUndefined<ParametersInput>,
    /// What the assistant is told before the conversation, after the operator's and the viewer's instructions: 1 to 8,000
    /// characters after trimming, unless the server is configured otherwise, without NUL characters. With `null` it is
    /// told nothing more.
    instructions: MaybeUndefined<String>,
    /// The `revision` that the conversation must still have.
    if_revision: Option<String>,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `updateConversation`.
#[derive(SimpleObject)]
struct UpdateConversationPayload {
    /// The conversation as it is now.
    conversation: Conversation,
}

/// The input of `updateConversations`.
#[derive(InputObject)]
struct UpdateConversationsInput {
    /// The ids of the conversations, at most 100. They may repeat, and the list may be empty.
    conversation_ids: Vec<ID>,
    /// Whether the conversations are pinned.
    pinned: Option<bool>,
    /// Whether the conversations are archived.
    archived: Option<bool>,
    /// A JSON object that is merged into the metadata of each; see `UpdateConversationInput.metadata`.
    metadata: Option<Json>,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `updateConversations`.
#[derive(SimpleObject)]
struct UpdateConversationsPayload {
    /// What became of each conversation, in the order of the ids in the input.
    outcomes: Vec<ConversationOutcome>,
}
