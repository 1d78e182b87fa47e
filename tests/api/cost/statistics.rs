//! A database that was empty when its connections were made is as quick as one that was not.

use std::time::Duration;

use causerie::database::statistics;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait,
};
use tokio_util::sync::CancellationToken;

use crate::support::TestDatabase;

/// Begins `count` conversations of one user, each with two messages, beginning with number `first`.
fn conversations(first: u32, count: u32) -> String {
    let id = |kind: u32| format!("(lpad(to_hex(n * 3 + {kind}), 32, '0'))::uuid");
    let (conversation, message, reply) = (id(0), id(1), id(2));
    let numbers = format!("generate_series({first}, {}) AS n", first + count - 1);
    let insert = "INSERT INTO message (user_id, id, conversation_id, parent_id, position, active, role, status, content,
        assistant_id, parts, created_at, finished_at, created_revision, revision)";
    format!(
        "INSERT INTO conversation (user_id, id, created_at, updated_at, revision)
         SELECT 'ann', {conversation}, now(), now(), n FROM {numbers};
         {insert} SELECT 'ann', {message}, {conversation}, NULL, 1, true, 'USER', 'COMPLETE', '', NULL, '[]', now(), now(), n, n
         FROM {numbers};
         {insert} SELECT 'ann', {reply}, {conversation}, {message}, 2, true, 'ASSISTANT', 'COMPLETE', '', 'default', '[]', now(), now(),
             n, n
         FROM {numbers}"
    )
}

/// How many blocks of indexes it takes to insert a message, foreign keys included.
async fn blocks(connection: &DatabaseConnection, first: u32) -> i64 {
    let transaction = connection.begin().await.unwrap();
    transaction.execute_unprepared(&conversations(first, 100)).await.unwrap();
    let sum = "SELECT sum(pg_stat_get_xact_blocks_fetched(indexrelid))::bigint FROM pg_index
        WHERE indrelid IN ('message'::regclass, 'conversation'::regclass)";
    let row =
        transaction.query_one_raw(Statement::from_string(DbBackend::Postgres, sum)).await.unwrap().unwrap();
    transaction.commit().await.unwrap();
    row.try_get_by_index::<i64>(0).unwrap() / 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn plans_from_when_tables_were_empty_are_made_anew() {
    let database = TestDatabase::postgres().await;
    let server = database.connect().await;
    let mut options = ConnectOptions::new(database.url());
    options.max_connections(1).idle_timeout(None).max_lifetime(None).sqlx_logging(false);
    let connection = Database::connect(options).await.unwrap();
    let run = async |sql: &str| connection.execute_unprepared(sql).await.map(drop).unwrap();
    // The autovacuum would come after a minute, and be quick.
    run("ALTER TABLE conversation SET (autovacuum_enabled = false); ALTER TABLE message SET (autovacuum_enabled = false);
         INSERT INTO account (user_id, revision, created_at) VALUES ('ann', 1, now())")
    .await;
    for number in 1..=10 {
        run(&conversations(number, 1)).await;
    }
    run(&conversations(11, 2000)).await;
    let before = blocks(&connection, 3000).await;

    let shutdown = CancellationToken::new();
    statistics::keep(server.clone(), Duration::from_millis(50), shutdown.clone());
    run("SELECT pg_stat_force_next_flush()").await;
    run("SELECT 1").await;
    let analysed =
        "SELECT count(*) FROM pg_class WHERE relname IN ('conversation', 'message') AND reltuples >= 2000";
    database.becomes(analysed, 2).await;
    shutdown.cancel();
    let after = blocks(&connection, 4000).await;
    println!("{before} blocks before, {after} after");
    assert!(before > after * 3 / 2, "the plans were bad: {before} blocks for a message, {after} after");
    assert!(after < 40, "{after} blocks for a message");
}
