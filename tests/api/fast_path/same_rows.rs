//! Whatever is done by several users at once, the rows and the answers are those of SQLite, where every write is a
//! transaction of its own.

use std::cell::Cell;
use std::time::Duration;

use causerie::assistant::{Catalog, Common};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::support::{Client, Settings, TestDatabase, TestServer, without_ids};

/// Two assistants with prices, and quotas that some of the users come to the end of.
const FILE: &str = r#"
default = "fast"
[[assistant]]
id = "fast"
url = "echo"
price = { input = 1.0, cached_input = 0.5, output = 10.0 }
[[assistant]]
id = "slow"
url = "echo"
price = "reported"
max_tokens = { minimum = 1, maximum = 500, default = 200 }
[[quota]]
assistant = "slow"
period = "day"
replies = 2
[[quota]]
period = "month"
tokens = 1120
cost = 0.05
"#;

/// How many users act at once.
const USERS: usize = 4;

async fn server(database: &TestDatabase) -> TestServer {
    let common = Common { timeout: Duration::from_mins(1), allow_plaintext: false, instructions_chars: 8000 };
    let catalog = Some(Catalog::parse(FILE, common).unwrap());
    TestServer::with(database, Settings { catalog, ..Settings::default() }).await
}

/// What is done, and to which of the conversations that are there.
#[derive(Clone, Debug)]
enum Deed {
    Create {
        titled: bool,
    },
    Send {
        to: Index,
        content: &'static str,
        on_busy: &'static str,
        key: Option<u8>,
        metadata: bool,
        assistant: Option<&'static str>,
    },
    Choose {
        which: Index,
        assistant: Option<&'static str>,
    },
    Rename {
        which: Index,
    },
    Delete {
        which: Index,
    },
    Restore {
        which: Index,
    },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let send = (
        any::<Index>(),
        prop_oneof![Just("Hello there"), Just("   Été  "), Just("…"), Just("")],
        prop_oneof![Just("ENQUEUE"), Just("REJECT"), Just("INTERRUPT"), Just("ROLLBACK")],
        prop::option::weighted(0.5, 0..6u8),
        any::<bool>(),
        prop::option::weighted(0.3, assistant()),
    );
    let choose = (any::<Index>(), prop::option::of(assistant()));
    let deed = prop_oneof![
        2 => any::<bool>().prop_map(|titled| Deed::Create { titled }),
        8 => send.prop_map(|(to, content, on_busy, key, metadata, assistant)| {
            Deed::Send { to, content, on_busy, key, metadata, assistant }
        }),
        1 => choose.prop_map(|(which, assistant)| Deed::Choose { which, assistant }),
        1 => any::<Index>().prop_map(|which| Deed::Rename { which }),
        1 => any::<Index>().prop_map(|which| Deed::Delete { which }),
        1 => any::<Index>().prop_map(|which| Deed::Restore { which }),
    ];
    prop::collection::vec(deed, 1..12)
}

