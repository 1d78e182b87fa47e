//! The prompt: what the assistant is given of a conversation.

use uuid::Uuid;

use super::Replies;
use super::ending::Ending;
use super::history::{History, Instructions, NewTurn, OVERHEAD, Read, Said};
use crate::assistant::{Parameters, Profile, Prompt, Speaker, Turn, estimate};
use crate::entity::message::{self, Status};
use crate::error::Error;

/// How many tokens a message costs apart from its text.
const TOKENS_PER_MESSAGE: u32 = 4;

/// The most bytes that the estimate counts as one token.
pub(super) const BYTES_PER_TOKEN: u32 = 4;

const _: () = assert!(OVERHEAD == TOKENS_PER_MESSAGE * BYTES_PER_TOKEN);

/// A prompt, and the history in it if that may be kept.
pub(super) struct Loaded {
    pub(super) prompt: Prompt,
    pub(super) history: Option<History>,
}

impl Replies {
    /// Whether this server has kept what was said in a conversation of `user`. It may be that of another branch.
    pub(crate) fn has_history(&self, user: &str, conversation: Uuid) -> bool {
        self.0.histories.has(user, conversation)
    }

    /// The prompt for `reply`, which `profile` is to write, if `turn` asks for it and this server has kept the history
    /// before that, or has read it with the write.
    pub(super) fn known_prompt(
        &self,
        reply: &message::Model,
        profile: &Profile,
        turn: NewTurn,
    ) -> Option<Loaded> {
        let NewTurn { after, text, instructions, preceding } = turn;
        let bytes = budget_bytes(profile);
        let kept = match after {
            Some(last) => self.0.histories.take(&reply.user_id, reply.conversation_id, last),
            None => Some(History::default()),
        };
        let Some(mut history) = kept.filter(|history| history.suffices(bytes)) else {
            let read = preceding?.followed_by(text, reply.position - 1, instructions)?;
            return Some(loaded(reply, profile, read));
        };
        history.push(Speaker::User, text);
        history.trim(bytes);
        let turns = assemble(profile, &instructions, history.newest_first());
        let prompt = Prompt { turns, parameters: parameters(profile, reply) };
        Some(Loaded { prompt, history: Some(history) })
    }

    /// Reads the prompt for `reply`, which `profile` is to write.
    pub(super) async fn read_prompt(
        &self,
        reply: &message::Model,
        profile: &Profile,
    ) -> Result<Loaded, Error> {
        let rows = i64::from(profile.context_tokens / TOKENS_PER_MESSAGE + 1);
        let bytes = budget_bytes(profile);
        let read = Read::of(&self.0.database, reply, rows, i64::try_from(bytes).unwrap_or(i64::MAX)).await?;
        Ok(loaded(reply, profile, read))
    }

    /// Keeps the `history` that led to `reply`, with its text, if it is complete: a reply that is not may be begun again.
    pub(super) fn keep_history(&self, reply: &message::Model, mut history: History, ending: &Ending) {
        let text = &ending.draft.content;
        if ending.status == Status::Complete && !text.is_empty() {
            history.push(Speaker::Assistant, text.clone());
            self.0.histories.keep(&reply.user_id, reply.conversation_id, reply.id, history);
        }
    }
}

/// The prompt of what was `read`.
fn loaded(reply: &message::Model, profile: &Profile, read: Read) -> Loaded {
    let turns = assemble(profile, &read.instructions, read.said.iter());
    let prompt = Prompt { turns, parameters: parameters(profile, reply) };
    Loaded { prompt, history: read.into_history(budget_bytes(profile)) }
}

/// How many bytes of texts may fit what `profile` is shown.
fn budget_bytes(profile: &Profile) -> u64 {
    u64::from(profile.context_tokens) * u64::from(BYTES_PER_TOKEN)
}

/// How `profile` is to write `reply`. What was chosen is the assistant's that was chosen then: its range may be another
/// now, and so may the assistant, if the operator has replaced it.
fn parameters(profile: &Profile, reply: &message::Model) -> Parameters {
    let chosen = profile.settable.fitting(reply.parameters.clone().unwrap_or_default());
    let is_replaced = reply.assistant_id.as_ref() != Some(&profile.id);
    if is_replaced { chosen.or(profile.settable.defaults()) } else { chosen }
}

