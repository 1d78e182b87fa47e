//! The prompt: what the assistant is given of a conversation.

use sea_orm::FromQueryResult;

use super::Options;
use crate::assistant::{Prompt, Speaker, Turn, estimate};
use crate::database::{Database, models};
use crate::entity::message::{self, Role};
use crate::error::Error;

/// How many tokens a message costs apart from its text.
const TOKENS_PER_MESSAGE: u32 = 4;

/// The most bytes that the estimate counts as one token.
const BYTES_PER_TOKEN: u32 = 4;

/// How many bytes of text a message costs apart from its text.
const OVERHEAD: i32 = (TOKENS_PER_MESSAGE * BYTES_PER_TOKEN).cast_signed();

/// The newest messages before a reply that may fit the budget, newest first, without failed, unfinished and empty ones.
/// `branch` goes from the reply's parent up to the first message on the active path; the messages before that one are on
/// the path and found by position. `span` counts them from there, 32 positions at a time, until they exceed the budget:
/// what is read grows with the budget and not with the path. With 100,000 messages of 250 bytes it takes 0.2 ms and 39
/// buffers; without `span` it took 15 ms and 140. Lengths are told without reading the texts. The limit on rows is for a
/// branch beside the path.
const HISTORY: &str = "
WITH RECURSIVE branch (id, parent_id, position, active) AS (
    SELECT id, parent_id, position, active FROM message WHERE user_id = $1 AND id = $3
    UNION ALL
    SELECT above.id, above.parent_id, above.position, above.active
    FROM branch JOIN message AS above ON above.user_id = $1 AND above.id = branch.parent_id
    WHERE NOT branch.active
), span (upper, bytes) AS (
    SELECT COALESCE(MAX(position), 0), CAST(0 AS BIGINT) FROM branch WHERE active
    UNION ALL
    SELECT upper - 32, bytes + (
        SELECT COALESCE(SUM($6 + octet_length(content)), 0) FROM message
        WHERE user_id = $1 AND conversation_id = $2 AND active AND position <= upper AND position > upper - 32
            AND status IN ('COMPLETE', 'STOPPED') AND content <> ''
    )
    FROM span WHERE upper > 0 AND bytes <= $5
)
SELECT role, content FROM (
    SELECT role, content, position, SUM($6 + octet_length(content)) OVER (ORDER BY position DESC) AS bytes
    FROM (
        SELECT role, content, position FROM message
        WHERE user_id = $1 AND conversation_id = $2 AND active
            AND position <= (SELECT MAX(upper) FROM span) AND position > (SELECT MIN(upper) FROM span)
            AND status IN ('COMPLETE', 'STOPPED') AND content <> ''
        UNION ALL
        SELECT role, content, position FROM message
        WHERE user_id = $1 AND id IN (SELECT id FROM branch WHERE NOT active)
            AND status IN ('COMPLETE', 'STOPPED') AND content <> ''
        ORDER BY position DESC LIMIT $4
    ) AS newest
) AS measured
WHERE bytes - octet_length(content) - $6 <= $5
ORDER BY position DESC";

#[derive(FromQueryResult)]
struct Row {
    role: Role,
    content: String,
}

/// Reads the prompt for `reply`.
pub(super) async fn load(
    database: &Database,
    reply: &message::Model,
    options: &Options,
) -> Result<Prompt, Error> {
    let budget = options.context_tokens;
    let rows = i64::from(budget / TOKENS_PER_MESSAGE + 1);
    let bytes = i64::from(budget) * i64::from(BYTES_PER_TOKEN);
    let (user, conversation) = (reply.user_id.as_str().into(), reply.conversation_id.into());
    let values = [user, conversation, reply.parent_id.into(), rows.into(), bytes.into(), OVERHEAD.into()];
    let rows = models(&database.rows(database.statement(HISTORY, values)).await?)?;
    Ok(assemble(options.system_prompt.as_deref(), rows, budget))
}

/// The system prompt, and as many of `newest_first` as fit the budget; always the newest one, as without it there is
/// nothing to answer.
fn assemble(system_prompt: Option<&str>, newest_first: Vec<Row>, budget: u32) -> Prompt {
    let cost = |text: &str| estimate::tokens(text).saturating_add(TOKENS_PER_MESSAGE);
    let mut left = budget.saturating_sub(system_prompt.map_or(0, cost));
    let mut turns: Vec<Turn> = Vec::new();
    for (index, row) in newest_first.into_iter().enumerate() {
        let cost = cost(&row.content);
        if cost > left && index > 0 {
            break;
        }
        left = left.saturating_sub(cost);
        let speaker = match row.role {
            Role::User => Speaker::User,
            Role::Assistant => Speaker::Assistant,
        };
        match turns.last_mut() {
            // If a reply was left out, two messages of the user meet; many models require that speakers alternate.
            Some(next) if next.speaker == speaker => {
                next.content = format!("{}\n\n{}", row.content, next.content);
            }
            _ => turns.push(Turn { speaker, content: row.content }),
        }
    }
    // A reply whose question did not fit is left out.
    if turns.len() > 1 && turns.last().is_some_and(|turn| turn.speaker == Speaker::Assistant) {
        turns.pop();
    }
    turns.extend(system_prompt.map(|content| Turn { speaker: Speaker::System, content: content.to_owned() }));
    turns.reverse();
    Prompt { turns }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(role: Role, content: &str) -> Row {
        Row { role, content: content.to_owned() }
    }

    fn shown(prompt: &Prompt) -> Vec<(Speaker, &str)> {
        prompt.turns.iter().map(|turn| (turn.speaker, turn.content.as_str())).collect()
    }

    #[test]
    fn the_newest_messages_are_kept_and_a_lone_answer_is_not() {
        let long = "word ".repeat(40);
        let rows = vec![
            row(Role::User, "newest"),
            row(Role::Assistant, "answer"),
            row(Role::User, &long),
            row(Role::Assistant, "old"),
        ];
        let prompt = assemble(Some("Be kind."), rows, 40);
        assert_eq!(shown(&prompt), [(Speaker::System, "Be kind."), (Speaker::User, "newest")]);
    }

    #[test]
    fn the_question_is_shown_whatever_it_costs() {
        let long = "word ".repeat(4000);
        let prompt = assemble(None, vec![row(Role::User, &long), row(Role::User, "before")], 100);
        assert_eq!(shown(&prompt), [(Speaker::User, long.as_str())]);
    }

    #[test]
    fn messages_without_a_usable_reply_between_them_become_one_turn() {
        let prompt = assemble(None, vec![row(Role::User, "two"), row(Role::User, "one")], 100);
        assert_eq!(shown(&prompt), [(Speaker::User, "one\n\ntwo")]);
    }
}
