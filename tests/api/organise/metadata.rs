//! What clients keep of their own beside conversations and messages.

use serde_json::{Value, json};

use super::{changes, conversation, cursor, try_update, update};
use crate::support::{Client, TestServer, on_both_databases};

const CREATE: &str = "mutation($metadata: JSON) {
  createConversation(input: { metadata: $metadata }) { conversation { id metadata } } }";
const UPDATE_MESSAGE: &str = "mutation($id: ID!, $metadata: JSON!) {
  updateMessageMetadata(input: { messageId: $id, metadata: $metadata }) { message { metadata } } }";

async fn of_message(client: &Client, id: &Value) -> Value {
    let query = "query($id: ID!) { message(id: $id) { metadata } }";
    client.data(query, json!({ "id": id })).await["message"]["metadata"].take()
}

on_both_databases! {
    async fn it_comes_back_as_it_was_given(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let given = json!({ "folder": "é\u{1F600}", "n": [1, -2.5, 1e300, true, null], "deep": { "er": {} }, "": "" });
        let created = ann.data(CREATE, json!({ "metadata": given })).await["createConversation"]["conversation"].take();
        assert_eq!(created["metadata"], given);
        let id = created["id"].as_str().unwrap();
        assert_eq!(conversation(&ann, id).await["metadata"], given);
        let since = cursor(&ann).await;
        let patch = json!({ "only": "this", "n": null, "deep": { "er": null, "est": [{}] }, "folder": null, "": null });
        let merged = json!({ "only": "this", "deep": { "est": [{}] } });
        assert_eq!(update(&ann, id, json!({ "metadata": patch })).await["metadata"], merged);
        assert_eq!(conversation(&ann, id).await["metadata"], merged);
        assert_eq!(changes(&ann, &since).await.0, ["ConversationChanged: "]);

        let sent = ann.send("hello", json!({ "conversationId": id, "metadata": given })).await;
        assert_eq!(of_message(&ann, &sent["message"]["id"]).await, given);
        assert_eq!(of_message(&ann, &sent["reply"]["id"]).await, json!({}));
        let since = cursor(&ann).await;
        let id = &sent["message"]["id"];
        for (patch, merged) in [
            (&patch, &merged),
            (&json!({ "deep": { "est": [1], "more": null } }), &json!({ "only": "this", "deep": { "est": [1] } })),
            (&json!({ "deep": 1 }), &json!({ "only": "this", "deep": 1 })),
        ] {
            let updated = ann.data(UPDATE_MESSAGE, json!({ "id": id, "metadata": patch })).await;
            assert_eq!(&updated["updateMessageMetadata"]["message"]["metadata"], merged, "{patch}");
            assert_eq!(&of_message(&ann, id).await, merged);
        }
        assert_eq!(changes(&ann, &since).await.0, ["MessageChanged: hello"]);
        // Nothing is told of what stays as it is.
        let since = cursor(&ann).await;
        ann.data(UPDATE_MESSAGE, json!({ "id": id, "metadata": { "only": "this", "gone": null } })).await;
        assert!(changes(&ann, &since).await.0.is_empty());
        // Nor may the result be too large.
        let half = |key: &str| json!({ "id": id, "metadata": { key: "x".repeat(2100) } });
        ann.data(UPDATE_MESSAGE, half("one")).await;
        assert_eq!(ann.code(UPDATE_MESSAGE, half("two")).await, "BAD_USER_INPUT");
        assert_eq!(ann.code(UPDATE_MESSAGE, json!({ "id": id, "metadata": [] })).await, "BAD_USER_INPUT");
        let literal = "mutation($id: ID!) { updateMessageMetadata(input: { messageId: $id, metadata: { a: [1, \"b\"] } }) { message { metadata } } }";
        let literal = ann.data(literal, json!({ "id": sent["reply"]["id"] })).await;
        assert_eq!(literal["updateMessageMetadata"]["message"]["metadata"], json!({ "a": [1, "b"] }));
    }

    async fn numbers_come_back_to_the_last_digit(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let mut chance = fastrand::Rng::with_seed(9);
        let mut doubles = vec![0.231_922_005_376_671_62, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0, 0.1 + 0.2];
        doubles.extend((0..28).map(|_| chance.f64()));
        doubles.extend((0..28).map(|_| f64::from_bits(chance.u64(..))).filter(|number| number.is_finite()));
        let doubles = serde_json::to_string(&doubles).unwrap();
        let integers = format!("[0,-1,{},{},{},1.0]", i64::MIN, u64::MAX, (1_u64 << 53) + 1);
        // Beyond 64 bits an integer is the double next to it.
        for (given, kept) in [(&*doubles, &*doubles), (&integers, &integers), ("[18446744073709551617]", "[1.8446744073709552e+19]")] {
            let literal = format!(
                "mutation {{ createConversation(input: {{ metadata: {{ numbers: {given} }} }}) {{ conversation {{ id metadata }} }} }}"
            );
            let by_literal = json!({ "query": literal }).to_string();
            let by_variable = format!(
                r#"{{ "query": {}, "variables": {{ "metadata": {{ "numbers": {given} }} }} }}"#,
                Value::from(CREATE)
            );
            for body in [by_literal, by_variable] {
                let ask = async |body: String| {
                    let request = ann.post("/graphql").header("content-type", "application/json").body(body);
                    request.send().await.unwrap().text().await.unwrap()
                };
                let made = ask(body).await;
                let expected = format!(r#""metadata":{{"numbers":{kept}}}"#);
                assert!(made.contains(&expected), "{made}");
                let made: Value = serde_json::from_str(&made).unwrap();
                let id = &made["data"]["createConversation"]["conversation"]["id"];
                let read = json!({ "query": format!("{{ conversation(id: {id}) {{ metadata }} }}") });
                let read = ask(read.to_string()).await;
                assert!(read.contains(&expected), "{read}");
            }
        }
    }

    async fn what_is_no_small_object_is_refused_and_changes_nothing(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let id = ann.start("hello").await;
        let fits = json!({ "a": "x".repeat(4088) });
        update(&ann, &id, json!({ "metadata": fits })).await;
        let long = json!({ "a": "x".repeat(4089) });
        let deep = (0..17).fold(json!(1), |inner, _| json!({ "a": inner }));
        for bad in [long, deep, json!({ "a": "\0" }), json!([]), json!("text"), json!(1)] {
            let code = try_update(&ann, &id, json!({ "metadata": bad })).await.code();
            assert_eq!(code, "BAD_USER_INPUT", "{bad}");
            assert_eq!(ann.code(CREATE, json!({ "metadata": bad })).await, "BAD_USER_INPUT");
            let input = json!({ "conversationId": id, "metadata": bad });
            assert_eq!(ann.try_send("more", input).await.code(), "BAD_USER_INPUT");
        }
        let more = json!({ "metadata": { "b": 1 } });
        assert_eq!(try_update(&ann, &id, more).await.code(), "BAD_USER_INPUT", "the result is too large");
        let kept = conversation(&ann, &id).await;
        assert_eq!((&kept["metadata"], &kept["messageCount"]), (&fits, &json!(2)));
        assert_eq!(try_update(&server.user("bob"), &id, json!({ "metadata": {} })).await.code(), "NOT_FOUND");
    }

    async fn it_is_part_of_what_a_key_stands_for(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let input = |metadata: Value| json!({ "idempotencyKey": "once", "metadata": metadata });
        let sent = ann.send("hello", input(json!({ "a": 1 }))).await;
        assert_eq!(ann.send("hello", input(json!({ "a": 1 }))).await, sent);
        assert_eq!(ann.try_send("hello", input(json!({ "a": 2 }))).await.code(), "IDEMPOTENCY_MISMATCH");
        assert_eq!(ann.try_send("hello", json!({ "idempotencyKey": "once" })).await.code(), "IDEMPOTENCY_MISMATCH");
    }
}
