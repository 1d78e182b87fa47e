//! How each place of the API is called.

use reqwest::header::{ACCEPT, DATE, HeaderMap};
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::World;
use crate::support::{Client, without_ids};

/// What kind of value a place takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The id of a conversation.
    Conversation,
    /// The id of a message.
    Message,
    /// The id of a user.
    User,
    /// A place in a list of conversations.
    ConversationCursor,
    /// A place in a list of messages.
    MessageCursor,
    /// A place among the hits of a search.
    SearchCursor,
    /// A place among a user's changes.
    ChangeCursor,
    /// A place in a reply.
    ReplyCursor,
    /// A place among the versions of a message.
    SiblingCursor,
    /// A place in the queue of a conversation.
    QueueCursor,
    /// An idempotency key.
    Key,
    /// A word that somebody has said.
    Word,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Conversation,
        Self::Message,
        Self::User,
        Self::ConversationCursor,
        Self::MessageCursor,
        Self::SearchCursor,
        Self::ChangeCursor,
        Self::ReplyCursor,
        Self::SiblingCursor,
        Self::QueueCursor,
        Self::Key,
        Self::Word,
    ];
}

/// Any id that there is: an argument of type `ID` is tried with all of them.
const IDS: &[Kind] = &[Kind::Conversation, Kind::Message, Kind::User];

/// Any cursor that there is.
const CURSORS: &[Kind] = &[
    Kind::ConversationCursor,
    Kind::MessageCursor,
    Kind::SearchCursor,
    Kind::ChangeCursor,
    Kind::ReplyCursor,
    Kind::SiblingCursor,
    Kind::QueueCursor,
];

/// A place, and how to put a value there.
pub struct Call {
    /// As [`super::coordinates`] spells it; a path for what is not GraphQL.
    pub place: &'static str,
    request: Request,
}

enum Request {
    /// It takes nothing: a root field that is there.
    Nothing,
    /// A GraphQL document with the value as `$value`, and what else it needs of the caller's own.
    GraphQl(&'static [Kind], &'static str, &'static str),
    /// The same for a subscription, whose events are read up to its end or to [`MARKER`].
    Stream(&'static [Kind], &'static str),
    /// REST with the value for what follows `/api/`, or in a query string.
    RestGet(&'static [Kind], &'static str),
    /// REST with the value in a message.
    RestPost(&'static [Kind], RestPlace),
}

/// Where in a message of REST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RestPlace {
    /// The user id in the path.
    User,
    /// The conversation in the body.
    Conversation,
    /// The header with the key.
    Key,
    /// The header with the place in a stream.
    LastEvent,
}

const CONVERSATION: &str =
    "id title createdAt updatedAt messageCount instructions assistantId lastMessage { id content }
    messages(last: 3) { totalCount nodes { id content status } }";
const MESSAGE: &str = "id content status role position createdAt finishedAt model
    parent { id content } conversation { id title } failure { code } usage { inputTokens }
    assistantId assistant { id name } parameters { temperature }";
const MESSAGES: &str = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { id content } }";
const CONVERSATIONS: &str = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { id title } }";

const OUTCOMES: &str = "outcomes { conversation { id title } error { code message field } }";

const HITS: &str = "pageInfo { hasNextPage hasPreviousPage }
    nodes { conversation { id title } message { id content } snippet { text } }";

const fn graphql(
    place: &'static str,
    kinds: &'static [Kind],
    query: &'static str,
    fields: &'static str,
) -> Call {
    Call { place, request: Request::GraphQl(kinds, query, fields) }
}

const fn stream(place: &'static str, kinds: &'static [Kind], query: &'static str) -> Call {
    Call { place, request: Request::Stream(kinds, query) }
}

/// What the attacker's newest change says, so that a feed of changes has a last event to read.
pub const MARKER: &str = "the newest change";

const CHANGES: &str = "__typename
    ... on ConversationChanged { conversation { id title messageCount } }
    ... on ConversationDeleted { conversationId }
    ... on MessageChanged { message { id content status } }";

