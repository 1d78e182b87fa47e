//! How an assistant is to write, within what the operator permits.

use serde_json::{Value, json};

use super::{FILE, UPDATE, offering, send, update};
use crate::support::on_both_databases;

fn parameters(
    temperature: impl Into<Value>,
    max_tokens: impl Into<Value>,
    effort: impl Into<Value>,
) -> Value {
    json!({ "temperature": temperature.into(), "topP": null, "maxTokens": max_tokens.into(),
        "reasoningEffort": effort.into() })
}

on_both_databases! {
    async fn a_request_says_how_over_the_conversation_over_the_operator(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, reply) = send(&ann, json!({})).await;
        assert_eq!(reply["parameters"], parameters(0.7, Value::Null, Value::Null));
        let kept = json!({ "parameters": { "maxTokens": 50, "reasoningEffort": "low" } });
        let shown = update(&ann, &conversation, kept).await;
        assert_eq!(shown["parameters"], parameters(Value::Null, 50, "low"));
        let (_, reply) = send(&ann, json!({ "conversationId": conversation })).await;
        assert_eq!(reply["parameters"], parameters(0.7, 50, "low"));
        let asked = json!({ "conversationId": conversation, "parameters": { "temperature": 1.5, "reasoningEffort": "high" } });
        let (_, reply) = send(&ann, asked).await;
        assert_eq!(reply["parameters"], parameters(1.5, 50, "high"));
        let other = json!({ "conversationId": conversation, "assistantId": "slow" });
        assert_eq!(send(&ann, other).await.1["parameters"], json!(null), "what does not fit another is left out");
        assert_eq!(update(&ann, &conversation, json!({ "parameters": null })).await["parameters"], json!(null));
        let (_, reply) = send(&ann, json!({ "conversationId": conversation })).await;
        assert_eq!(reply["parameters"], parameters(0.7, Value::Null, Value::Null));
        let (begun, _) = send(&ann, json!({ "parameters": { "temperature": 0 } })).await;
        let (_, reply) = send(&ann, json!({ "conversationId": begun })).await;
        assert_eq!(reply["parameters"], parameters(0.0, Value::Null, Value::Null), "the first message sets them for all");
        assert_eq!(update(&ann, &begun, json!({})).await["assistantId"], json!(null), "and chooses no assistant");
    }

    async fn what_is_not_permitted_is_refused_with_the_path_to_it(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let (conversation, _) = send(&ann, json!({})).await;
        for (assistant, wrong, field) in [
            ("fast", json!({ "temperature": 1.6 }), "input.parameters.temperature"),
            ("fast", json!({ "temperature": -0.1 }), "input.parameters.temperature"),
            ("fast", json!({ "topP": 0.5 }), "input.parameters.topP"),
            ("fast", json!({ "maxTokens": 0 }), "input.parameters.maxTokens"),
            ("fast", json!({ "maxTokens": 101 }), "input.parameters.maxTokens"),
            ("fast", json!({ "reasoningEffort": "medium" }), "input.parameters.reasoningEffort"),
            ("slow", json!({ "temperature": 1.2 }), "input.parameters.temperature"),
            ("slow", json!({ "maxTokens": 5 }), "input.parameters.maxTokens"),
            ("slow", json!({ "reasoningEffort": "low" }), "input.parameters.reasoningEffort"),
        ] {
            let asked = json!({ "conversationId": conversation, "assistantId": assistant, "parameters": wrong });
            let answers = [
                ann.try_send("hello", asked.clone()).await,
                ann.run(UPDATE, json!({ "input": asked })).await,
            ];
            for answer in answers {
                assert_eq!(answer.code(), "BAD_USER_INPUT", "{assistant} {wrong}");
                assert_eq!(answer.body["errors"][0]["extensions"]["field"], field, "{wrong}");
            }
        }
        assert_eq!(ann.messages(conversation.as_str().unwrap()).await.len(), 2);
        assert_eq!(update(&ann, &conversation, json!({})).await["assistantId"], json!(null), "nothing was changed");
    }

    async fn rest_chooses_as_well(database) {
        let server = offering(&database, FILE).await;
        let ann = server.user("ann");
        let body = json!({ "message": "hello", "assistant_id": "fast", "parameters": { "max_tokens": 7 } });
        let answer = ann.post("/api/ann/chat").json(&body).send().await.unwrap();
        let id = answer.json::<Value>().await.unwrap()["reply_id"].take();
        let query = "query($id: ID!) { message(id: $id) { assistantId parameters { maxTokens temperature } } }";
        let reply = ann.data(query, json!({ "id": id })).await["message"].take();
        assert_eq!(reply, json!({ "assistantId": "fast", "parameters": { "maxTokens": 7, "temperature": 0.7 } }));
        for (body, status, said) in [
            (json!({ "message": "hello", "assistant_id": "none" }), 404, "NOT_FOUND"),
            (json!({ "message": "hello", "parameters": { "max_tokens": 101 } }), 422, "parameters.max_tokens"),
            (json!({ "message": "hello", "parameters": { "maxTokens": 1 } }), 422, "BAD_USER_INPUT"),
        ] {
            let answer = ann.post("/api/ann/chat").json(&body).send().await.unwrap();
            assert_eq!(answer.status(), status, "{body}");
            let text = answer.text().await.unwrap();
            assert!(text.contains(said), "{body}: {text}");
        }
    }
}
