//! What the operations on the tree cost: statements that do not grow, and rows found by indexes.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{ACTIVATE, BRANCH, DELETE, EDIT, FORK, REGENERATE, act, id};
use crate::cost::{Filler, assert_indexed, create};
use crate::support::{Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

/// A user at a server whose replies end when they are told to, so that only what a request asks for is counted.
struct Counter {
    server: TestServer,
    script: ScriptedAssistant,
    client: Client,
}

impl Counter {
    /// Ends the reply that has begun.
    async fn answer(&self, reply: &Value) {
        let attempt = self.script.next().await;
        attempt.say("So it is.");
        attempt.finish();
        let user = self.client.data("{ viewer { id } }", Value::Null).await["viewer"]["id"].take();
        let reply = id(reply).parse().unwrap();
        self.server.replies().wait_for_end(user.as_str().unwrap(), reply).await.unwrap();
    }

    /// A conversation of `turns` turns: its id, and the ids of its messages.
    async fn conversation(&self, turns: usize) -> (String, Vec<String>) {
        let (mut conversation, mut ids) = (None, Vec::new());
        for _ in 0..turns {
            let input = json!({ "conversationId": conversation, "awaitReply": false });
            let sent = self.client.send("turn", input).await;
            self.answer(&sent["reply"]).await;
            conversation = Some(id(&sent["conversation"]));
            ids.extend([id(&sent["message"]), id(&sent["reply"])]);
        }
        (conversation.unwrap(), ids)
    }

    /// Does `operation`, and returns its payload and the statements that it took.
    async fn count(&self, operation: &str, target: &str, key: &str) -> (Value, Vec<String>) {
        let mut input = json!({ "idempotencyKey": key });
        let asks = [EDIT, REGENERATE].contains(&operation);
        if asks {
            input["awaitReply"] = false.into();
        }
        if operation == EDIT {
            input["content"] = key.into();
        }
        self.server.take_statements();
        let payload = act(&self.client, operation, target, input).await;
        let run = self.take_statements();
        if asks {
            self.answer(&payload["reply"]).await;
        }
        (payload, run)
    }

    /// What was run for a request since the last call, each statement by its beginning. A reply that has begun reads
    /// its conversation while the answer's fields are read, so from there on the order is chance's; and the backlog
    /// of the search is worked off by the clock.
    fn take_statements(&self) -> Vec<String> {
        let statements = self.server.take_statements().into_iter().map(|statement| statement.sql);
        let mut of_request: Vec<String> = statements
            .take_while(|sql| !sql.contains("span (upper"))
            .filter(|sql| !sql.contains("search_backlog") && !sql.contains("erased_at IS NULL"))
            .map(|sql| sql.trim().chars().take(60).collect())
            .collect();
        // What follows a second transaction's beginning is the backlog's.
        let begins = |sql: &String| sql.starts_with("INSERT INTO account");
        if let Some(other) = of_request.iter().skip(1).position(begins) {
            of_request.truncate(other + 1);
        }
        let writes = of_request.iter().rposition(|sql| !sql.starts_with("SELECT"));
        of_request.truncate(writes.map_or(of_request.len(), |last| last + 1));
        of_request
    }

    /// The statements that each operation takes in a conversation of `turns` turns.
    async fn counts(&self, turns: usize) -> Vec<(&'static str, Vec<String>)> {
        let (conversation, ids) = self.conversation(turns).await;
        let (first, last) = (&ids[0], &ids[ids.len() - 1]);
        let mut counts = Vec::new();
        let (short, count) = self.count(EDIT, first, &format!("edit {turns}")).await;
        counts.push(("edit on the path", count));
        self.server.take_statements();
        let variables = json!({ "id": conversation, "leaf": last, "last": 2 });
        let page = self.client.data(BRANCH, variables).await["conversation"]["messages"].take();
        assert_eq!(page["totalCount"], ids.len());
        counts.push(("read a branch", self.take_statements()));
        let short = id(&short["message"]);
        for (name, operation, target) in [
            ("activate", ACTIVATE, first),
            ("activate the other version", ACTIVATE, &short),
            ("regenerate off the path", REGENERATE, last),
            ("activate again", ACTIVATE, &short),
            ("edit off the path", EDIT, &ids[ids.len() - 2]),
            ("delete the branch on the path", DELETE, first),
            // Last, as the copies are indexed for search afterwards.
            ("fork", FORK, &short),
        ] {
            counts.push((name, self.count(operation, target, &format!("{name} {turns}")).await.1));
        }
        counts
    }
}

on_both_databases! {
    async fn operations_take_as_many_statements_however_long_the_branches_are(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let mut settings = Settings { assistant, ..Settings::default() };
        // Nothing by the clock: checkpoints are not what is counted here.
        settings.replies.lease = Duration::from_hours(3);
        settings.replies.checkpoint = Duration::from_hours(1);
        let server = TestServer::with(&database, settings).await;
        let client = server.user("ann");
        let counter = Counter { server, script, client };
        let short = counter.counts(2).await;
        let long = counter.counts(12).await;
        let expected = [
            ("edit on the path", 11),
            ("read a branch", 3),
            ("activate", 8),
            ("activate the other version", 8),
            ("regenerate off the path", 11),
            ("activate again", 8),
            ("edit off the path", 12),
            ("delete the branch on the path", 12),
            ("fork", 9),
        ];
        assert_eq!(short.len(), expected.len());
        for (((name, long), (_, short)), (_, count)) in long.iter().zip(&short).zip(expected) {
            assert_eq!(long, short, "{name}");
            assert_eq!(short.len(), count, "{name}: {short:#?}");
        }
    }

    async fn operations_find_their_rows_by_indexes(database) {
        let server = TestServer::start(&database).await;
        let filler = Filler::of(&database).await;
        let mut conversations = Vec::new();
        for (user, space) in [("ann", 1), ("ben", 2), ("cid", 3)] {
            let conversation = create(&server.user(user)).await;
            filler.messages(user, &conversation, space, 20_000).await;
            filler.conversations(user, space, 2_000).await;
            conversations.push(conversation);
        }
        // As many receipts and tombstones, or a database would be right to read them all.
        for sql in [
            "INSERT INTO receipt (user_id, idempotency_key, message_id, created_at)
             SELECT user_id, 'key ' || position, id, created_at FROM message",
            "INSERT INTO deleted_message (user_id, id, conversation_id, revision)
             SELECT user_id, id, conversation_id, revision + 1000000 FROM message",
        ] {
            filler.connection().execute_unprepared(sql).await.unwrap();
        }
        for number in 0..1_000 {
            filler.account(&format!("user {number}")).await;
        }
        filler.settings().await;
        filler.usage().await;
        filler.analyze().await;
        let ann = server.user("ann");
        let page = ann.data(BRANCH, json!({ "id": conversations[0], "first": 100 })).await;
        let nodes = page["conversation"]["messages"]["nodes"].as_array().unwrap();
        let (question, answer) = (id(&nodes[50]), id(&nodes[51]));
        server.take_statements();
        // Half of the conversation leaves the path, and comes back; then a branch of two messages goes.
        let edited = id(&act(&ann, EDIT, &question, json!({ "content": "x", "idempotencyKey": "k" })).await["message"]);
        act(&ann, ACTIVATE, &question, json!({})).await;
        act(&ann, REGENERATE, &answer, json!({})).await;
        act(&ann, FORK, &answer, json!({})).await;
        act(&ann, DELETE, &edited, json!({})).await;
        for leaf in [&question, &answer] {
            ann.data(BRANCH, json!({ "id": conversations[0], "leaf": leaf, "last": 50 })).await;
        }
        let siblings = "query($id: ID!) { message(id: $id) { siblings { nodes { siblingIndex } } } }";
        ann.data(siblings, json!({ "id": answer })).await;
        // The index of the search is measured elsewhere, and nearly empty here.
        let statements = server.take_statements().into_iter();
        for statement in statements.filter(|statement| !statement.sql.contains("search")) {
            assert_indexed(&filler, &statement).await;
        }
    }
}
