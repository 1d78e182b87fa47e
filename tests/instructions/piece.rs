//! What is counted.

use serde_json::{Value, json};

/// Something that the server does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A request that needs no row: the connection, the token, and the admission of a known document.
    Admission,
    /// A page of 20 conversations.
    List,
    /// A conversation with a page of its 50 newest messages.
    Open,
    /// The same with 10 messages: the difference is that of 40 messages.
    OpenFew,
    /// A message and its reply, until the reply has ended.
    Send,
    /// A word on its way from the assistant to a reader by an event stream.
    Word,
}

impl Piece {
    pub(crate) const ALL: [Self; 6] =
        [Self::Admission, Self::List, Self::Open, Self::OpenFew, Self::Send, Self::Word];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admission => "admission",
            Self::List => "list",
            Self::Open => "open",
            Self::OpenFew => "open-few",
            Self::Send => "send",
            Self::Word => "word",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|piece| piece.name() == name)
    }

    /// Two numbers of rounds, so far apart that what the server does by the clock hardly counts.
    pub(crate) fn rounds(self) -> [u64; 2] {
        match self {
            Self::Admission | Self::Word => [100, 500],
            Self::List | Self::OpenFew => [10, 60],
            Self::Open | Self::Send => [10, 40],
        }
    }

    /// The request of a round, for the conversation with this id.
    pub(crate) fn request(self, conversation: &Value) -> Value {
        match self {
            Self::Admission => json!({ "query": "query Nothing { __typename }" }),
            Self::List => json!({
                "query": "query List($first: Int) { conversations(first: $first) { edges { cursor node {
                    id title createdAt updatedAt } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }",
                "variables": { "first": 20 },
            }),
            Self::Open | Self::OpenFew => json!({
                "query": "query Open($id: ID!, $last: Int) { conversation(id: $id) { id title createdAt updatedAt
                    messages(last: $last) { edges { cursor node { id role content position createdAt } }
                        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }",
                "variables": { "id": conversation, "last": if self == Self::Open { 50 } else { 10 } },
            }),
            Self::Send => json!({
                "query": "mutation Send($input: SendMessageInput!) { sendMessage(input: $input) {
                    message { id position } reply { id content status } } }",
                "variables": { "input": { "conversationId": conversation, "content": "What is left to do today?" } },
            }),
            Self::Word => json!({
                "query": "subscription Send($input: SendMessageInput!) { sendMessage(input: $input) {
                    ... on ReplyText { cursor text } ... on ReplyEnded { reply { status } } } }",
                "variables": { "input": { "content": "Speak", "idempotencyKey": "spoken" } },
            }),
        }
    }
}
