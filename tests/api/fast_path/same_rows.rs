//! Whatever is done, the rows and the answers are those of SQLite, where every write is a transaction.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::support::{Client, TestDatabase, TestServer, without_ids};

/// What is done, and to which of the conversations that are there.
#[derive(Clone, Debug)]
enum Deed {
    Create { titled: bool },
    Send { to: Index, content: &'static str, on_busy: &'static str, key: Option<u8>, metadata: bool },
    Rename { which: Index },
    Delete { which: Index },
    Restore { which: Index },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let send = (
        any::<Index>(),
        prop_oneof![Just("Hello there"), Just("   Été  "), Just("…"), Just("")],
        prop_oneof![Just("ENQUEUE"), Just("REJECT"), Just("INTERRUPT"), Just("ROLLBACK")],
        prop::option::weighted(0.5, 0..6u8),
        any::<bool>(),
    );
    let deed = prop_oneof![
        2 => any::<bool>().prop_map(|titled| Deed::Create { titled }),
        8 => send.prop_map(|(to, content, on_busy, key, metadata)| Deed::Send { to, content, on_busy, key, metadata }),
        1 => any::<Index>().prop_map(|which| Deed::Rename { which }),
        1 => any::<Index>().prop_map(|which| Deed::Delete { which }),
        1 => any::<Index>().prop_map(|which| Deed::Restore { which }),
    ];
    prop::collection::vec(deed, 1..25)
}

/// A user at one of the servers, and the ids of what the user has begun.
struct World<'d> {
    client: Client,
    raw: &'d DatabaseConnection,
    user: String,
    conversations: Vec<String>,
}

