//! The replies of a conversation that have not ended, and what is unread meanwhile.

use serde_json::{Value, json};

use super::{conversation, delete};
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

const SHOWN: &str = "unreadCount activeReply { id status } queuedReplies(first: 2) { nodes { id status } }";

async fn shown(client: &Client, id: &Value) -> Value {
    let query = format!("query($id: ID!) {{ conversation(id: $id) {{ {SHOWN} }} }}");
    client.data(&query, json!({ "id": id })).await["conversation"].take()
}

fn ids(replies: &Value) -> Vec<&Value> {
    replies["nodes"].as_array().unwrap().iter().map(|reply| &reply["id"]).collect()
}

on_both_databases! {
    async fn a_reply_is_active_or_queued_and_not_unread_until_it_has_ended(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let first = ann.send("one", json!({ "awaitReply": false })).await;
        let id = &first["conversation"]["id"];
        let now = shown(&ann, id).await;
        assert_eq!((&now["unreadCount"], &now["queuedReplies"]["nodes"]), (&json!(0), &json!([])));
        assert_eq!(now["activeReply"], json!({ "id": first["reply"]["id"], "status": "GENERATING" }));
        let mut queued = Vec::new();
        for _ in 0..3 {
            let mut sent = ann.send("more", json!({ "conversationId": id, "awaitReply": false })).await;
            queued.push(sent["reply"]["id"].take());
        }
        let now = shown(&ann, id).await;
        assert_eq!(now["unreadCount"], 0);
        assert_eq!(ids(&now["queuedReplies"]), [&queued[0], &queued[1]], "the first two, in order");
        for reply in 0..4 {
            let attempt = script.next().await;
            let now = shown(&ann, id).await;
            let active = if reply == 0 { &first["reply"]["id"] } else { &queued[reply - 1] };
            assert_eq!(&now["activeReply"]["id"], active);
            assert_eq!(now["unreadCount"], 0);
            attempt.say("done");
            attempt.finish();
        }
        let last = queued[2].as_str().unwrap().parse().unwrap();
        server.replies().wait_for_end("ann", last).await.unwrap();
        let now = shown(&ann, id).await;
        assert_eq!(now, json!({ "unreadCount": 1, "activeReply": null, "queuedReplies": { "nodes": [] } }));
    }

    async fn a_reply_off_the_path_is_active_and_none_is_in_the_trash(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let (first, attempt) = tokio::join!(ann.send("one", json!({})), async {
            let attempt = script.next().await;
            attempt.say("first");
            attempt.finish();
        });
        let () = attempt;
        let id = &first["conversation"]["id"];
        let regenerate = "mutation($id: ID!) { regenerateReply(input: { messageId: $id, awaitReply: false }) { reply { id } } }";
        let second = ann.data(regenerate, json!({ "id": first["reply"]["id"] })).await["regenerateReply"]["reply"]["id"].take();
        let _running = script.next().await;
        let activate = "mutation($id: ID!) { activateMessage(input: { messageId: $id }) { message { id } } }";
        ann.data(activate, json!({ "id": first["reply"]["id"] })).await;
        let now = shown(&ann, id).await;
        assert_eq!((&now["activeReply"]["id"], &now["unreadCount"]), (&second, &json!(0)));
        delete(&ann, id.as_str().unwrap()).await;
        let query = format!("{{ conversations(filter: {{ states: [TRASHED] }}) {{ nodes {{ {SHOWN} }} }} }}");
        let trash = ann.data(&query, json!({})).await["conversations"]["nodes"][0].take();
        assert_eq!((&trash["activeReply"], &trash["queuedReplies"]["nodes"]), (&Value::Null, &json!([])));
        assert_eq!(conversation(&server.user("bob"), id.as_str().unwrap()).await, Value::Null);
    }

    async fn what_runs_off_the_path_leaves_the_path_unread(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let (first, ()) = tokio::join!(ann.send("one", json!({})), async { script.next().await.finish() });
        let regenerate = "mutation($id: ID!) { regenerateReply(input: { messageId: $id, awaitReply: false }) { reply { id } } }";
        let running = ann.data(regenerate, json!({ "id": first["reply"]["id"] })).await["regenerateReply"]["reply"]["id"].take();
        let _attempt = script.next().await;
        let edit = "mutation($id: ID!) { editMessage(input: { messageId: $id, content: \"two\", awaitReply: false }) { reply { id } } }";
        let queued = ann.data(edit, json!({ "id": first["message"]["id"] })).await["editMessage"]["reply"]["id"].take();
        let id = &first["conversation"]["id"];
        assert_eq!(shown(&ann, id).await["unreadCount"], 0);
        let stop = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status } } }";
        ann.data(stop, json!({ "id": queued })).await;
        let now = shown(&ann, id).await;
        assert_eq!((&now["activeReply"]["id"], &now["unreadCount"]), (&running, &json!(1)));
    }

    async fn the_queue_is_a_list_in_pages(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let first = ann.send("one", json!({ "awaitReply": false })).await;
        let attempt = script.next().await;
        let id = &first["conversation"]["id"];
        let mut queued = Vec::new();
        for _ in 0..4 {
            let mut sent = ann.send("more", json!({ "conversationId": id, "awaitReply": false })).await;
            queued.push(sent["reply"]["id"].take());
        }
        let query = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) { conversation(id: $id) {
          all: queuedReplies { totalCount edges { cursor } }
          queuedReplies(first: $first, after: $after, last: $last, before: $before) {
            totalCount nodes { id } pageInfo { hasPreviousPage hasNextPage } } } }";
        let ask = async |mut slice: Value| {
            slice["id"] = id.clone();
            ann.data(query, slice).await["conversation"].take()
        };
        let start = ask(json!({ "first": 3 })).await;
        let cursors: Vec<Value> = start["all"]["edges"].as_array().unwrap().iter().map(|edge| edge["cursor"].clone()).collect();
        for (slice, replies, before, after) in [
            (json!({ "first": 3 }), &queued[..3], false, true),
            (json!({ "first": 2, "after": cursors[0] }), &queued[1..3], true, true),
            (json!({ "first": 2, "after": cursors[1] }), &queued[2..], true, false),
            (json!({ "last": 2 }), &queued[2..], true, false),
            (json!({ "last": 1, "before": cursors[2] }), &queued[1..2], true, true),
            (json!({ "last": 9, "before": cursors[2], "after": cursors[0] }), &queued[1..2], true, true),
            (json!({ "first": 0 }), &[], false, true),
        ] {
            let page = &ask(slice.clone()).await["queuedReplies"];
            assert_eq!(ids(page), replies.iter().collect::<Vec<_>>(), "{slice}");
            assert_eq!(page["totalCount"], 4);
            assert_eq!(page["pageInfo"], json!({ "hasPreviousPage": before, "hasNextPage": after }), "{slice}");
        }
        // The place of a reply that has begun still leads to those behind it, and is of no other conversation.
        attempt.finish();
        let _second = script.next().await;
        let page = &ask(json!({ "first": 1, "after": cursors[0] })).await["queuedReplies"];
        assert_eq!((ids(page), &page["totalCount"]), (vec![&queued[1]], &json!(3)));
        let other = ann.send("other", json!({ "awaitReply": false })).await;
        let elsewhere = json!({ "id": other["conversation"]["id"], "after": cursors[0] });
        assert_eq!(ann.code(query, elsewhere).await, "BAD_USER_INPUT");
    }

    async fn what_is_read_together_is_of_one_moment(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let first = ann.send("one", json!({ "awaitReply": false })).await;
        let id = &first["conversation"]["id"];
        for _ in 0..30 {
            ann.send("more", json!({ "conversationId": id, "awaitReply": false })).await;
        }
        let answering = tokio::spawn(async move {
            loop {
                script.next().await.finish();
            }
        });
        // The end of one reply is the beginning of the next.
        let query = "query($id: ID!) { conversation(id: $id) {
          queuedReplies(first: 1) { nodes { id } } activeReply { id } again: queuedReplies { totalCount nodes { id } } } }";
        loop {
            let now = ann.data(query, json!({ "id": id })).await["conversation"].take();
            let (queue, active) = (ids(&now["again"]), &now["activeReply"]["id"]);
            assert_eq!(now["again"]["totalCount"].as_u64().unwrap().min(20), queue.len() as u64);
            assert!(!queue.contains(&active), "it is not queued and running at once: {now}");
            assert_eq!(queue.first(), ids(&now["queuedReplies"]).first());
            assert!(!active.is_null() || queue.is_empty(), "one runs while others wait: {now}");
            if active.is_null() {
                break;
            }
        }
        answering.abort();
    }

    async fn a_list_takes_as_many_statements_however_many_have_replies_under_way(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let mut settings = Settings { assistant, ..Settings::default() };
        // Nothing by the clock: checkpoints are not what is counted here.
        settings.replies.lease = std::time::Duration::from_mins(10);
        settings.replies.checkpoint = std::time::Duration::from_mins(1);
        settings.replies.user_replies = 3;
        let server = TestServer::with(&database, settings).await;
        let query = format!("{{ conversations(first: 50) {{ nodes {{ {SHOWN} }} }} }}");
        let (mut costs, mut running) = (Vec::new(), Vec::new());
        for (user, count, running_count) in [("few", 1, 1), ("many", 12, 3)] {
            let client = server.user(user);
            for number in 0..count {
                let sent = client.send("one", json!({ "awaitReply": false })).await;
                if number % 2 == 0 {
                    client.send("two", json!({ "conversationId": sent["conversation"]["id"], "awaitReply": false })).await;
                }
            }
            // Each has read what it is to answer, which is not counted either.
            for _ in 0..running_count {
                running.push(script.next().await);
            }
            server.take_statements();
            let list = client.data(&query, json!({})).await["conversations"]["nodes"].take();
            assert_eq!(list.as_array().unwrap().len(), count);
            costs.push(server.take_statements().len());
        }
        assert_eq!(costs, [2, 2], "the list, and the three fields together");
    }
}