/// Every place that takes a value. `{…}` in a document stands for the fields beside it; `$own` is a conversation of
/// the caller's own, `$reply` a reply of the attacker's, `$key` a new idempotency key, `$fresh` and `$freshReply` a message and its reply that were
/// just sent.
pub const CALLS: &[Call] = &[
    Call { place: "Query.viewer", request: Request::Nothing },
    Call { place: "Query.assistants", request: Request::Nothing },
    graphql(
        "Mutation.configureViewer(input.assistantId)",
        IDS,
        "mutation($value: ID!) { configureViewer(input: { assistantId: $value }) { viewer {…} } }",
        "id assistantId instructions",
    ),
    graphql(
        "Mutation.configureViewer(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($value: String!) { configureViewer(input: { idempotencyKey: $value }) { viewer {…} } }",
        "id assistantId instructions",
    ),
    graphql(
        "Mutation.updateConversation(input.assistantId)",
        IDS,
        "mutation($own: ID!, $value: ID!) {
           updateConversation(input: { conversationId: $own, assistantId: $value }) { conversation {…} }
         }",
        CONVERSATION,
    ),
    graphql(
        "Mutation.sendMessage(input.assistantId)",
        IDS,
        "mutation($value: ID!) { sendMessage(input: { content: \"hello\", assistantId: $value }) { reply {…} } }",
        MESSAGE,
    ),
    graphql(
        "Mutation.editMessage(input.assistantId)",
        IDS,
        "mutation($fresh: ID!, $value: ID!) {
           editMessage(input: { messageId: $fresh, content: \"hello\", assistantId: $value }) { reply {…} }
         }",
        MESSAGE,
    ),
    graphql(
        "Mutation.regenerateReply(input.assistantId)",
        IDS,
        "mutation($reply: ID!, $value: ID!) {
           regenerateReply(input: { messageId: $reply, assistantId: $value }) { reply {…} }
         }",
        MESSAGE,
    ),
    stream(
        "Subscription.sendMessage(input.assistantId)",
        IDS,
        "subscription($value: ID!, $key: String!) {
           sendMessage(input: { content: \"hello\", idempotencyKey: $key, assistantId: $value }) { __typename }
         }",
    ),
    stream(
        "Subscription.editMessage(input.assistantId)",
        IDS,
        "subscription($fresh: ID!, $value: ID!, $key: String!) {
           editMessage(input: { messageId: $fresh, content: \"hello\", idempotencyKey: $key, assistantId: $value }) {
             __typename
           }
         }",
    ),
    stream(
        "Subscription.regenerateReply(input.assistantId)",
        IDS,
        "subscription($reply: ID!, $value: ID!, $key: String!) {
           regenerateReply(input: { messageId: $reply, idempotencyKey: $key, assistantId: $value }) { __typename }
         }",
    ),
    graphql(
        "Query.conversation(id)",
        IDS,
        "query($value: ID!) { conversation(id: $value) {…} }",
        CONVERSATION,
    ),
    graphql("Query.message(id)", IDS, "query($value: ID!) { message(id: $value) {…} }", MESSAGE),
    graphql(
        "Query.node(id)",
        IDS,
        "query($value: ID!) { node(id: $value) { __typename id ... on Message {…} } }",
        MESSAGE,
    ),
    graphql(
        "Query.messages(conversationId)",
        IDS,
        "query($value: ID!) { messages(conversationId: $value) {…} }",
        MESSAGES,
    ),
    graphql(
        "Query.messages(after)",
        CURSORS,
        "query($own: ID!, $value: String) { messages(conversationId: $own, after: $value) {…} }",
        MESSAGES,
    ),
    graphql(
        "Query.messages(before)",
        CURSORS,
        "query($own: ID!, $value: String) { messages(conversationId: $own, last: 2, before: $value) {…} }",
        MESSAGES,
    ),
    graphql(
        "Query.conversations(after)",
        CURSORS,
        "query($value: String) { conversations(after: $value) {…} }",
        CONVERSATIONS,
    ),
    graphql(
        "Query.conversations(before)",
        CURSORS,
        "query($value: String) { conversations(last: 5, before: $value) {…} }",
        CONVERSATIONS,
    ),
    graphql(
        "Viewer.conversations(after)",
        CURSORS,
        "query($value: String) { viewer { conversations(after: $value) {…} } }",
        CONVERSATIONS,
    ),
    graphql(
        "Viewer.conversations(before)",
        CURSORS,
        "query($value: String) { viewer { conversations(last: 5, before: $value) {…} } }",
        CONVERSATIONS,
    ),
    graphql(
        "Conversation.messages(after)",
        CURSORS,
        "query($own: ID!, $value: String) { conversation(id: $own) { messages(after: $value) {…} } }",
        MESSAGES,
    ),
    graphql(
        "Conversation.messages(before)",
        CURSORS,
        "query($own: ID!, $value: String) { conversation(id: $own) { messages(last: 2, before: $value) {…} } }",
        MESSAGES,
    ),
    graphql(
        "Mutation.updateConversation(input.conversationId)",
        IDS,
        "mutation($value: ID!) {
           updateConversation(input: {
             conversationId: $value, title: \"taken\", pinned: true, archived: true, metadata: { taken: true }
           }) { conversation {…} }
         }",
        CONVERSATION,
    ),
    graphql(
        "Mutation.deleteConversation(input.conversationId)",
        IDS,
        "mutation($value: ID!) { deleteConversation(input: { conversationId: $value }) {…} }",
        "deletedConversationId",
    ),
    graphql(
        "Mutation.sendMessage(input.conversationId)",
        IDS,
        "mutation($value: ID!) {
           sendMessage(input: { conversationId: $value, content: \"hello\" }) { conversation {…} }
         }",
        CONVERSATION,
    ),
    // The victim has sent the same content under this key, so that only the owner tells the requests apart.
    graphql(
        "Mutation.sendMessage(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($value: String!) {
           sendMessage(input: { content: \"a secret under a key\", idempotencyKey: $value }) {
             conversation { id title messageCount } message { id content } reply {…}
           }
         }",
        "id content status position",
    ),
    graphql(
        "Mutation.stopReply(input.messageId)",
        IDS,
        "mutation($value: ID!) { stopReply(input: { messageId: $value }) { reply {…} } }",
        MESSAGE,
    ),
    graphql(
        "Mutation.retryReply(input.messageId)",
        IDS,
        "mutation($value: ID!) { retryReply(input: { messageId: $value }) { reply {…} } }",
        MESSAGE,
    ),
    graphql("Query.search(query)", &[Kind::Word], "query($value: String!) { search(query: $value) {…} }", HITS),
    graphql(
        "Query.search(after)",
        CURSORS,
        "query($value: String) { search(query: \"common\", after: $value) {…} }",
        HITS,
    ),
    graphql(
        "Query.search(filter.conversationId)",
        IDS,
        "query($value: ID!) { search(query: \"common\", filter: { conversationId: $value }) {…} }",
        HITS,
    ),
    graphql(
        "Query.changes(since)",
        CURSORS,
        "query($value: String) { changes(since: $value, first: 100) { nodes {…} } }",
        CHANGES,
    ),
    graphql(
        "Mutation.restoreConversation(input.conversationId)",
        IDS,
        "mutation($value: ID!) { restoreConversation(input: { conversationId: $value }) {…} }",
        "conversation { id title }",
    ),
    graphql(
        "Mutation.updateMessageMetadata(input.messageId)",
        IDS,
        "mutation($value: ID!) { updateMessageMetadata(input: { messageId: $value, metadata: { taken: true } }) {…} }",
        "message { id content }",
    ),
    graphql(
        "Mutation.markRead(input.conversationId)",
        IDS,
        "mutation($reply: ID!, $value: ID!) { markRead(input: { conversationId: $value, upToMessageId: $reply }) {…} }",
        "conversation { id title }",
    ),
    graphql(
        "Mutation.markRead(input.upToMessageId)",
        IDS,
        "mutation($own: ID!, $value: ID!) { markRead(input: { upToMessageId: $value, conversationId: $own }) {…} }",
        "conversation { id title }",
    ),
    graphql(
        "Mutation.rateReply(input.messageId)",
        IDS,
        "mutation($value: ID!) { rateReply(input: { messageId: $value, rating: DOWN }) {…} }",
        "reply { id content }",
    ),
    graphql(
        "Mutation.activateMessage(input.messageId)",
        IDS,
        "mutation($value: ID!) { activateMessage(input: { messageId: $value }) {…} }",
        "message { id content }",
    ),
    graphql(
        "Mutation.deleteMessage(input.messageId)",
        IDS,
        "mutation($value: ID!) { deleteMessage(input: { messageId: $value }) {…} }",
        "deletedMessageId conversation { id title }",
    ),
    graphql(
        "Mutation.editMessage(input.messageId)",
        IDS,
        "mutation($value: ID!) { editMessage(input: { messageId: $value, content: \"taken\" }) {…} }",
        "message { id content } reply { id content }",
    ),
    graphql(
        "Mutation.forkConversation(input.messageId)",
        IDS,
        "mutation($value: ID!) { forkConversation(input: { messageId: $value }) {…} }",
        "conversation { id title }",
    ),
    graphql(
        "Mutation.regenerateReply(input.messageId)",
        IDS,
        "mutation($value: ID!) { regenerateReply(input: { messageId: $value }) {…} }",
        "reply { id content }",
    ),
    graphql(
        "Mutation.activateMessage(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($fresh: ID!, $value: String!) {
           activateMessage(input: { messageId: $fresh, idempotencyKey: $value }) {…}
         }",
        "message { id content }",
    ),
    graphql(
        "Mutation.deleteMessage(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($fresh: ID!, $value: String!) {
           deleteMessage(input: { messageId: $fresh, idempotencyKey: $value }) {…}
         }",
        "deletedMessageId",
    ),
    graphql(
        "Mutation.editMessage(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($fresh: ID!, $value: String!) {
           editMessage(input: { messageId: $fresh, idempotencyKey: $value, content: \"edited\" }) {…}
         }",
        "message { id content } reply { id content }",
    ),
    graphql(
        "Mutation.forkConversation(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($fresh: ID!, $value: String!) {
           forkConversation(input: { messageId: $fresh, idempotencyKey: $value }) {…}
         }",
        "conversation { id title }",
    ),
    graphql(
        "Mutation.regenerateReply(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshReply: ID!, $value: String!) {
           regenerateReply(input: { messageId: $freshReply, idempotencyKey: $value }) {…}
         }",
        "reply { id content }",
    ),
    graphql(
        "Mutation.rateReply(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshReply: ID!, $value: String!) {
           rateReply(input: { messageId: $freshReply, idempotencyKey: $value, rating: UP }) {…}
         }",
        "reply { id content }",
    ),
    graphql(
        "Mutation.updateMessageMetadata(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($fresh: ID!, $value: String!) {
           updateMessageMetadata(input: { messageId: $fresh, idempotencyKey: $value, metadata: { a: 1 } }) {…}
         }",
        "message { id metadata }",
    ),
    graphql("Query.messages(leafId)", IDS, "query($own: ID!, $value: ID) { messages(conversationId: $own, leafId: $value) {…} }", MESSAGES),
    graphql("Conversation.messages(leafId)", IDS, "query($own: ID!, $value: ID) { conversation(id: $own) { messages(leafId: $value) {…} } }", MESSAGES),
    graphql(
        "Conversation.queuedReplies(after)",
        CURSORS,
        "query($own: ID!, $value: String) { conversation(id: $own) { queuedReplies(after: $value) {…} } }",
        MESSAGES,
    ),
    graphql(
        "Conversation.queuedReplies(before)",
        CURSORS,
        "query($own: ID!, $value: String) { conversation(id: $own) { queuedReplies(last: 2, before: $value) {…} } }",
        MESSAGES,
    ),
    graphql(
        "Message.siblings(after)",
        CURSORS,
        "query($reply: ID!, $value: String) { message(id: $reply) { siblings(after: $value) {…} } }",
        MESSAGES,
    ),
    graphql(
        "Message.siblings(before)",
        CURSORS,
        "query($reply: ID!, $value: String) { message(id: $reply) { siblings(before: $value) {…} } }",
        MESSAGES,
    ),
    graphql("Query.conversations(filter.titleContains)", &[Kind::Word], "query($value: String!) { conversations(filter: { titleContains: $value }) {…} }", CONVERSATIONS),
    graphql("Viewer.conversations(filter.titleContains)", &[Kind::Word], "query($value: String!) { viewer { conversations(filter: { titleContains: $value }) {…} } }", CONVERSATIONS),
    graphql(
        "Mutation.deleteAllConversations(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($value: String!) { deleteAllConversations(input: { idempotencyKey: $value }) {…} }",
        "deletedCount",
    ),
    graphql(
        "Mutation.createConversation(input.assistantId)",
        IDS,
        "mutation($value: ID!) { createConversation(input: { assistantId: $value }) {…} }",
        "conversation { id title assistantId }",
    ),
    graphql(
        "Mutation.createConversation(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($value: String!) { createConversation(input: { idempotencyKey: $value }) {…} }",
        "conversation { id title }",
    ),
    graphql(
        "Mutation.updateConversation(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshConversation: ID!, $value: String!) {
           updateConversation(input: { conversationId: $freshConversation, title: \"a\", idempotencyKey: $value }) {…}
         }",
        "conversation { id title }",
    ),
    graphql(
        "Mutation.updateConversations(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshConversation: ID!, $value: String!) {
           updateConversations(input: { conversationIds: [$freshConversation], pinned: true, idempotencyKey: $value }) {…}
         }",
        OUTCOMES,
    ),
    graphql(
        "Mutation.deleteConversation(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshConversation: ID!, $value: String!) {
           deleteConversation(input: { conversationId: $freshConversation, idempotencyKey: $value }) {…}
         }",
        "deletedConversationId",
    ),
    graphql(
        "Mutation.deleteConversations(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshConversation: ID!, $value: String!) {
           deleteConversations(input: { conversationIds: [$freshConversation], idempotencyKey: $value }) {…}
         }",
        OUTCOMES,
    ),
    graphql(
        "Mutation.restoreConversation(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshConversation: ID!, $value: String!) {
           restoreConversation(input: { conversationId: $freshConversation, idempotencyKey: $value }) {…}
         }",
        "conversation { id title }",
    ),
    graphql(
        "Mutation.restoreConversations(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshConversation: ID!, $value: String!) {
           restoreConversations(input: { conversationIds: [$freshConversation], idempotencyKey: $value }) {…}
         }",
        OUTCOMES,
    ),
    graphql(
        "Mutation.markRead(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshConversation: ID!, $fresh: ID!, $value: String!) {
           markRead(input: { conversationId: $freshConversation, upToMessageId: $fresh, idempotencyKey: $value }) {…}
         }",
        "conversation { id title }",
    ),
    graphql(
        "Mutation.updateConversations(input.conversationIds)",
        IDS,
        "mutation($value: ID!) { updateConversations(input: { conversationIds: [$value], pinned: true, metadata: { taken: true } }) {…} }",
        OUTCOMES,
    ),
    graphql(
        "Mutation.deleteConversations(input.conversationIds)",
        IDS,
        "mutation($value: ID!) { deleteConversations(input: { conversationIds: [$value] }) {…} }",
        OUTCOMES,
    ),
    graphql(
        "Mutation.restoreConversations(input.conversationIds)",
        IDS,
        "mutation($value: ID!) { restoreConversations(input: { conversationIds: [$value] }) {…} }",
        OUTCOMES,
    ),
    graphql(
        "Query.conversations(filter.metadata)",
        &[Kind::Word],
        "query($value: JSON!) { conversations(filter: { metadata: { word: $value } }) {…} }",
        CONVERSATIONS,
    ),
    graphql(
        "Viewer.conversations(filter.metadata)",
        &[Kind::Word],
        "query($value: JSON!) { viewer { conversations(filter: { metadata: { word: $value } }) {…} } }",
        CONVERSATIONS,
    ),
    stream("Subscription.changes(since)", CURSORS, "subscription($value: String) { changes(since: $value) {…} }"),
    stream(
        "Subscription.replyProgress(messageId)",
        IDS,
        "subscription($value: ID!) {
           replyProgress(messageId: $value) {
             __typename ... on ReplyText { text } ... on ReplyToolCall { toolCall { id } } ... on ReplyEnded { message: reply { id } }
           }
         }",
    ),
    stream(
        "Subscription.replyProgress(after)",
        CURSORS,
        "subscription($reply: ID!, $value: String) {
           replyProgress(messageId: $reply, after: $value) { __typename ... on ReplyText { text } }
         }",
    ),
    stream(
        "Subscription.sendMessage(input.conversationId)",
        IDS,
        "subscription($value: ID!, $key: String!) {
           sendMessage(input: { conversationId: $value, content: \"hello\", idempotencyKey: $key }) {
             ... on ReplyRequested { conversation { id title } message { id content } }
           }
         }",
    ),
    stream(
        "Subscription.sendMessage(input.idempotencyKey)",
        &[Kind::Key],
        "subscription($value: String!) {
           sendMessage(input: { content: \"a secret under a key\", idempotencyKey: $value }) {
             ... on ReplyRequested { conversation { id title } message { id content } } ... on ReplyEnded { message: reply { id content } }
           }
         }",
    ),
    stream(
        "Subscription.sendMessage(after)",
        CURSORS,
        "subscription($value: String, $key: String!) {
           sendMessage(input: { content: \"a secret under a key\", idempotencyKey: $key }, after: $value) { __typename }
         }",
    ),
    stream(
        "Subscription.editMessage(input.messageId)",
        IDS,
        "subscription($value: ID!, $key: String!) {
           editMessage(input: { messageId: $value, content: \"taken\", idempotencyKey: $key }) {
             ... on ReplyRequested { message { id content } }
           }
         }",
    ),
    stream(
        "Subscription.editMessage(input.idempotencyKey)",
        &[Kind::Key],
        "subscription($fresh: ID!, $value: String!) {
           editMessage(input: { messageId: $fresh, content: \"edited\", idempotencyKey: $value }) {
             ... on ReplyRequested { message { id content } }
           }
         }",
    ),
    stream(
        "Subscription.editMessage(after)",
        CURSORS,
        "subscription($reply: ID!, $value: String, $key: String!) {
           editMessage(input: { messageId: $reply, content: \"taken\", idempotencyKey: $key }, after: $value) { __typename }
         }",
    ),
    stream(
        "Subscription.regenerateReply(input.messageId)",
        IDS,
        "subscription($value: ID!, $key: String!) {
           regenerateReply(input: { messageId: $value, idempotencyKey: $key }) {
             ... on ReplyRequested { message { id content } reply { id } }
           }
         }",
    ),
    stream(
        "Subscription.regenerateReply(input.idempotencyKey)",
        &[Kind::Key],
        "subscription($freshReply: ID!, $value: String!) {
           regenerateReply(input: { messageId: $freshReply, idempotencyKey: $value }) {
             ... on ReplyRequested { message { id content } reply { id } }
           }
         }",
    ),
    stream(
        "Subscription.regenerateReply(after)",
        CURSORS,
        "subscription($reply: ID!, $value: String, $key: String!) {
           regenerateReply(input: { messageId: $reply, idempotencyKey: $key }, after: $value) { __typename }
         }",
    ),
    stream(
        "Subscription.retryReply(input.messageId)",
        IDS,
        "subscription($value: ID!, $key: String!) {
           retryReply(input: { messageId: $value, idempotencyKey: $key }) { ... on ReplyRequested { message { id content } } }
         }",
    ),
    stream(
        "Subscription.retryReply(input.idempotencyKey)",
        &[Kind::Key],
        "subscription($freshReply: ID!, $value: String!) {
           retryReply(input: { messageId: $freshReply, idempotencyKey: $value }) { ... on ReplyRequested { message { id } } }
         }",
    ),
    stream(
        "Subscription.retryReply(after)",
        CURSORS,
        "subscription($reply: ID!, $value: String, $key: String!) {
           retryReply(input: { messageId: $reply, idempotencyKey: $key }, after: $value) { __typename }
         }",
    ),
    graphql(
        "Mutation.stopReply(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshReply: ID!, $value: String!) {
           stopReply(input: { messageId: $freshReply, idempotencyKey: $value }) {…}
         }",
        "reply { id content }",
    ),
    graphql(
        "Mutation.retryReply(input.idempotencyKey)",
        &[Kind::Key],
        "mutation($freshReply: ID!, $value: String!) {
           retryReply(input: { messageId: $freshReply, idempotencyKey: $value }) {…}
         }",
        "reply { id content }",
    ),
    Call { place: "/api/{user_id}/chat (user_id)", request: Request::RestPost(&[Kind::User], RestPlace::User) },
    Call { place: "/api/{user_id}/chat (conversation_id)", request: Request::RestPost(IDS, RestPlace::Conversation) },
    Call { place: "/api/{user_id}/chat (Idempotency-Key)", request: Request::RestPost(&[Kind::Key], RestPlace::Key) },
    Call { place: "/api/{user_id}/chat (Last-Event-ID)", request: Request::RestPost(CURSORS, RestPlace::LastEvent) },
    Call {
        place: "/api/{user_id}/conversations (user_id)",
        request: Request::RestGet(&[Kind::User], "/api/…/conversations"),
    },
    Call {
        place: "/api/{user_id}/conversations (cursor)",
        request: Request::RestGet(CURSORS, "/api/accomplice/conversations?cursor=…"),
    },
    Call {
        place: "/api/{user_id}/conversations/{conversation_id}/messages (user_id)",
        request: Request::RestGet(&[Kind::User], "/api/…/conversations/$own/messages"),
    },
    Call {
        place: "/api/{user_id}/conversations/{conversation_id}/messages (conversation_id)",
        request: Request::RestGet(IDS, "/api/accomplice/conversations/…/messages"),
    },
    Call {
        place: "/api/{user_id}/conversations/{conversation_id}/messages (cursor)",
        request: Request::RestGet(CURSORS, "/api/accomplice/conversations/$own/messages?cursor=…"),
    },
];

