//! Rows as they are written, with what was read beside them.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::arguments::Arguments;
use super::compiler::{PageArguments, QuestionArguments};
use super::list::{List, Node};
use super::object::Field;
use crate::chat::{CountedPage, Question, Unended, UnendedReplies};
use crate::entity::{conversation, message};
use crate::error::Error;

/// A message that is written.
pub(in crate::graphql) type MessageNode = Arc<message::Model>;

/// Which list of messages of a conversation it is.
#[derive(Clone, Copy)]
pub(crate) enum MessageOrder {
    /// The active path.
    Path(Uuid),
    /// The replies that are queued.
    Queue(Uuid),
}

/// A conversation that is written.
pub(in crate::graphql) struct ConversationNode {
    pub(in crate::graphql) row: Arc<conversation::Model>,
    /// The pages of its messages that are needed.
    pub(super) pages: Result<Vec<List<MessageNode>>, Error>,
    /// What is known of its replies that have not ended.
    pub(super) unended: Result<Answered, Error>,
}

/// What was asked about the replies of all conversations that have not ended, and the answers.
#[derive(Clone, Default)]
pub(super) struct Answered {
    pub(super) questions: Arc<[Question]>,
    pub(super) answers: Arc<HashMap<UnendedReplies, Unended>>,
}

impl ConversationNode {
    /// A conversation of which only the row is wanted.
    pub(in crate::graphql) fn of(row: Arc<conversation::Model>) -> Self {
        Self { row, pages: Ok(Vec::new()), unended: Ok(Answered::default()) }
    }

    /// The page that has this index among those that are needed.
    fn page(&self, index: usize) -> Result<&List<MessageNode>, Error> {
        let pages = self.pages.as_ref().map_err(Clone::clone)?;
        pages.get(index).ok_or_else(|| Error::Internal("a page of messages was not read".to_owned()))
    }

    /// The answer to the question that has this index; `None` if the conversation is gone.
    fn answer(&self, index: usize) -> Result<Option<&Unended>, Error> {
        let Answered { questions, answers } = self.unended.as_ref().map_err(Clone::clone)?;
        let unasked = || Error::Internal("a question was not asked".to_owned());
        let question = *questions.get(index).ok_or_else(unasked)?;
        Ok(answers.get(&UnendedReplies { conversation: self.row.id, question }))
    }

    /// Whether there may be messages that are not read.
    pub(super) fn may_be_unread(&self) -> bool {
        self.row.last_position > self.row.read_position
    }
}

/// The field with a page of a conversation's messages.
pub(in crate::graphql) fn messages() -> Option<Field<ConversationNode>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        let index = compiler.page(PageArguments::Of(Arguments::of(selected)));
        let plan = compiler.within_item(|compiler| List::<MessageNode>::compile(compiler, selected))?;
        Some(Box::new(move |node, json| plan.write(node.page(index)?, json)))
    })))
}

/// The field with a conversation's last message.
pub(in crate::graphql) fn last_message() -> Option<Field<ConversationNode>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        let index = compiler.page(PageArguments::LastMessage);
        let (plan, position) = (MessageNode::object().compile(compiler, selected)?, selected.position);
        Some(Box::new(move |node, json| {
            json.nullable(position, |json| {
                json.optional(node.page(index)?.last(), |json, node| plan.write(node, json))
            })
        }))
    })))
}

/// The field with the number of messages that are not read.
pub(in crate::graphql) fn unread_count() -> Option<Field<ConversationNode>> {
    Some(Field::Compiled(Box::new(|compiler, _| {
        let index = compiler.question(QuestionArguments::Unread);
        Some(Box::new(move |node, json| {
            let answer = if node.may_be_unread() { node.answer(index)? } else { None };
            json.number(answer.map_or(0, |answer| answer.unread))
        }))
    })))
}

/// The field with the reply that is being written.
pub(in crate::graphql) fn active_reply() -> Option<Field<ConversationNode>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        let index = compiler.question(QuestionArguments::Active);
        let plan = compiler.of_whole_rows(|compiler| MessageNode::object().compile(compiler, selected))?;
        let position = selected.position;
        Some(Box::new(move |node, json| {
            json.nullable(position, |json| {
                let reply = node.answer(index)?.and_then(|answer| answer.replies.page.items.first());
                json.optional(reply, |json, reply| plan.write(reply, json))
            })
        }))
    })))
}

/// The field with a page of the replies that are queued.
pub(in crate::graphql) fn queued_replies() -> Option<Field<ConversationNode>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        let index = compiler.question(QuestionArguments::Queued(Arguments::of(selected)));
        let plan = compiler.of_whole_rows(|compiler| List::<MessageNode>::compile(compiler, selected))?;
        Some(Box::new(move |node, json| {
            let page = node.answer(index)?.map_or_else(CountedPage::empty, |answer| answer.replies.clone());
            plan.write(&List::new(page.page, MessageOrder::Queue(node.row.id), Some(page.total)), json)
        }))
    })))
}
