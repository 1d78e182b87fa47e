//! Queries: their fields, and from a document to an answer.

use std::sync::Arc;

use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};

use super::arguments::{Arguments, Defaults};
use super::compiler::{Compiler, PlanSize, Read};
use super::json::{Json, WrittenAnswer};
use super::list::{List, Node};
use super::nodes::{ConversationNode, MessageNode};
use super::object::{Field, ObjectPlan, ObjectType, value};
use super::read::{Answers, Request};
use super::selection::Selected;
use crate::blocking::Cancelled;
use crate::chat::Chat;
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
        _ => None,
    }
}

fn viewer_field(name: &str) -> Option<Field<Answers>> {
    match name {
        "id" => value(|_, json| json.string(json.chat().viewer().id())),
        "changeCursor" => Some(Field::Compiled(Box::new(|compiler, _| {
            let index = compiler.read(|_| Read::ChangeCursor);
            Some(Box::new(move |answers, json| json.cursor(&answers.change_cursor(index)?)))
        }))),
        "conversations" => conversations(),
        _ => None,
    }
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

/// A query that was compiled.
pub(crate) struct CompiledQuery {
    plan: ObjectPlan<Answers>,
    reads: Vec<Read>,
    defaults: Defaults,
    size: PlanSize,
}

/// What a query has read, before it is written.
pub(crate) struct ReadAnswer {
    query: Arc<CompiledQuery>,
    answers: Answers,
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
        Some(Self { plan, size: compiler.size, reads: compiler.reads, defaults })
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
        let answers = Answers::read(chat, requests?).await;
        Some(ReadAnswer { query: self.clone(), answers, chat: chat.clone() })
    }
}

impl ReadAnswer {
    /// How many bytes are written at most, about, where `read` were read.
    pub(crate) fn bytes(&self, read: usize) -> usize {
        self.query.size.bytes(read)
    }

    /// Writes the answer; not all of it once it is `cancelled`.
    pub(crate) fn write(&self, cancelled: &Cancelled<WrittenAnswer>) -> WrittenAnswer {
        let mut json = Json::new(1024, &self.chat, cancelled);
        let written = self.query.plan.write(&self.answers, &mut json);
        json.finish(written)
    }
}
