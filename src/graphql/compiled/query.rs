//! Queries: their fields, and from a document to an answer.

use std::sync::Arc;

use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};

use super::arguments::{Arguments, Defaults};
use super::compiler::{Compiler, PlanSize, Read, SearchNeeds};
use super::json::{Json, WrittenAnswer};
use super::list::List;
use super::loads::{Loaded, Loads, PlannedLoads};
use super::nodes::{ConversationNode, MessageNode};
use super::object::{Field, ObjectPlan, ObjectType, Typed, list, value};
use super::read::{Answers, AnyNode};
use super::request::Request;
use super::selection::Selected;
use super::settings;
use crate::blocking::Cancelled;
use crate::chat::Chat;
use crate::graphql::assistant::{ASSISTANT, Assistant};
use crate::graphql::change::ChangeEvent;
use crate::graphql::search::HitNode;
use crate::graphql::shared::RequestContext;

const QUERY: ObjectType<Answers> = ObjectType::new(&["Query"], query_field);
const VIEWER: ObjectType<Answers> = ObjectType::new(&["Viewer"], viewer_field);

fn query_field(name: &str) -> Option<Field<Answers>> {
    match name {
        "viewer" => VIEWER.required(|answers| answers),
        "conversations" => conversations(),
        "conversation" => Some(Field::Compiled(Box::new(|compiler, selected| {
            let plan = ConversationNode::object().compile(compiler, selected)?;
            let index = compiler.read(|needs| Read::Conversation(Arguments::of(selected), needs));
            let position = selected.position;
            Some(Box::new(move |answers, json| {
                json.nullable(position, |json| {
                    json.optional(answers.conversation(index)?, |json, node| plan.write(node, json))
                })
            }))
        }))),
        "messages" => Some(Field::Compiled(Box::new(|compiler, selected| {
            let plan = List::<MessageNode>::compile(compiler, selected)?;
            let index = compiler.read(|needs| Read::Messages(Arguments::of(selected), needs));
            Some(Box::new(move |answers, json| plan.write(answers.messages(index)?, json)))
        }))),
        "message" => Some(Field::Compiled(Box::new(|compiler, selected| {
            let plan = MessageNode::object().compile(compiler, selected)?;
            let index = compiler.read(|_| Read::Message(Arguments::of(selected)));
            let position = selected.position;
            Some(Box::new(move |answers, json| {
                json.nullable(position, |json| {
                    json.optional(answers.message(index)?, |json, node| plan.write(node, json))
                })
            }))
        }))),
        "node" => node(),
        "assistants" => assistants(),
        "search" => Some(Field::Compiled(Box::new(|compiler, selected| {
            let plan = List::<HitNode>::compile(compiler, selected)?;
            let index = compiler.read(|needs| {
                let needs = SearchNeeds { parts: needs.columns.long.parts, snippets: needs.snippets };
                Read::Search(Arguments::of(selected), needs)
            });
            Some(Box::new(move |answers, json| plan.write(answers.hits(index)?, json)))
        }))),
        "changes" => Some(Field::Compiled(Box::new(|compiler, selected| {
            let plan = List::<ChangeEvent>::compile(compiler, selected)?;
            let index = compiler.read(|needs| Read::Changes(Arguments::of(selected), needs));
            Some(Box::new(move |answers, json| plan.write(answers.changes(index)?, json)))
        }))),
        _ => None,
    }
}

/// The types of objects that can be fetched by their id alone.
const NODES: &[&str] = &["Assistant", "Conversation", "Message"];

fn node() -> Option<Field<Answers>> {
    Some(Field::Compiled(Box::new(|compiler: &mut Compiler<'_>, selected: &Selected<'_>| {
        let assistant = ASSISTANT.of_union(NODES).compile(compiler, selected)?;
        let conversation = ConversationNode::object().of_union(NODES).compile(compiler, selected)?;
        let message = MessageNode::object().of_union(NODES);
        let message = compiler.of_whole_rows(|compiler| message.compile(compiler, selected))?;
        let index = compiler.read(|needs| Read::Node(Arguments::of(selected), needs));
        let position = selected.position;
        Some(Box::new(move |answers: &Answers, json: &mut Json<'_>| {
            json.nullable(position, |json| {
                json.optional(answers.node(index)?, |json, node| match node {
                    AnyNode::Assistant(node) => assistant.write(node, json),
                    AnyNode::Conversation(node) => conversation.write(node, json),
                    AnyNode::Message(node) => message.write(node, json),
                })
            })
        }))
    })))
}

