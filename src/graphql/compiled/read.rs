//! Reading what a query answers with.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::ID;
use futures_util::future::{join, join_all};
use uuid::Uuid;

use super::list::List;
use super::nodes::{Answered, ConversationNode, MessageNode, MessageOrder};
use super::request::{Beside, Request};
use crate::chat::{
    ChangeCursor, Chat, ConversationOrder, ConversationPage, CountedPage, MessageColumns, PathPage, Question,
    Slice, Unended, UnendedReplies,
};
use crate::error::Error;
use crate::graphql::assistant::Assistant;
use crate::graphql::change::ChangeEvent;
use crate::graphql::search::HitNode;
use crate::graphql::shared::parse_id;

/// How many questions one statement answers.
const QUESTIONS: usize = 1000;

type Pages = HashMap<PathPage, CountedPage<MessageNode>>;

/// What the fields of a query answer with, by their index.
pub(super) struct Answers(Vec<Answer>);

enum Answer {
    Conversations(Result<List<ConversationNode>, Error>),
    Conversation(Result<Option<ConversationNode>, Error>),
    Messages(Result<List<MessageNode>, Error>),
    Message(Result<Option<MessageNode>, Error>),
    Node(Result<Option<AnyNode>, Error>),
    Search(Result<List<HitNode>, Error>),
    Changes(Result<List<ChangeEvent>, Error>),
    ChangeCursor(Result<ChangeCursor, Error>),
}

