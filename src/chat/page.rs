//! Pages of a list.

use crate::error::Error;

/// How many items a page has unless the client says otherwise.
pub const DEFAULT_PAGE: u64 = 20;

/// How many items a page may have.
pub const MAXIMUM_PAGE: u64 = 100;

/// Which part of a list is wanted. `C` is a cursor of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slice<C> {
    /// Only items after this one.
    pub after: Option<C>,
    /// Only items before this one.
    pub before: Option<C>,
    /// How many items at most.
    pub limit: u64,
    /// Whether the last items are wanted rather than the first.
    pub from_end: bool,
}

impl<C> Slice<C> {
    /// The part that `first`, `after`, `last` and `before` ask for.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if a number is negative or above [`MAXIMUM_PAGE`], or both are given.
    pub fn new(
        first: Option<i32>,
        after: Option<C>,
        last: Option<i32>,
        before: Option<C>,
    ) -> Result<Self, Error> {
        let check = |name: &'static str, number: i32| {
            u64::try_from(number).ok().filter(|number| *number <= MAXIMUM_PAGE).ok_or_else(|| {
                let message = format!("`{name}` must be from 0 to {MAXIMUM_PAGE}; it is {number}.");
                Error::input(name, message)
            })
        };
        let (limit, from_end) = match (first, last) {
            (Some(_), Some(_)) => {
                return Err(Error::input("last", "Give `first` or `last`, not both."));
            }
            (None, Some(last)) => (check("last", last)?, true),
            (Some(first), None) => (check("first", first)?, false),
            (None, None) => (DEFAULT_PAGE, false),
        };
        Ok(Self { after, before, limit, from_end })
    }
}

/// A part of a list, in the list's order.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there are more before these.
    pub has_previous: bool,
    /// Whether there are more after these.
    pub has_next: bool,
}

impl<T> Page<T> {
    /// A page without items, of a list that is empty or not the viewer's.
    #[must_use]
    pub fn empty() -> Self {
        Self { items: Vec::new(), has_previous: false, has_next: false }
    }

    /// The same page, of what `convert` makes of each item.
    #[must_use]
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        let Self { items, has_previous, has_next } = self;
        Page { items: items.into_iter().map(convert).collect(), has_previous, has_next }
    }

    /// Makes a page of `rows`, which were read from the wanted end on. A row beyond the limit shows that there are
    /// more.
    pub(super) fn from_rows<C>(mut rows: Vec<T>, slice: &Slice<C>) -> Self {
        let limit = usize::try_from(slice.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        if slice.from_end {
            rows.reverse();
        }
        Self {
            items: rows,
            has_previous: slice.after.is_some() || (more && slice.from_end),
            has_next: slice.before.is_some() || (more && !slice.from_end),
        }
    }
}

/// A part of a list, and how many items the whole list had at the same moment.
#[derive(Clone, Debug)]
pub struct CountedPage<T> {
    /// The part.
    pub page: Page<T>,
    /// The number of items in the whole list.
    pub total: i64,
}

impl<T> CountedPage<T> {
    /// A page of a list that is empty or not the viewer's.
    #[must_use]
    pub fn empty() -> Self {
        Self { page: Page::empty(), total: 0 }
    }
}
