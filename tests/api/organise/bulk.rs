//! Changing, deleting and restoring many conversations in one request.

use serde_json::{Value, json};

use super::{changes, conversation, cursor, delete, titles, update};
use crate::support::{Answer, Client, ScriptedAssistant, Settings, TestServer, on_both_databases};

const FIELDS: &str = "outcomes { conversationId conversation { id title state pinnedAt metadata } error { code message field } }";

/// Does `name` with several conversations.
async fn try_all(client: &Client, name: &str, ids: &[Value], mut input: Value) -> Answer {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {FIELDS} }} }}");
    input["conversationIds"] = ids.into();
    client.run(&query, json!({ "input": input })).await
}

/// As [`try_all`], for what must succeed: the outcomes.
async fn all(client: &Client, name: &str, ids: &[Value], input: Value) -> Vec<Value> {
    let mut data = try_all(client, name, ids, input).await.data();
    data[name]["outcomes"].take().as_array().unwrap().clone()
}

async fn create(client: &Client, count: usize) -> Vec<Value> {
    let mut ids = Vec::new();
    for number in 0..count {
        let query = "mutation($title: String) { createConversation(input: { title: $title }) { conversation { id } } }";
        let mut data = client.data(query, json!({ "title": format!("number {number}") })).await;
        ids.push(data["createConversation"]["conversation"]["id"].take());
    }
    ids
}

/// The state of each conversation, or the code of its error.
fn states(outcomes: &[Value]) -> Vec<&str> {
    outcomes
        .iter()
        .map(|outcome| {
            let code = outcome["error"]["code"].as_str();
            outcome["conversation"]["state"].as_str().or(code).unwrap()
        })
        .collect()
}

