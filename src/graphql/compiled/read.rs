//! Reading what a query answers with.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::ID;
use futures_util::future::{join, join_all};
use uuid::Uuid;

use super::arguments::{Arguments, Inputs};
use super::compiler::{Needs, PageArguments, QuestionArguments, Read};
use super::list::List;
use super::nodes::{Answered, ConversationNode, MessageNode, MessageOrder};
use crate::chat::{
    ChangeCursor, Chat, ConversationOrder, ConversationPage, CountedPage, LongColumns, Page, PathPage,
    Question, Slice, Unended, UnendedReplies,
};
use crate::entity::conversation;
use crate::error::Error;
use crate::graphql::conversation::ListRequest;
use crate::graphql::message::page_slice;
use crate::graphql::shared::{Paging, QueueCursor, parse_id};

/// How many questions one statement answers.
const QUESTIONS: usize = 1000;

type Pages = HashMap<PathPage, CountedPage<MessageNode>>;

/// What is to be read for a field of the query, its arguments checked.
pub(super) enum Request {
    Conversations(ListRequest, Beside, bool),
    Conversation(Option<Uuid>, Beside),
    Messages(PathPage, LongColumns),
    Message(Option<Uuid>),
    ChangeCursor,
}

impl Request {
    /// `None` if an argument is wrong, or depends on the row.
    pub(super) fn new(read: &Read, inputs: &Inputs<'_>) -> Option<Self> {
        Some(match read {
            Read::Conversations(arguments, needs) => {
                let request = ListRequest::of(arguments, inputs)?;
                Self::Conversations(request, Beside::new(needs, None, inputs)?, needs.counted)
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
            Read::ChangeCursor => Self::ChangeCursor,
        })
    }
}

/// What is read beside the rows of conversations.
pub(super) struct Beside {
    pages: Vec<Slice<i64>>,
    columns: LongColumns,
    questions: Arc<[Question]>,
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
            questions: questions.collect::<Option<_>>()?,
        })
    }

    /// Whether it is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.questions.is_empty()
    }
}

fn queue(arguments: &Arguments, conversation: Option<Uuid>, inputs: &Inputs<'_>) -> Option<Question> {
    let paging = paging(arguments, conversation, inputs)?;
    let place = |cursor: QueueCursor| (Some(cursor.conversation) == conversation).then_some(cursor.place);
    paging.slice(place).ok().map(Question::Queued)
}

