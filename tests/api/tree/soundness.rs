//! What must hold in the database after every operation, whatever happened.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

/// The rules, each with a query that finds what breaks it among the rows of user `$1`.
const RULES: [(&str, &str); 9] = [
    (
        "a parent exists, in the same conversation, one place before",
        "SELECT 1 FROM message AS m WHERE user_id = $1 AND parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM message AS p
         WHERE p.user_id = m.user_id AND p.conversation_id = m.conversation_id AND p.id = m.parent_id
           AND p.position = m.position - 1)",
    ),
    (
        "only first messages have no parent",
        "SELECT 1 FROM message WHERE user_id = $1 AND (parent_id IS NULL) <> (position = 1)",
    ),
    (
        "a reply answers a message of the user",
        "SELECT 1 FROM message AS m WHERE user_id = $1 AND role = 'ASSISTANT' AND NOT EXISTS (SELECT 1 FROM message AS p
         WHERE p.user_id = m.user_id AND p.id = m.parent_id AND p.role = 'USER')",
    ),
    (
        "the active path is as long as its conversation says, without a gap",
        "SELECT 1 FROM conversation AS c WHERE user_id = $1 AND deleted_at IS NULL AND (
            last_position <> (SELECT COUNT(*) FROM message AS m
                WHERE m.user_id = c.user_id AND m.conversation_id = c.id AND active)
            OR last_position <> (SELECT COALESCE(MAX(position), 0) FROM message AS m
                WHERE m.user_id = c.user_id AND m.conversation_id = c.id AND active))",
    ),
    (
        "nothing is read that is not there",
        "SELECT 1 FROM conversation WHERE user_id = $1 AND deleted_at IS NULL AND read_position > last_position",
    ),
    (
        "a place of the active path is taken once",
        "SELECT 1 FROM message WHERE user_id = $1 AND active GROUP BY user_id, conversation_id, position HAVING COUNT(*) > 1",
    ),
    (
        "the parent of an active message is the active one before it",
        "SELECT 1 FROM message AS m WHERE user_id = $1 AND active AND position > 1 AND NOT EXISTS (SELECT 1 FROM message AS p
         WHERE p.user_id = m.user_id AND p.id = m.parent_id AND p.active)",
    ),
    (
        "one reply of a conversation runs at a time",
        "SELECT 1 FROM message WHERE user_id = $1 AND status = 'GENERATING' GROUP BY user_id, conversation_id HAVING COUNT(*) > 1",
    ),
    (
        "what is deleted is not there",
        "SELECT 1 FROM deleted_message AS d
         WHERE user_id = $1 AND EXISTS (SELECT 1 FROM message AS m WHERE m.user_id = d.user_id AND m.id = d.id)",
    ),
];

/// The rules that the rows of `user` break now.
pub async fn broken(database: &DatabaseConnection, user: &str) -> Vec<String> {
    let checks = RULES.iter().enumerate().map(|(number, (_, finder))| {
        format!("SELECT CAST({number} AS INTEGER) AS rule WHERE EXISTS ({finder})")
    });
    let sql = checks.collect::<Vec<_>>().join(" UNION ALL ");
    let backend = database.get_database_backend();
    let rows =
        database.query_all_raw(Statement::from_sql_and_values(backend, sql, [user.into()])).await.unwrap();
    rows.iter()
        .map(|row| {
            let number: i32 = row.try_get_by_index(0).unwrap();
            RULES[usize::try_from(number).unwrap()].0.to_owned()
        })
        .collect()
}
