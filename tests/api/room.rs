//! How many replies are written at once: more wait, in turn.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Client, ScriptedAssistant, ScriptedAttempt, Settings, TestDatabase, TestServer, on_both_databases,
};

const RUNNING: &str = "SELECT count(*) FROM message WHERE status = 'GENERATING'";
const QUEUED: &str = "SELECT count(*) FROM message WHERE status = 'QUEUED'";

async fn server(
    database: &TestDatabase,
    user_replies: u32,
    replies: usize,
) -> (TestServer, ScriptedAssistant) {
    let (assistant, script) = ScriptedAssistant::new();
    let mut settings = Settings { assistant, ..Settings::default() };
    (settings.replies.user_replies, settings.replies.replies) = (user_replies, replies);
    (TestServer::with(database, settings).await, script)
}

async fn send(client: &Client, content: &str, more: Value) -> Value {
    let mut input = json!({ "awaitReply": false });
    input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    client.send(content, input).await
}

fn status(sent: &Value) -> &str {
    sent["reply"]["status"].as_str().unwrap()
}

/// What the assistant is asked.
fn question(attempt: &ScriptedAttempt) -> &str {
    &attempt.prompt.turns.last().unwrap().content
}

/// Ends the reply, and waits for the next one to be asked for.
async fn next_after(attempt: &ScriptedAttempt, script: &ScriptedAssistant) -> ScriptedAttempt {
    attempt.say("so");
    attempt.finish();
    script.next().await
}

