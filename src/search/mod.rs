//! What a word is, what a query means, and where a text matches it. Pure functions of text; [`crate::index`] stores
//! what they make.
//!
//! A text is *folded* ([`Folded`]): without case and accents, its words between single spaces. The folded text is
//! stored beside the message or title, and a query is decided on it alone, by looking for its terms as plain
//! substrings. Both databases can do that, so both find the same, whatever the language, and no operator of a
//! database's own query language means anything.
//!
//! The databases' indexes only narrow the search down. Each entry also has [`tokens`], which FTS5 and a GIN index over
//! `tsvector` take verbatim: whole words, and pairs of characters where a script writes no spaces. The databases' own
//! tokenizers disagree with each other and change with versions and locales; trigrams need an extension on PostgreSQL,
//! do not find terms of fewer than three characters, and know no owner.
//!
//! Every token begins with its owner's [`scope`], so each posting list in the index is one user's.

mod fold;
mod folded;
mod highlight;
mod query;
mod snippet;
mod token;

pub use self::fold::plain;
pub use self::folded::Folded;
pub use self::query::{MAX_CHARS, MAX_TERMS, Query, Term};
pub use self::snippet::{Range, Snippet};
pub use self::token::{Lookup, scope, tokens};
