//! A message costs the same in a conversation of 100,000 messages as in one of 10: each statement from the sending to the
//! end of the reply, with the plans that the database settles on for all values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::json;

use causerie::assistant::{Catalog, DEFAULT_ID, Profile};

use super::large::{prepare, total_buffers};
use super::rows::Filler;
use crate::support::{Settings, TestServer, on_both_databases};

on_both_databases! {
    async fn a_message_costs_the_same_however_long_its_conversation_is(database) {
        let mut settings = Settings::default();
        // The prompt is as long as this allows, which is shorter than both conversations.
        let profile = Profile::new(DEFAULT_ID, settings.assistant.clone());
        settings.catalog = Some(Catalog::of(Profile { context_tokens: 60, ..profile }));
        // Nothing by the clock.
        settings.replies.checkpoint = std::time::Duration::from_mins(1);
        settings.replies.lease = std::time::Duration::from_mins(10);
        let server = TestServer::with(&database, settings).await;
        let filler = Filler::of(&database).await;
        let ann = server.user("ann");
        let (mut costs, mut texts) = (Vec::new(), Vec::new());
        let mut conversations = Vec::new();
        for (space, count) in [(1, 10), (2, 100_000)] {
            let create = r#"mutation { createConversation(input: { title: "long" }) { conversation { id } } }"#;
            let created = ann.data(create, json!({})).await["createConversation"]["conversation"]["id"].take();
            let conversation = created.as_str().unwrap().to_owned();
            filler.messages("ann", &conversation, space, count).await;
            conversations.push((conversation, count));
        }
        filler.raise_revisions(200_000).await;
        filler.analyze().await;
        for (conversation, count) in conversations {
            server.take_statements();
            let input = json!({ "conversationId": conversation, "idempotencyKey": format!("{count}") });
            ann.send("Something to reply to", input).await;
            let statements: Vec<Statement> = server
                .take_statements()
                .into_iter()
                .filter(|statement| statement.sql.contains("message") || statement.sql.contains("account"))
                // What the server does of itself names no user.
                .filter(|statement| format!("{:?}", statement.values).contains("ann"))
                .collect();
            let connection = filler.connection();
            connection.execute_unprepared("BEGIN").await.unwrap();
            connection.execute_unprepared(&undo(database.is_postgres(), &conversation, count)).await.unwrap();
            let mut cost = Vec::new();
            for statement in &statements {
                cost.push(match statement.db_backend {
                    DbBackend::Postgres => buffers(connection, statement).await,
                    _ => steps(connection, statement).await,
                });
            }
            connection.execute_unprepared("ROLLBACK").await.unwrap();
            costs.push(cost);
            texts.push(statements.into_iter().map(|statement| statement.sql).collect::<Vec<_>>());
        }
        let [few, many] = [0, 1].map(|index| &costs[index]);
        assert_eq!(few.len(), many.len(), "{texts:#?}");
        // Another page of an index may be on the way to a row, a few times in each statement.
        let is_as_cheap = |(few, many): (&u64, &u64)| *many <= few + few / 5 + 8;
        assert!(few.iter().zip(many).all(is_as_cheap), "{few:?} with 10 messages, {many:?} with 100,000");
        assert!(few.iter().all(|cost| *cost > 0), "{few:?}");
    }
}

/// Takes a message and its reply back, so that the statements that have made them can run again.
fn undo(is_postgres: bool, conversation: &str, count: u32) -> String {
    let id = if is_postgres {
        format!("'{conversation}'")
    } else {
        format!("x'{}'", conversation.replace('-', ""))
    };
    let new = format!("conversation_id = {id} AND position > {count}");
    format!(
        "DELETE FROM message_search WHERE id IN (SELECT id FROM message WHERE {new});
         DELETE FROM message WHERE {new};
         DELETE FROM usage_entry WHERE reply_id NOT IN (SELECT id FROM message);
         DELETE FROM receipt WHERE idempotency_key = '{count}';
         UPDATE conversation SET last_position = {count} WHERE id = {id}"
    )
}

async fn buffers(connection: &DatabaseConnection, statement: &Statement) -> u64 {
    let (definition, call) = prepare(statement);
    let setup = format!("SET LOCAL plan_cache_mode = force_generic_plan; {definition}");
    connection.execute_unprepared(&setup).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) EXECUTE measured {call}");
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, explain)).await.unwrap();
    connection.execute_unprepared("DEALLOCATE measured").await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    let is_fast_path = statement.sql.contains("WITH seen");
    assert!(!is_fast_path || lines[0].contains("rows=1"), "it has written nothing: {lines:?}");
    total_buffers(&lines)
}

async fn steps(connection: &DatabaseConnection, statement: &Statement) -> u64 {
    let count = Arc::new(AtomicU64::new(0));
    let counting = count.clone();
    let mut only = connection.get_sqlite_connection_pool().acquire().await.unwrap();
    only.lock_handle().await.unwrap().set_progress_handler(1, move || {
        counting.fetch_add(1, Ordering::Relaxed);
        true
    });
    drop(only);
    connection.query_all_raw(statement.clone()).await.unwrap();
    count.load(Ordering::Relaxed)
}
