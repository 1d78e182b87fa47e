//! What compiling a query goes by, and what it finds to read.

use async_graphql::parser::types::SelectionSet;

use super::arguments::Arguments;
use super::selection::{Fragments, Kind, Selected, select};
use crate::chat::LongColumns;

/// The fields with texts of any length. `text` and `arguments` are those of a message's parts.
const TEXTS: [&str; 5] = ["content", "metadata", "comment", "text", "arguments"];

/// Compiles a query.
pub(crate) struct Compiler<'d> {
    fragments: &'d Fragments,
    /// How many fields the rest of the plan may have.
    room: usize,
    /// How many fields the plan has.
    pub(super) fields: usize,
    /// How many of them are texts of any length.
    pub(super) texts: usize,
    /// What the fields that were compiled answer with.
    pub(super) reads: Vec<Read>,
    /// What the fields below the one that is being compiled need.
    pub(super) needs: Needs,
}

/// What is read for a field of the query.
pub(super) enum Read {
    Conversations(Arguments, Needs),
    Conversation(Arguments, Needs),
    Messages(Arguments, Needs),
    Message(Arguments),
    ChangeCursor,
}

/// What is read with conversations or messages.
#[derive(Default)]
pub(super) struct Needs {
    /// The pages of messages that are wanted of each conversation.
    pub(super) pages: Vec<PageArguments>,
    /// The columns that are wanted of the messages.
    pub(super) columns: LongColumns,
    /// Whether all conversations of a list are counted.
    pub(super) counted: bool,
}

/// Which page of messages is wanted.
pub(super) enum PageArguments {
    LastMessage,
    Of(Arguments),
}

impl<'d> Compiler<'d> {
    /// For a plan of at most `room` fields: the fragments of a short document may be spread many times.
    pub(super) fn new(fragments: &'d Fragments, room: usize) -> Self {
        Self { fragments, room, fields: 0, texts: 0, reads: Vec::new(), needs: Needs::default() }
    }

    /// What `sets` select of objects of a kind.
    pub(super) fn select<'s>(&mut self, sets: &[&'s SelectionSet], kind: Kind) -> Option<Vec<Selected<'s>>>
    where
        'd: 's,
    {
        let fields = select(self.fragments, sets, kind)?;
        self.room = self.room.checked_sub(fields.len())?;
        self.fields += fields.len();
        let is_text = |field: &&Selected<'_>| TEXTS.contains(&field.field.name.node.as_str());
        self.texts += fields.iter().filter(is_text).count();
        Some(fields)
    }

    /// Notes a field of the query, and returns the index of what it answers with.
    pub(super) fn read(&mut self, read: impl FnOnce(Needs) -> Read) -> usize {
        self.reads.push(read(std::mem::take(&mut self.needs)));
        self.reads.len() - 1
    }

    /// Notes a page of each conversation, and returns its index.
    pub(super) fn page(&mut self, page: PageArguments) -> usize {
        self.needs.pages.push(page);
        self.needs.pages.len() - 1
    }

    /// Notes columns of messages.
    pub(crate) fn columns(&mut self, columns: LongColumns) {
        self.needs.columns = self.needs.columns.and(columns);
    }

    /// Notes that a list is counted.
    pub(super) fn counted(&mut self) {
        self.needs.counted = true;
    }

    /// Compiles a list that each item of another has. That the inner one is counted says nothing of the outer one.
    pub(super) fn within_item<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        let counted = self.needs.counted;
        let compiled = compile(self);
        self.needs.counted = counted;
        compiled
    }
}
