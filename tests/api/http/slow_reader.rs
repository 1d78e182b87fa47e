//! A reader that does not read holds up neither the writer nor the memory.

use std::time::Duration;

use causerie::reply;
use serde_json::json;
use tokio::time::timeout;

use super::Socket;
use crate::support::{ScriptedAssistant, Settings, TestServer, on_both_databases};

/// Much more than the server's queue and a narrow socket hold.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 40;

on_both_databases! {
    async fn it_gets_everything_when_it_reads_again(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let checkpoint = Duration::from_secs(2);
        let replies = reply::Options { checkpoint, lease: checkpoint * 4, ..reply::Options::default() };
        let server = TestServer::with(&database, Settings { assistant, replies, ..Settings::default() }).await;
        let ann = server.user("ann");
        let send = |wait: &str| {
            format!(
                "mutation {{ sendMessage(input: {{ content: \"hello\", idempotencyKey: \"k\", awaitReply: {wait} }})
                   {{ reply {{ id }} }} }}"
            )
        };
        let sent = ann.data(&send("false"), json!({})).await;
        let reply = sent["sendMessage"]["reply"]["id"].as_str().unwrap().to_owned();
        let attempt = script.next().await;
        attempt.say("start");
        let progress =
            format!("subscription {{ replyProgress(messageId: \"{reply}\") {{ ... on ReplyText {{ text }} }} }}");
        let mut readers = Vec::new();
        for _ in 0..2 {
            let mut reader = Socket::narrow(&ann).await;
            reader.subscribe("1", &progress).await;
            let mut text = String::new();
            while text.is_empty() {
                let message = reader.message().await;
                text += message["payload"]["data"]["replyProgress"]["text"].as_str().unwrap_or_default();
            }
            readers.push((reader, text));
        }
        for number in 0..PIECES {
            attempt.say(&char::from(b'a' + u8::try_from(number % 26).unwrap()).to_string().repeat(PIECE));
            tokio::task::yield_now().await;
        }
        attempt.finish();
        // The same key finds the same reply, and waits for its end.
        let again = send("true");
        let again = timeout(Duration::from_secs(30), ann.run(&again, json!({})))
            .await
            .expect("nobody reads, and yet it ends")
            .data();
        assert_eq!(again["sendMessage"]["reply"]["id"], reply);
        let query = "query Q($id: ID!) { message(id: $id) { status content } }";
        let message = ann.data(query, json!({ "id": reply })).await["message"].take();
        assert_eq!(message["status"], "COMPLETE");
        let content = message["content"].as_str().unwrap();
        assert_eq!(content.len(), "start".len() + PIECE * PIECES);
        for (mut reader, mut text) in readers {
            loop {
                let message = reader.message().await;
                if message["type"] == "complete" {
                    break;
                }
                text += message["payload"]["data"]["replyProgress"]["text"].as_str().unwrap_or_default();
            }
            assert!(text == content, "{} bytes of {}", text.len(), content.len());
        }
    }
}