/// The arguments of a page of `conversation`, or of any, which has no cursor then.
fn paging(arguments: &Arguments, conversation: Option<Uuid>, inputs: &Inputs<'_>) -> Option<Paging> {
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

/// What the fields of a query answer with, by their index.
pub(super) struct Answers(Vec<Answer>);

enum Answer {
    Conversations(Result<List<ConversationNode>, Error>),
    Conversation(Result<Option<ConversationNode>, Error>),
    Messages(Result<List<MessageNode>, Error>),
    Message(Result<Option<MessageNode>, Error>),
    ChangeCursor(Result<ChangeCursor, Error>),
}

impl Answers {
    /// Reads all that is asked for: first the fields of the query, side by side, and then the messages of all lists.
    pub(super) async fn read(chat: &Chat, requests: Vec<Request>) -> Self {
        let mut cursor = None;
        if requests.iter().any(|request| matches!(request, Request::ChangeCursor)) {
            // Before anything else: what is changed meanwhile comes after it.
            cursor = Some(chat.change_cursor().await);
        }
        let pages = requests.iter().filter_map(|request| match request {
            Request::Messages(page, columns) => Some((*page, *columns)),
            _ => None,
        });
        let pages = read_pages(chat, pages.collect());
        let fields = join_all(requests.into_iter().map(|request| async {
            match request {
                Request::Conversations(request, beside, counted) => {
                    let order = request.order();
                    let list = request.read(chat, counted).await.map(|list| conversations(list, order));
                    (Some(Answer::Conversations(list)), Some(beside), None)
                }
                Request::Conversation(id, beside) => {
                    let opened = open(chat, id, &beside.pages, beside.columns).await;
                    // Its pages are read.
                    let beside = Beside { pages: Vec::new(), ..beside };
                    (Some(Answer::Conversation(opened)), Some(beside), None)
                }
                Request::Message(id) => {
                    let message = match id {
                        Some(id) => chat.message(id).await,
                        None => Ok(None),
                    };
                    (Some(Answer::Message(message)), None, None)
                }
                Request::Messages(page, _) => (None, None, Some(page)),
                Request::ChangeCursor => (None, None, None),
            }
        }));
        let (pages, fields) = join(pages, fields).await;
        let mut answers = Vec::with_capacity(fields.len());
        let mut missing: Vec<(usize, Beside)> = Vec::new();
        for (index, (answer, needed, page)) in fields.into_iter().enumerate() {
            missing.extend(needed.map(|needed| (index, needed)));
            let unread = || Err(Error::Internal("the change cursor was not read".to_owned()));
            answers.push(answer.unwrap_or_else(|| match page {
                Some(page) => Answer::Messages(
                    pages.as_ref().map_err(Clone::clone).map(|pages| message_list(&page, pages)),
                ),
                None => Answer::ChangeCursor(cursor.clone().unwrap_or_else(unread)),
            }));
        }
        let mut answers = Self(answers);
        let missing: Vec<_> = missing.iter().map(|(index, beside)| (*index, beside)).collect();
        answers.read_missing(chat, &missing).await;
        answers
    }

    /// Reads what is needed beside the row of a conversation.
    pub(super) async fn beside(
        chat: &Chat,
        row: Arc<conversation::Model>,
        beside: &Beside,
    ) -> Option<ConversationNode> {
        let mut answers = Self(vec![Answer::Conversation(Ok(Some(ConversationNode::of(row))))]);
        answers.read_missing(chat, &[(0, beside)]).await;
        match answers.0.pop() {
            Some(Answer::Conversation(Ok(node))) => node,
            _ => None,
        }
    }

    /// Reads what the conversations need: the pages of messages of all lists, and what is asked about all conversations.
    async fn read_missing(&mut self, chat: &Chat, missing: &[(usize, &Beside)]) {
        let (mut wanted, mut asked) = (Vec::new(), Vec::new());
        for (index, beside) in missing {
            for node in self.nodes_mut(*index) {
                let conversation = node.row.id;
                let page = |slice: &Slice<i64>| (PathPage { conversation, slice: *slice }, beside.columns);
                wanted.extend(beside.pages.iter().map(page));
                let may_be_unread = node.may_be_unread();
                let questions = beside.questions.iter();
                let questions = questions.filter(|question| may_be_unread || **question != Question::Unread);
                asked.extend(questions.map(|question| UnendedReplies { conversation, question: *question }));
            }
        }
        let (pages, answers) = join(read_pages(chat, wanted), ask(chat, asked)).await;
        let answers = answers.map(Arc::new);
        for (index, beside) in missing {
            for node in self.nodes_mut(*index) {
                let conversation = node.row.id;
                if !beside.pages.is_empty() {
                    let page = |pages: &Pages, slice: &Slice<i64>| {
                        message_list(&PathPage { conversation, slice: *slice }, pages)
                    };
                    let pages = pages.as_ref().map_err(Clone::clone);
                    node.pages =
                        pages.map(|pages| beside.pages.iter().map(|slice| page(pages, slice)).collect());
                }
                let answers = answers.as_ref().map_err(Clone::clone);
                let questions = beside.questions.clone();
                node.unended = answers.map(|answers| Answered { questions, answers: answers.clone() });
            }
        }
    }

    /// The conversations of the field at `index`.
    fn nodes_mut(&mut self, index: usize) -> impl Iterator<Item = &mut ConversationNode> {
        let (list, node) = match self.0.get_mut(index) {
            Some(Answer::Conversations(Ok(list))) => (Some(list), None),
            Some(Answer::Conversation(Ok(node))) => (None, node.as_mut()),
            _ => (None, None),
        };
        list.into_iter().flat_map(List::nodes_mut).chain(node)
    }

    pub(super) fn conversations(&self, index: usize) -> Result<&List<ConversationNode>, Error> {
        match self.0.get(index) {
            Some(Answer::Conversations(list)) => list.as_ref().map_err(Clone::clone),
            _ => Err(unread()),
        }
    }

    pub(super) fn conversation(&self, index: usize) -> Result<Option<&ConversationNode>, Error> {
        match self.0.get(index) {
            Some(Answer::Conversation(node)) => node.as_ref().map(Option::as_ref).map_err(Clone::clone),
            _ => Err(unread()),
        }
    }

    pub(super) fn messages(&self, index: usize) -> Result<&List<MessageNode>, Error> {
        match self.0.get(index) {
            Some(Answer::Messages(list)) => list.as_ref().map_err(Clone::clone),
            _ => Err(unread()),
        }
    }

    pub(super) fn message(&self, index: usize) -> Result<Option<&MessageNode>, Error> {
        match self.0.get(index) {
            Some(Answer::Message(node)) => node.as_ref().map(Option::as_ref).map_err(Clone::clone),
            _ => Err(unread()),
        }
    }

    pub(super) fn change_cursor(&self, index: usize) -> Result<ChangeCursor, Error> {
        match self.0.get(index) {
            Some(Answer::ChangeCursor(cursor)) => cursor.clone(),
            _ => Err(unread()),
        }
    }
}

fn unread() -> Error {
    Error::Internal("a field of the query was not read".to_owned())
}

/// Asks about replies that have not ended in one statement, if there is anything to ask.
async fn ask(
    chat: &Chat,
    mut questions: Vec<UnendedReplies>,
) -> Result<HashMap<UnendedReplies, Unended>, Error> {
    let mut known = HashSet::with_capacity(questions.len());
    questions.retain(|question| known.insert(*question));
    let mut answers = HashMap::new();
    for questions in questions.chunks(QUESTIONS) {
        answers.extend(chat.unended_replies(questions).await?);
    }
    Ok(answers)
}

/// Reads pages of messages in one statement, if there are any.
async fn read_pages(chat: &Chat, wanted: Vec<(PathPage, LongColumns)>) -> Result<Pages, Error> {
    let columns = wanted.iter().fold(LongColumns::NONE, |all, (_, columns)| all.and(*columns));
    let mut pages: Vec<PathPage> = Vec::with_capacity(wanted.len());
    let mut known = HashSet::with_capacity(wanted.len());
    pages.extend(wanted.into_iter().map(|(page, _)| page).filter(|page| known.insert(*page)));
    chat.path_pages(&pages, columns).await
}

fn conversations(list: ConversationPage, order: ConversationOrder) -> List<ConversationNode> {
    let ConversationPage { page, total } = list;
    let items = page.items.into_iter().map(ConversationNode::of).collect();
    let page = Page { items, has_previous: page.has_previous, has_next: page.has_next };
    List::new(page, order, total.and_then(|total| i64::try_from(total).ok()))
}

/// A page of the messages of a conversation, which is empty if there is no such conversation.
fn message_list(page: &PathPage, pages: &Pages) -> List<MessageNode> {
    let counted = pages.get(page).cloned().unwrap_or_else(CountedPage::empty);
    List::new(counted.page, MessageOrder::Path(page.conversation), Some(counted.total))
}

/// A conversation with pages of its messages.
async fn open(
    chat: &Chat,
    id: Option<Uuid>,
    slices: &[Slice<i64>],
    columns: LongColumns,
) -> Result<Option<ConversationNode>, Error> {
    let Some(id) = id else { return Ok(None) };
    if slices.is_empty() {
        let row = chat.conversation(id).await?;
        return Ok(row.map(ConversationNode::of));
    }
    let mut distinct: Vec<Slice<i64>> = Vec::new();
    for slice in slices {
        if !distinct.contains(slice) {
            distinct.push(*slice);
        }
    }
    let Some((row, pages)) = chat.open(id, &distinct, columns).await? else { return Ok(None) };
    let page = |slice: &Slice<i64>| message_list(&PathPage { conversation: id, slice: *slice }, &pages);
    Ok(Some(ConversationNode { pages: Ok(slices.iter().map(page).collect()), ..ConversationNode::of(row) }))
}
