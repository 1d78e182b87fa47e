//! The fields of a conversation, for queries that are compiled.

use super::list::ConversationState;
use super::revision::Revision;
use crate::chat::{self, ConversationOrder};
use crate::graphql::compiled::{
    Compiler, ConversationNode, Field, Json, Node, ObjectType, Selected, Typed, Write, Written, active_reply,
    last_message, messages, queued_replies, settings, unread_count, value,
};
use crate::graphql::shared::Listed;

impl Typed for ConversationNode {
    fn object() -> ObjectType<Self> {
        ObjectType::new(&["Conversation", "Node"], field)
    }
}

impl Node for ConversationNode {
    type Order = ConversationOrder;
    const CONNECTION: &'static [&'static str] = &[super::Conversation::CONNECTION];
    const EDGE: &'static [&'static str] = &[super::Conversation::EDGE];

    fn compile(compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<Write<Self>> {
        Self::object().writer(compiler, selected)
    }

    fn write_cursor(&self, order: ConversationOrder, json: &mut Json<'_>) -> Written {
        json.cursor(&order.cursor(&self.row))
    }
}

/// The fields for which no details are read.
const BRIEF: &[&str] = &[
    "id",
    "title",
    "createdAt",
    "updatedAt",
    "unreadCount",
    "activeReply",
    "queuedReplies",
    "assistant",
    "assistantId",
    "parameters",
    "instructions",
    "messageCount",
    "lastMessage",
    "messages",
];

fn field(name: &str) -> Option<Field<ConversationNode>> {
    let field = line(name)?;
    let is_brief = BRIEF.contains(&name);
    Some(field.noting(move |compiler| compiler.details(!is_brief)))
}

fn line(name: &str) -> Option<Field<ConversationNode>> {
    match name {
        "id" => value(|it, json| json.id(it.row.id)),
        "title" => value(|it, json| json.optional(it.row.title.as_deref(), Json::string)),
        "createdAt" => value(|it, json| json.instant(it.row.created_at)),
        "updatedAt" => value(|it, json| json.instant(it.row.updated_at)),
        "pinnedAt" => value(|it, json| json.optional(it.row.pinned_at, Json::instant)),
        "state" => {
            value(|it, json| json.variant(ConversationState::from(chat::ConversationState::of(&it.row))))
        }
        "archivedAt" => value(|it, json| json.optional(it.row.archived_at, Json::instant)),
        "deletedAt" => value(|it, json| json.optional(it.row.deleted_at, Json::instant)),
        "revision" => value(|it, json| json.string(&Revision(it.row.revision).encode())),
        "metadata" => value(|it, json| json.metadata(&it.row.metadata)),
        "unreadCount" => unread_count(),
        "activeReply" => active_reply(),
        "queuedReplies" => queued_replies(),
        "messageCount" => value(|it, json| json.number(it.row.last_position)),
        "lastMessage" => last_message(),
        "messages" => messages(),
        _ => settings(name),
    }
}
