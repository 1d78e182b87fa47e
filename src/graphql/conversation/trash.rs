//! Deleting and restoring conversations.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::Conversation;
use super::outcome::{ConversationIds, ConversationOutcome};
use crate::chat::{DeleteConversation, DeleteConversations, RestoreConversation, RestoreConversations};
use crate::graphql::shared::{ContextExt, Payload, payload, require_id};

#[derive(Debug, Default)]
pub(crate) struct TrashMutations;

#[Object]
impl TrashMutations {
    /// Deletes a conversation with all its messages: it moves to the trash, and a reply that is being written is
    /// stopped. `restoreConversation` can bring it back for 30 days, unless the server is configured otherwise; after
    /// that it is erased permanently.
    async fn delete_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: DeleteConversationInput,
    ) -> Payload<DeleteConversationPayload> {
        payload(async {
            let chat = context.chat()?;
            let id = require_id(&input.conversation_id, "conversation")?;
            chat.delete_conversation(DeleteConversation { id, idempotency_key: input.idempotency_key })
                .await?;
            Ok(DeleteConversationPayload { deleted_conversation_id: input.conversation_id })
        })
        .await
    }

    /// Deletes up to 100 conversations at once, as `deleteConversation` deletes one. A conversation that cannot be
    /// deleted does not keep the others from being deleted.
    async fn delete_conversations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: DeleteConversationsInput,
    ) -> Payload<DeleteConversationsPayload> {
        payload(async {
            let chat = context.chat()?;
            let ids = ConversationIds::parse(input.conversation_ids)?;
            let request = DeleteConversations { ids: ids.known(), idempotency_key: input.idempotency_key };
            Ok(DeleteConversationsPayload {
                outcomes: ids.outcomes(&chat.delete_conversations(request).await?),
            })
        })
        .await
    }

    /// Restores a conversation from the trash with all its messages. A conversation that is not deleted does not change.
    /// The mutation fails with `NOT_FOUND` once the conversation can no longer be restored.
    async fn restore_conversation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: RestoreConversationInput,
    ) -> Payload<RestoreConversationPayload> {
        payload(async {
            let chat = context.chat()?;
            let id = require_id(&input.conversation_id, "conversation")?;
            let request = RestoreConversation { id, idempotency_key: input.idempotency_key };
            let row = chat.restore_conversation(request).await?;
            Ok(RestoreConversationPayload { conversation: row.into() })
        })
        .await
    }

    /// Restores up to 100 conversations at once, as `restoreConversation` restores one. A conversation that cannot be
    /// restored does not keep the others from being restored.
    async fn restore_conversations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: RestoreConversationsInput,
    ) -> Payload<RestoreConversationsPayload> {
        payload(async {
            let chat = context.chat()?;
            let ids = ConversationIds::parse(input.conversation_ids)?;
            let request = RestoreConversations { ids: ids.known(), idempotency_key: input.idempotency_key };
            Ok(RestoreConversationsPayload {
                outcomes: ids.outcomes(&chat.restore_conversations(request).await?),
            })
        })
        .await
    }

    /// Deletes all of the viewer's conversations, archived ones included, as `deleteConversation` deletes one. Those that
    /// are created meanwhile stay. They are deleted 250 at a time, so that other writes of the viewer can go on; if the
    /// server dies in between, a request with the same key deletes the rest, and none that were created since the first.
    async fn delete_all_conversations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The input of the mutation.")] input: Option<DeleteAllConversationsInput>,
    ) -> Payload<DeleteAllConversationsPayload> {
        payload(async {
            let key = input.and_then(|input| input.idempotency_key);
            let deleted_count = context.chat()?.delete_all_conversations(key.as_deref()).await?;
            Ok(DeleteAllConversationsPayload { deleted_count })
        })
        .await
    }
}

/// The input of `deleteConversation`.
#[derive(InputObject)]
struct DeleteConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `deleteConversation`.
#[derive(SimpleObject)]
struct DeleteConversationPayload {
    /// The id of the deleted conversation. Until it is restored, only lists that name `TRASHED` return it;
    /// `conversation` and `node` are `null`.
    deleted_conversation_id: ID,
}

/// The input of `deleteConversations`.
#[derive(InputObject)]
struct DeleteConversationsInput {
    /// The ids of the conversations, at most 100. They may repeat, and the list may be empty.
    conversation_ids: Vec<ID>,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `deleteConversations`.
#[derive(SimpleObject)]
struct DeleteConversationsPayload {
    /// What became of each conversation, in the order of the ids in the input. Those that were deleted are in the trash.
    outcomes: Vec<ConversationOutcome>,
}

/// The input of `restoreConversation`.
#[derive(InputObject)]
struct RestoreConversationInput {
    /// The id of the conversation.
    conversation_id: ID,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `restoreConversation`.
#[derive(SimpleObject)]
struct RestoreConversationPayload {
    /// The restored conversation.
    conversation: Conversation,
}

/// The input of `restoreConversations`.
#[derive(InputObject)]
struct RestoreConversationsInput {
    /// The ids of the conversations, at most 100. They may repeat, and the list may be empty.
    conversation_ids: Vec<ID>,
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `restoreConversations`.
#[derive(SimpleObject)]
struct RestoreConversationsPayload {
    /// What became of each conversation, in the order of the ids in the input.
    outcomes: Vec<ConversationOutcome>,
}

/// The input of `deleteAllConversations`.
#[derive(InputObject)]
struct DeleteAllConversationsInput {
    /// The client's key for this request; see `SendMessageInput.idempotencyKey`.
    idempotency_key: Option<String>,
}

/// The payload of `deleteAllConversations`.
#[derive(SimpleObject)]
struct DeleteAllConversationsPayload {
    /// The number of conversations that were deleted. It is `null` if there was an earlier request with the same key.
    deleted_count: Option<u64>,
}