/// What an id alone stands for.
pub(super) enum AnyNode {
    Assistant(Assistant),
    Conversation(ConversationNode),
    Message(MessageNode),
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
                Request::Conversations(request, beside, wanted) => {
                    let order = request.order();
                    let list = request.read(chat, wanted).await.map(|list| conversations(list, order));
                    (Some(Answer::Conversations(list)), Some(beside), None)
                }
                Request::Conversation(id, beside) => {
                    let opened = open(chat, id, &beside).await;
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
                Request::Node(id, beside) => {
                    let node = any_node(chat, &id, &beside).await;
                    let beside = Beside { pages: Vec::new(), ..beside };
                    (Some(Answer::Node(node)), Some(beside), None)
                }
                Request::Search(request, needs) => {
                    (Some(Answer::Search(request.read(chat, needs).await)), None, None)
                }
                Request::Changes(request, columns) => {
                    (Some(Answer::Changes(request.read(chat, columns).await)), None, None)
                }
                Request::Messages(page, _) => (None, None, Some(page)),
                Request::ChangeCursor => (None, None, None),
            }
        }));
        let (pages, fields) = join(pages, fields).await;
        let mut answers = Vec::with_capacity(fields.len());
        let mut besides = Vec::with_capacity(answers.capacity());
        for (answer, beside, page) in fields {
            besides.push(beside);
            let unread = || Err(Error::Internal("the change cursor was not read".to_owned()));
            answers.push(answer.unwrap_or_else(|| match page {
                Some(page) => Answer::Messages(
                    pages.as_ref().map_err(Clone::clone).map(|pages| message_list(&page, pages)),
                ),
                None => Answer::ChangeCursor(cursor.clone().unwrap_or_else(unread)),
            }));
        }
        let mut answers = Self(answers);
        let mut nodes = Vec::new();
        for (answer, beside) in answers.0.iter_mut().zip(&besides) {
            if let Some(beside) = beside {
                nodes.extend(answer.nodes().map(|node| (node, beside)));
            }
        }
        read_beside(chat, nodes).await;
        answers
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

    pub(super) fn node(&self, index: usize) -> Result<Option<&AnyNode>, Error> {
        match self.0.get(index) {
            Some(Answer::Node(node)) => node.as_ref().map(Option::as_ref).map_err(Clone::clone),
            _ => Err(unread()),
        }
    }

    pub(super) fn hits(&self, index: usize) -> Result<&List<HitNode>, Error> {
        match self.0.get(index) {
            Some(Answer::Search(list)) => list.as_ref().map_err(Clone::clone),
            _ => Err(unread()),
        }
    }

    pub(super) fn changes(&self, index: usize) -> Result<&List<ChangeEvent>, Error> {
        match self.0.get(index) {
            Some(Answer::Changes(list)) => list.as_ref().map_err(Clone::clone),
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

impl Answer {
    /// The conversations in it.
    fn nodes(&mut self) -> impl Iterator<Item = &mut ConversationNode> {
        let (list, node) = match self {
            Self::Conversations(Ok(list)) => (Some(list), None),
            Self::Conversation(Ok(node)) => (None, node.as_mut()),
            Self::Node(Ok(Some(AnyNode::Conversation(node)))) => (None, Some(node)),
            _ => (None, None),
        };
        list.into_iter().flat_map(List::nodes_mut).chain(node)
    }
}

/// Reads what conversations need beside their rows: the pages of messages of all, and what is asked about all.
pub(super) async fn read_beside(chat: &Chat, nodes: Vec<(&mut ConversationNode, &Beside)>) {
    let (mut wanted, mut asked) = (Vec::new(), Vec::new());
    for (node, beside) in &nodes {
        let conversation = node.row.id;
        let page = |slice: &Slice<i64>| (PathPage { conversation, slice: *slice }, beside.columns);
        wanted.extend(beside.pages.iter().map(page));
        let may_be_unread = node.may_be_unread();
        let questions = beside.questions.iter();
        let questions = questions.filter(|question| may_be_unread || **question != Question::Unread);
        asked.extend(questions.map(|question| UnendedReplies { conversation, question: *question }));
    }
    let (pages, answers) = join(read_pages(chat, wanted), ask(chat, asked)).await;
    let answers = answers.map(Arc::new);
    for (node, beside) in nodes {
        let conversation = node.row.id;
        if !beside.pages.is_empty() {
            let page = |pages: &Pages, slice: &Slice<i64>| {
                message_list(&PathPage { conversation, slice: *slice }, pages)
            };
            let pages = pages.as_ref().map_err(Clone::clone);
            node.pages = pages.map(|pages| beside.pages.iter().map(|slice| page(pages, slice)).collect());
        }
        let answers = answers.as_ref().map_err(Clone::clone);
        let questions = beside.questions.clone();
        node.unended = answers.map(|answers| Answered { questions, answers: answers.clone() });
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
async fn read_pages(chat: &Chat, wanted: Vec<(PathPage, MessageColumns)>) -> Result<Pages, Error> {
    let columns = wanted.iter().fold(MessageColumns::NONE, |all, (_, columns)| all.and(*columns));
    let mut pages: Vec<PathPage> = Vec::with_capacity(wanted.len());
    let mut known = HashSet::with_capacity(wanted.len());
    pages.extend(wanted.into_iter().map(|(page, _)| page).filter(|page| known.insert(*page)));
    chat.path_pages(&pages, columns).await
}

fn conversations(list: ConversationPage, order: ConversationOrder) -> List<ConversationNode> {
    let ConversationPage { page, total } = list;
    List::new(page.map(ConversationNode::of), order, total.and_then(|total| i64::try_from(total).ok()))
}

/// A page of the messages of a conversation, which is empty if there is no such conversation.
fn message_list(page: &PathPage, pages: &Pages) -> List<MessageNode> {
    let counted = pages.get(page).cloned().unwrap_or_else(CountedPage::empty);
    List::new(counted.page, MessageOrder::Path(page.conversation), Some(counted.total))
}

/// A conversation with pages of its messages.
async fn open(chat: &Chat, id: Option<Uuid>, beside: &Beside) -> Result<Option<ConversationNode>, Error> {
    let Some(id) = id else { return Ok(None) };
    let slices = &beside.pages;
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
    let Some((row, pages)) = chat.open(id, &distinct, beside.details, beside.columns).await? else {
        return Ok(None);
    };
    let page = |slice: &Slice<i64>| message_list(&PathPage { conversation: id, slice: *slice }, &pages);
    Ok(Some(ConversationNode { pages: Ok(slices.iter().map(page).collect()), ..ConversationNode::of(row) }))
}

/// What an id alone stands for, with the pages of messages that are needed of a conversation.
async fn any_node(chat: &Chat, id: &ID, beside: &Beside) -> Result<Option<AnyNode>, Error> {
    // The id of an assistant is no UUID.
    let Some(id) = parse_id(id) else {
        return Ok(Assistant::of_reply(chat, id).map(AnyNode::Assistant));
    };
    if let Some(node) = open(chat, Some(id), beside).await? {
        return Ok(Some(AnyNode::Conversation(node)));
    }
    Ok(chat.message(id).await?.map(AnyNode::Message))
}
