//! Which assistant is asked: the request's, else the conversation's, else the viewer's, else the default one.

use serde_json::{Value, json};

use super::{CONFIGURE, FILE, REPLY, UPDATE, configure, offering, send, update};
use crate::support::{Client, on_both_databases};

/// Whom the next message in a conversation is answered by.
async fn answers(client: &Client, conversation: &Value) -> Value {
    send(client, json!({ "conversationId": conversation })).await.1["assistantId"].take()
}

on_both_databases! {
    async fn the_request_chooses_else_the_conversation_else_the_viewer_else_the_operator(database) {
        let server = offering(&database, FILE).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let (conversation, reply) = send(&ann, json!({})).await;
        assert_eq!((&reply["assistantId"], &reply["assistant"]), (&json!("fast"), &json!({ "id": "fast", "name": "Fast" })));
        assert_eq!(configure(&ann, json!({ "assistantId": "slow" })).await["assistant"]["id"], "slow");
        assert_eq!(answers(&ann, &conversation).await, "slow");
        assert_eq!(send(&ann, json!({})).await.1["assistantId"], "slow", "in a new conversation, too");
        assert_eq!(update(&ann, &conversation, json!({ "assistantId": "fast" })).await["assistant"]["id"], "fast");
        assert_eq!(answers(&ann, &conversation).await, "fast");
        let asked = json!({ "conversationId": conversation, "assistantId": "slow" });
        assert_eq!(send(&ann, asked).await.1["assistantId"], "slow");
        assert_eq!(answers(&ann, &conversation).await, "fast", "that was for one reply");
        assert_eq!(update(&ann, &conversation, json!({ "assistantId": null })).await["assistantId"], json!(null));
        assert_eq!(answers(&ann, &conversation).await, "slow");
        assert_eq!(configure(&ann, json!({ "assistantId": null })).await["assistantId"], json!(null));
        assert_eq!(answers(&ann, &conversation).await, "fast");
        assert_eq!(send(&bob, json!({})).await.1["assistantId"], "fast", "nothing of that was bob's");
    }

    async fn every_mutation_that_asks_for_a_reply_chooses_and_the_first_message_chooses_for_the_conversation(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, reply) = send(&ann, json!({ "assistantId": "slow" })).await;
        assert_eq!(reply["assistantId"], "slow");
        assert_eq!(update(&ann, &conversation, json!({})).await["assistantId"], "slow");
        assert_eq!(answers(&ann, &conversation).await, "slow");
        let regenerate = format!("mutation($input: RegenerateReplyInput!) {{ regenerateReply(input: $input) {{ {REPLY} }} }}");
        let again = json!({ "input": { "messageId": reply["id"], "assistantId": "fast" } });
        let again = ann.data(&regenerate, again).await["regenerateReply"]["reply"].take();
        assert_eq!((&again["assistantId"], &again["parameters"]["temperature"]), (&json!("fast"), &json!(0.7)));
        let once_more = json!({ "input": { "messageId": again["id"] } });
        let once_more = ann.data(&regenerate, once_more).await["regenerateReply"]["reply"].take();
        assert_eq!(once_more["assistantId"], "slow", "the conversation's, and not that of the version before");
        let messages = ann.messages(conversation.as_str().unwrap()).await;
        let edit = format!("mutation($input: EditMessageInput!) {{ editMessage(input: $input) {{ message {{ assistantId parameters {{ topP }} }} {REPLY} }} }}");
        let edited = json!({ "input": { "messageId": messages[0]["id"], "content": "other", "assistantId": "fast" } });
        let edited = ann.data(&edit, edited).await["editMessage"].take();
        assert_eq!(edited["reply"]["assistantId"], "fast");
        assert_eq!(edited["message"], json!({ "assistantId": null, "parameters": null }), "a user's message has none");
    }

    async fn an_assistant_that_is_not_there_is_not_found_and_nothing_is_stored(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, reply) = send(&ann, json!({})).await;
        let id = conversation.as_str().unwrap();
        let message = &ann.messages(id).await[0]["id"];
        for (query, input) in [
            ("mutation($input: SendMessageInput!) { sendMessage(input: $input) { reply { id } } }",
                json!({ "conversationId": conversation, "content": "x", "idempotencyKey": "once" })),
            ("mutation($input: SendMessageInput!) { sendMessage(input: $input) { reply { id } } }",
                json!({ "content": "x" })),
            ("mutation($input: EditMessageInput!) { editMessage(input: $input) { reply { id } } }",
                json!({ "messageId": message, "content": "x" })),
            ("mutation($input: RegenerateReplyInput!) { regenerateReply(input: $input) { reply { id } } }",
                json!({ "messageId": reply["id"] })),
            (UPDATE, json!({ "conversationId": conversation, "title": "x" })),
            (CONFIGURE, json!({ "instructions": "x" })),
        ] {
            for missing in ["none", "", "FAST", "deep", "a\0b"] {
                let mut input = input.clone();
                input["assistantId"] = missing.into();
                let answer = ann.run(query, json!({ "input": input })).await;
                assert_eq!(answer.code(), "NOT_FOUND", "{query} {missing}");
                assert_eq!(answer.body["errors"][0]["message"], "There is no such assistant.");
            }
        }
        assert_eq!(ann.messages(id).await.len(), 2);
        let all = ann.data("{ viewer { assistantId instructions } conversations { nodes { title } } }", json!({})).await;
        assert_eq!(all, json!({ "viewer": { "assistantId": null, "instructions": null },
            "conversations": { "nodes": [{ "title": "hello" }] } }));
        let again = json!({ "conversationId": conversation, "idempotencyKey": "once" });
        assert_eq!(send(&ann, again).await.1["status"], "COMPLETE", "the key was not used");
    }

    async fn a_key_stands_for_the_assistant_too(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let first = send(&ann, json!({ "idempotencyKey": "k", "assistantId": "slow" })).await;
        assert_eq!(send(&ann, json!({ "idempotencyKey": "k", "assistantId": "slow" })).await, first);
        for other in [json!({ "assistantId": "fast" }), json!({}), json!({ "assistantId": "slow", "parameters": { "temperature": 1 } })] {
            let mut input = other.clone();
            input["idempotencyKey"] = "k".into();
            assert_eq!(ann.try_send("hello", input).await.code(), "IDEMPOTENCY_MISMATCH", "{other}");
        }
        configure(&ann, json!({ "assistantId": "slow", "idempotencyKey": "c" })).await;
        configure(&ann, json!({ "assistantId": null })).await;
        let repeated = configure(&ann, json!({ "assistantId": "slow", "idempotencyKey": "c" })).await;
        assert_eq!(repeated["assistantId"], json!(null), "it is not done again");
        let removed = json!({ "input": { "assistantId": null, "idempotencyKey": "c" } });
        assert_eq!(ann.code(CONFIGURE, removed).await, "IDEMPOTENCY_MISMATCH");
    }

    async fn who_has_replaced_an_assistant_answers_for_it(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, reply) = send(&ann, json!({ "assistantId": "old" })).await;
        assert_eq!((&reply["assistantId"], &reply["assistant"]["id"]), (&json!("slow"), &json!("slow")));
        assert_eq!(answers(&ann, &conversation).await, "slow");
        // As a version of the file before has stored it.
        let raw = database.raw().await;
        sea_orm::ConnectionTrait::execute_unprepared(&raw, "UPDATE conversation_setting SET assistant_id = 'old'").await.unwrap();
        assert_eq!(answers(&ann, &conversation).await, "slow");
        assert_eq!(update(&ann, &conversation, json!({})).await["assistant"]["id"], "slow");
    }
}