fn viewer_field(name: &str) -> Option<Field<Answers>> {
    match name {
        "id" => value(|_, json| json.string(json.chat().viewer().id())),
        "changeCursor" => Some(Field::Compiled(Box::new(|compiler, _| {
            let index = compiler.read(|_| Read::ChangeCursor);
            Some(Box::new(move |answers, json| json.cursor(&answers.change_cursor(index)?)))
        }))),
        "conversations" => conversations(),
        _ => settings::of_viewer(name),
    }
}

fn assistants() -> Option<Field<Answers>> {
    Some(Field::Compiled(Box::new(|compiler: &mut Compiler<'_>, selected: &Selected<'_>| {
        let (plan, position) = (ASSISTANT.compile(compiler, selected)?, selected.position);
        Some(Box::new(move |_: &Answers, json: &mut Json<'_>| {
            let assistants = Assistant::all(json.chat());
            list(assistants, position, json, |assistant, json| plan.write(&assistant, json))
        }))
    })))
}

fn conversations() -> Option<Field<Answers>> {
    Some(Field::Compiled(Box::new(|compiler: &mut Compiler<'_>, selected: &Selected<'_>| {
        let plan = List::<ConversationNode>::compile(compiler, selected)?;
        let index = compiler.read(|needs| Read::Conversations(Arguments::of(selected), needs));
        Some(Box::new(move |answers: &Answers, json: &mut Json<'_>| {
            plan.write(answers.conversations(index)?, json)
        }))
    })))
}

/// How much room an answer is given before anything is written. A row counts for twice as much as it usually takes.
const MIN_BUFFER: usize = 1024;
const MAX_BUFFER: usize = 64 * 1024;

/// A query that was compiled.
pub(crate) struct CompiledQuery {
    plan: ObjectPlan<Answers>,
    reads: Vec<Read>,
    loads: PlannedLoads,
    defaults: Defaults,
    size: PlanSize,
}

/// What a query has read, before it is written.
pub(crate) struct ReadAnswer {
    query: Arc<CompiledQuery>,
    answers: Answers,
    /// What its fields need beside; `None` if no field does.
    loaded: Option<Box<Loaded>>,
    chat: Chat,
}

impl CompiledQuery {
    /// The query `operation` of a valid document, if all of it can be compiled to at most `size` fields.
    pub(super) fn compile(
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        size: usize,
    ) -> Option<Self> {
        if operation.ty != OperationType::Query || !operation.directives.is_empty() {
            return None;
        }
        let mut compiler = Compiler::new(&document.fragments, size);
        let plan = QUERY.compile_sets(&mut compiler, &[&operation.selection_set.node])?;
        let defaults = Defaults::of(&operation.variable_definitions);
        let Compiler { reads, loads, size, .. } = compiler;
        Some(Self { plan, reads, loads, defaults, size })
    }

    /// Reads what the query asks for. `None` if the library has to say what is wrong with it; nothing was read then.
    pub(crate) async fn read(
        self: &Arc<Self>,
        context: &RequestContext,
        variables: &Variables,
    ) -> Option<ReadAnswer> {
        let chat = context.viewer_chat()?;
        let inputs = self.defaults.with(variables);
        let requests: Option<Vec<Request>> =
            self.reads.iter().map(|read| Request::new(read, &inputs)).collect();
        let (requests, loads) = (requests?, Loads::new(&self.loads, &inputs)?);
        let answers = Answers::read(chat, requests).await;
        let loaded = match self.loads.count {
            0 => None,
            // Boxed, as most queries have no room for it.
            _ => Some(
                Box::pin(Loaded::all(chat, Arc::new(loads), |json| self.plan.write(&answers, json))).await,
            ),
        };
        Some(ReadAnswer { query: self.clone(), answers, loaded, chat: chat.clone() })
    }
}

impl ReadAnswer {
    /// How many bytes are written at most, about, where `read` were read.
    pub(crate) fn bytes(&self, read: usize) -> usize {
        self.query.size.bytes(read)
    }

    /// Writes the answer, for which `read` bytes were read; not all of it once it is `cancelled`.
    pub(crate) fn write(&self, read: usize, cancelled: &Cancelled<WrittenAnswer>) -> WrittenAnswer {
        let mut json = Json::new(
            (read / 2).clamp(MIN_BUFFER, MAX_BUFFER),
            &self.chat,
            self.loaded.as_deref(),
            cancelled,
        );
        let written = self.query.plan.write(&self.answers, &mut json);
        json.finish(written)
    }
}
