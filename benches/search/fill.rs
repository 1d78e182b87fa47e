//! Messages to search in.

use causerie::database::Database;
use causerie::entity::conversation::TitleOrigin;
use causerie::entity::message::{Role, Status};
use causerie::entity::{conversation, message};
use causerie::index::index_message;
use causerie::search::{Folded, scope, tokens};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, IntoActiveModel, Statement, Value,
};
use uuid::Uuid;

/// The user whose searches are measured.
pub const USER: &str = "the one";

/// How many others there are.
const USERS: usize = 100;

/// How many different texts others have.
const TEXTS: usize = 500;

/// How many words a text has.
const WORDS: usize = 30;

/// What stands for the scope in tokens that are not yet anybody's.
const NOBODY: &str = "########";

/// A text in which a word of lower number is likelier, as in languages.
fn text(seed: usize) -> String {
    let mut state = seed as u64 * 2 + 1;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (state >> 11) as f64 / (1u64 << 53) as f64;
        format!("word{} ", (5_000f64.powf(share)) as u32)
    };
    (0..WORDS).map(|_| word()).collect::<String>() + "北京烤鸭"
}

/// Stores the one user's messages as the server does.
pub async fn own(database: &Database, count: usize) {
    for (position, batch) in (0..count).collect::<Vec<_>>().chunks(200).enumerate() {
        let stored = database.write(USER, batch.to_vec(), move |write, batch| {
            Box::pin(async move {
                let conversation = conversation(USER, position, write.now, write.revision);
                let conversation_id = conversation.id;
                conversation::Entity::insert(conversation.into_active_model())
                    .exec_without_returning(&**write)
                    .await?;
                let mut parent = None;
                for (position, number) in (1..).zip(batch) {
                    let row = message::Model {
                        parent_id: parent,
                        ..message(conversation_id, position, &text(*number), write.now, write.revision)
                    };
                    parent = Some(row.id);
                    let (id, content) = (row.id, row.content.clone());
                    message::Entity::insert(row.into_active_model()).exec_without_returning(&**write).await?;
                    index_message(write, USER, id, &content).await?;
                }
                Ok(())
            })
        });
        stored.await.expect("messages can be stored");
    }
}

/// Stores messages of others, at least `count`, from texts that were folded once: the database multiplies them.
/// Returns how many there are.
pub async fn others(raw: &DatabaseConnection, count: usize) -> usize {
    let backend = raw.get_database_backend();
    let run = async |sql: &str, values: Vec<Value>| {
        raw.execute_raw(Statement::from_sql_and_values(backend, sql, values))
            .await
            .expect("messages can be stored");
    };
    raw.execute_unprepared("CREATE TABLE bench_text (content TEXT, text TEXT, tokens TEXT)").await.unwrap();
    for number in 0..TEXTS {
        let content = text(number);
        let folded = Folded::of(&content).into_string();
        let tokens = tokens(NOBODY, &folded);
        run("INSERT INTO bench_text VALUES ($1, $2, $3)", vec![content.into(), folded.into(), tokens.into()])
            .await;
    }
    let repeats = count.div_ceil(USERS * TEXTS);
    let total = repeats * USERS * TEXTS;
    let (id, series, no) = match backend {
        DbBackend::Postgres => {
            ("gen_random_uuid()", "SELECT n FROM generate_series(0, $3) AS n", "'[]'::jsonb")
        }
        _ => (
            "randomblob(16)",
            "WITH RECURSIVE count (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM count WHERE n < $3) SELECT n FROM count",
            "'[]'",
        ),
    };
    for user in 0..USERS {
        let name = format!("other {user}");
        let instant = causerie::database::now();
        run(
            "INSERT INTO account (user_id, revision, created_at) VALUES ($1, 1, $2)",
            vec![name.as_str().into(), instant.into()],
        )
        .await;
        let row = conversation(&name, user, instant, 1);
        let conversation_id = row.id;
        conversation::Entity::insert(row.into_active_model()).exec_without_returning(raw).await.unwrap();
        // They are versions of one first message: a chain would take the database long to make.
        let insert = format!(
            "INSERT INTO message (user_id, id, conversation_id, position, active, role, status, content, parts,
                created_at, finished_at, created_revision, revision)
            SELECT $1, {id}, $2, 1, FALSE, 'USER', 'COMPLETE', content, {no}, $4, $4, 1, 1
            FROM bench_text CROSS JOIN ({series}) AS series"
        );
        let repeats = i32::try_from(repeats).unwrap() - 1;
        run(&insert, vec![name.as_str().into(), conversation_id.into(), repeats.into(), instant.into()])
            .await;
        index(raw, &name).await;
    }
    total
}

async fn index(raw: &DatabaseConnection, user: &str) {
    let backend = raw.get_database_backend();
    let scoped = format!("replace(b.tokens, '{NOBODY}', '{}')", scope(user));
    let own = "FROM message AS m JOIN bench_text AS b ON b.content = m.content WHERE m.user_id = $1";
    let statements = match backend {
        DbBackend::Postgres => vec![format!(
            "INSERT INTO message_search (user_id, id, text, tokens)
            SELECT m.user_id, m.id, b.text, array_to_tsvector(string_to_array({scoped}, ' ')) {own}"
        )],
        _ => vec![
            format!("INSERT INTO message_search (user_id, id, text) SELECT m.user_id, m.id, b.text {own}"),
            format!(
                "INSERT INTO message_token (rowid, tokens) SELECT s.number, {scoped}
                FROM message_search AS s JOIN message AS m ON m.user_id = s.user_id AND m.id = s.id
                    JOIN bench_text AS b ON b.content = m.content WHERE s.user_id = $1"
            ),
        ],
    };
    for sql in statements {
        let statement = Statement::from_sql_and_values(backend, &sql, [Value::from(user)]);
        raw.execute_raw(statement).await.expect("messages can be indexed");
    }
}

fn conversation(
    user: &str,
    number: usize,
    now: chrono::DateTime<chrono::Utc>,
    revision: i64,
) -> conversation::Model {
    conversation::Model {
        user_id: user.to_owned(),
        id: Uuid::now_v7(),
        title: Some(format!("Conversation {number}")),
        title_key: format!("conversation {number}"),
        title_origin: Some(TitleOrigin::User),
        last_position: 0,
        metadata: "{}".to_owned(),
        created_at: now,
        updated_at: now,
        revision,
        ..conversation::Model::default()
    }
}

fn message(
    conversation_id: Uuid,
    position: i64,
    content: &str,
    now: chrono::DateTime<chrono::Utc>,
    revision: i64,
) -> message::Model {
    message::Model {
        user_id: USER.to_owned(),
        id: Uuid::now_v7(),
        conversation_id,
        position,
        active: true,
        role: Role::User,
        status: Status::Complete,
        content: content.to_owned(),
        metadata: "{}".to_owned(),
        created_revision: 1,
        created_at: now,
        finished_at: Some(now),
        revision,
        ..message::Model::default()
    }
}
