//! Conversations of thousands of messages: what touches them all is done in steps, and others write in between.

use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{ACTIVATE, DELETE, EDIT, FORK, REGENERATE, act, id, soundness};
use crate::cost::{Filler, create};
use crate::support::{Client, Process, TestDatabase, TestServer, on_both_databases};

/// More than a few steps.
const LONG: u32 = 5_000;

/// The most that one transaction may write of messages.
const STEP: i64 = 250;

/// A conversation of ann's with a long branch, and a short one that the path shows, of a question and its answer.
struct Tree {
    conversation: String,
    /// The first message of the long branch, and the last.
    long: [String; 2],
    short: String,
}

async fn plant(database: &TestDatabase, ann: &Client, count: u32) -> Tree {
    let filler = Filler::of(database).await;
    let conversation = create(ann).await;
    filler.messages("ann", &conversation, 1, count).await;
    filler.raise_revisions(count).await;
    filler.analyze().await;
    let ends = "query($id: ID!) { conversation(id: $id) {
      first: messages(first: 1) { nodes { id } } last: messages(last: 1) { nodes { id } } } }";
    let ends = ann.data(ends, json!({ "id": conversation })).await["conversation"].take();
    let long = ["first", "last"].map(|end| id(&ends[end]["nodes"][0]));
    let edited = act(ann, EDIT, &long[0], json!({ "content": "short" })).await;
    assert_eq!(edited["conversation"]["messageCount"], 2, "an edit of the first of many");
    Tree { conversation, long, short: id(&edited["message"]) }
}

async fn length(client: &Client, conversation: &str) -> i64 {
    let query = "query($id: ID!) { conversation(id: $id) { messageCount unreadCount } }";
    let row = client.data(query, json!({ "id": conversation })).await["conversation"].take();
    assert_eq!(row["unreadCount"].as_i64().unwrap().min(1), row["unreadCount"].as_i64().unwrap());
    row["messageCount"].as_i64().unwrap()
}

async fn assert_sound(database: &TestDatabase) {
    let raw = database.raw().await;
    assert_eq!(soundness::broken(&raw, "ann").await, Vec::<String>::new());
    raw.close().await.unwrap();
}

/// No revision is of more messages than a step has: no transaction has written more.
async fn assert_in_steps(database: &TestDatabase) {
    for table in ["message", "deleted_message"] {
        let most = format!(
            "SELECT COALESCE(MAX(count), 0) FROM (SELECT COUNT(*) AS count FROM {table} GROUP BY user_id, revision) AS written"
        );
        let most = database.number(&most).await;
        assert!(most <= STEP, "{most} rows of {table} in one transaction");
    }
}

