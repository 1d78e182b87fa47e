//! Many rows, quickly.

use chrono::NaiveDate;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

use crate::support::TestDatabase;

/// Writes that fill a database in no time; the server never sees it half full.
pub struct Filler {
    connection: DatabaseConnection,
    is_postgres: bool,
}

impl Filler {
    pub async fn of(database: &TestDatabase) -> Self {
        // One connection, or what is set below would be unset in another one.
        let mut options = ConnectOptions::new(database.url());
        options.max_connections(1).idle_timeout(None).max_lifetime(None).sqlx_logging(false);
        let connection = Database::connect(options).await.unwrap();
        // The rows are right by construction. PostgreSQL would check each against its parent with a plan from when
        // the table was empty, which takes minutes.
        let setup = if database.is_postgres() {
            "SET session_replication_role = replica"
        } else {
            "PRAGMA synchronous = OFF; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = OFF"
        };
        connection.execute_unprepared(setup).await.unwrap();
        Self { connection, is_postgres: database.is_postgres() }
    }

    /// Gives `conversation` of `user`, which has none yet, `count` messages. `space`, a digit, keeps the ids of
    /// conversations apart.
    pub async fn messages(&self, user: &str, conversation: &str, space: u32, count: u32) {
        let (id, conversation, numbers, json) = if self.is_postgres {
            let id = |number: &str| format!("('{space}' || lpad(to_hex({number}), 31, '0'))::uuid");
            let numbers = format!("generate_series(1, {count}) AS n");
            ([id("n"), id("n - 1")], format!("'{conversation}'::uuid"), numbers, "'[]'::jsonb")
        } else {
            let id = |number: &str| format!("CAST(printf('{space}%015d', {number}) AS BLOB)");
            let numbers = Self::series(count);
            ([id("n"), id("n - 1")], format!("x'{}'", conversation.replace('-', "")), numbers, "'[]'")
        };
        let [own, parent] = id;
        let flag = if self.is_postgres { "true" } else { "1" };
        let sql = format!(
            "INSERT INTO message (user_id, id, conversation_id, parent_id, position, active, role, status, content,
                 assistant_id, parts, created_at, finished_at, created_revision, revision)
             SELECT '{user}', {own}, {conversation}, CASE WHEN n = 1 THEN NULL ELSE {parent} END, n, {flag},
                 CASE n % 2 WHEN 1 THEN 'USER' ELSE 'ASSISTANT' END, 'COMPLETE', 'message ' || n,
                 CASE n % 2 WHEN 0 THEN 'default' END, {json},
                 '2026-01-01T00:00:00.000+00:00', '2026-01-01T00:00:00.000+00:00', n, n
             FROM {numbers};
             UPDATE conversation SET last_position = {count} WHERE user_id = '{user}' AND id = {conversation}"
        );
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// Gives the second of the two messages that [`Self::messages`] has made `count` versions, which came before it.
    pub async fn siblings(&self, user: &str, conversation: &str, space: u32, count: u32) {
        let (id, conversation, numbers) = if self.is_postgres {
            let id = format!("('{space}f' || lpad(to_hex(n), 30, '0'))::uuid");
            (id, format!("'{conversation}'::uuid"), format!("generate_series(1, {count}) AS n"))
        } else {
            let id = format!("CAST(printf('{space}f%014d', n) AS BLOB)");
            (id, format!("x'{}'", conversation.replace('-', "")), Self::series(count))
        };
        let flag = if self.is_postgres { "false" } else { "0" };
        let sql = format!(
            "UPDATE message SET created_revision = {count} + 1
             WHERE user_id = '{user}' AND conversation_id = {conversation} AND position = 2;
             INSERT INTO message (user_id, id, conversation_id, parent_id, position, active, role, status, content,
                 assistant_id, parts, created_at, finished_at, created_revision, revision)
             SELECT user_id, {id}, conversation_id, parent_id, position, {flag}, role, status, content,
                 assistant_id, parts, created_at, finished_at, n, n
             FROM message CROSS JOIN {numbers}
             WHERE user_id = '{user}' AND conversation_id = {conversation} AND position = 2"
        );
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// Makes `user` known, who has not written yet.
    pub async fn account(&self, user: &str) {
        let sql = format!(
            "INSERT INTO account (user_id, revision, created_at) VALUES ('{user}', 1, '2026-01-01T00:00:00.000+00:00')"
        );
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// Lets every user's next write come after all that was filled in.
    pub async fn raise_revisions(&self, revision: u32) {
        let sql = format!("UPDATE account SET revision = revision + {revision}");
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// Gives `user` `count` more conversations, without messages.
    pub async fn conversations(&self, user: &str, space: u32, count: u32) {
        let (id, numbers) = if self.is_postgres {
            (
                format!("('{space}' || lpad(to_hex(n), 31, '0'))::uuid"),
                format!("generate_series(1, {count}) AS n"),
            )
        } else {
            (format!("CAST(printf('{space}%015d', n) AS BLOB)"), Self::series(count))
        };
        // Each was last active at an instant of its own, all before those that a test makes.
        let instant = if self.is_postgres {
            "TIMESTAMPTZ '2026-01-01T00:00:00Z' + n * interval '1 second'"
        } else {
            "strftime('%Y-%m-%dT%H:%M:%S.000+00:00', 1767225600 + n, 'unixepoch')"
        };
        let sql = format!(
            "INSERT INTO conversation (user_id, id, title, title_key, title_origin, last_position, created_at, updated_at,
                revision)
             SELECT '{user}', {id}, 'conversation ' || n, 'conversation ' || n, 'USER', 0, {instant}, {instant}, n FROM {numbers}"
        );
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// Adds `count` conversations of ten messages each, of 200 users.
    pub async fn crowd(&self, count: u32) {
        let (id, ids, json, numbers, ten) = if self.is_postgres {
            (
                "('c' || lpad(to_hex(n), 31, '0'))::uuid",
                ["k", "k - 1"].map(|k| format!("('d' || lpad(to_hex(n * 16 + {k}), 31, '0'))::uuid")),
                "'[]'::jsonb",
                format!("generate_series(1, {count}) AS n"),
                "generate_series(1, 10) AS k".to_owned(),
            )
        } else {
            (
                "CAST(printf('c%015d', n) AS BLOB)",
                ["k", "k - 1"].map(|k| format!("CAST(printf('d%015d', n * 16 + {k}) AS BLOB)")),
                "'[]'",
                Self::series(count),
                Self::series(10).replace("SELECT n FROM s)", "SELECT n AS k FROM s)"),
            )
        };
        let [own, parent] = ids;
        let (flag, instant) = if self.is_postgres {
            ("true", "TIMESTAMPTZ '2026-01-01T00:00:00Z'")
        } else {
            ("1", "'2026-01-01T00:00:00.000+00:00'")
        };
        let sql = format!(
            "INSERT INTO account (user_id, revision, created_at)
             SELECT DISTINCT 'crowd ' || n % 200, 1000, {instant} FROM {numbers};
             INSERT INTO conversation (user_id, id, title, title_key, title_origin, last_position, created_at, updated_at,
                 revision)
             SELECT 'crowd ' || n % 200, {id}, 'one', 'one', 'USER', 10, {instant}, {instant}, n FROM {numbers};
             INSERT INTO message (user_id, id, conversation_id, parent_id, position, active, role, status, content,
                 assistant_id, parts, created_at, finished_at, created_revision, revision)
             SELECT 'crowd ' || n % 200, {own}, {id}, CASE WHEN k = 1 THEN NULL ELSE {parent} END, k, {flag},
                 CASE k % 2 WHEN 1 THEN 'USER' ELSE 'ASSISTANT' END, 'COMPLETE', 'message ' || k,
                 CASE k % 2 WHEN 0 THEN 'default' END, {json}, {instant}, {instant}, n * 16 + k, n * 16 + k
             FROM {numbers} CROSS JOIN {ten}"
        );
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// Gives `user` `count` tombstones of messages of `conversation`.
    pub async fn deleted_messages(&self, user: &str, conversation: &str, space: u32, count: u32) {
        let (id, conversation, numbers) = if self.is_postgres {
            (
                format!("('{space}' || lpad(to_hex(n), 31, '0'))::uuid"),
                format!("'{conversation}'::uuid"),
                format!("generate_series(1, {count}) AS n"),
            )
        } else {
            let conversation = format!("x'{}'", conversation.replace('-', ""));
            (format!("CAST(printf('{space}%015d', n) AS BLOB)"), conversation, Self::series(count))
        };
        let sql = format!(
            "INSERT INTO deleted_message (user_id, id, conversation_id, revision)
             SELECT '{user}', {id}, {conversation}, n FROM {numbers}"
        );
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// Gives `user` `count` receipts of requests under keys that no test uses.
    pub async fn receipts(&self, user: &str, count: u32) {
        let numbers =
            if self.is_postgres { format!("generate_series(1, {count}) AS n") } else { Self::series(count) };
        let sql = format!(
            "INSERT INTO receipt (user_id, idempotency_key, created_at)
             SELECT '{user}', 'earlier ' || n, '2026-01-01T00:00:00.000+00:00' FROM {numbers}"
        );
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// Makes `count` texts findable on PostgreSQL, of `users` users with this name and a number, or of the only one with this
    /// name. Nobody searches for them.
    pub async fn texts(&self, name: &str, users: u32, count: u32) {
        let user = if users == 1 { format!("'{name}'") } else { format!("'{name} ' || n % {users}") };
        let sql = format!(
            "INSERT INTO message_search (user_id, id, text, tokens)
             SELECT {user}, gen_random_uuid(), 'text', to_tsvector('simple', 'text' || n || ' text' || n % 100)
             FROM generate_series(1, {count}) AS n"
        );
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// Gives all users choices, and each of their conversations.
    pub async fn settings(&self) {
        let sql = "
            INSERT INTO viewer_setting (user_id, assistant_id, revision) SELECT user_id, 'default', 1 FROM account;
            INSERT INTO conversation_setting (user_id, conversation_id, instructions)
            SELECT user_id, id, 'Be brief.' FROM conversation";
        self.connection.execute_unprepared(sql).await.unwrap();
    }

    /// Gives all replies entries in the ledger, and all users sums of many days.
    pub async fn usage(&self) {
        let sql = "
            INSERT INTO usage_entry (user_id, reply_id, ordinal, purpose, assistant_id, day, settled, input, reserved_tokens)
            SELECT user_id, id, 1, 'REPLY', 'default', '2026-01-01', TRUE, 1, 1 FROM message;
            INSERT INTO usage_day (user_id, day, assistant_id, replies)
            SELECT DISTINCT user_id, CAST('2026-01-01' AS {date}), 'assistant ' || position, 1 FROM message
            WHERE position <= 2000";
        let date = if self.is_postgres { "DATE" } else { "TEXT" };
        self.connection.execute_unprepared(&sql.replace("{date}", date)).await.unwrap();
    }

    /// Gives `user` `count` entries in the ledger, of three assistants on the last `days` days up to `today`, and their sums.
    pub async fn ledger(&self, user: &str, count: u32, days: u32, today: NaiveDate) {
        let (id, day, numbers) = if self.is_postgres {
            let day = format!("CAST('{today}' AS DATE) - n % {days}");
            ("gen_random_uuid()", day, format!("generate_series(1, {count}) AS n"))
        } else {
            (
                "randomblob(16)",
                format!("date('{today}', '-' || (n % {days}) || ' days')"),
                Self::series(count),
            )
        };
        let sql = format!(
            "INSERT INTO usage_entry (user_id, reply_id, ordinal, purpose, assistant_id, day, settled, input, output, cost,
                reserved_tokens, reserved_cost)
            SELECT '{user}', {id}, 1, 'REPLY', CASE n % 3 WHEN 0 THEN 'fast' WHEN 1 THEN 'slow' ELSE 'gone' END, {day},
                TRUE, 10, 10, 1000, 50, 1000 FROM {numbers};
            INSERT INTO usage_day (user_id, day, assistant_id, replies, input, output, cost)
            SELECT user_id, day, assistant_id, COUNT(*), SUM(input), SUM(output), SUM(cost) FROM usage_entry
            WHERE user_id = '{user}' GROUP BY user_id, day, assistant_id"
        );
        self.connection.execute_unprepared(&sql).await.unwrap();
    }

    /// SQLite's numbers `n` from 1 to `count`.
    fn series(count: u32) -> String {
        format!(
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s)"
        )
    }

    /// Lets the database learn how its rows are spread, as it does by itself in time.
    pub async fn analyze(&self) {
        self.connection.execute_unprepared("ANALYZE").await.unwrap();
    }

    pub fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }
}