on_both_databases! {
    async fn a_user_has_so_many_replies_written_whichever_way_they_are_asked_for(database) {
        let (server, script) = server(&database, 1, 100).await;
        let ann = server.user("ann");
        let mut sent = Vec::new();
        for _ in 0..3 {
            let input = json!({ "idempotencyKey": sent.len().to_string() });
            sent.push(send(&ann, "done", input.clone()).await);
            let attempt = script.next().await;
            if sent.len() == 3 {
                let stop = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status } } }";
                ann.data(stop, json!({ "id": sent[2]["reply"]["id"] })).await;
            } else {
                attempt.say("so");
                attempt.finish();
                database.becomes(RUNNING, 0).await;
            }
        }
        send(&ann, "running", json!({})).await;
        let mut running = script.next().await;
        let asked = async |field: &str, id: &Value, more: &str| {
            let query = format!("mutation($id: ID!) {{ {field}(input: {{ messageId: $id, {more} awaitReply: false }}) {{ reply {{ status }} }} }}");
            ann.data(&query, json!({ "id": id })).await[field]["reply"]["status"].take()
        };
        assert_eq!(asked("editMessage", &sent[0]["message"]["id"], "content: \"edited\",").await, "QUEUED");
        assert_eq!(asked("regenerateReply", &sent[1]["reply"]["id"], "").await, "QUEUED");
        assert_eq!(asked("retryReply", &sent[2]["reply"]["id"], "").await, "QUEUED");
        let rest = ann.post("/api/ann/chat").json(&json!({ "message": "by REST" })).send();
        let rest = tokio::spawn(rest);
        database.becomes(QUEUED, 4).await;
        assert_eq!(status(&send(&server.user("bob"), "hello", json!({})).await), "GENERATING");
        let _theirs = script.next().await;
        for _ in 0..4 {
            running = next_after(&running, &script).await;
            assert_eq!(database.number("SELECT count(*) FROM message WHERE status = 'GENERATING' AND user_id = 'ann'").await, 1);
        }
        running.say("so");
        running.finish();
        assert_eq!(rest.await.unwrap().unwrap().status(), 200);
    }

    async fn two_servers_count_a_users_replies_together(database) {
        let ((one, first), (two, second)) = (server(&database, 3, 100).await, server(&database, 3, 100).await);
        let clients = [one.user("ann"), two.user("ann")];
        let sent = join_all((0..12).map(|number| send(&clients[number % 2], "question", json!({})))).await;
        let begun = sent.iter().filter(|sent| status(sent) == "GENERATING").count();
        assert_eq!((begun, database.number(RUNNING).await, database.number(QUEUED).await), (3, 3, 9));
        // As one ends, another one begins, until none is left.
        for left in (0..12).rev() {
            let attempt = tokio::select! {
                attempt = first.next() => attempt,
                attempt = second.next() => attempt,
            };
            attempt.say("answer");
            attempt.finish();
            database.becomes("SELECT count(*) FROM message WHERE status IN ('GENERATING', 'QUEUED')", left).await;
            assert!(database.number(RUNNING).await <= 3);
        }
    }

    async fn when_a_server_is_full_users_have_their_turn_one_by_one(database) {
        let (server, script) = server(&database, 20, 2).await;
        let (ann, bob, eve) = (server.user("ann"), server.user("bob"), server.user("eve"));
        for number in 0..8 {
            let sent = send(&ann, &format!("ann {number}"), json!({})).await;
            assert_eq!(status(&sent), if number < 2 { "GENERATING" } else { "QUEUED" });
            assert_eq!(sent["conversation"]["title"], format!("ann {number}"));
        }
        let mut running = vec![script.next().await, script.next().await];
        for (client, name) in [(&bob, "bob"), (&eve, "eve")] {
            for number in 0..2 {
                assert_eq!(status(&send(client, &format!("{name} {number}"), json!({})).await), "QUEUED");
            }
        }
        let mut order = Vec::new();
        for _ in 0..10 {
            let attempt = running.remove(0);
            running.push(next_after(&attempt, &script).await);
            order.push(question(running.last().unwrap()).to_owned());
            assert_eq!(database.number(RUNNING).await, 2);
        }
        assert_eq!(order, ["ann 2", "bob 0", "eve 0", "ann 3", "bob 1", "eve 1", "ann 4", "ann 5", "ann 6", "ann 7"]);
        for attempt in &running {
            attempt.say("so");
            attempt.finish();
        }
        database.becomes(RUNNING, 0).await;
        // Nobody waits any more: a new one begins. The server may hear of the last end a little later than the database.
        send(&ann, "late", json!({})).await;
        database.becomes(RUNNING, 1).await;
    }

    async fn a_queue_of_one_conversation_does_not_keep_others_waiting(database) {
        let (server, script) = server(&database, 20, 1).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let first = send(&ann, "ann 0", json!({})).await;
        let attempt = script.next().await;
        for number in 1..4 {
            send(&ann, &format!("ann {number}"), json!({ "conversationId": first["conversation"]["id"] })).await;
        }
        send(&bob, "bob", json!({})).await;
        let next = next_after(&attempt, &script).await;
        let then = next_after(&next, &script).await;
        let mut asked = [question(&next).to_owned(), question(&then).to_owned()];
        asked.sort();
        assert_eq!(asked, ["ann 1", "bob"]);
    }

    async fn what_one_server_has_no_room_for_begins_at_another(database) {
        let ((one, first), (_two, second)) = (server(&database, 20, 1).await, server(&database, 20, 1).await);
        let ann = one.user("ann");
        assert_eq!(status(&send(&ann, "here", json!({})).await), "GENERATING");
        let here = first.next().await;
        assert_eq!(question(&here), "here");
        assert_eq!(status(&send(&ann, "there", json!({})).await), "QUEUED");
        let there = second.next().await;
        assert_eq!(question(&there), "there");
        database.becomes(RUNNING, 2).await;
    }

    async fn what_a_dead_server_leaves_waits_for_room_too(database) {
        let (server, script) = server(&database, 20, 1).await;
        let ann = server.user("ann");
        send(&ann, "its own", json!({})).await;
        let own = script.next().await;
        send(&ann, "orphan", json!({})).await;
        let (lease, owner) = if database.is_postgres() {
            ("now() - interval '1 hour'", format!("'{}'", uuid::Uuid::now_v7()))
        } else {
            ("'2020-01-01T00:00:00+00:00'", format!("X'{}'", uuid::Uuid::now_v7().simple()))
        };
        let sql = format!(
            "UPDATE message SET status = 'GENERATING', attempt = 1, lease_owner = {owner}, lease_until = {lease}
             WHERE status = 'QUEUED'"
        );
        sea_orm::ConnectionTrait::execute_unprepared(&database.raw().await, &sql).await.unwrap();
        let waits = tokio::time::timeout(std::time::Duration::from_secs(4), script.next()).await;
        assert!(waits.is_err(), "it has no room");
        let next = next_after(&own, &script).await;
        assert_eq!(question(&next), "orphan");
        assert_eq!(database.number("SELECT count(*) FROM message WHERE attempt = 2").await, 1);
    }

    async fn a_reply_that_waits_for_room_is_busy_can_be_interrupted_stopped_and_retried(database) {
        let (server, script) = server(&database, 1, 100).await;
        let ann = server.user("ann");
        send(&ann, "running", json!({})).await;
        let running = script.next().await;
        let waiting = send(&ann, "first", json!({})).await;
        let conversation = &waiting["conversation"]["id"];
        assert_eq!((status(&waiting), waiting["conversation"]["title"].as_str()), ("QUEUED", Some("first")));
        let to = |on_busy: &str| json!({ "conversationId": conversation, "onBusy": on_busy, "awaitReply": false });
        assert_eq!(ann.try_send("no", to("REJECT")).await.code(), "CONVERSATION_BUSY");
        let interrupting = send(&ann, "second", to("INTERRUPT")).await;
        assert_eq!(status(&interrupting), "QUEUED");
        let rolling = send(&ann, "third", to("ROLLBACK")).await;
        assert_eq!(status(&rolling), "QUEUED");
        let shown = ann.messages(conversation.as_str().unwrap()).await;
        let shown: Vec<_> = shown.iter().map(|message| (message["status"].as_str().unwrap(), message["content"].as_str().unwrap())).collect();
        // What was stopped before the last message came had ended.
        assert_eq!(shown, [("COMPLETE", "first"), ("STOPPED", ""), ("COMPLETE", "third"), ("QUEUED", "")]);

        let id = json!({ "id": rolling["reply"]["id"] });
        let stop = "mutation($id: ID!) { stopReply(input: { messageId: $id }) { reply { status } } }";
        let retry = "mutation($id: ID!) { retryReply(input: { messageId: $id, awaitReply: false }) { reply { status } } }";
        assert_eq!(ann.data(stop, id.clone()).await["stopReply"]["reply"]["status"], "STOPPED");
        assert_eq!(ann.data(retry, id.clone()).await["retryReply"]["reply"]["status"], "QUEUED");
        let next = next_after(&running, &script).await;
        assert!(question(&next).ends_with("third"));
    }

    /// 95 messages a request, all to new conversations.
    async fn a_flood_of_messages_leaves_room_to_others(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let field = "sendMessage(input: { content: \"flood\", awaitReply: false }) { reply { status } }";
        let sends: Vec<_> = (0..95).map(|number| format!("a{number}: {field}")).collect();
        let sends = sends.join(" ");
        let flood = format!("mutation {{ {sends} }}");
        let flooding = join_all((0..7).map(|_| ann.run(&flood, json!({}))));
        let (answers, theirs) = tokio::join!(flooding, async {
            let mut running = Vec::new();
            for _ in 0..20 {
                running.push(script.next().await);
            }
            let sent = send(&bob, "hello", json!({})).await;
            running.push(script.next().await);
            assert_eq!(question(&running[20]), "hello");
            (sent, running)
        });
        let (theirs, _running) = theirs;
        assert_eq!(status(&theirs), "GENERATING");
        assert_eq!((database.number(RUNNING).await, database.number(QUEUED).await), (21, 500));
        let last = &answers.iter().max_by_key(|answer| answer.body["errors"].to_string().len()).unwrap().body;
        assert_eq!(last["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    }
}
