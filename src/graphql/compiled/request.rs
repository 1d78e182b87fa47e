//! What a query asks for, with the variables of a request.

use std::sync::Arc;

use async_graphql::ID;
use uuid::Uuid;

use super::arguments::{Arguments, Inputs};
use super::compiler::{Needs, PageArguments, QuestionArguments, Read, SearchNeeds};
use crate::chat::{ListSelection, LongColumns, MessageColumns, PathPage, Question, Slice};
use crate::graphql::change::ChangeRequest;
use crate::graphql::conversation::ListRequest;
use crate::graphql::message::page_slice;
use crate::graphql::search::SearchRequest;
use crate::graphql::shared::{Paging, QueueCursor, parse_id};

/// What is to be read for a field of the query, its arguments checked.
pub(super) enum Request {
    Conversations(ListRequest, Beside, ListSelection),
    Conversation(Option<Uuid>, Beside),
    Messages(PathPage, MessageColumns),
    Message(Option<Uuid>),
    Node(ID, Beside),
    Search(SearchRequest, SearchNeeds),
    Changes(ChangeRequest, LongColumns),
    ChangeCursor,
}

impl Request {
    /// `None` if an argument is wrong, or depends on the row.
    pub(super) fn new(read: &Read, inputs: &Inputs<'_>) -> Option<Self> {
        Some(match read {
            Read::Conversations(arguments, needs) => {
                let request = ListRequest::of(arguments, inputs)?;
                let wanted = ListSelection { counted: needs.counted, details: needs.details };
                Self::Conversations(request, Beside::new(needs, None, inputs)?, wanted)
            }
            Read::Conversation(arguments, needs) => {
                let id = parse_id(&arguments.get::<ID>("id", inputs)?);
                Self::Conversation(id, Beside::new(needs, id, inputs)?)
            }
            Read::Messages(arguments, needs) => {
                let id = parse_id(&arguments.get::<ID>("conversationId", inputs)?).unwrap_or_default();
                Self::Messages(
                    PathPage { conversation: id, slice: slice(arguments, Some(id), inputs)? },
                    needs.columns,
                )
            }
            Read::Message(arguments) => Self::Message(parse_id(&arguments.get::<ID>("id", inputs)?)),
            Read::Node(arguments, needs) => {
                let id = arguments.get::<ID>("id", inputs)?;
                let beside = Beside::new(needs, parse_id(&id), inputs)?;
                Self::Node(id, beside)
            }
            Read::Search(arguments, needs) => Self::Search(SearchRequest::of(arguments, inputs)?, *needs),
            Read::Changes(arguments, needs) => {
                Self::Changes(ChangeRequest::of(arguments, inputs)?, needs.columns.long)
            }
            Read::ChangeCursor => Self::ChangeCursor,
        })
    }
}

/// What is read beside the rows of conversations.
pub(super) struct Beside {
    pub(super) pages: Vec<Slice<i64>>,
    pub(super) columns: MessageColumns,
    /// Whether details of the conversations are.
    pub(super) details: bool,
    pub(super) questions: Arc<[Question]>,
}

impl Beside {
    /// What is needed of `conversation`, or of any.
    pub(super) fn new(needs: &Needs, conversation: Option<Uuid>, inputs: &Inputs<'_>) -> Option<Self> {
        let questions = needs.questions.iter().map(|question| match question {
            QuestionArguments::Unread => Some(Question::Unread),
            QuestionArguments::Active => Some(Question::Active),
            QuestionArguments::Queued(arguments) => queue(arguments, conversation, inputs),
        });
        Some(Self {
            pages: slices(needs, conversation, inputs)?,
            columns: needs.columns,
            details: needs.details,
            questions: questions.collect::<Option<_>>()?,
        })
    }
}

fn queue(arguments: &Arguments, conversation: Option<Uuid>, inputs: &Inputs<'_>) -> Option<Question> {
    let paging = paging(arguments, conversation, inputs)?;
    let place = |cursor: QueueCursor| (Some(cursor.conversation) == conversation).then_some(cursor.place);
    paging.slice(place).ok().map(Question::Queued)
}

/// The arguments of a page of `conversation`, or of any, which has no cursor then.
pub(super) fn paging(
    arguments: &Arguments,
    conversation: Option<Uuid>,
    inputs: &Inputs<'_>,
) -> Option<Paging> {
    let paging = arguments.paging(inputs)?;
    let has_cursor = paging.after.is_some() || paging.before.is_some();
    (conversation.is_some() || !has_cursor).then_some(paging)
}

/// The pages that are needed of `conversation`, or of any.
fn slices(needs: &Needs, conversation: Option<Uuid>, inputs: &Inputs<'_>) -> Option<Vec<Slice<i64>>> {
    let slices = needs.pages.iter().map(|page| match page {
        PageArguments::LastMessage => Some(PathPage::last_message(Uuid::nil()).slice),
        PageArguments::Of(arguments) => slice(arguments, conversation, inputs),
    });
    slices.collect()
}

fn slice(arguments: &Arguments, conversation: Option<Uuid>, inputs: &Inputs<'_>) -> Option<Slice<i64>> {
    // Another branch than the active path is read otherwise.
    if arguments.get::<Option<ID>>("leafId", inputs)?.is_some() {
        return None;
    }
    let paging = paging(arguments, conversation, inputs)?;
    page_slice(conversation.unwrap_or_default(), None, paging).ok()
}
