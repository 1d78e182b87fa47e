//! What statements read where a conversation has 100,000 messages: no more than where it has few.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value as SqlValue};
use serde_json::{Value, json};

use super::create;
use super::rows::Filler;
use crate::support::{Client, TestDatabase, TestServer, on_both_databases};

const MANY: u32 = 100_000;

/// Pages of PostgreSQL that a statement may look at. The prompt reads some 2,000 messages; reading the conversation as a
/// whole, or an index of it, by way of its rows takes 100,000.
const BUFFERS: u64 = 8_000;

/// Steps of SQLite's machine that a statement may take. The prompt takes some 200,000; a scan of the conversation, a
/// million.
const STEPS: u64 = 500_000;

const MESSAGES: &str = "query($id: ID!, $last: Int, $after: String, $leaf: ID) { conversation(id: $id) {
  lastMessage { id } unreadCount
  messages(last: $last, after: $after, leafId: $leaf) { totalCount pageInfo { endCursor } nodes { id parent { id } } } } }";
// In one statement, as all of it is compiled.
const OPEN: &str =
    "query($id: ID!, $last: Int, $after: String) { conversation(id: $id) { title lastMessage { id }
  messages(last: $last, after: $after) { totalCount nodes { id content } } } }";
const SIBLINGS: &str = "query($id: ID!, $last: Int, $after: String) { message(id: $id) {
  siblings(last: $last, after: $after) { nodes { id } pageInfo { startCursor endCursor } } } }";
const CHANGES: &str =
    "query($since: String) { changes(first: 20, since: $since) { pageInfo { endCursor } nodes {
  ... on MessageChanged { message { id } } } } }";

