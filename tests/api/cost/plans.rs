//! Which indexes are used, in a database with enough rows for it to matter.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use super::create;
use super::large::prepare;
use super::rows::Filler;
use crate::support::{TestServer, is_sweep, on_both_databases};

/// What a viewer does, and the indexes that it is done with.
const DEEDS: &[(&str, &[&str])] = &[
    ("{ conversations(first: 20) { nodes { id } } }", &["conversation_activity"]),
    (
        "query($cursor: String) { conversations(first: 20, after: $cursor) { nodes { id } } }",
        &["conversation_activity"],
    ),
    (
        "query($cursor: String) { conversations(last: 20, before: $cursor) { nodes { id } } }",
        &["conversation_activity"],
    ),
    ("query($id: ID!) { conversation(id: $id) { id } }", &["conversation_pkey"]),
    ("query($message: ID!) { message(id: $message) { id } }", &["conversation_pkey", "message_pkey"]),
    (
        "query($id: ID!) { messages(conversationId: $id, last: 50) { nodes { id } } }",
        &["conversation_pkey", "message_active_position"],
    ),
    (
        "query($id: ID!) { messages(conversationId: $id, last: 50) { nodes { parent { content } } } }",
        &["conversation_pkey", "message_active_position", "message_pkey"],
    ),
    (
        "{ conversations(first: 20) { nodes { lastMessage { id } } } }",
        &["conversation_activity", "conversation_pkey", "message_active_position"],
    ),
    (
        "{ changes(first: 20) { nodes { ... on MessageChanged { message { content } } } } }",
        &[
            "conversation_path",
            "conversation_pkey",
            "conversation_restored",
            "conversation_revision",
            "deleted_message_pkey",
            "deleted_message_revision",
            "message_pkey",
            "message_revision",
        ],
    ),
    (
        SEND,
        &[
            "conversation_pkey",
            "conversation_setting_pkey",
            "message_active_position",
            "message_generating",
            "message_pkey",
            "message_queued",
            "usage_day_pkey",
            "usage_entry_pkey",
            "viewer_setting_pkey",
        ],
    ),
    // A retry, as the key is the same.
    (SEND, &["conversation_pkey", "message_pkey", "receipt_pkey"]),
];

const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) { reply { status } } }";

const USUAL_SEND: [&str; 8] = [
    "account_pkey",
    "conversation_pkey",
    "conversation_setting_pkey",
    "message_active_position",
    "message_generating",
    "message_queued",
    "receipt_pkey",
    "viewer_setting_pkey",
];

