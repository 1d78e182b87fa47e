//! Mutations of conversations that are sent again under their keys.

use serde_json::{Value, json};

use super::{changes, cursor};
use crate::support::{Client, TestServer, on_both_databases};

async fn run(client: &Client, name: &str, fields: &str, input: &Value) -> crate::support::Answer {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {fields} }} }}");
    client.run(&query, json!({ "input": input })).await
}

on_both_databases! {
    async fn a_repeated_request_changes_nothing_and_another_one_under_its_key_is_a_mismatch(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let sent = ann.send("hello", json!({})).await;
        let (id, reply) = (&sent["conversation"]["id"], &sent["reply"]["id"]);
        let other = ann.start("other").await;
        let outcomes = "outcomes { conversation { id state } error { code } }";
        for (name, fields, input, change) in [
            ("createConversation", "conversation { id }", json!({ "title": "a" }), json!({ "title": "b" })),
            ("updateConversation", "conversation { id title }", json!({ "conversationId": id, "title": "a" }), json!({ "pinned": true })),
            ("updateConversations", outcomes, json!({ "conversationIds": [id], "pinned": true }), json!({ "conversationIds": [id, other] })),
            ("markRead", "conversation { unreadCount }", json!({ "conversationId": id, "upToMessageId": reply }), json!({ "conversationId": other })),
            ("deleteConversations", outcomes, json!({ "conversationIds": [id] }), json!({ "conversationIds": [id, other] })),
            ("restoreConversations", outcomes, json!({ "conversationIds": [id] }), json!({ "conversationIds": [other] })),
            ("deleteConversation", "deletedConversationId", json!({ "conversationId": id }), json!({ "conversationId": other })),
            ("restoreConversation", "conversation { id }", json!({ "conversationId": id }), json!({ "conversationId": other })),
        ] {
            let mut input = input;
            input["idempotencyKey"] = name.into();
            let first = run(&ann, name, fields, &input).await.data();
            let since = cursor(&ann).await;
            assert_eq!(run(&ann, name, fields, &input).await.data(), first, "{name}");
            assert_eq!(changes(&ann, &since).await.0, Vec::<String>::new(), "{name} has changed something again");
            let mut different = input.clone();
            different.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(run(&ann, name, fields, &different).await.code(), "IDEMPOTENCY_MISMATCH", "{name}");
        }
    }

    async fn what_was_refused_to_one_of_several_is_refused_again(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let (free, full) = (ann.start("free").await, ann.start("full").await);
        super::update(&ann, &full, json!({ "metadata": { "a": "x".repeat(4088) } })).await;
        let fields = "outcomes { conversation { id revision metadata } error { code message field } }";
        let input = json!({ "conversationIds": [free, full], "metadata": { "b": 1 }, "idempotencyKey": "once" });
        let first = run(&ann, "updateConversations", fields, &input).await.data();
        let outcomes = &first["updateConversations"]["outcomes"];
        assert_eq!((&outcomes[0]["error"], &outcomes[1]["error"]["code"]), (&Value::Null, &json!("BAD_USER_INPUT")));
        let since = cursor(&ann).await;
        assert_eq!(run(&ann, "updateConversations", fields, &input).await.data(), first);
        assert_eq!(changes(&ann, &since).await.0, Vec::<String>::new());
    }

    async fn a_retry_of_a_change_on_a_revision_is_no_conflict(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("one").await;
        let revision = super::update(&ann, &id, json!({})).await["revision"].take();
        let input = json!({ "title": "mine", "ifRevision": revision, "idempotencyKey": "once" });
        let first = super::update(&ann, &id, input.clone()).await;
        assert_eq!(super::update(&ann, &id, input).await, first);
    }
}
