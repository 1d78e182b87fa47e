//! The prompt: what the assistant is given of a conversation.

use sea_orm::{ActiveEnum, FromQueryResult};

use crate::assistant::{Parameters, Profile, Prompt, Speaker, Turn, estimate};
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
SELECT role, content, position FROM (
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
UNION ALL
SELECT 'CONVERSATION', instructions, CAST(0 AS BIGINT) FROM conversation_setting
WHERE user_id = $1 AND conversation_id = $2 AND instructions IS NOT NULL
UNION ALL
SELECT 'VIEWER', instructions, CAST(-1 AS BIGINT) FROM viewer_setting
WHERE user_id = $1 AND instructions IS NOT NULL
ORDER BY position DESC";

/// What the rows with instructions have in place of a role.
const INSTRUCTIONS: [&str; 2] = ["CONVERSATION", "VIEWER"];

#[derive(FromQueryResult)]
struct Row {
    role: String,
    content: String,
}

/// Reads the prompt for `reply`, which `profile` is to write.
pub(super) async fn load(
    database: &Database,
    reply: &message::Model,
    profile: &Profile,
) -> Result<Prompt, Error> {
    let budget = profile.context_tokens;
    let rows = i64::from(budget / TOKENS_PER_MESSAGE + 1);
    let bytes = i64::from(budget) * i64::from(BYTES_PER_TOKEN);
    let (user, conversation) = (reply.user_id.as_str().into(), reply.conversation_id.into());
    let values = [user, conversation, reply.parent_id.into(), rows.into(), bytes.into(), OVERHEAD.into()];
    let rows = models(&database.rows(database.statement(HISTORY, values)).await?)?;
    let turns = assemble(profile.instructions.as_deref(), rows, budget);
    Ok(Prompt { turns, parameters: parameters(profile, reply) })
}

/// How `profile` is to write `reply`. What was chosen is the assistant's that was chosen then: its range may be another
/// now, and so may the assistant, if the operator has replaced it.
fn parameters(profile: &Profile, reply: &message::Model) -> Parameters {
    let chosen = profile.settable.fitting(reply.parameters.clone().unwrap_or_default());
    let is_replaced = reply.assistant_id.as_ref() != Some(&profile.id);
    if is_replaced { chosen.or(profile.settable.defaults()) } else { chosen }
}

/// All instructions as one turn, the `operator`'s first and the conversation's last, and as many of `newest_first` as fit
/// the budget; always the newest message, as without it there is nothing to answer.
fn assemble(operator: Option<&str>, newest_first: Vec<Row>, budget: u32) -> Vec<Turn> {
    let cost = |text: &str| estimate::tokens(text).saturating_add(TOKENS_PER_MESSAGE);
    let is_instruction = |row: &Row| INSTRUCTIONS.contains(&row.role.as_str());
    let (instructions, newest_first): (Vec<_>, Vec<_>) = newest_first.into_iter().partition(is_instruction);
    let users = instructions.iter().rev().map(|row| row.content.as_str());
    let instructions: Vec<&str> = operator.into_iter().chain(users).collect();
    let instructions = (!instructions.is_empty()).then(|| instructions.join("\n\n"));
    let mut left = budget.saturating_sub(instructions.as_deref().map_or(0, cost));
    let mut turns: Vec<Turn> = Vec::new();
    for (index, row) in newest_first.into_iter().enumerate() {
        let cost = cost(&row.content);
        if cost > left && index > 0 {
            break;
        }
        left = left.saturating_sub(cost);
        let speaker = if row.role == Role::User.to_value() { Speaker::User } else { Speaker::Assistant };
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
    turns.extend(instructions.map(|content| Turn { speaker: Speaker::System, content }));
    turns.reverse();
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(role: Role, content: &str) -> Row {
        Row { role: role.to_value(), content: content.to_owned() }
    }

    fn shown(turns: &[Turn]) -> Vec<(Speaker, &str)> {
        turns.iter().map(|turn| (turn.speaker, turn.content.as_str())).collect()
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
    fn all_instructions_are_one_turn_and_count_in_the_budget() {
        let instruction = |of: &str, text: &str| Row { role: of.to_owned(), content: text.to_owned() };
        let rows = || {
            vec![
                row(Role::User, "two"),
                row(Role::Assistant, "answer"),
                row(Role::User, "one"),
                instruction("CONVERSATION", "In French."),
                instruction("VIEWER", "Be brief."),
            ]
        };
        let all = "Be kind.\n\nBe brief.\n\nIn French.";
        let whole = [
            (Speaker::System, all),
            (Speaker::User, "one"),
            (Speaker::Assistant, "answer"),
            (Speaker::User, "two"),
        ];
        assert_eq!(shown(&assemble(Some("Be kind."), rows(), 100)), whole);
        assert_eq!(
            shown(&assemble(Some("Be kind."), rows(), 20)),
            [(Speaker::System, all), (Speaker::User, "two")]
        );
        assert_eq!(shown(&assemble(None, rows(), 100))[0], (Speaker::System, "Be brief.\n\nIn French."));
    }

    #[test]
    fn messages_without_a_usable_reply_between_them_become_one_turn() {
        let prompt = assemble(None, vec![row(Role::User, "two"), row(Role::User, "one")], 100);
        assert_eq!(shown(&prompt), [(Speaker::User, "one\n\ntwo")]);
    }
}