/// Places that take text which names nothing.
pub const FREE_TEXT: &[&str] = &[
    "Mutation.createConversation(input.title)",
    "Mutation.createConversation(input.instructions)",
    "Mutation.createConversation(input.parameters.reasoningEffort)",
    "Mutation.configureViewer(input.instructions)",
    "Mutation.editMessage(input.parameters.reasoningEffort)",
    "Mutation.regenerateReply(input.parameters.reasoningEffort)",
    "Mutation.sendMessage(input.parameters.reasoningEffort)",
    "Mutation.updateConversation(input.instructions)",
    "Mutation.updateConversation(input.parameters.reasoningEffort)",
    "Subscription.editMessage(input.parameters.reasoningEffort)",
    "Subscription.regenerateReply(input.parameters.reasoningEffort)",
    "Subscription.sendMessage(input.parameters.reasoningEffort)",
    "Mutation.updateConversation(input.title)",
    "Mutation.sendMessage(input.content)",
    "Mutation.createConversation(input.metadata)",
    "Mutation.editMessage(input.content)",
    "Mutation.editMessage(input.metadata)",
    "Mutation.forkConversation(input.metadata)",
    "Mutation.rateReply(input.comment)",
    "Mutation.regenerateReply(input.metadata)",
    "Mutation.sendMessage(input.metadata)",
    "Mutation.updateConversation(input.ifRevision)",
    "Mutation.updateConversation(input.metadata)",
    "Mutation.updateConversations(input.metadata)",
    "Subscription.sendMessage(input.content)",
    "Subscription.sendMessage(input.metadata)",
    "Subscription.editMessage(input.content)",
    "Subscription.editMessage(input.metadata)",
    "Subscription.regenerateReply(input.metadata)",
    "Mutation.updateMessageMetadata(input.metadata)",
    "Query.conversations(filter.updatedSince)",
    "Viewer.conversations(filter.updatedSince)",
    "Query.search(filter.createdBefore)",
    "Query.search(filter.createdSince)",
];

