//! Full-text search: one idea of what a word is, for both databases.
//!
//! A text is *folded* here ([`Folded`]): case and accents gone, words set apart by single spaces. The folded text
//! is stored beside the message or title, and what a query means is decided on it alone, by looking for its terms
//! as plain substrings. Both databases can do that, so both give the same hits by construction, whatever the
//! language, and no operator of an engine means anything.
//!
//! The engines only narrow the search down. Each entry also carries its [`tokens`], made here and taken verbatim
//! by FTS5 and by a GIN index over `tsvector`: whole words, and pairs of characters where a script writes no
//! spaces. The engines' own tokenizers disagree with each other and change with versions and locales; trigrams
//! need an extension on PostgreSQL, give three characters at the least, and know no owner.
//!
//! Every token begins with its owner's scope. A list in the index is thus one user's, and others' messages lie
//! elsewhere in its tree.

mod backlog;
mod batch;
mod entry;
mod fold;
mod folded;
mod highlight;
mod offload;
mod query;
mod snippet;
mod token;

pub use self::backlog::{catch_up, index_path};
pub use self::entry::{Entry, erase_title, index_message, index_title, store_message, store_title};
pub use self::fold::plain;
pub use self::folded::Folded;
pub use self::offload::{Interest, READING, STORING, Workers};
pub use self::query::{MAX_CHARS, MAX_TERMS, Query, Term};
pub use self::snippet::{Range, Snippet};
pub use self::token::{Lookup, scope, tokens};
