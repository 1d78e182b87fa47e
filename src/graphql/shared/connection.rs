//! Lists in pages, as Relay's cursor connections.

use std::borrow::Cow;

use async_graphql::connection::EmptyFields;
use async_graphql::{Object, ObjectType, OutputType, SimpleObject, TypeName};

use super::cursor::Cursor;
use crate::chat::{DEFAULT_PAGE, Page, Slice};
use crate::error::Error;

/// The arguments with which a client asks for a page.
pub(crate) struct Paging {
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<i32>,
    pub(crate) before: Option<String>,
}

impl Paging {
    /// The same, but without any arguments the last page.
    pub(crate) fn or_last_page(self) -> Self {
        match self {
            Self { first: None, after: None, last: None, before: None } => {
                Self { last: i32::try_from(DEFAULT_PAGE).ok(), ..self }
            }
            _ => self,
        }
    }

    /// The part of the list that is asked for; `key` is what the list goes by, or `None` for a cursor of another list.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if a cursor is not one of this list, or as [`Slice::new`].
    pub(crate) fn slice<C: Cursor, K>(self, key: impl Fn(C) -> Option<K>) -> Result<Slice<K>, Error> {
        let after = C::parse_key("after", self.after.as_deref(), &key)?;
        let before = C::parse_key("before", self.before.as_deref(), &key)?;
        Slice::new(self.first, after, self.last, before)
    }
}

/// A type that is listed in pages.
pub(crate) trait Listed: OutputType {
    /// The name of the type of a page.
    const CONNECTION: &'static str;
    /// The name of the type of an item with its cursor.
    const EDGE: &'static str;
}

/// A page of `N`s; `F` has further fields of it.
pub(crate) struct Connection<N: Listed, F: ObjectType = EmptyFields> {
    edges: Vec<Edge<N>>,
    has_previous: bool,
    has_next: bool,
    fields: F,
}

impl<N: Listed> Connection<N> {
    pub(crate) fn new<T: Into<N>>(page: Page<T>, cursor: impl Fn(&T) -> String) -> Self {
        Self::with_fields(page, EmptyFields, cursor)
    }
}

impl<N: Listed, F: ObjectType> Connection<N, F> {
    pub(crate) fn with_fields<T: Into<N>>(page: Page<T>, fields: F, cursor: impl Fn(&T) -> String) -> Self {
        let edge = |item: T| Edge { cursor: cursor(&item), node: item.into() };
        Self {
            edges: page.items.into_iter().map(edge).collect(),
            has_previous: page.has_previous,
            has_next: page.has_next,
            fields,
        }
    }
}

/// A page of a list.
#[Object(name_type)]
impl<N: Listed, F: ObjectType> Connection<N, F> {
    /// The items on this page, each with its cursor.
    async fn edges(&self) -> &[Edge<N>] {
        &self.edges
    }

    /// The items on this page.
    async fn nodes(&self) -> Vec<&N> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// Information for reading the pages before and after this one.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_previous_page: self.has_previous,
            has_next_page: self.has_next,
            start_cursor: self.edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: self.edges.last().map(|edge| edge.cursor.clone()),
        }
    }

    #[graphql(flatten)]
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn fields(&self) -> &F {
        &self.fields
    }
}

impl<N: Listed, F: ObjectType> TypeName for Connection<N, F> {
    fn type_name() -> Cow<'static, str> {
        N::CONNECTION.into()
    }
}

/// An item of a list with its cursor.
#[derive(SimpleObject)]
#[graphql(name_type)]
struct Edge<N: Listed> {
    /// The item's cursor, for the arguments `after`, `before` and, in a list of changes, `since`.
    cursor: String,
    /// The item.
    node: N,
}

impl<N: Listed> TypeName for Edge<N> {
    fn type_name() -> Cow<'static, str> {
        N::EDGE.into()
    }
}

/// Information about a page's place in its list.
#[derive(SimpleObject)]
struct PageInfo {
    /// Whether there are items before this page.
    has_previous_page: bool,
    /// Whether there are items after this page.
    has_next_page: bool,
    /// The cursor of the first item on this page: pass it as `before` to read the previous page. It is `null` on an
    /// empty page.
    start_cursor: Option<String>,
    /// The cursor of the last item on this page: pass it as `after`, in a list of changes as `since`, to read the next
    /// page. It is `null` on an empty page.
    end_cursor: Option<String>,
}
