//! Reading what a query answers with.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::ID;
use futures_util::future::{join, join_all};
use uuid::Uuid;

use super::arguments::{Arguments, Inputs};
use super::compiler::{Needs, PageArguments, Read};
use super::list::{List, Node};
use super::object::Field;
use crate::chat::{
    ChangeCursor, Chat, ConversationOrder, ConversationPage, CountedPage, LongColumns, Page, PathPage, Slice,
};
use crate::entity::{conversation, message};
use crate::error::Error;
use crate::graphql::conversation::ListRequest;
use crate::graphql::message::page_slice;
use crate::graphql::shared::parse_id;

/// A message that is written.
pub(in crate::graphql) type MessageNode = Arc<message::Model>;

/// A conversation that is written, with the pages of its messages.
pub(in crate::graphql) struct ConversationNode {
    pub(in crate::graphql) row: Arc<conversation::Model>,
    pages: Result<Vec<List<MessageNode>>, Error>,
}

impl ConversationNode {
    /// The page that has this index among those that are needed.
    pub(super) fn page(&self, index: usize) -> Result<&List<MessageNode>, Error> {
        let pages = self.pages.as_ref().map_err(Clone::clone)?;
        pages.get(index).ok_or_else(|| Error::Internal("a page of messages was not read".to_owned()))
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

type Pages = HashMap<PathPage, CountedPage<MessageNode>>;

/// What is to be read for a field of the query, its arguments checked.
pub(super) enum Request {
    Conversations(ListRequest, Vec<Slice<i64>>, LongColumns, bool),
    Conversation(Option<Uuid>, Vec<Slice<i64>>, LongColumns),
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
                Self::Conversations(request, slices(needs, None, inputs)?, needs.columns, needs.counted)
            }
            Read::Conversation(arguments, needs) => {
                let id = parse_id(&arguments.get::<ID>("id", inputs)?);
                Self::Conversation(id, slices(needs, id, inputs)?, needs.columns)
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
    let paging = arguments.paging(inputs)?;
    if conversation.is_none() && (paging.after.is_some() || paging.before.is_some()) {
        return None;
    }
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

/// What a list of conversations still needs.
type Missing = (Vec<Slice<i64>>, LongColumns);

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
                Request::Conversations(request, slices, columns, counted) => {
                    let order = request.order();
                    let list = request.read(chat, counted).await.map(|list| conversations(list, order));
                    (Some(Answer::Conversations(list)), Some((slices, columns)), None)
                }
                Request::Conversation(id, slices, columns) => {
                    (Some(Answer::Conversation(open(chat, id, &slices, columns).await)), None, None)
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
        let mut missing: Vec<(usize, Missing)> = Vec::new();
        for (index, (answer, needed, page)) in fields.into_iter().enumerate() {
            missing.extend(needed.filter(|(slices, _)| !slices.is_empty()).map(|needed| (index, needed)));
            let unread = || Err(Error::Internal("the change cursor was not read".to_owned()));
            answers.push(answer.unwrap_or_else(|| match page {
                Some(page) => Answer::Messages(
                    pages.as_ref().map_err(Clone::clone).map(|pages| message_list(&page, pages)),
                ),
                None => Answer::ChangeCursor(cursor.clone().unwrap_or_else(unread)),
            }));
        }
        let mut answers = Self(answers);
        if !missing.is_empty() {
            answers.read_missing(chat, &missing).await;
        }
        answers
    }

    /// Reads the pages of messages that the conversations of lists need, those of all lists together.
    async fn read_missing(&mut self, chat: &Chat, missing: &[(usize, Missing)]) {
        let mut wanted = Vec::new();
        for (index, (slices, columns)) in missing {
            if let Some(Answer::Conversations(Ok(list))) = self.0.get_mut(*index) {
                for node in list.nodes_mut() {
                    let conversation = node.row.id;
                    wanted.extend(
                        slices.iter().map(|slice| (PathPage { conversation, slice: *slice }, *columns)),
                    );
                }
            }
        }
        let pages = read_pages(chat, wanted).await;
        for (index, (slices, _)) in missing {
            if let Some(Answer::Conversations(Ok(list))) = self.0.get_mut(*index) {
                for node in list.nodes_mut() {
                    let conversation = node.row.id;
                    node.pages = pages.as_ref().map_err(Clone::clone).map(|pages| {
                        let page = |slice: &Slice<i64>| {
                            message_list(&PathPage { conversation, slice: *slice }, pages)
                        };
                        slices.iter().map(page).collect()
                    });
                }
            }
        }
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

/// Reads pages of messages in one statement, if there are any.
async fn read_pages(chat: &Chat, wanted: Vec<(PathPage, LongColumns)>) -> Result<Pages, Error> {
    let columns = wanted.iter().fold(LongColumns::NONE, |all, (_, columns)| all.and(*columns));
    let mut pages: Vec<PathPage> = Vec::with_capacity(wanted.len());
    let mut known = std::collections::HashSet::with_capacity(wanted.len());
    pages.extend(wanted.into_iter().map(|(page, _)| page).filter(|page| known.insert(*page)));
    chat.path_pages(&pages, columns).await
}

fn conversations(list: ConversationPage, order: ConversationOrder) -> List<ConversationNode> {
    let ConversationPage { page, total } = list;
    let node = |row| ConversationNode { row, pages: Ok(Vec::new()) };
    let items = page.items.into_iter().map(node).collect();
    let page = Page { items, has_previous: page.has_previous, has_next: page.has_next };
    List::new(page, order, total.and_then(|total| i64::try_from(total).ok()))
}

/// A page of the messages of a conversation, which is empty if there is no such conversation.
fn message_list(page: &PathPage, pages: &Pages) -> List<MessageNode> {
    let counted = pages.get(page).cloned().unwrap_or_else(CountedPage::empty);
    List::new(counted.page, page.conversation, Some(counted.total))
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
        return Ok(row.map(|row| ConversationNode { row, pages: Ok(Vec::new()) }));
    }
    let mut distinct: Vec<Slice<i64>> = Vec::new();
    for slice in slices {
        if !distinct.contains(slice) {
            distinct.push(*slice);
        }
    }
    let Some((row, pages)) = chat.open(id, &distinct, columns).await? else { return Ok(None) };
    let page = |slice: &Slice<i64>| message_list(&PathPage { conversation: id, slice: *slice }, &pages);
    Ok(Some(ConversationNode { row, pages: Ok(slices.iter().map(page).collect()) }))
}
