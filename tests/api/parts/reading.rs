//! Reading the parts of a reply while it is written, from any position.

use std::time::Duration;

use causerie::memory::Memory;
use causerie::reply::ProgressEvent;
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::support::on_both_databases;

const MEGABYTE: usize = 1024 * 1024;

on_both_databases! {
    async fn what_was_loaded_is_continued_by_its_cursor_on_any_server(database) {
        let (server, script) = scripted(&database, options()).await;
        let (other, _idle) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        attempt.reason("Ça va");
        attempt.say("Bien");
        let loaded = with_content(&ann, &id, "Bien").await;
        assert_eq!(outline(&loaded), ["[Ça va]", "Bien"]);
        attempt.say(", et toi");
        attempt.reason("?");
        attempt.say(" ?");
        let expected = [("ReplyText", ", et toi"), ("ReplyReasoning", "?"), ("ReplyText", " ?")];
        let after = json!({ "id": id, "after": loaded["progressCursor"] });
        for client in [ann.clone(), ann.at(other.url())] {
            let mut events = client.subscribe(PROGRESS, after.clone()).await;
            for (kind, text) in expected {
                let mut got = String::new();
                while got.len() < text.len() {
                    let event = events.progress().await;
                    assert_eq!(event["__typename"], kind, "{event}");
                    got += event["text"].as_str().unwrap();
                }
                assert_eq!(got, text);
            }
        }
        attempt.finish();
        ended(&server, "ann", &id).await;
        assert_eq!(message(&ann, &id).await["progressCursor"], Value::Null);
        // The cursor of a part of the text still says what follows.
        let mut events = ann.at(other.url()).subscribe(PROGRESS, after).await;
        for (kind, text) in expected {
            let event = events.progress().await;
            assert_eq!((&event["__typename"], &event["text"]), (&json!(kind), &json!(text)));
        }
        assert_eq!(events.progress().await["__typename"], "ReplyEnded");
    }

    async fn a_tool_call_is_streamed_where_it_stands_from_any_position(database) {
        let (server, script) = scripted(&database, options()).await;
        let (other, _idle) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        attempt.say("Let me see.");
        attempt.send(Ok(call("call_0")));
        attempt.send(Ok(call("call_1")));
        attempt.say("Noon.");
        let loaded = with_content(&ann, &id, "Let me see.Noon.").await;
        let expected = [
            ("ReplyText", json!("Let me see.")),
            ("ReplyToolCall", loaded["parts"][1].clone()),
            ("ReplyToolCall", loaded["parts"][2].clone()),
            ("ReplyText", json!("Noon.")),
        ];
        let mut cursors = Vec::new();
        for client in [ann.clone(), ann.at(other.url())] {
            let mut events = client.subscribe(PROGRESS, json!({ "id": id })).await;
            cursors = vec![events.progress().await["cursor"].clone()];
            for (kind, brought) in &expected {
                let mut event = events.progress().await;
                cursors.push(event["cursor"].clone());
                if *kind == "ReplyToolCall" {
                    event["toolCall"]["__typename"] = json!("ToolCall");
                }
                assert_eq!(event["__typename"], *kind, "{event}");
                assert!([&event["text"], &event["toolCall"]].contains(&brought), "{event} and not {brought}");
            }
        }
        assert_eq!(cursors.last(), Some(&loaded["progressCursor"]));
        attempt.finish();
        ended(&server, "ann", &id).await;
        for (had, cursor) in cursors.iter().enumerate() {
            let mut events = ann.subscribe(PROGRESS, json!({ "id": id, "after": cursor })).await;
            for (kind, _) in &expected[had..] {
                assert_eq!(events.progress().await["__typename"], *kind);
            }
            assert_eq!(events.progress().await["__typename"], "ReplyEnded");
        }
    }

    async fn a_queued_reply_starts_when_its_turn_comes(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let sent = ann.send("one", json!({ "awaitReply": false })).await;
        let conversation = &sent["conversation"]["id"];
        let queued = ann.send("two", json!({ "conversationId": conversation, "awaitReply": false })).await;
        let id = &queued["reply"]["id"];
        let loaded = message(&ann, id).await;
        assert_eq!(loaded["status"], "QUEUED");
        let mut streams = Vec::new();
        for after in [Value::Null, loaded["progressCursor"].clone()] {
            streams.push(ann.subscribe(PROGRESS, json!({ "id": id, "after": after })).await);
        }
        let first = script.next().await;
        first.say("First.");
        first.finish();
        let second = script.next().await;
        for events in &mut streams {
            let event = events.progress().await;
            assert_eq!((&event["__typename"], &event["attempt"]), (&json!("ReplyStarted"), &json!(1)));
        }
        second.say("Second.");
        for events in &mut streams {
            assert_eq!(events.progress().await["text"], "Second.");
        }
    }

    async fn a_reply_that_waits_to_be_retried_shows_nothing_of_the_attempt_before(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let sent = ann.send("one", json!({ "awaitReply": false })).await;
        let (conversation, id) = (&sent["conversation"]["id"], &sent["reply"]["id"]);
        let stopped = script.next().await;
        stopped.say("Old");
        with_content(&ann, id, "Old").await;
        let stop = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { id } } }";
        ann.data(stop, json!({ "id": id })).await;
        ann.send("two", json!({ "conversationId": conversation, "awaitReply": false })).await;
        let running = script.next().await;
        let retry = "mutation($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { id } } }";
        ann.data(retry, json!({ "id": id })).await;
        let loaded = message(&ann, id).await;
        assert_eq!((&loaded["status"], &loaded["content"]), (&json!("QUEUED"), &json!("Old")));
        let mut new = ann.subscribe(PROGRESS, json!({ "id": id })).await;
        let mut old = ann.subscribe(PROGRESS, json!({ "id": id, "after": loaded["progressCursor"] })).await;
        assert!(timeout(Duration::from_millis(300), new.progress()).await.is_err());
        running.say("Two.");
        running.finish();
        let attempt = script.next().await;
        attempt.say("New.");
        for (events, kind) in [(&mut new, "ReplyStarted"), (&mut old, "ReplyRestarted")] {
            let event = events.progress().await;
            assert_eq!((&event["__typename"], &event["attempt"]), (&json!(kind), &json!(2)));
            assert_eq!(events.progress().await["text"], "New.");
        }
    }

    async fn a_reader_waits_for_memory_and_misses_nothing(database) {
        let (server, script) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        let text = "wombat ".repeat(40_000);
        attempt.say(&text);
        attempt.finish();
        ended(&server, "ann", &id).await;
        let memory = Memory::new(4 * MEGABYTE);
        let hoard = memory.budget("ann", MEGABYTE);
        hoard.take(MEGABYTE).unwrap();
        let budget = memory.budget("ann", MEGABYTE);
        budget.take(32 * 1024).unwrap();
        let mut events =
            server.replies().progress("ann", id.as_str().unwrap().parse().unwrap(), None, budget.clone());
        assert!(matches!(events.next().await, Some(Ok((ProgressEvent::Started, _)))));
        assert!(timeout(Duration::from_millis(300), events.next()).await.is_err(), "there is no room");
        drop(hoard);
        let mut read = String::new();
        loop {
            match events.next().await.unwrap().unwrap() {
                (ProgressEvent::Text(more), _) => read += &more,
                (ProgressEvent::Ended(row), _) => break assert_eq!(row.content, read),
                event => panic!("{event:?}"),
            }
            drop(budget.release());
        }
        assert_eq!(read, text);
        assert!(events.next().now_or_never().unwrap().is_none());
    }

    async fn long_parts_are_read_in_pieces_in_their_order(database) {
        let (server, script) = scripted(&database, options()).await;
        let (other, _idle) = scripted(&database, options()).await;
        let ann = server.user("ann");
        let (id, attempt) = ask(&ann, &script).await;
        let (reasoning, text) = ("raison ".repeat(20_000) + "é", "réponse ".repeat(20_000));
        attempt.reason(&reasoning);
        attempt.say(&text);
        attempt.reason("hm");
        attempt.say("fin");
        attempt.finish();
        ended(&server, "ann", &id).await;
        let mut events = ann.at(other.url()).subscribe(PROGRESS, json!({ "id": id })).await;
        assert_eq!(events.progress().await["__typename"], "ReplyStarted");
        for (kind, whole) in
            [("ReplyReasoning", &*reasoning), ("ReplyText", &*text), ("ReplyReasoning", "hm"), ("ReplyText", "fin")]
        {
            let mut read = String::new();
            while read.len() < whole.len() {
                let event = events.progress().await;
                assert_eq!(event["__typename"], kind);
                let piece = event["text"].as_str().unwrap();
                assert!(piece.len() <= 64 * 1024);
                read += piece;
            }
            assert!(read == whole);
        }
        assert_eq!(events.progress().await["__typename"], "ReplyEnded");
    }
}
