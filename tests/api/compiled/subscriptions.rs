//! Subscriptions that are compiled stream what the library streams, byte for byte.

use causerie::assistant::{Delta, ToolCall};
use serde_json::{Value, json};

use super::random::{Documents, INTROSPECTION, LIBRARY_ONLY};
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

/// How many random subscriptions are compared of each field.
const SUBSCRIPTIONS: u64 = 40;

/// What devices select of changes.
const CHANGES: &str = "subscription { changes(replyText: true) { __typename
  ... on ConversationChanged { cursor conversation { id title unreadCount lastMessage { id } } }
  ... on ActivePathChanged { cursor conversation { id lastMessage { id content } activeReply { id } } }
  ... on MessageChanged { cursor message { id status content parent { id } conversation { __typename id } } }
  last: __typename $condition } }";

on_both_databases! {
    async fn any_subscription_streams_what_the_library_streams(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let types = ann.data(INTROSPECTION, Value::Null).await["__schema"]["types"].take();
        let fields = fields(&ann, &script).await;
        let foreign = server.user("eve").send("mine", json!({ "awaitReply": false })).await;
        let foreign = format!("replyProgress(messageId: {})", foreign["reply"]["id"]);
        let fields = fields.iter().map(|(field, name, count)| (field.as_str(), *name, *count));
        let unknown = ["nonsense".to_owned()];
        let (mut data, mut errors) = (0, 0);
        for (field, name, count) in fields.chain([
            (foreign.as_str(), "ReplyEvent", 2),
            ("replyProgress(messageId: \"nonsense\", after: \"nonsense\")", "ReplyEvent", 2),
            ("changes(since: \"nonsense\")", "ChangeEvent", 2),
            ("sendMessage(input: { content: \"\", idempotencyKey: \"empty\" })", "ReplyEvent", 2),
        ]) {
            for seed in 0..SUBSCRIPTIONS {
                // Most are of what can be compiled.
                let without: &[&str] = if seed % 4 == 0 { &[] } else { LIBRARY_ONLY };
                let document = Documents::new(&types, &unknown, &unknown, without, seed).subscription(field, name);
                let [compiled, resolved] = both(&ann, &document, count).await;
                assert_eq!(compiled, resolved, "seed {seed}: {document}");
                data += compiled.matches("{\"data\":{").count();
                errors += compiled.matches("\"errors\":").count();
            }
        }
        assert!(data > 1000 && errors > 100, "{data} with data, {errors} with errors");
        let count = ann.data("{ changes(first: 100) { nodes { __typename } } }", Value::Null).await;
        let count = count["changes"]["nodes"].as_array().unwrap().len();
        let [compiled, resolved] = both(&ann, CHANGES, count).await;
        assert_eq!(compiled, resolved);
        assert!(compiled.contains("\"unreadCount\":1") && compiled.contains("\"parent\":{\"id\":"), "{compiled}");
    }

    async fn a_request_that_was_carried_out_before_has_its_conversation_and_message(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        for (field, _, _) in fields(&ann, &script).await.into_iter().filter(|(field, _, _)| field.contains("input")) {
            let document = format!("subscription {{ events: {field} {{ ... on ReplyRequested {{
              conversation {{ title }} message {{ content position }} reply {{ role }} }} }} }}");
            let events = stream(&ann, &document, 1).await;
            let first = events.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            let first: Value = serde_json::from_str(first).unwrap();
            assert_eq!(first["data"]["events"], json!({
                "conversation": { "title": "What is \"it\"?" },
                "message": { "content": "What is \"it\"?", "position": 1 },
                "reply": { "role": "ASSISTANT" },
            }));
        }
    }
}

