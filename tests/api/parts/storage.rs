//! What is stored of a message, and what is made of it.

use causerie::assistant::{Catalog, DEFAULT_ID, FinishReason, Profile};
use serde_json::{Value, json};

use super::*;
use crate::support::on_both_databases;

on_both_databases! {
    async fn text_reasoning_and_tool_calls_are_kept_in_the_order_in_which_they_came(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        attempt.reason("They ask ");
        attempt.reason("for the time.");
        attempt.say("Let me ");
        attempt.say("see.");
        attempt.send(Ok(call("call_0")));
        attempt.reason("Noon, it says.");
        attempt.say(" It is noon.");
        finish(&attempt, FinishReason::Stop);
        ended(&server, "ann", &id).await;
        let reply = message(&ann, &id).await;
        let parts = ["[They ask for the time.]", "Let me see.", "call call_0", "[Noon, it says.]", " It is noon."];
        assert_eq!(outline(&reply), parts);
        assert_eq!((&reply["status"], &reply["content"]), (&json!("COMPLETE"), &json!("Let me see. It is noon.")));
        assert_eq!(reply["parts"][2]["name"], "clock");
        assert_eq!(reply["parts"][2]["arguments"], r#"{"zone":"UTC"}"#);
        for reasoning in [&reply["parts"][0], &reply["parts"][3]] {
            let [started, finished] = ["startedAt", "finishedAt"].map(|field| reasoning[field].as_str().unwrap());
            assert!(started <= finished, "{reasoning}");
        }
    }

    async fn a_message_of_the_user_is_one_part_and_an_empty_reply_is_none(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let sent = ann.send("Tell me", json!({ "awaitReply": false })).await;
        let asked = message(&ann, &sent["message"]["id"]).await;
        assert_eq!((outline(&asked), &asked["progressCursor"]), (vec!["Tell me".to_owned()], &Value::Null));
        let attempt = script.next().await;
        let empty: [&str; 0] = [];
        assert_eq!(outline(&message(&ann, &sent["reply"]["id"]).await), empty);
        drop(attempt);
    }

    async fn reasoning_is_neither_found_nor_shown_to_the_assistant_again(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let sent = ann.send("Tell me", json!({ "awaitReply": false })).await;
        let attempt = script.next().await;
        attempt.reason("A quokka, perhaps?");
        attempt.say("A wombat.");
        attempt.finish();
        ended(&server, "ann", &sent["reply"]["id"]).await;
        let search = "query($query: String!) { search(query: $query) { nodes { message { id } } } }";
        for (query, count) in [("wombat", 1), ("quokka", 0)] {
            let found = ann.data(search, json!({ "query": query })).await;
            assert_eq!(found["search"]["nodes"].as_array().unwrap().len(), count, "{query}");
        }
        ann.send("And?", json!({ "conversationId": sent["conversation"]["id"], "awaitReply": false })).await;
        let turns: Vec<String> = script.next().await.prompt.turns.iter().map(|turn| turn.content.clone()).collect();
        assert_eq!(turns, ["Tell me", "A wombat.", "And?"]);
    }

    async fn reasoning_is_left_out_if_the_operator_says_so(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let profile = Profile { no_reasoning: true, ..Profile::new(DEFAULT_ID, assistant) };
        let settings = Settings { catalog: Some(Catalog::of(profile)), ..Settings::default() };
        let server = TestServer::with(&database, settings).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        attempt.reason("Hm.");
        attempt.say("Wombats ");
        attempt.reason("Hm?");
        attempt.say("dig.");
        attempt.finish();
        ended(&server, "ann", &id).await;
        assert_eq!(outline(&message(&ann, &id).await), ["Wombats dig."]);
        let mut events = ann.subscribe(PROGRESS, json!({ "id": id })).await;
        for kind in ["ReplyStarted", "ReplyText", "ReplyEnded"] {
            assert_eq!(events.progress().await["__typename"], kind);
        }
        let stored = "SELECT count(*) FROM message WHERE reasoning <> '' OR CAST(parts AS TEXT) <> '[]'";
        assert_eq!(database.number(stored).await, 0);
    }

    async fn a_tool_call_has_an_id_of_its_own_in_each_message(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let mut ids = Vec::new();
        for _ in 0..2 {
            let (id, attempt) = ask(&ann, &script).await;
            attempt.send(Ok(call("call_0")));
            attempt.reason("Noon.");
            attempt.say("It is noon.");
            attempt.finish();
            ended(&server, "ann", &id).await;
            let reply = message(&ann, &id).await;
            assert_eq!(reply["parts"][0]["callId"], "call_0");
            ids.push(reply["parts"][0]["id"].clone());
            // A copy is another message.
            let fork = "mutation($id: ID!) { forkConversation(input: { messageId: $id }) {
              conversation { messages { nodes { id } } } } }";
            let fork = ann.data(fork, json!({ "id": id })).await["forkConversation"]["conversation"].take();
            let copy = message(&ann, &fork["messages"]["nodes"][1]["id"]).await;
            assert_ne!(copy["id"], reply["id"]);
            assert_eq!(outline(&copy), outline(&reply), "a fork copies all parts");
            ids.push(copy["parts"][0]["id"].clone());
        }
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id), "{ids:?}");
        }
    }

    async fn the_feed_reads_the_parts_that_are_selected(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        attempt.reason("Hm.");
        attempt.say("Wombats dig.");
        attempt.finish();
        ended(&server, "ann", &id).await;
        for (fields, expected) in [
            ("content", json!({ "content": "Wombats dig." })),
            ("parts { ... on ReasoningPart { text } }", json!({ "parts": [{ "text": "Hm." }, {}] })),
            ("status progressCursor", json!({ "status": "COMPLETE", "progressCursor": null })),
        ] {
            let query = format!("{{ changes(first: 100) {{ nodes {{ ... on MessageChanged {{ message {{ {fields} }} }} }} }} }}");
            server.take_statements();
            let changes = ann.data(&query, json!({})).await["changes"]["nodes"].take();
            let last = changes.as_array().unwrap().last().unwrap();
            assert_eq!(last["message"], expected);
            assert_eq!(server.take_statements().len(), 1, "{fields}");
        }
    }
}
