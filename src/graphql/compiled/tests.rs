//! What clients usually ask for is compiled.

use async_graphql::parser::parse_query;
use async_graphql::parser::types::DocumentOperations;

use super::Compiled;

/// What the package `@causerie/client` selects of conversations, messages and events.
const FRAGMENTS: &str = "
fragment ConversationFields on Conversation { id title createdAt updatedAt pinnedAt archivedAt deletedAt state revision
  metadata unreadCount lastMessage { id } }
fragment MessageFields on Message { id conversation { id } parent { id } role status progressCursor
  failure { code message retryable } finishReason model usage { inputTokens outputTokens cachedInputTokens }
  feedback { rating comment } metadata position siblingIndex siblingCount previousVersionId nextVersionId createdAt
  finishedAt parts { __typename ... on TextPart { text } ... on ReasoningPart { text startedAt finishedAt }
    ... on ToolCall { id callId name arguments } } }
fragment ReplyFields on ReplyEvent { __typename ... on ReplyStarted { cursor attempt } ... on ReplyText { cursor text }
  ... on ReplyRequested { cursor conversation { ...ConversationFields } message { ...MessageFields }
    reply { ...MessageFields } }
  ... on ReplyEnded { cursor reply { ...MessageFields conversation { unreadCount } } } }";

fn is_compiled(operation: &str) -> bool {
    let document = parse_query(format!("{operation} {FRAGMENTS}")).unwrap();
    let DocumentOperations::Single(only) = &document.operations else { panic!("{operation}") };
    Compiled::new(&document, &only.node, 10_000).is_some()
}

#[test]
fn what_clients_ask_for_is_compiled() {
    for operation in [
        "query { viewer { assistant { name } assistantId instructions } assistants { id name price { input } } }",
        "query ($id: ID!) { conversation(id: $id) { assistant { name } assistantId instructions parameters { topP } } }",
        "query { viewer { id changeCursor } conversations { nodes { ...ConversationFields } pageInfo { endCursor } } }",
        "query ($id: ID!) { conversation(id: $id) { ...ConversationFields
          messages(last: 50) { nodes { ...MessageFields } pageInfo { startCursor } } } }",
        "query ($id: ID!) { messages(conversationId: $id) { nodes { ...MessageFields parent { parent { content } } } } }",
        "query ($id: ID!) { message(id: $id) { siblings(last: 100) { totalCount nodes { ...MessageFields } } } }",
        "query ($id: ID!) { message(id: $id) { conversation { title messages { nodes { conversation { title } } } } } }",
        "query ($id: ID!) { node(id: $id) { __typename id ... on Conversation { ...ConversationFields }
          ... on Message { ...MessageFields } ... on Assistant { name } } }",
        "query ($query: String!) { search(query: $query) { pageInfo { endCursor } nodes {
          conversation { ...ConversationFields } message { id role createdAt }
          snippet { text ranges { start end } startsInside endsInside } } } }",
        "query ($since: String) { changes(since: $since) { edges { cursor node { __typename
          ... on ConversationChanged { cursor conversation { ...ConversationFields } }
          ... on MessageChanged { cursor message { ...MessageFields } } } } pageInfo { hasNextPage } } }",
        "subscription ($input: SendMessageInput!) { sendMessage(input: $input) { ...ReplyFields } }",
        "subscription ($since: String) { changes(since: $since, replyText: true) { __typename
          ... on ConversationChanged { cursor conversation { ...ConversationFields } }
          ... on MessageChanged { cursor message { ...MessageFields conversation { unreadCount } } }
          ... on ReplyProgressed { cursor messageId event { ...ReplyFields } } } }",
    ] {
        assert!(is_compiled(operation), "{operation}");
    }
}

#[test]
fn what_has_no_line_is_not() {
    assert!(!is_compiled("query { viewer { nothing } }"));
    assert!(!is_compiled("query { conversations { nodes { id @include(if: true) } } }"));
    assert!(!is_compiled("mutation { markRead(input: {}) { conversation { id } } }"));
}