/// All instructions as one turn, the operator's first and the conversation's last, and as many of `newest_first` as fit
/// the budget; always the newest message, as without it there is nothing to answer.
fn assemble<'s>(
    profile: &Profile,
    instructions: &Instructions,
    newest_first: impl Iterator<Item = &'s Said>,
) -> Vec<Turn> {
    let cost = |text: &str| estimate::tokens(text).saturating_add(TOKENS_PER_MESSAGE);
    let Instructions { viewer_instructions, conversation_instructions } = instructions;
    let instructions = [&profile.instructions, viewer_instructions, conversation_instructions];
    let instructions: Vec<&str> = instructions.into_iter().flatten().map(String::as_str).collect();
    let instructions = (!instructions.is_empty()).then(|| instructions.join("\n\n"));
    let mut left = profile.context_tokens.saturating_sub(instructions.as_deref().map_or(0, cost));
    let mut turns: Vec<Turn> = Vec::new();
    for (index, Said { speaker, content }) in newest_first.enumerate() {
        let cost = cost(content);
        if cost > left && index > 0 {
            break;
        }
        left = left.saturating_sub(cost);
        match turns.last_mut() {
            // If a reply was left out, two messages of the user meet; many models require that speakers alternate.
            Some(next) if next.speaker == *speaker => {
                next.content = format!("{content}\n\n{}", next.content);
            }
            _ => turns.push(Turn { speaker: *speaker, content: content.clone() }),
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
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::assistant::Echo;

    fn user(content: &str) -> Said {
        Said { speaker: Speaker::User, content: content.to_owned() }
    }

    fn assistant(content: &str) -> Said {
        Said { speaker: Speaker::Assistant, content: content.to_owned() }
    }

    /// What is shown of messages by an operator who says so, and users who have given instructions.
    fn shown(
        operator: Option<&str>,
        [viewer, conversation]: [Option<&str>; 2],
        said: &[Said],
        budget: u32,
    ) -> Vec<(Speaker, String)> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let profile = Profile {
            instructions: own(operator),
            context_tokens: budget,
            ..Profile::new("fast", Arc::new(Echo::new(Duration::ZERO)))
        };
        let instructions =
            Instructions { viewer_instructions: own(viewer), conversation_instructions: own(conversation) };
        let turns = assemble(&profile, &instructions, said.iter());
        turns.into_iter().map(|turn| (turn.speaker, turn.content)).collect()
    }

    fn expected(turns: &[(Speaker, &str)]) -> Vec<(Speaker, String)> {
        turns.iter().map(|(speaker, content)| (*speaker, (*content).to_owned())).collect()
    }

    #[test]
    fn the_newest_messages_are_kept_and_a_lone_answer_is_not() {
        let said = [user("newest"), assistant("answer"), user(&"word ".repeat(40)), assistant("old")];
        assert_eq!(
            shown(Some("Be kind."), [None, None], &said, 40),
            expected(&[(Speaker::System, "Be kind."), (Speaker::User, "newest")])
        );
    }

    #[test]
    fn the_question_is_shown_whatever_it_costs() {
        let long = "word ".repeat(4000);
        let said = [user(&long), user("before")];
        assert_eq!(shown(None, [None, None], &said, 100), expected(&[(Speaker::User, &long)]));
    }

    #[test]
    fn all_instructions_are_one_turn_and_count_in_the_budget() {
        let said = [user("two"), assistant("answer"), user("one")];
        let users = [Some("Be brief."), Some("In French.")];
        let all = "Be kind.\n\nBe brief.\n\nIn French.";
        let whole = [
            (Speaker::System, all),
            (Speaker::User, "one"),
            (Speaker::Assistant, "answer"),
            (Speaker::User, "two"),
        ];
        assert_eq!(shown(Some("Be kind."), users, &said, 100), expected(&whole));
        assert_eq!(
            shown(Some("Be kind."), users, &said, 20),
            expected(&[(Speaker::System, all), (Speaker::User, "two")])
        );
        assert_eq!(
            shown(None, users, &said, 100)[0],
            (Speaker::System, "Be brief.\n\nIn French.".to_owned())
        );
    }

    #[test]
    fn messages_without_a_usable_reply_between_them_become_one_turn() {
        let said = [user("two"), user("one")];
        assert_eq!(shown(None, [None, None], &said, 100), expected(&[(Speaker::User, "one\n\ntwo")]));
    }
}