on_both_databases! {
    async fn long_branches_come_and_go_in_steps(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let tree = plant(&database, &ann, LONG).await;
        assert_sound(&database).await;
        let cursor = ann.data("{ viewer { changeCursor } }", Value::Null).await["viewer"]["changeCursor"].take();

        let before = database.number("SELECT revision FROM account WHERE user_id = 'ann'").await;

        let key = json!({ "idempotencyKey": "long" });
        let shown = act(&ann, ACTIVATE, &tree.long[0], key.clone()).await;
        assert_eq!((&shown["conversation"]["messageCount"], &shown["message"]["active"]), (&json!(LONG), &json!(true)));
        assert_eq!(act(&ann, ACTIVATE, &tree.long[0], key).await, shown);
        assert_eq!(length(&ann, &tree.conversation).await, i64::from(LONG));
        assert_sound(&database).await;
        // However many messages have joined the path and left it, that is one change; and each step was a write.
        assert_eq!(changes(&ann, &cursor).await, ["ActivePathChanged"]);
        let steps = database.number("SELECT revision FROM account WHERE user_id = 'ann'").await - before;
        assert!(steps >= i64::from(LONG) / STEP, "{steps} writes");

        let fork = act(&ann, FORK, &tree.long[1], json!({ "idempotencyKey": "fork" })).await;
        assert_eq!(fork["conversation"]["messageCount"], LONG);
        assert_eq!(act(&ann, FORK, &tree.long[1], json!({ "idempotencyKey": "fork" })).await, fork);
        assert_eq!(ann.messages(&id(&fork["conversation"])).await.len(), usize::try_from(LONG).unwrap());
        assert_sound(&database).await;

        let again = act(&ann, REGENERATE, &answer(&ann, &tree.conversation).await, json!({})).await;
        assert_eq!((&again["conversation"]["messageCount"], &again["reply"]["active"]), (&json!(2), &json!(true)));
        act(&ann, ACTIVATE, &tree.long[1], json!({})).await;
        assert_sound(&database).await;

        let key = json!({ "idempotencyKey": "delete" });
        let deleted = act(&ann, DELETE, &tree.long[0], key.clone()).await;
        assert_eq!(deleted["conversation"]["messageCount"], 2);
        assert_eq!(act(&ann, DELETE, &tree.long[0], key).await, deleted);
        assert_eq!(ann.messages(&tree.conversation).await[0]["id"], tree.short);
        assert_eq!(database.number("SELECT COUNT(*) FROM deleted_message").await, i64::from(LONG) + 1);
        assert_sound(&database).await;
        assert_in_steps(&database).await;
    }

    async fn few_messages_of_long_texts_are_copied_in_steps_too(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let filler = Filler::of(&database).await;
        let conversation = create(&ann).await;
        filler.messages("ann", &conversation, 1, 12).await;
        filler.raise_revisions(12).await;
        let text = if database.is_postgres() { "repeat('long ', 200000)" } else { "replace(hex(zeroblob(100000)), '00', 'long long ')" };
        let raw = database.raw().await;
        raw.execute_unprepared(&format!("UPDATE message SET content = {text}")).await.unwrap();
        raw.close().await.unwrap();
        let last = ann.data("query($id: ID!) { conversation(id: $id) { messages(last: 1) { nodes { id } } } }", json!({ "id": conversation })).await;
        let last = id(&last["conversation"]["messages"]["nodes"][0]);

        let fork = id(&act(&ann, FORK, &last, json!({})).await["conversation"]);
        let copies = if database.is_postgres() { format!("conversation_id = '{fork}'") } else { format!("conversation_id = x'{}'", fork.replace('-', "")) };
        let copied = format!("SELECT CAST(SUM(octet_length(content)) AS BIGINT) FROM message WHERE {copies}");
        assert_eq!(database.number(&copied).await, 12_000_000);
        let most = format!(
            "SELECT MAX(bytes) FROM (SELECT CAST(SUM(octet_length(content)) AS BIGINT) AS bytes FROM message WHERE {copies} GROUP BY created_revision) AS written"
        );
        let most = database.number(&most).await;
        assert!(most <= 1_600_000, "{most} bytes in one transaction");
        assert_sound(&database).await;
    }

    async fn others_write_while_a_long_conversation_is_deleted(database) {
        let server = TestServer::start(&database).await;
        let (ann, ben) = (server.user("ann"), server.user("ben"));
        let tree = plant(&database, &ann, LONG).await;
        let there = id(&ann.send("elsewhere", json!({})).await["conversation"]);
        ben.start("hello").await;
        let ended = tokio::sync::watch::Sender::new(false);
        let ((), mine, slowest) = tokio::join!(
            async {
                act(&ann, ACTIVATE, &tree.long[0], json!({})).await;
                act(&ann, DELETE, &tree.long[0], json!({})).await;
                ended.send_replace(true);
            },
            async {
                let mut sent = 0;
                while !*ended.borrow() {
                    ann.send("mine", json!({ "conversationId": there, "awaitReply": false })).await;
                    let busy = ann.try_send("here", json!({ "conversationId": tree.conversation, "awaitReply": false })).await;
                    assert!(busy.body.get("errors").is_none() || busy.code() == "CONVERSATION_BUSY", "{}", busy.body);
                    sent += 1;
                }
                sent
            },
            async {
                let mut slowest = Duration::ZERO;
                while !*ended.borrow() {
                    let begin = Instant::now();
                    ben.send("hello", json!({ "awaitReply": false })).await;
                    slowest = slowest.max(begin.elapsed());
                }
                slowest
            },
        );
        assert!(mine > 2, "{mine}");
        // A step takes a tenth of a second; machines of tests are busy.
        assert!(slowest < Duration::from_secs(3), "{slowest:?}");
        assert_sound(&database).await;
    }

    async fn what_a_killed_server_has_begun_another_one_completes(database) {
        let mut server = Process::start(&database, &[]).await;
        let ann = server.user("ann");
        // As long as its steps take, there is time to be killed in between.
        let count = LONG / 2;
        let tree = plant(&database, &ann, count).await;
        let under_way = "SELECT COUNT(*) FROM conversation WHERE step_at IS NOT NULL";
        let copied = "SELECT COUNT(*) FROM conversation WHERE erasing_at IS NOT NULL";
        let mut keys = 0;
        for (operation, target, sign) in [
            (FORK, &tree.long[1], copied),
            (ACTIVATE, &tree.long[0], under_way),
            (DELETE, &tree.long[0], under_way),
        ] {
            let client = server.user("ann");
            keys += 1;
            let input = json!({ "input": { "messageId": target, "idempotencyKey": format!("key {keys}") } });
            let doing = tokio::spawn({
                let input = input.clone();
                async move { client.try_run(operation, input).await.is_ok() }
            });
            database.becomes(sign, 1).await;
            server.kill().await;
            assert!(!doing.await.unwrap(), "it was killed in time");
            assert_sound(&database).await;
            server = Process::start(&database, &[]).await;
            if sign == under_way {
                // As though it had been silent for long.
                let raw = database.raw().await;
                let past = "UPDATE conversation SET step_at = '2026-01-01T00:00:00.000+00:00' WHERE step_at IS NOT NULL";
                raw.execute_unprepared(past).await.unwrap();
                raw.close().await.unwrap();
                database.becomes(under_way, 0).await;
            }
            assert_sound(&database).await;
            // Whoever asks again is answered as though nothing had happened.
            let again = server.user("ann").run(operation, input).await.data();
            let expected = if operation == DELETE { 2 } else { count };
            let payload = again.as_object().unwrap().values().next().unwrap();
            assert_eq!(payload["conversation"]["messageCount"], expected);
        }
        server.kill().await;
    }

    async fn a_title_does_not_outlive_the_message_that_it_was_derived_from(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let title = async |conversation: &str| {
            let query = "query($id: ID!) { conversation(id: $id) { title } }";
            ann.data(query, json!({ "id": conversation })).await["conversation"]["title"].take()
        };
        let found = async |words: &str| {
            let query = "query($words: String!) { search(query: $words, filter: { scope: TITLES }) { nodes { conversation { id } } } }";
            ann.data(query, json!({ "words": words })).await["search"]["nodes"].as_array().unwrap().len()
        };
        let sent = ann.send("secret plans", json!({})).await;
        let (conversation, secret) = (id(&sent["conversation"]), id(&sent["message"]));
        let edited = id(&act(&ann, EDIT, &secret, json!({ "content": "harmless chat" })).await["message"]);
        // The copy of a branch has none of another branch's words.
        let fork = id(&act(&ann, FORK, &edited, json!({})).await["conversation"]);
        assert_eq!((title(&conversation).await, title(&fork).await), (json!("secret plans"), json!("harmless chat")));
        act(&ann, DELETE, &secret, json!({})).await;
        assert_eq!(title(&conversation).await, "harmless chat");
        assert_eq!((found("secret").await, found("harmless").await), (0, 2));
        act(&ann, DELETE, &edited, json!({})).await;
        assert_eq!((title(&conversation).await, found("harmless").await), (Value::Null, 1));
        ann.send("a new beginning", json!({ "conversationId": conversation })).await;
        assert_eq!(title(&conversation).await, "a new beginning");

        // On the path its sibling comes next; and what the user has named stays.
        let sent = ann.send("first words", json!({})).await;
        let (conversation, first) = (id(&sent["conversation"]), id(&sent["message"]));
        act(&ann, EDIT, &first, json!({ "content": "second words" })).await;
        act(&ann, ACTIVATE, &first, json!({})).await;
        act(&ann, DELETE, &first, json!({})).await;
        assert_eq!(title(&conversation).await, "second words");
        let rename = "mutation($id: ID!) { updateConversation(input: { conversationId: $id, title: \"Mine\" }) { conversation { id } } }";
        ann.data(rename, json!({ "id": conversation })).await;
        let only = id(&ann.messages(&conversation).await[0]);
        act(&ann, DELETE, &only, json!({})).await;
        assert_eq!((title(&conversation).await, found("Mine").await), (json!("Mine"), 1));
    }
}

/// The second message of the active path.
async fn answer(client: &Client, conversation: &str) -> String {
    let query = "query($id: ID!) { messages(conversationId: $id, first: 2) { nodes { id } } }";
    id(&client.data(query, json!({ "id": conversation })).await["messages"]["nodes"][1])
}

/// The kinds of the changes since `cursor`.
async fn changes(client: &Client, cursor: &Value) -> Vec<String> {
    let query = "query($since: String) { changes(first: 100, since: $since) { nodes { __typename } } }";
    let page = client.data(query, json!({ "since": cursor })).await["changes"].take();
    let kinds = page["nodes"].as_array().unwrap().iter();
    kinds.map(|node| node["__typename"].as_str().unwrap().to_owned()).collect()
}