on_both_databases! {
    async fn every_statement_finds_its_rows_by_an_index(database) {
        let server = TestServer::start(&database).await;
        let filler = Filler::of(&database).await;
        let mut conversations = Vec::new();
        for (user, space) in [("ann", 1), ("ben", 2), ("cid", 3)] {
            let conversation = create(&server.user(user)).await;
            filler.messages(user, &conversation, space, 20_000).await;
            filler.conversations(user, space, 2_000).await;
            filler.receipts(user, 2_000).await;
            filler.deleted_messages(user, &conversation, space, 2_000).await;
            conversations.push(conversation);
        }
        for number in 0..1_000 {
            filler.account(&format!("user {number}")).await;
        }
        filler.settings().await;
        filler.usage().await;
        filler.analyze().await;

        let ann = server.user("ann");
        let page = "query($id: ID!) {
          conversations(first: 100) { pageInfo { endCursor } }
          messages(conversationId: $id, first: 100) { nodes { id } }
        }";
        let page = ann.data(page, json!({ "id": conversations[0] })).await;
        let variables = json!({
            "id": conversations[0],
            "cursor": page["conversations"]["pageInfo"]["endCursor"],
            "message": page["messages"]["nodes"][50]["id"],
            "input": { "conversationId": conversations[0], "content": "hello", "idempotencyKey": "key" },
        });
        server.take_all_statements();
        for (deed, expected) in DEEDS {
            ann.data(deed, variables.clone()).await;
            let mut used = BTreeSet::new();
            for statement in server.take_statements() {
                used.extend(indexes(&filler, &statement).await);
            }
            // PostgreSQL does not name the index by which it inserts.
            used.remove("message_search_pkey");
            if *deed == SEND && database.is_postgres() {
                // What is usual is one statement, which also tells what is not.
                let usual = USUAL_SEND.map(str::to_owned);
                assert!(used.is_superset(&usual.clone().into()), "{used:?}");
                used.retain(|index| !usual.contains(index) || expected.contains(&index.as_str()));
            }
            assert_eq!(used, expected.iter().map(|&name| name.to_owned()).collect(), "{deed}");
        }

        let mut used = BTreeSet::new();
        while used.len() < 2 {
            for statement in server.take_all_statements().into_iter().filter(is_sweep) {
                used.extend(indexes(&filler, &statement).await);
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(used, ["message_generating", "message_queued"].map(str::to_owned).into(), "the sweep");
    }
}

/// The indexes with which the database would run a statement. Reading a whole table is a failure.
async fn indexes(filler: &Filler, statement: &Statement) -> Vec<String> {
    let plan = assert_indexed(filler, statement).await;
    let name = |line: &String| {
        let (_, rest) = ["Scan using ", "Scan Backward using ", "Bitmap Index Scan on ", "INDEX "]
            .iter()
            .find_map(|before| line.split_once(before))?;
        Some(match rest.split_whitespace().next()? {
            "sqlite_autoindex_message_1" => "message_pkey".to_owned(),
            "sqlite_autoindex_conversation_setting_1" => "conversation_setting_pkey".to_owned(),
            "sqlite_autoindex_viewer_setting_1" => "viewer_setting_pkey".to_owned(),
            "sqlite_autoindex_conversation_1" => "conversation_pkey".to_owned(),
            "sqlite_autoindex_deleted_message_1" => "deleted_message_pkey".to_owned(),
            "sqlite_autoindex_receipt_1" => "receipt_pkey".to_owned(),
            "sqlite_autoindex_usage_day_1" => "usage_day_pkey".to_owned(),
            "sqlite_autoindex_usage_entry_1" => "usage_entry_pkey".to_owned(),
            "sqlite_autoindex_message_search_1" => "message_search_pkey".to_owned(),
            name => name.to_owned(),
        })
    };
    plan.iter().filter_map(name).collect()
}

/// That no table would be read as a whole. Returns how the database would run the statement, line by line.
pub async fn assert_indexed(filler: &Filler, statement: &Statement) -> Vec<String> {
    let plan = plan(filler, statement).await;
    // What a subquery brings is scanned too; it has a name of its own.
    let tables =
        ["message", "conversation", "account", "conversation_metadata", "usage_entry", "usage_day", "entry"];
    let reads_table = |line: &String| match statement.db_backend {
        DbBackend::Postgres => line.contains("Seq Scan on"),
        _ => line.strip_prefix("SCAN ").is_some_and(|table| tables.contains(&table)),
    };
    assert!(!plan.iter().any(reads_table), "{}\n{}", statement.sql, plan.join("\n"));
    plan
}

/// How the database would run a statement, line by line.
pub(super) async fn plan(filler: &Filler, statement: &Statement) -> Vec<String> {
    let connection = filler.connection();
    let mut lines = Vec::new();
    // What follows the first of several statements would be run.
    for sql in statement.sql.split("; ") {
        let mut statement = statement.clone();
        sql.clone_into(&mut statement.sql);
        let column = if statement.db_backend == DbBackend::Postgres {
            // As servers have it: for all values.
            let (definition, call) = prepare(&statement);
            let setup = format!("BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; {definition}");
            connection.execute_unprepared(&setup).await.unwrap();
            statement =
                Statement::from_string(DbBackend::Postgres, format!("EXPLAIN EXECUTE measured {call}"));
            0
        } else {
            statement.sql = format!("EXPLAIN QUERY PLAN {sql}");
            3
        };
        let rows = connection.query_all_raw(statement.clone()).await.unwrap();
        if statement.db_backend == DbBackend::Postgres {
            connection.execute_unprepared("ROLLBACK; DEALLOCATE measured").await.unwrap();
        }
        lines.extend(rows.iter().map(|row| row.try_get_by_index::<String>(column).unwrap()));
    }
    lines
}