impl World<'_> {
    fn pick(&self, which: Index) -> Option<&String> {
        if self.conversations.is_empty() { None } else { Some(which.get(&self.conversations)) }
    }

    /// Does it, and returns the answer without ids.
    async fn act(&mut self, deed: &Deed) -> String {
        const SENT: &str = "conversation { id title messageCount unreadCount }
            message { content position status metadata } reply { id content position status metadata }";
        let (query, variables) = match deed {
            Deed::Create { titled } => (
                "mutation($input: CreateConversationInput!) {
                  createConversation(input: $input) { conversation { id title } } }"
                    .to_owned(),
                json!({ "title": titled.then_some("A title") }),
            ),
            Deed::Send { to, content, on_busy, key, metadata } => (
                format!("mutation($input: SendMessageInput!) {{ sendMessage(input: $input) {{ {SENT} }} }}"),
                json!({
                    "conversationId": self.pick(*to), "content": content, "onBusy": on_busy,
                    "idempotencyKey": key.map(|key| key.to_string()),
                    "metadata": if *metadata { json!({ "a": [1, "b"] }) } else { Value::Null },
                }),
            ),
            Deed::Rename { which } => (
                "mutation($input: UpdateConversationInput!) {
                  updateConversation(input: $input) { conversation { title } } }"
                    .to_owned(),
                json!({ "conversationId": self.pick(*which).map_or("none", |id| id), "title": "Another" }),
            ),
            Deed::Delete { which } => (
                "mutation($input: DeleteConversationInput!) { deleteConversation(input: $input) { __typename } }"
                    .to_owned(),
                json!({ "conversationId": self.pick(*which).map_or("none", |id| id) }),
            ),
            Deed::Restore { which } => (
                "mutation($input: RestoreConversationInput!) { restoreConversation(input: $input) { __typename } }"
                    .to_owned(),
                json!({ "conversationId": self.pick(*which).map_or("none", |id| id) }),
            ),
        };
        let answer = self.client.run(&query, json!({ "input": variables })).await;
        let payload =
            answer.body["data"].as_object().and_then(|data| data.values().next()).unwrap_or(&Value::Null);
        if let Some(id) = payload["conversation"]["id"].as_str()
            && !self.conversations.iter().any(|known| known == id)
        {
            self.conversations.push(id.to_owned());
        }
        without_ids(&answer.body.to_string())
    }

    /// All rows, without what differs by nature: ids, times, and by how much a revision was raised.
    async fn rows(&self) -> Vec<String> {
        let backend = self.raw.get_database_backend();
        let user = &self.user;
        let flag = |condition: &str| format!("CASE WHEN {condition} THEN 'yes' ELSE 'no' END");
        let text = |column: &str| format!("COALESCE(CAST({column} AS TEXT), 'null')");
        let conversations: Vec<String> = [
            "title",
            "title_key",
            "title_origin",
            "last_position",
            "read_position",
            "metadata",
            "dense_rank() OVER (ORDER BY revision)",
        ]
        .map(text)
        .into_iter()
        .chain([flag("updated_at >= created_at"), flag("deleted_at IS NULL")])
        .collect();
        let messages: Vec<String> = [
            "position", "role", "status", "content", "reasoning", "parts", "finish_reason", "model", "attempt",
            "restarts_left", "metadata", "dense_rank() OVER (ORDER BY created_revision)",
            "dense_rank() OVER (ORDER BY message.revision)",
            "(SELECT above.content FROM message AS above WHERE above.user_id = message.user_id AND above.id = message.parent_id)",
            "(SELECT entry.text FROM message_search AS entry WHERE entry.user_id = message.user_id AND entry.id = message.id)",
        ]
        .map(text)
        .into_iter()
        .chain([
            flag("active"), flag("failure IS NULL"), flag("lease_owner IS NULL AND lease_until IS NULL"),
            flag("stop_requested_at IS NULL"), flag("finished_at >= created_at"), flag("rating IS NULL"),
        ])
        .collect();
        let receipts = [
            text("idempotency_key"),
            flag("request_digest IS NULL"),
            flag("conversation_id IS NULL"),
            flag("message_id IS NULL"),
            flag("reply_id IS NULL"),
        ];
        let mut rows = Vec::new();
        for (table, columns, order) in [
            ("conversation", conversations, "id"),
            ("message", messages, "id"),
            ("receipt", receipts.to_vec(), "idempotency_key"),
        ] {
            let sql = format!(
                "SELECT {} FROM {table} WHERE user_id = '{user}' ORDER BY {order}",
                columns.join(" || '|' || ")
            );
            let found = self.raw.query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
            rows.extend(
                found.iter().map(|row| format!("{table} {}", row.try_get_by_index::<String>(0).unwrap())),
            );
        }
        rows
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn writes_in_one_statement_and_in_transactions_leave_the_same_rows() {
    let (sqlite, postgres) = (TestDatabase::sqlite(), TestDatabase::postgres().await);
    let servers = (TestServer::start(&sqlite).await, TestServer::start(&postgres).await);
    let raw = (sqlite.raw().await, postgres.raw().await);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let number = Cell::new(0);
    let result = tokio::task::block_in_place(|| {
        runner.run(&deeds(), |deeds| {
            number.set(number.get() + 1);
            let user = format!("user {}", number.get());
            let world = |server: &TestServer, raw| World {
                client: server.user(&user),
                raw,
                user: user.clone(),
                conversations: Vec::new(),
            };
            let mut worlds = (world(&servers.0, &raw.0), world(&servers.1, &raw.1));
            Handle::current().block_on(async {
                for deed in &deeds {
                    let (one, other) = tokio::join!(worlds.0.act(deed), worlds.1.act(deed));
                    prop_assert_eq!(one, other, "{:?}", deed);
                }
                prop_assert_eq!(worlds.0.rows().await, worlds.1.rows().await);
                Ok(())
            })
        })
    });
    result.unwrap();
    let statements = servers.1.take_all_statements();
    // A transaction follows one that has written nothing.
    let written = statements
        .windows(2)
        .filter(|pair| pair[0].sql.contains("WITH seen") && !pair[1].sql.starts_with("INSERT INTO account"));
    let written = written.count();
    assert!(written > 30, "{written} writes in one statement");
}
