//! What compiling an operation goes by, and what it finds to read.

use async_graphql::parser::types::SelectionSet;

use super::arguments::Arguments;
use super::loads::PlannedLoads;
use super::selection::{Fragments, Kind, Selected, select};
use crate::chat::MessageColumns;

/// The fields with texts of any length. `text` and `arguments` are those of a message's parts.
const TEXTS: [&str; 6] = ["content", "metadata", "comment", "text", "arguments", "instructions"];

/// How many short fields take as much as a row counts for.
const FIELDS_OF_ROW: usize = 16;

/// Compiles a query or a subscription.
pub(crate) struct Compiler<'d> {
    fragments: &'d Fragments,
    /// How many fields the rest of the plan may have.
    room: usize,
    pub(super) size: PlanSize,
    /// What the query's fields that were compiled answer with.
    pub(super) reads: Vec<Read>,
    /// The fields that were compiled and need something beside their rows.
    pub(super) loads: PlannedLoads,
    /// What the fields below the one that is being compiled need.
    pub(super) needs: Needs,
}

/// How many fields a plan has.
#[derive(Clone, Copy, Default)]
pub(super) struct PlanSize {
    fields: usize,
    /// How many of them are texts of any length.
    texts: usize,
}

impl PlanSize {
    /// How many bytes are written at most, about, where `read` were read: each text as often as it is selected, and for
    /// each row, which counts for at least 512 bytes, each other field.
    pub(super) fn bytes(self, read: usize) -> usize {
        let Self { fields, texts } = self;
        read.saturating_mul((texts + (fields - texts) / FIELDS_OF_ROW).max(1))
    }
}

/// What is read for a field of the query.
pub(super) enum Read {
    Conversations(Arguments, Needs),
    Conversation(Arguments, Needs),
    Messages(Arguments, Needs),
    Message(Arguments),
    Node(Arguments, Needs),
    Search(Arguments, SearchNeeds),
    Changes(Arguments, Needs),
    ChangeCursor,
}

/// What is read of the hits of a search.
#[derive(Clone, Copy, Default)]
pub(crate) struct SearchNeeds {
    /// The reasoning and the parts of messages.
    pub(crate) parts: bool,
    pub(crate) snippets: bool,
}

/// What is read with conversations or messages.
#[derive(Default)]
pub(super) struct Needs {
    /// The pages of messages that are wanted of each conversation.
    pub(super) pages: Vec<PageArguments>,
    /// The columns that are wanted of the messages.
    pub(super) columns: MessageColumns,
    /// Whether details of the conversations are wanted.
    pub(super) details: bool,
    /// What is asked about the replies of each conversation that have not ended.
    pub(super) questions: Vec<QuestionArguments>,
    /// Whether all conversations of a list are counted.
    pub(super) counted: bool,
    /// Whether the snippets of a search are wanted.
    pub(super) snippets: bool,
}

impl Needs {
    /// Whether it is nothing but rows of conversations.
    pub(super) fn are_rows(&self) -> bool {
        self.pages.is_empty() && self.questions.is_empty()
    }
}

/// What is asked about the replies of a conversation that have not ended.
pub(super) enum QuestionArguments {
    Unread,
    Active,
    Queued(Arguments),
}

/// Which page of messages is wanted.
pub(super) enum PageArguments {
    LastMessage,
    Of(Arguments),
}

impl<'d> Compiler<'d> {
    /// For a plan of at most `room` fields: the fragments of a short document may be spread many times.
    pub(super) fn new(fragments: &'d Fragments, room: usize) -> Self {
        Self {
            fragments,
            room,
            size: PlanSize::default(),
            reads: Vec::new(),
            loads: PlannedLoads::default(),
            needs: Needs::default(),
        }
    }

    /// What `sets` select of objects of a kind.
    pub(super) fn select<'s>(&mut self, sets: &[&'s SelectionSet], kind: Kind) -> Option<Vec<Selected<'s>>>
    where
        'd: 's,
    {
        let fields = select(self.fragments, sets, kind)?;
        self.room = self.room.checked_sub(fields.len())?;
        self.size.fields += fields.len();
        let is_text = |field: &&Selected<'_>| TEXTS.contains(&field.field.name.node.as_str());
        self.size.texts += fields.iter().filter(is_text).count();
        Some(fields)
    }

    /// Whether nothing but these fields is selected of objects of a kind.
    pub(super) fn selects_only(&self, selected: &Selected<'_>, kind: Kind, names: &[&str]) -> bool {
        let fields = select(self.fragments, &selected.sets, kind);
        fields
            .is_some_and(|fields| fields.iter().all(|field| names.contains(&field.field.name.node.as_str())))
    }

    /// Notes a field that needs something beside its row.
    pub(crate) fn loads(&mut self) {
        self.loads.count += 1;
    }

    /// Notes a field with a page of siblings, and returns its index among those.
    pub(super) fn loads_siblings(&mut self, arguments: Arguments) -> usize {
        self.loads();
        self.loads.siblings.push(arguments);
        self.loads.siblings.len() - 1
    }

    /// Compiles the conversation of something, which is read for itself. Returns what `compile` does, the field's index
    /// among those with such a conversation, and whether it needs nothing but the row.
    pub(super) fn loads_conversation<T>(
        &mut self,
        compile: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<(T, usize, bool)> {
        let outer = std::mem::take(&mut self.needs);
        let compiled = compile(self);
        let needs = std::mem::replace(&mut self.needs, outer);
        let is_row = needs.are_rows();
        self.loads();
        self.loads.conversations.push(needs);
        Some((compiled?, self.loads.conversations.len() - 1, is_row))
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

    /// Notes a question about each conversation, and returns its index.
    pub(super) fn question(&mut self, question: QuestionArguments) -> usize {
        self.needs.questions.push(question);
        self.needs.questions.len() - 1
    }

    /// Compiles what is selected of messages that are read whole in any case.
    pub(crate) fn of_whole_rows<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        let columns = self.needs.columns;
        let compiled = self.within_item(compile);
        self.needs.columns = columns;
        compiled
    }

    /// Notes columns of messages.
    pub(crate) fn columns(&mut self, columns: MessageColumns) {
        self.needs.columns = self.needs.columns.and(columns);
    }

    /// Notes whether a field needs details of conversations.
    pub(crate) fn details(&mut self, details: bool) {
        self.needs.details |= details;
    }

    /// Notes that the snippets of a search are wanted.
    pub(crate) fn snippets(&mut self) {
        self.needs.snippets = true;
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