/// Mutations of one message of the conversation, by what is done to which one counted from the end.
const MUTATIONS: &[(&str, &str, usize)] = &[
    ("editMessage", r#"content: "edited""#, 2),
    ("activateMessage", "", 2),
    ("regenerateReply", "", 1),
    ("activateMessage", "", 1),
    ("deleteMessage", "", 1),
];

on_both_databases! {
    async fn no_statement_reads_more_because_conversations_are_long(database) {
        let server = TestServer::start(&database).await;
        let filler = Filler::of(&database).await;
        let ann = server.user("ann");
        let conversation = create(&ann).await;
        filler.messages("ann", &conversation, 1, MANY).await;
        let wide = create(&ann).await;
        filler.messages("ann", &wide, 2, 2).await;
        filler.siblings("ann", &wide, 2, MANY / 2).await;
        let other = create(&server.user("ben")).await;
        filler.messages("ben", &other, 3, MANY).await;
        filler.raise_revisions(2 * MANY).await;
        filler.analyze().await;
        server.take_all_statements();
        do_everything(&ann, &conversation, &wide).await;

        let mut statements = BTreeMap::new();
        for statement in server.take_all_statements() {
            statements.entry(statement.sql.clone()).or_insert(statement);
        }
        assert!(statements.len() > 40, "{}", statements.len());
        let mut excess = Vec::new();
        for statement in statements.into_values().filter(is_measurable) {
            let (cost, allowed, plan) = measure(&filler, &statement, [BUFFERS, STEPS]).await;
            if cost > allowed {
                excess.push(format!("{cost} > {allowed}: {}\n{plan}", statement.sql));
            }
        }
        assert!(excess.is_empty(), "{}", excess.join("\n\n"));
    }
}

/// Pages of PostgreSQL that a statement may look at which has to do with the end of a conversation.
const END_BUFFERS: u64 = 2_000;

on_both_databases! {
    async fn a_long_conversation_among_many_short_ones_is_a_surprise_to_no_statement(database) {
        let server = TestServer::start(&database).await;
        let filler = Filler::of(&database).await;
        let ann = server.user("ann");
        let conversation = create(&ann).await;
        filler.messages("ann", &conversation, 1, MANY).await;
        filler.crowd(MANY / 5).await;
        filler.raise_revisions(MANY).await;
        filler.analyze().await;
        server.take_all_statements();
        for query in [OPEN, MESSAGES] {
            ann.data(query, json!({ "id": conversation, "last": 50 })).await;
        }
        ann.send("hello", json!({ "conversationId": conversation })).await;
        let mut statements = 0;
        for statement in server.take_all_statements().iter().filter(|it| is_measurable(it)) {
            statements += 1;
            let (cost, allowed, plan) = measure(&filler, statement, [END_BUFFERS, STEPS]).await;
            assert!(cost <= allowed, "{cost} > {allowed}: {}\n{plan}", statement.sql);
        }
        assert!(statements > 2, "{statements}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: make api"]
async fn a_search_reads_what_it_finds_of_a_user_with_many_texts_among_many_users() {
    let database = TestDatabase::postgres().await;
    let server = TestServer::start(&database).await;
    let filler = Filler::of(&database).await;
    let ann = server.user("ann");
    ann.start("a zebra").await;
    filler.texts("ann", 1, MANY / 5).await;
    filler.texts("other", 1000, MANY / 5).await;
    filler.analyze().await;
    server.take_all_statements();
    let found =
        ann.data(r#"{ search(query: "zebra") { nodes { message { content } } } }"#, Value::Null).await;
    assert_eq!(found["search"]["nodes"].as_array().unwrap().len(), 3, "the title, the message and its reply");
    let statements = server.take_all_statements();
    let search = statements.iter().find(|it| it.sql.contains("message_search")).expect("it is searched for");
    let (cost, plan) = buffers(&filler, search).await;
    assert!(cost <= SEARCH_BUFFERS, "{cost} > {SEARCH_BUFFERS}\n{plan}");
}

/// Pages of PostgreSQL that a search for a rare word may look at: the list of what the index has not taken in yet has 128.
const SEARCH_BUFFERS: u64 = 500;

/// The same two bounds of a page of changes behind any number of messages in the trash.
const PAGE_BUFFERS: u64 = 4_000;
const PAGE_STEPS: u64 = 60_000;

on_both_databases! {
    async fn a_page_of_changes_looks_at_few_messages_in_the_trash(database) {
        let server = TestServer::start(&database).await;
        let filler = Filler::of(&database).await;
        let ann = server.user("ann");
        // Other changes lie among those of the messages in the trash, and after them.
        let trashed = create(&ann).await;
        filler.messages("ann", &trashed, 1, MANY).await;
        filler.conversations("ann", 2, 100).await;
        filler.raise_revisions(MANY).await;
        filler.analyze().await;
        let delete = format!(r#"mutation {{ deleteConversation(input: {{ conversationId: "{trashed}" }}) {{ __typename }} }}"#);
        ann.data(&delete, Value::Null).await;
        ann.start("hello").await;
        server.take_all_statements();

        let (mut since, mut pages, mut changes) = (Value::Null, 0, 0);
        loop {
            let query = "query($since: String) { changes(first: 20, since: $since) {
              pageInfo { hasNextPage endCursor } nodes { __typename } } }";
            let page = ann.data(query, json!({ "since": since })).await["changes"].take();
            let found = page["nodes"].as_array().unwrap().len();
            assert!(found > 0, "each page goes on");
            (pages, changes) = (pages + 1, changes + found);
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            since = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(changes, 100 + 1 + 3);
        let statements: Vec<Statement> =
            server.take_all_statements().into_iter().filter(|statement| statement.sql.contains("change_key")).collect();
        assert!(statements.len() <= pages + 2 * MANY as usize / 1000, "{} statements", statements.len());
        for statement in statements.iter().step_by(10) {
            let (cost, allowed, plan) = measure(&filler, statement, [PAGE_BUFFERS, PAGE_STEPS]).await;
            assert!(cost <= allowed, "{cost} > {allowed}: {}\n{plan}", statement.sql);
        }
    }
}

/// What a viewer may do with a long conversation, and with a message that has many versions.
async fn do_everything(ann: &Client, conversation: &str, wide: &str) {
    ann.data("{ conversations(first: 20) { totalCount nodes { id lastMessage { id } } } }", Value::Null)
        .await;
    let page =
        ann.data(MESSAGES, json!({ "id": conversation, "last": 100 })).await["conversation"]["messages"]
            .take();
    let ids: Vec<&str> =
        page["nodes"].as_array().unwrap().iter().rev().map(|node| node["id"].as_str().unwrap()).collect();
    ann.data(MESSAGES, json!({ "id": conversation, "last": 50, "leaf": ids[0] })).await;
    ann.data(MESSAGES, json!({ "id": conversation, "last": 50, "after": page["pageInfo"]["endCursor"] }))
        .await;
    ann.data(OPEN, json!({ "id": conversation, "last": 100 })).await;
    ann.data(OPEN, json!({ "id": conversation, "after": page["pageInfo"]["endCursor"] })).await;
    let changes = ann.data(CHANGES, Value::Null).await["changes"]["pageInfo"]["endCursor"].take();
    ann.data(CHANGES, json!({ "since": changes })).await;
    ann.data(r#"{ search(query: "edited", first: 20) { nodes { message { id } } } }"#, Value::Null).await;
    let version = ann.data(MESSAGES, json!({ "id": wide, "last": 1 })).await;
    let version = version["conversation"]["messages"]["nodes"][0]["id"].clone();
    let siblings =
        ann.data(SIBLINGS, json!({ "id": version, "last": 2 })).await["message"]["siblings"].take();
    let before = siblings["pageInfo"]["startCursor"].clone();
    ann.data(SIBLINGS, json!({ "id": version, "last": 2, "after": before })).await;
    for on_busy in ["ENQUEUE", "INTERRUPT", "ROLLBACK"] {
        ann.send(
            "hello",
            json!({ "conversationId": conversation, "onBusy": on_busy, "idempotencyKey": on_busy }),
        )
        .await;
    }
    for (field, arguments, place) in MUTATIONS {
        let query = format!(
            r#"mutation {{ {field}(input: {{ messageId: "{}" {arguments} }}) {{ conversation {{ id }} }} }}"#,
            ids[*place - 1]
        );
        ann.data(&query, Value::Null).await;
    }
    let first = "query($id: ID!) { messages(conversationId: $id, first: 50) { nodes { id } } }";
    let first = ann.data(first, json!({ "id": conversation })).await["messages"]["nodes"][49]["id"].take();
    ann.data(
        &format!(
            r"mutation {{ forkConversation(input: {{ messageId: {first} }}) {{ conversation {{ id }} }} }}"
        ),
        Value::Null,
    )
    .await;
    // The version that the path now shows is one of many, and another one takes its place.
    ann.data(
        &format!(
            r"mutation {{ deleteMessage(input: {{ messageId: {version} }}) {{ conversation {{ id }} }} }}"
        ),
        Value::Null,
    )
    .await;
    let mark = format!(
        r#"mutation {{ markRead(input: {{ conversationId: "{conversation}", upToMessageId: "{}" }}) {{ conversation {{ id }} }} }}"#,
        ids[60]
    );
    ann.data(&mark, Value::Null).await;
    for field in ["deleteConversation", "restoreConversation"] {
        let query = format!(
            r#"mutation {{ {field}(input: {{ conversationId: "{conversation}" }}) {{ __typename }} }}"#
        );
        ann.data(&query, Value::Null).await;
    }
}

/// Rows that a request makes are there already; how many siblings a message has is counted one by one, in their index.
fn is_measurable(statement: &Statement) -> bool {
    let sql = &statement.sql;
    let makes_rows =
        sql.trim_start().starts_with("INSERT") && sql.contains("VALUES") && !sql.contains("account");
    !makes_rows && !sql.contains("INSERT INTO message (") && !sql.contains("COUNT(*) OVER")
}

/// What a statement costs, which of the two bounds holds for that, and its plan: PostgreSQL's pages, or SQLite's steps.
async fn measure(filler: &Filler, statement: &Statement, [pages, most]: [u64; 2]) -> (u64, u64, String) {
    if statement.db_backend == DbBackend::Postgres {
        let (buffers, plan) = buffers(filler, statement).await;
        return (buffers, pages, plan);
    }
    (steps(filler, statement).await, most, String::new())
}

/// How many pages PostgreSQL looks at for a statement with the plan that it settles on for all values, and that plan.
pub(super) async fn buffers(filler: &Filler, statement: &Statement) -> (u64, String) {
    let (definition, call) = prepare(statement);
    let connection = filler.connection();
    let prepare = format!("BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; {definition}");
    connection.execute_unprepared(&prepare).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) EXECUTE measured {call}");
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Postgres, explain)).await;
    connection.execute_unprepared("ROLLBACK; DEALLOCATE measured").await.unwrap();
    let rows = rows.unwrap_or_else(|error| panic!("{error}: {statement}"));
    let lines: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    (total_buffers(&lines), lines.join("\n"))
}

/// How many pages a plan has looked at: the first line about them is of the topmost node, which counts those below it.
pub(super) fn total_buffers(plan: &[String]) -> u64 {
    let total = plan.iter().find_map(|line| line.trim().strip_prefix("Buffers: shared "));
    total.unwrap_or_default().split([' ', '=']).filter_map(|part| part.parse::<u64>().ok()).sum()
}

/// How to prepare a statement as `measured`, and the values to execute it with.
pub(super) fn prepare(statement: &Statement) -> (String, String) {
    let values = statement.values.clone().map_or(Vec::new(), |values| values.0);
    let types: Vec<&str> = values.iter().map(type_name).collect();
    let signature = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
    let literals: Vec<String> = values
        .iter()
        .map(|value| Statement::from_sql_and_values(DbBackend::Postgres, "$1", [value.clone()]).to_string())
        .collect();
    let call = if literals.is_empty() { String::new() } else { format!("({})", literals.join(", ")) };
    (format!("PREPARE measured {signature} AS {}", statement.sql), call)
}

fn type_name(value: &SqlValue) -> &'static str {
    match value {
        SqlValue::String(_) | SqlValue::Enum(_) => "TEXT",
        SqlValue::Uuid(_) => "UUID",
        SqlValue::Bool(_) => "BOOLEAN",
        SqlValue::Bytes(_) => "BYTEA",
        SqlValue::Json(_) => "JSONB",
        SqlValue::Int(_) => "INTEGER",
        SqlValue::BigInt(_) | SqlValue::BigUnsigned(_) => "BIGINT",
        SqlValue::Double(_) => "DOUBLE PRECISION",
        SqlValue::ChronoDate(_) => "DATE",
        SqlValue::ChronoDateTimeUtc(_) => "TIMESTAMPTZ",
        other => panic!("name the type of {other:?}"),
    }
}

/// How many steps SQLite's machine takes for a statement.
pub(super) async fn steps(filler: &Filler, statement: &Statement) -> u64 {
    const EVERY: i32 = 100;
    let connection = filler.connection();
    let count = Arc::new(AtomicU64::new(0));
    let counting = count.clone();
    let mut only = connection.get_sqlite_connection_pool().acquire().await.unwrap();
    only.lock_handle().await.unwrap().set_progress_handler(EVERY, move || {
        counting.fetch_add(EVERY.unsigned_abs().into(), Ordering::Relaxed);
        true
    });
    drop(only);
    connection.execute_unprepared("BEGIN").await.unwrap();
    let result = connection.query_all_raw(statement.clone()).await;
    connection.execute_unprepared("ROLLBACK").await.unwrap();
    result.unwrap_or_else(|error| panic!("{error}: {statement}"));
    count.load(Ordering::Relaxed)
}