fn assistant() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("fast"), Just("slow")]
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
            message { content position status metadata } reply { id content position status metadata assistantId usage { inputTokens outputTokens estimated cost } }";
        let (query, variables) = match deed {
            Deed::Create { titled } => (
                "mutation($input: CreateConversationInput!) {
                  createConversation(input: $input) { conversation { id title } } }"
                    .to_owned(),
                json!({ "title": titled.then_some("A title") }),
            ),
            Deed::Choose { which, assistant } => (
                "mutation($input: UpdateConversationInput!) {
                  updateConversation(input: $input) { conversation { assistantId } } }"
                    .to_owned(),
                json!({ "conversationId": self.pick(*which).map_or("none", |id| id), "assistantId": assistant }),
            ),
            Deed::Send { to, content, on_busy, key, metadata, assistant } => (
                format!("mutation($input: SendMessageInput!) {{ sendMessage(input: $input) {{ {SENT} }} }}"),
                json!({
                    "conversationId": self.pick(*to), "content": content, "onBusy": on_busy,
                    "idempotencyKey": key.map(|key| key.to_string()),
                    "metadata": if *metadata { json!({ "a": [1, "b"] }) } else { Value::Null },
                    "assistantId": assistant,
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
        let mut answer = self.client.run(&query, json!({ "input": variables })).await;
        if let Some(seconds) = answer.body.pointer_mut("/errors/0/extensions/retryAfter") {
            // From now, and a second may end between the two.
            *seconds = Value::Null;
        }
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
            "position", "role", "status", "content", "reasoning", "parts", "finish_reason", "assistant_id", "model", "attempt",
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
        let entries: Vec<String> = [
            "ordinal",
            "purpose",
            "assistant_id",
            "model",
            "input",
            "cached_input",
            "output",
            "cost",
            "reserved_tokens",
            "reserved_cost",
        ]
        .map(text)
        .into_iter()
        .chain([flag("settled"), flag("estimated")])
        .collect();
        let days = [
            "assistant_id",
            "replies",
            "input",
            "cached_input",
            "output",
            "cost",
            "reserved_replies",
            "reserved_tokens",
            "reserved_cost",
        ]
        .map(text);
        let mut rows = Vec::new();
        for (table, columns, order) in [
            ("conversation", conversations, "id"),
            ("message", messages, "id"),
            ("receipt", receipts.to_vec(), "idempotency_key"),
            ("usage_entry", entries, "reply_id, ordinal"),
            ("usage_day", days.to_vec(), "day, assistant_id"),
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
    let servers = (server(&sqlite).await, server(&postgres).await);
    let raw = (sqlite.raw().await, postgres.raw().await);
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    let (number, refused) = (Cell::new(0), Cell::new(0));
    let result = tokio::task::block_in_place(|| {
        runner.run(&prop::collection::vec(deeds(), USERS), |deeds| {
            number.set(number.get() + 1);
            let worlds = |server: &TestServer, raw| -> Vec<World> {
                let names = (0..USERS).map(|user| format!("user {user} of {}", number.get()));
                let world =
                    |user: String| World { client: server.user(&user), raw, user, conversations: Vec::new() };
                names.map(world).collect()
            };
            let mut worlds = (worlds(&servers.0, &raw.0), worlds(&servers.1, &raw.1));
            Handle::current().block_on(async {
                for step in 0..deeds.iter().map(Vec::len).max().unwrap_or(0) {
                    let (one, other) = tokio::join!(
                        act_at_once(&mut worlds.0, &deeds, step),
                        act_at_once(&mut worlds.1, &deeds, step)
                    );
                    refused
                        .set(refused.get() + one.iter().filter(|one| one.contains("QUOTA_EXCEEDED")).count());
                    prop_assert_eq!(one, other, "{:?}", step);
                }
                for (one, other) in worlds.0.iter().zip(&worlds.1) {
                    prop_assert_eq!(one.rows().await, other.rows().await);
                }
                Ok(())
            })
        })
    });
    result.unwrap();
    let statements = servers.1.take_all_statements();
    let shared: Vec<usize> =
        statements.iter().filter(|statement| statement.sql.contains("WITH seen")).map(writes).collect();
    let transactions = statements.iter().filter(|statement| statement.sql.starts_with("INSERT INTO account"));
    let (all, transactions) = (shared.iter().sum::<usize>(), transactions.count());
    assert!(all > 200 && transactions < all, "{all} writes in statements, {transactions} transactions");
    let together = shared.iter().filter(|writes| **writes > 1).count();
    assert!(together > 8, "{together} statements with several writes, of {}", shared.len());
    assert!(refused.get() > 5, "{} refusals", refused.get());
}

/// Each user does what is next, all at once.
async fn act_at_once(worlds: &mut [World<'_>], deeds: &[Vec<Deed>], step: usize) -> Vec<String> {
    let acts = worlds.iter_mut().zip(deeds).map(async |(world, deeds)| match deeds.get(step) {
        Some(deed) => world.act(deed).await,
        None => String::new(),
    });
    join_all(acts).await
}

/// How many writes a statement has.
pub(super) fn writes(statement: &Statement) -> usize {
    let rows = statement.values.as_ref().and_then(|values| values.0.first());
    let Some(sea_orm::Value::String(Some(rows))) = rows else { panic!("no rows: {statement:?}") };
    serde_json::from_str::<Vec<Value>>(rows).unwrap().len()
}
