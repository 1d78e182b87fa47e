//! Lists of conversations and of messages.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use uuid::Uuid;

use super::answer::{ConversationItem, MessageItem};
use super::caller::{Caller, json};
use crate::chat::{
    ConversationCursor, ConversationFilter, ConversationOrder, DEFAULT_PAGE, ListSelection, LongColumns,
    MAXIMUM_PAGE, MessageColumns, PathPage, Slice,
};
use crate::error::Error;
use crate::graphql::Cursor;
use crate::http::App;
use crate::http::access::LogFields;
use crate::http::address::Client;
use crate::http::problem::not_found;

const ORDER: ConversationOrder = ConversationOrder::UpdatedAtDesc;

/// What a message is shown with: its text and tool calls.
const COLUMNS: MessageColumns =
    MessageColumns { details: true, long: LongColumns { reasoning: false, ..LongColumns::ALL } };

/// `GET /api/{user_id}/conversations`.
pub(super) async fn conversations(
    State(app): State<App>,
    user_id: Result<Path<String>, PathRejection>,
    Extension(log_fields): Extension<LogFields>,
    Extension(client): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Ok(Path(user_id)) = user_id else { return Ok(not_found()) };
    let caller = match Caller::admit(&app, (log_fields, client), &headers, 0, &user_id, false).await {
        Ok(caller) => caller,
        Err(refusal) => return Ok(refusal),
    };
    let paging = Paging::<ConversationCursor>::read(query.as_deref())?;
    if paging.cursor.as_ref().is_some_and(|cursor| cursor.order != ORDER) {
        return Err(foreign_cursor());
    }
    let slice = Slice { after: paging.cursor, before: None, limit: paging.limit, from_end: false };
    let wanted = ListSelection { counted: false, details: true };
    let list = caller.chat.conversations(&ConversationFilter::default(), ORDER, slice, wanted).await?;
    let page = list.page;
    let answer = move || {
        let last = page.items.last().filter(|_| page.has_next);
        json(&Conversations {
            conversations: page.items.iter().map(|row| (&**row).into()).collect(),
            next_cursor: last.map(|row| ORDER.cursor(row).encode()),
        })
    };
    caller.respond(StatusCode::OK, answer).await
}

#[derive(Serialize)]
struct Conversations<'r> {
    conversations: Vec<ConversationItem<'r>>,
    next_cursor: Option<String>,
}

/// `GET /api/{user_id}/conversations/{conversation_id}/messages`.
pub(super) async fn messages(
    State(app): State<App>,
    ids: Result<Path<(String, String)>, PathRejection>,
    Extension(log_fields): Extension<LogFields>,
    Extension(client): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Ok(Path((user_id, conversation_id))) = ids else { return Ok(not_found()) };
    let caller = match Caller::admit(&app, (log_fields, client), &headers, 0, &user_id, false).await {
        Ok(caller) => caller,
        Err(refusal) => return Ok(refusal),
    };
    let paging = Paging::<MessageCursor>::read(query.as_deref())?;
    let missing = || Error::NotFound("conversation");
    let id = Uuid::try_parse(&conversation_id).map_err(|_| missing())?;
    if paging.cursor.as_ref().is_some_and(|cursor| cursor.conversation != id) {
        return Err(foreign_cursor());
    }
    let before = paging.cursor.map(|cursor| cursor.before);
    let slice = Slice { after: None, before, limit: paging.limit, from_end: true };
    let page = PathPage { conversation: id, slice };
    let counted = caller.chat.path_pages(&[page], COLUMNS).await?.remove(&page).ok_or_else(missing)?;
    let rows = counted.page.items;
    let answer = move || {
        let before = rows.first().map(|row| row.position).filter(|position| *position > 1);
        json(&Messages {
            messages: rows.iter().map(|row| (&**row).into()).collect(),
            next_cursor: before.map(|before| MessageCursor { conversation: id, before }.encode()),
        })
    };
    caller.respond(StatusCode::OK, answer).await
}

#[derive(Serialize)]
struct Messages<'r> {
    messages: Vec<MessageItem<'r>>,
    next_cursor: Option<String>,
}

/// Where the page of the messages before a position begins.
struct MessageCursor {
    conversation: Uuid,
    before: i64,
}

impl Cursor for MessageCursor {
    fn to_bytes(&self) -> Vec<u8> {
        [b"b", &self.conversation.as_bytes()[..], &self.before.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (conversation, before) = bytes.strip_prefix(b"b")?.split_at_checked(16)?;
        let before = i64::from_be_bytes(before.try_into().ok()?);
        Some(Self { conversation: Uuid::from_slice(conversation).ok()?, before })
    }
}

fn foreign_cursor() -> Error {
    Error::input("cursor", "`cursor` must be a `next_cursor` of the same list.")
}

/// Which page of a list is wanted.
struct Paging<C> {
    limit: u64,
    cursor: Option<C>,
}

impl<C: Cursor> Paging<C> {
    fn read(query: Option<&str>) -> Result<Self, Error> {
        let (mut limit, mut cursor) = (None, None);
        let given = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        // What is empty is as if it was left out.
        for (name, value) in given.filter(|(_, value)| !value.is_empty()) {
            let parameter = match &*name {
                "limit" => &mut limit,
                "cursor" => &mut cursor,
                _ => continue,
            };
            if parameter.replace(value).is_some() {
                return Err(Error::input(name.to_string(), format!("`{name}` is given twice.")));
            }
        }
        let limit = limit.map_or(Some(DEFAULT_PAGE), |text| {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|limit| is_number && (1..=MAXIMUM_PAGE).contains(limit))
        });
        let limit = limit.ok_or_else(|| {
            Error::input("limit", format!("`limit` must be a whole number from 1 to {MAXIMUM_PAGE}."))
        })?;
        let cursor = cursor.map(|text| C::decode(&text).ok_or_else(foreign_cursor)).transpose()?;
        Ok(Self { limit, cursor })
    }
}