/// What a client can see of an answer, ids and the moment replaced.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Call {
    /// What kinds of values to try.
    pub fn kinds(&self) -> &'static [Kind] {
        match self.request {
            Request::Nothing => &[],
            Request::GraphQl(kinds, ..)
            | Request::Stream(kinds, _)
            | Request::RestGet(kinds, _)
            | Request::RestPost(kinds, _) => kinds,
        }
    }

    /// The attacker's answer with `value` in this place.
    pub async fn answer(&self, world: &World, value: &str) -> Seen {
        if self.kinds().contains(&Kind::Key) {
            // A user for each such place: a key that is used once is used up.
            let attacker = world.user(&format!("attacker by {}", self.place));
            return self.answer_to(world, &attacker, &world.attackers_conversation, value).await;
        }
        self.answer_to(world, &world.attacker, &world.attackers_conversation, value).await
    }

    /// Nobody without a token gets anything but a refusal.
    pub async fn assert_needs_a_token(&self, world: &World, value: &str) {
        let by_rest = matches!(self.request, Request::RestGet(..) | Request::RestPost(..));
        if by_rest || self.needs_a_fresh_message() {
            return;
        }
        let seen = self.answer_to(world, &world.anonymous, &world.attackers_conversation, value).await;
        assert!(seen.body.contains(r#""code":"UNAUTHENTICATED""#), "{}: {}", self.place, seen.body);
        World::assert_holds_no_secret(&seen, self.place);
    }

    /// Whether it is about a message that the caller has just sent.
    fn needs_a_fresh_message(&self) -> bool {
        let (Request::GraphQl(_, query, _) | Request::Stream(_, query)) = self.request else { return false };
        query.contains("$fresh")
    }

    /// The answer to `client`, who has the conversation `own`.
    pub async fn answer_to(&self, world: &World, client: &Client, own: &str, value: &str) -> Seen {
        let rest = |user: &str, body: &Value| world.accomplice.post(&format!("/api/{user}/chat")).json(body);
        let fresh =
            if self.needs_a_fresh_message() { client.send("fresh", json!({})).await } else { Value::Null };
        let document = |query: &str, fields: &str| {
            let query = query.replace('…', &format!(" {fields} "));
            let variables = json!({
                "own": own, "reply": world.attackers_reply, "value": value,
                "key": Uuid::now_v7(), "fresh": fresh["message"]["id"], "freshReply": fresh["reply"]["id"],
                "freshConversation": fresh["conversation"]["id"],
            });
            client.post("/graphql").json(&json!({ "query": query, "variables": variables }))
        };
        let request = match self.request {
            Request::Nothing => unreachable!("it takes no kind of value"),
            Request::GraphQl(_, query, fields) => document(query, fields),
            Request::Stream(_, query) => document(query, CHANGES).header(ACCEPT, "text/event-stream"),
            Request::RestGet(_, path) => world.accomplice.get(&path.replace('…', value).replace("$own", own)),
            Request::RestPost(_, RestPlace::User) => rest(value, &json!({ "message": "hello" })),
            Request::RestPost(_, RestPlace::Conversation) => {
                rest("accomplice", &json!({ "message": "hello", "conversation_id": value }))
            }
            Request::RestPost(_, RestPlace::Key) => {
                rest("accomplice", &json!({ "message": "a secret under a key" }))
                    .header("Idempotency-Key", value)
            }
            Request::RestPost(_, RestPlace::LastEvent) => rest("accomplice", &json!({ "message": "hello" }))
                .header(ACCEPT, "text/event-stream")
                .header("Idempotency-Key", "a stream of the attacker's")
                .header("Last-Event-ID", value),
        };
        let mut response = request.send().await.unwrap();
        let headers = visible(response.headers());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            body.extend(chunk);
            if matches!(self.request, Request::Stream(..)) && cut_after_marker(&mut body) {
                break;
            }
        }
        let body = String::from_utf8(body).unwrap().replace(value, "«value»");
        Seen { status, headers, body: without_ids(&body) }
    }
}

/// Cuts off what comes after the event with [`MARKER`]; tells whether it has come.
fn cut_after_marker(body: &mut Vec<u8>) -> bool {
    let text = String::from_utf8_lossy(body);
    let end = text.find(MARKER).and_then(|at| Some(at + text[at..].find("\n\n")?));
    match end {
        Some(end) => {
            body.truncate(end);
            true
        }
        None => false,
    }
}

fn visible(headers: &HeaderMap) -> Vec<(String, String)> {
    let stable = headers.iter().filter(|(name, _)| *name != DATE && *name != "x-request-id");
    let mut seen: Vec<_> =
        stable.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    seen.sort();
    seen
}
