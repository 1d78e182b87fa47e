//! Streams and sockets when the server is told to stop.

use serde_json::json;

use super::{FOREVER, Frame, Socket, read_until, stream};
use crate::support::{ScriptedAssistant, Settings, TestServer, on_both_databases};

const SEND: &str =
    "mutation { sendMessage(input: { content: \"hello\", awaitReply: false }) { reply { id } } }";

fn progress(reply: &str) -> String {
    format!(
        "subscription {{ replyProgress(messageId: \"{reply}\") {{ ... on ReplyText {{ text }}
           ... on ReplyEnded {{ message: reply {{ status }} }} }} }}"
    )
}

on_both_databases! {
    async fn readers_see_the_end_of_their_reply_and_are_sent_away(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let sent = ann.data(SEND, json!({})).await;
        let reply = sent["sendMessage"]["reply"]["id"].as_str().unwrap();
        let attempt = script.next().await;
        attempt.say("Good");

        let mut reader = Socket::signed_in(&ann).await;
        reader.subscribe("1", &progress(reply)).await;
        for event in [json!({}), json!({ "text": "Good" })] {
            assert_eq!(reader.message().await["payload"]["data"]["replyProgress"], event);
        }
        reader.subscribe("2", FOREVER).await;
        let mut events = stream(&ann, &progress(reply)).await;
        read_until(&mut events, "Good").await;
        let mut follower = stream(&ann, FOREVER).await;
        read_until(&mut follower, ":\n\n").await;
        let mut idle = Socket::signed_in(&ann).await;

        let stopping = tokio::spawn(server.stop());
        assert_eq!(idle.next().await, Frame::Closed(1001), "it has nothing to wait for");
        attempt.say("bye");
        attempt.finish();
        let mut text = String::new();
        let mut ended = false;
        let code = loop {
            match reader.next().await {
                Frame::Message(message) if message["id"] == "1" && message["type"] == "next" => {
                    let event = &message["payload"]["data"]["replyProgress"];
                    text += event["text"].as_str().unwrap_or_default();
                    ended |= event["message"]["status"] == "COMPLETE";
                }
                Frame::Message(_) | Frame::Ping => {}
                Frame::Closed(code) => break code,
                Frame::Gone => panic!("the connection is gone without a close code"),
            }
        };
        assert_eq!((text.as_str(), ended, code), ("bye", true, 1001));
        let rest = read_until(&mut events, "event: complete").await;
        assert!(rest.contains("COMPLETE"), "{rest}");
        let mut rest = String::new();
        while let Some(chunk) = follower.chunk().await.unwrap() {
            rest += std::str::from_utf8(&chunk).unwrap();
        }
        assert!(!rest.contains("event: complete"), "an end that is none makes clients come again: {rest}");
        stopping.await.unwrap();
    }
}