on_both_databases! {
    async fn each_conversation_has_an_outcome_of_its_own(database) {
        let server = TestServer::start(&database).await;
        let (ann, bob) = (server.user("ann"), server.user("bob"));
        let mine = create(&ann, 3).await;
        let theirs = create(&bob, 1).await.remove(0);
        let full = json!({ "metadata": { "a": "x".repeat(4088) } });
        update(&ann, mine[1].as_str().unwrap(), full.clone()).await;
        delete(&ann, mine[2].as_str().unwrap()).await;
        let ids = [mine[0].clone(), theirs.clone(), mine[1].clone(), json!("nothing"), mine[2].clone(), mine[0].clone()];
        let input = json!({ "archived": true, "metadata": { "folder": "x" } });
        let outcomes = all(&ann, "updateConversations", &ids, input).await;
        let named: Vec<&Value> = outcomes.iter().map(|outcome| &outcome["conversationId"]).collect();
        assert_eq!(named, ids.iter().collect::<Vec<_>>());
        let expected = ["ARCHIVED", "NOT_FOUND", "BAD_USER_INPUT", "NOT_FOUND", "NOT_FOUND", "ARCHIVED"];
        assert_eq!(states(&outcomes), expected);
        let fields: Vec<&Value> = outcomes.iter().map(|outcome| &outcome["error"]["field"]).collect();
        assert_eq!(json!(fields), json!([null, null, "input.metadata", null, null, null]));
        assert_eq!(outcomes[0]["conversation"]["metadata"], json!({ "folder": "x" }));
        let untouched = conversation(&ann, mine[1].as_str().unwrap()).await;
        assert_eq!((&untouched["state"], &untouched["metadata"]), (&json!("ACTIVE"), &full["metadata"]));

        let outcomes = all(&ann, "deleteConversations", &ids, json!({})).await;
        let expected = ["TRASHED", "NOT_FOUND", "TRASHED", "NOT_FOUND", "NOT_FOUND", "TRASHED"];
        assert_eq!(states(&outcomes), expected);
        let outcomes = all(&ann, "restoreConversations", &ids, json!({})).await;
        assert_eq!(states(&outcomes), ["ARCHIVED", "NOT_FOUND", "ACTIVE", "NOT_FOUND", "ACTIVE", "ARCHIVED"]);
        assert_eq!(conversation(&bob, theirs.as_str().unwrap()).await["state"], "ACTIVE");

        for name in ["updateConversations", "deleteConversations", "restoreConversations"] {
            assert_eq!(all(&ann, name, &[], json!({})).await, Vec::<Value>::new(), "{name}");
        }
        let many: Vec<Value> = (0..101).map(|_| mine[0].clone()).collect();
        for name in ["updateConversations", "deleteConversations", "restoreConversations"] {
            let refused = try_all(&ann, name, &many, json!({})).await;
            assert_eq!(refused.code(), "BAD_USER_INPUT", "{name}");
            assert_eq!(refused.body["errors"][0]["extensions"]["field"], "input.conversationIds");
        }
    }

    async fn a_hundred_take_as_many_statements_as_one(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        let ids = create(&ann, 101).await;
        let since = cursor(&ann).await;
        let deeds = [
            ("updateConversations", json!({ "pinned": true, "metadata": { "folder": "x", "tags": ["a", "b"] } })),
            ("deleteConversations", json!({})),
            ("restoreConversations", json!({})),
        ];
        for (name, input) in deeds {
            let mut costs = Vec::new();
            for ids in [&ids[..1], &ids[1..]] {
                server.take_statements();
                let outcomes = all(&ann, name, ids, input.clone()).await;
                assert!(outcomes.iter().all(|outcome| outcome["error"].is_null()), "{name}");
                costs.push(server.take_statements().len());
            }
            assert_eq!(costs[0], costs[1], "{name}");
            assert!(costs[0] <= 5, "{name}: {costs:?}");
        }
        let query = "{ conversations(filter: { metadata: { folder: \"x\", tags: [\"b\"] } }) { totalCount } }";
        assert_eq!(ann.data(query, json!({})).await["conversations"]["totalCount"], 101);
        let told = changes(&ann, &since).await.0;
        assert!(told.len() >= 100, "other devices learn of each: {}", told.len());
    }

    async fn deleting_several_stops_their_replies_without_reading_them(database) {
        let (assistant, script) = ScriptedAssistant::new();
        let server = TestServer::with(&database, Settings { assistant, ..Settings::default() }).await;
        let ann = server.user("ann");
        let mut ids = Vec::new();
        let mut attempts = Vec::new();
        for title in ["one", "two"] {
            let mut sent = ann.send(title, json!({ "awaitReply": false })).await;
            let input = json!({ "conversationId": sent["conversation"]["id"], "awaitReply": false });
            ann.send("queued", input).await;
            attempts.push(script.next().await);
            ids.push(sent["conversation"]["id"].take());
        }
        server.take_statements();
        all(&ann, "deleteConversations", &ids, json!({})).await;
        for attempt in &mut attempts {
            attempt.dropped().await;
        }
        let stops = server.take_statements().into_iter().map(|statement| statement.sql);
        let stops: Vec<String> =
            stops.filter(|sql| sql.starts_with("UPDATE \"message\" SET \"stop_requested_at\"")).collect();
        assert_eq!(stops.len(), 2, "{stops:#?}");
        for sql in stops {
            let (_, returned) = sql.split_once("RETURNING").unwrap();
            assert!(!returned.contains("content"), "{returned}");
        }
        database.becomes("SELECT count(*) FROM message WHERE status IN ('GENERATING', 'QUEUED')", 0).await;
    }

    async fn all_go_in_batches_and_what_is_new_stays(database) {
        let server = TestServer::start(&database).await;
        let ann = server.user("ann");
        ann.start("mine").await;
        let filler = crate::cost::Filler::of(&database).await;
        filler.conversations("ann", 1, 600).await;
        let query = "mutation { deleteAllConversations(input: { idempotencyKey: \"all\" }) { deletedCount } }";
        server.take_statements();
        assert_eq!(ann.data(query, json!({})).await["deleteAllConversations"]["deletedCount"], 601);
        let begun = server.take_statements().into_iter().filter(|statement| statement.sql.contains("INTO account"));
        assert_eq!(begun.count(), 3, "one transaction for 250");
        assert_eq!(titles(&ann, "filter: {}").await, Vec::<String>::new());
        ann.start("later").await;
        let repeated = ann.data(query, json!({})).await;
        assert_eq!(repeated["deleteAllConversations"]["deletedCount"], Value::Null);
        assert_eq!(titles(&ann, "filter: {}").await, ["later"], "a repeated request deletes nothing new");
    }
}
