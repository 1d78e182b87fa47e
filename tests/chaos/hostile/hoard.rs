//! What attackers have stored before they begin.

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::attack::Attacker;

const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
  conversation { id } reply { id } } }";
const FORK: &str =
    "mutation($id: ID!) { forkConversation(input: { messageId: $id }) { conversation { id } } }";
const CREATE: &str = "mutation { createConversation(input: { title: \"long\" }) { conversation { id } } }";

/// How long one of these requests may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many messages a long conversation has.
const LENGTH: u32 = 30_000;

impl Attacker {
    /// Sends `count` messages, each in a conversation of its own, as fast as it is let.
    pub(super) async fn send(&self, content: &str, count: usize) {
        for _ in 0..count {
            self.insist(SEND, json!({ "input": { "content": content } })).await;
        }
    }

    /// Sends `count` messages in one conversation, and forks it so often.
    pub(super) async fn fork(&self, content: &str, count: usize, forks: usize) {
        let (mut conversation, mut reply) = (Value::Null, Value::Null);
        for _ in 0..count {
            let input = json!({ "content": content, "conversationId": conversation });
            let mut sent = self.insist(SEND, json!({ "input": input })).await["sendMessage"].take();
            conversation = sent["conversation"]["id"].take();
            reply = sent["reply"]["id"].take();
        }
        for _ in 0..forks {
            self.insist(FORK, json!({ "id": reply })).await;
        }
    }

    /// Makes a long conversation, past the server: it would take too long. Returns the ids of its first
    /// message, of another one beside that, and of its last one.
    ///
    /// # Errors
    /// If the database does not take it.
    pub(super) async fn lengthen(&self, database: &str) -> Result<[String; 3], String> {
        let mut made = self.insist(CREATE, json!({})).await;
        let made = made["createConversation"]["conversation"]["id"].take();
        let conversation = made.as_str().unwrap_or_default();
        let mut options = ConnectOptions::new(database);
        options.max_connections(1).idle_timeout(None).max_lifetime(None).sqlx_logging(false);
        let connection = Database::connect(options).await.map_err(|error| error.to_string())?;
        fill(&connection, &crate::world::name_of(self.user.number), self.number, conversation)
            .await
            .map_err(|error| error.to_string())?;
        connection.close().await.map_err(|error| error.to_string())?;
        Ok([1, LENGTH + 1, LENGTH].map(|number| id(self.number, number)))
    }

    async fn insist(&self, operation: &str, variables: Value) -> Value {
        loop {
            let answer =
                self.api.run(&self.url, &self.user.token, operation, variables.clone(), PATIENCE).await;
            match answer {
                Ok(data) => return data,
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// The id of a message of a long conversation; `space` keeps the ids of conversations apart.
fn id(space: usize, number: u32) -> String {
    format!("{space:08x}-0000-7000-8000-0000{number:08x}")
}

async fn fill(
    connection: &DatabaseConnection,
    user: &str,
    space: usize,
    conversation: &str,
) -> Result<(), sea_orm::DbErr> {
    let is_postgres = connection.get_database_backend() == DbBackend::Postgres;
    let prefix = id(space, 0).replace('-', "")[..24].to_owned();
    let (own, parent, conversation, numbers, json, yes, no) = if is_postgres {
        let id = |number: &str| format!("CAST('{prefix}' || lpad(to_hex({number}), 8, '0') AS UUID)");
        let numbers = format!("generate_series(1, {LENGTH}) AS n");
        (
            id("n"),
            id("n - 1"),
            format!("CAST('{conversation}' AS UUID)"),
            numbers,
            "'[]'::jsonb",
            "TRUE",
            "FALSE",
        )
    } else {
        let id = |number: &str| format!("unhex('{prefix}' || printf('%08x', {number}))");
        let numbers = format!(
            "(WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {LENGTH})
              SELECT n FROM series)"
        );
        (id("n"), id("n - 1"), format!("x'{}'", conversation.replace('-', "")), numbers, "'[]'", "1", "0")
    };
    // The rows are right by construction. PostgreSQL would check each against its parent, with a plan from when the
    // table was empty.
    let setup = if is_postgres {
        "SET session_replication_role = replica"
    } else {
        "PRAGMA busy_timeout = 60000; PRAGMA foreign_keys = OFF"
    };
    let now = "'2026-01-01T00:00:00.000+00:00'";
    let insert = "INSERT INTO message (user_id, id, conversation_id, parent_id, position, active, role, status, content,
            assistant_id, parts, created_at, finished_at, created_revision, revision) SELECT";
    connection.execute_unprepared(setup).await?;
    connection
        .execute_unprepared(&format!(
            "{insert} '{user}', {own}, {conversation}, CASE WHEN n > 1 THEN {parent} END, n, {yes},
                CASE n % 2 WHEN 1 THEN 'USER' ELSE 'ASSISTANT' END, 'COMPLETE', 'message ' || n,
                CASE n % 2 WHEN 0 THEN 'default' END, {json}, {now}, {now},
                n, 1
            FROM {numbers};
            {insert} '{user}', {own}, {conversation}, NULL, 1, {no}, 'USER', 'COMPLETE', 'another one', NULL, {json}, {now},
                {now}, n, 1
            FROM (SELECT {LENGTH} + 1 AS n) AS series;
            UPDATE conversation SET last_position = {LENGTH} WHERE user_id = '{user}' AND id = {conversation}"
        ))
        .await?;
    Ok(())
}
