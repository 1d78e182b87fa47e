//! Rows as they are written, with what was read beside them.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::arguments::Arguments;
use super::compiler::{Compiler, PageArguments, QuestionArguments};
use super::json::{Json, Written};
use super::list::List;
use super::loads::Lookup;
use super::object::{Field, ObjectType, Typed, value};
use super::selection::{Kind, Selected};
use crate::chat::{CountedPage, Question, SiblingRank, Unended, UnendedReplies};
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
    /// The versions of a message: those of this parent, or the first ones of this conversation.
    Siblings(Uuid),
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

/// The conversation of something.
pub(in crate::graphql) enum ConversationOf<'t> {
    /// It was read with it.
    Row(&'t Arc<conversation::Model>),
    /// It is to be read.
    Id(Uuid),
}

/// The field with the conversation of something.
pub(in crate::graphql) fn conversation<T: 'static>(get: fn(&T) -> ConversationOf<'_>) -> Option<Field<T>> {
    Some(Field::Compiled(Box::new(move |compiler, selected| {
        let compile = |compiler: &mut Compiler<'_>| ConversationNode::object().compile(compiler, selected);
        let (plan, index, is_row) = compiler.loads_conversation(compile)?;
        Some(Box::new(move |source: &T, json: &mut Json<'_>| {
            let (id, row) = match get(source) {
                ConversationOf::Row(row) if is_row => {
                    return plan.write(&ConversationNode::of(row.clone()), json);
                }
                ConversationOf::Row(row) => (row.id, Some(row)),
                ConversationOf::Id(id) => (id, None),
            };
            match json.conversation(index, id, row)? {
                Lookup::Named => Ok(()),
                Lookup::Found(node) => plan.write(node, json),
                Lookup::Missing => Err(Error::NotFound("conversation").into()),
            }
        }))
    })))
}

const CONVERSATION_ID: ObjectType<Uuid> = ObjectType::new(&["Conversation", "Node"], id_field);
const MESSAGE_ID: ObjectType<Uuid> = ObjectType::new(&["Message", "Node"], id_field);

fn id_field(name: &str) -> Option<Field<Uuid>> {
    match name {
        "id" => value(|it, json| json.id(*it)),
        _ => None,
    }
}

/// Whether nothing but the id is selected, for which nothing is read.
fn is_id(compiler: &Compiler<'_>, selected: &Selected<'_>, object: ObjectType<Uuid>) -> bool {
    let kind = Kind { is: object.names, is_not: object.others };
    compiler.selects_only(selected, kind, &["id", "__typename"])
}

/// The field with the conversation of a message.
pub(in crate::graphql) fn conversation_of_message() -> Option<Field<MessageNode>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        let field = if is_id(compiler, selected, CONVERSATION_ID) {
            CONVERSATION_ID.required(|it: &MessageNode| &it.conversation_id)
        } else {
            conversation(|it: &MessageNode| ConversationOf::Id(it.conversation_id))
        };
        field?.compile(compiler, selected)
    })))
}

/// The field with the message before a message.
pub(in crate::graphql) fn parent() -> Option<Field<MessageNode>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        if is_id(compiler, selected, MESSAGE_ID) {
            return MESSAGE_ID
                .optional(|it: &MessageNode| it.parent_id.as_ref())?
                .compile(compiler, selected);
        }
        compiler.loads();
        let plan = compiler.of_whole_rows(|compiler| MessageNode::object().compile(compiler, selected))?;
        let position = selected.position;
        Some(Box::new(move |it, json| {
            json.nullable(position, |json| {
                let Some(id) = it.parent_id else { return json.raw("null") };
                match json.message(id)? {
                    Lookup::Named => Ok(()),
                    Lookup::Found(parent) => plan.write(parent, json),
                    Lookup::Missing => json.raw("null"),
                }
            })
        }))
    })))
}

/// The field with the message that a reply answers, as far as it was read.
pub(in crate::graphql) fn answered<T: 'static>(
    get: fn(&T) -> (Option<&MessageNode>, Option<Uuid>),
) -> Option<Field<T>> {
    Some(Field::Compiled(Box::new(move |compiler, selected| {
        compiler.loads();
        let plan = compiler.of_whole_rows(|compiler| MessageNode::object().compile(compiler, selected))?;
        Some(Box::new(move |source: &T, json: &mut Json<'_>| {
            let found = match get(source) {
                (Some(row), _) => return plan.write(row, json),
                (None, Some(id)) => json.message(id)?,
                (None, None) => Lookup::Missing,
            };
            match found {
                Lookup::Named => Ok(()),
                Lookup::Found(row) => plan.write(row, json),
                Lookup::Missing => Err(Error::NotFound("message").into()),
            }
        }))
    })))
}

/// A field that depends on a message's place among its siblings.
pub(in crate::graphql) fn rank(
    write: fn(SiblingRank, &mut Json<'_>) -> Written,
) -> Option<Field<MessageNode>> {
    Some(Field::Compiled(Box::new(move |compiler, _| {
        compiler.loads();
        Some(Box::new(move |it, json| match json.rank(it)? {
            Some(rank) => write(rank, json),
            None => Ok(()),
        }))
    })))
}

/// The field with a page of the siblings of a message.
pub(in crate::graphql) fn siblings() -> Option<Field<MessageNode>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        let index = compiler.loads_siblings(Arguments::of(selected));
        let plan = compiler.of_whole_rows(|compiler| List::<MessageNode>::compile(compiler, selected))?;
        Some(Box::new(move |it, json| {
            let Some(CountedPage { page, total }) = json.siblings(index, it)? else { return Ok(()) };
            let group = it.parent_id.unwrap_or(it.conversation_id);
            plan.write(&List::new(page, MessageOrder::Siblings(group), Some(total)), json)
        }))
    })))
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
