//! Pages, as clients of Relay expect them, and their cursors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// A page of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    edges: Vec<Edge<T>>,
    page_info: PageInfo,
}

#[derive(Serialize)]
struct Edge<T> {
    cursor: String,
    node: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: Option<String>,
    end_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of `items`, and whether there are items after and before it.
    pub fn new(items: Vec<T>, cursor: impl Fn(&T) -> String, next: bool, previous: bool) -> Self {
        let edges: Vec<_> = items.into_iter().map(|node| Edge { cursor: cursor(&node), node }).collect();
        let page_info = PageInfo {
            has_next_page: next,
            has_previous_page: previous,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()),
        };
        Self { edges, page_info }
    }
}

/// The cursor of a conversation in the list.
pub fn place(instant: DateTime<Utc>, id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {id}", instant.timestamp_micros()))
}

/// Where a cursor of [`place`] leads.
pub fn read_place(cursor: &str) -> Option<(DateTime<Utc>, Uuid)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (instant, id) = text.split_once(' ')?;
    Some((DateTime::from_timestamp_micros(instant.parse().ok()?)?, id.parse().ok()?))
}

/// The cursor of a message.
pub fn position(position: i64) -> String {
    URL_SAFE_NO_PAD.encode(position.to_string())
}

/// Where a cursor of [`position`] leads.
pub fn read_position(cursor: &str) -> Option<i64> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?.parse().ok()
}