/// Fields of subscriptions, the type of their events, and how many of those to read: those of requests that were carried
/// out before, and of what they have made.
async fn fields(ann: &Client, script: &ScriptedAssistant) -> Vec<(String, &'static str, usize)> {
    let run = async |mutation: &str, input: &Value| {
        let query = mutation.replace("INPUT", &literal(input));
        ann.data(&query, Value::Null).await;
        let attempt = script.next().await;
        attempt.reason("Let me\tthink.");
        attempt.say("Text \u{7f}\u{2028} </script> \\ ");
        let (call_id, name) = ("call_0".to_owned(), "search".to_owned());
        attempt.send(Ok(Delta::ToolCall(ToolCall { call_id, name, arguments: "{\"q\": \"x\"}".to_owned() })));
        attempt.say("after");
        attempt
    };
    let send = json!({ "content": "What is \"it\"?", "idempotencyKey": "send", "awaitReply": false });
    run("mutation { sendMessage(input: INPUT) { reply { id } } }", &send).await.finish();
    let (id, status) = newest(ann).await;
    assert_eq!(status, "COMPLETE");
    let progress = |id: &Value| (format!("replyProgress(messageId: {id})"), "ReplyEvent", 100);
    let request =
        |name: &str, input: &Value| (format!("{name}(input: {})", literal(input)), "ReplyEvent", 100);
    let mut fields = vec![progress(&id), request("sendMessage", &send)];
    let again = json!({ "messageId": id, "idempotencyKey": "regenerate", "awaitReply": false });
    let attempt = run("mutation { regenerateReply(input: INPUT) { reply { id } } }", &again).await;
    attempt.close();
    let (id, _) = newest(ann).await;
    fields.extend([progress(&id), request("regenerateReply", &again)]);
    ann.data(
        "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { id } } }",
        json!({ "id": id }),
    )
    .await;
    let third = json!({ "messageId": id, "idempotencyKey": "third", "awaitReply": false });
    let attempt = run("mutation { regenerateReply(input: INPUT) { reply { id } } }", &third).await;
    let id = ann.data(NEWEST, Value::Null).await["conversations"]["nodes"][0]["lastMessage"]["id"].take();
    ann.data(
        "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { id } } }",
        json!({ "id": id }),
    )
    .await;
    drop(attempt);
    let retry = json!({ "messageId": id, "idempotencyKey": "retry", "awaitReply": false });
    run("mutation { retryReply(input: INPUT) { reply { id } } }", &retry).await.finish();
    newest(ann).await;
    fields.push(request("retryReply", &retry));
    let changes = ann.data("{ changes(first: 100) { nodes { __typename } } }", Value::Null).await;
    let count = changes["changes"]["nodes"].as_array().unwrap().len();
    for reply_text in [false, true] {
        fields.push((format!("changes(replyText: {reply_text})"), "ChangeEvent", count));
    }
    fields
}

const NEWEST: &str = "{ conversations { nodes { lastMessage { id status } } } }";

/// The reply that was requested last, once it has ended.
async fn newest(ann: &Client) -> (Value, String) {
    loop {
        let mut data = ann.data(NEWEST, Value::Null).await;
        let reply = &mut data["conversations"]["nodes"][0]["lastMessage"];
        let status = reply["status"].as_str().unwrap().to_owned();
        if status != "GENERATING" {
            return (reply["id"].take(), status);
        }
        tokio::task::yield_now().await;
    }
}

/// An object as it is written in a document.
fn literal(object: &Value) -> String {
    let fields = object.as_object().unwrap().iter().map(|(name, value)| format!("{name}: {value}"));
    format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
}

/// What a subscription streams, compiled and by the library.
async fn both(client: &Client, document: &str, count: usize) -> [String; 2] {
    let compiled = stream(client, &document.replace("$condition", ""), count).await;
    [compiled, stream(client, &document.replace("$condition", "@include(if: true)"), count).await]
}

/// The first `count` events of a subscription, or all of them.
async fn stream(client: &Client, document: &str, count: usize) -> String {
    let request = client.post("/graphql").header("accept", "text/event-stream");
    let mut response = request.json(&json!({ "query": document })).send().await.unwrap();
    let mut text = Vec::new();
    while text.windows(12).filter(|window| window == b"event: next\n").count() < count
        || !text.ends_with(b"\n\n")
    {
        match response.chunk().await.unwrap() {
            Some(chunk) => text.extend(chunk),
            None => break,
        }
    }
    String::from_utf8(text).unwrap()
}
