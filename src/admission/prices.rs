//! What each kind of field costs, document by document.

use async_graphql::Variables;
use serde_json::json;

use super::document::Document;
use super::query_limits::QueryLimits;

const MANY: &str = "mutation($ids: [ID!]!) { updateConversations(input: { conversationIds: $ids, pinned: true }) { __typename } }";

fn complexity(text: &str, variables: &serde_json::Value) -> u64 {
    let document = Document::parse(text, &QueryLimits::default()).unwrap();
    document.cost(&Variables::from_json(variables.clone())).unwrap().complexity
}

#[test]
fn each_kind_of_field_has_its_price() {
    let ids = |count: usize| json!({ "ids": vec!["x"; count] });
    for (price, text, variables) in [
        (2, "{ viewer { id } }", json!({})),
        // The schema, and what is told of it.
        (2001, "{ __schema { __typename } }", json!({})),
        // A page has a price, and so has each of its items.
        (10 + 5 * 2, "{ conversations(first: 5) { nodes { id } } }", json!({})),
        (10 + 20 * 2, "{ conversations { nodes { id } } }", json!({})),
        (1 + 1 + 5 * 2, "{ conversation(id: \"x\") { messages(last: 5) { nodes { id } } } }", json!({})),
        (1 + 1 + 3, "{ message(id: \"x\") { parts { __typename } } }", json!({})),
        (1 + 10, "{ assistants { id } }", json!({})),
        // A search, its further words, and what is to be marked.
        (1000 + 1, "{ search(query: \"one\", first: 1) { __typename } }", json!({})),
        (1000 + 2 * 200 + 1, "{ search(query: \"one two three\", first: 1) { __typename } }", json!({})),
        (
            1000 + 5 * (1 + 50 + 1),
            "{ search(query: \"one\", first: 5) { nodes { snippet { text } } } }",
            json!({}),
        ),
        // Days, of several assistants.
        (1 + 10 + 5, "{ viewer { quotas { period } } }", json!({})),
        (1 + 10 + 60 * 2, "{ viewer { usage(since: \"2026-11-01\") { day tokens } } }", json!({})),
        // A transaction, by whichever operation.
        (200 + 1, "mutation { deleteMessage(input: { messageId: \"x\" }) { deletedMessageId } }", json!({})),
        (
            200 + 1,
            "subscription { retryReply(input: { messageId: \"x\", idempotencyKey: \"x\" }) { __typename } }",
            json!({}),
        ),
        (1 + 1, "subscription { changes { __typename } }", json!({})),
        // Each conversation that is changed, and the index of its metadata.
        (200 + 3 * 10 + 3, MANY, ids(3)),
        (200 + 100 * 10 + 100, MANY, json!({})),
        (200 + 3 * 60 + 3, &MANY.replace("pinned: true", "metadata: {}"), ids(3)),
        (200 + 3 * 10 + 3, &MANY.replace("pinned: true", "metadata: null"), ids(3)),
        (
            200 + 2 * 10 + 2,
            "mutation { deleteConversations(input: { conversationIds: [\"x\", \"y\"] }) { __typename } }",
            json!({}),
        ),
    ] {
        assert_eq!(complexity(text, &variables), price, "{text} {variables}");
    }
}
