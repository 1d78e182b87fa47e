//! Subscriptions: their events, and from a document to a stream of answers.

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{ID, InputType, Pos, Variables};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use super::arguments::{Arguments, Defaults, Inputs};
use super::compiler::{Compiler, Needs, PlanSize};
use super::json::{Json, Written, WrittenAnswer};
use super::loads::{Loaded, Loads, PlannedLoads};
use super::object::path_segment;
use super::selection::{Kind, Selected};
use crate::blocking::Cancelled;
use crate::chat::{Chat, ReplyRequest};
use crate::error::Error;
use crate::graphql::change::{self, ChangeEvent, ChangeEventPlan};
use crate::graphql::message::{EditMessageInput, SendMessageInput};
use crate::graphql::reply::{self, RegenerateReplyInput, ReplyEvent, ReplyEventPlan, RetryReplyInput};
use crate::graphql::shared::RequestContext;

/// How many bytes an event with a word has, about.
const EVENT_BYTES: usize = 256;

/// How many fields more than the document a plan may have: each type of event is selected from the same set.
const EVENT_FIELDS: usize = 64;

/// A subscription that was compiled.
pub(crate) struct CompiledSubscription {
    start: Start,
    arguments: Arguments,
    defaults: Defaults,
    plan: EventPlan,
    needs: Needs,
    loads: PlannedLoads,
    /// What stands before an event: a brace, and the key.
    opening: Box<str>,
    position: Pos,
    size: PlanSize,
}

/// How events are written.
enum EventPlan {
    Reply(ReplyEventPlan),
    Change(ChangeEventPlan),
}

enum Event {
    Reply(ReplyEvent),
    Change(ChangeEvent),
}

type Events = BoxStream<'static, Result<Event, Error>>;

/// Makes what begins a subscription once it is polled; `None` if an argument is wrong, which the library then says.
type Start = fn(Chat, &Needs, &Arguments, &Inputs<'_>) -> Option<BoxFuture<'static, Result<Events, Error>>>;

/// Compiles how the events of a subscription are written.
type Compile = fn(&mut Compiler<'_>, &Selected<'_>) -> Option<EventPlan>;

/// The fields of subscriptions.
fn field(name: &str) -> Option<(Start, Compile)> {
    let reply: Compile =
        |compiler, selected| ReplyEventPlan::compile(compiler, selected).map(EventPlan::Reply);
    let start: Start = match name {
        "changes" => {
            return Some((changes, |compiler, selected| {
                ChangeEventPlan::compile(compiler, selected).map(EventPlan::Change)
            }));
        }
        "replyProgress" => reply_progress,
        "sendMessage" => |chat, _, arguments, inputs| {
            let request = |input: SendMessageInput| input.into_request().map(ReplyRequest::Send);
            request_reply(chat, arguments, inputs, request)
        },
        "editMessage" => |chat, _, arguments, inputs| {
            let request = |input: EditMessageInput| input.into_request().map(ReplyRequest::Edit);
            request_reply(chat, arguments, inputs, request)
        },
        "regenerateReply" => |chat, _, arguments, inputs| {
            let request = |input: RegenerateReplyInput| input.into_request().map(ReplyRequest::Regenerate);
            request_reply(chat, arguments, inputs, request)
        },
        "retryReply" => |chat, _, arguments, inputs| {
            let request = |input: RetryReplyInput| input.into_request().map(ReplyRequest::Retry);
            request_reply(chat, arguments, inputs, request)
        },
        _ => return None,
    };
    Some((start, reply))
}

fn changes(
    chat: Chat,
    needs: &Needs,
    arguments: &Arguments,
    inputs: &Inputs<'_>,
) -> Option<BoxFuture<'static, Result<Events, Error>>> {
    let since: Option<String> = arguments.get("since", inputs)?;
    let reply_text = arguments.get("replyText", inputs)?;
    let columns = needs.columns.long;
    Some(Box::pin(async move {
        let events = change::follow(&chat, since.as_deref(), reply_text, columns)?;
        Ok(events.map(|event| event.map(Event::Change)).boxed())
    }))
}

fn reply_progress(
    chat: Chat,
    _: &Needs,
    arguments: &Arguments,
    inputs: &Inputs<'_>,
) -> Option<BoxFuture<'static, Result<Events, Error>>> {
    let id: ID = arguments.get("messageId", inputs)?;
    let after = arguments.get("after", inputs)?;
    Some(Box::pin(async move {
        let events = reply::follow(&chat, &id, after).await?;
        Ok(events.map(|event| event.map(Event::Reply)).boxed())
    }))
}

fn request_reply<I: InputType + Send + 'static>(
    chat: Chat,
    arguments: &Arguments,
    inputs: &Inputs<'_>,
    request: fn(I) -> Result<ReplyRequest, Error>,
) -> Option<BoxFuture<'static, Result<Events, Error>>> {
    let input: I = arguments.get("input", inputs)?;
    let after = arguments.get("after", inputs)?;
    Some(Box::pin(async move {
        let events = reply::request(&chat, request(input), after).await?;
        Ok(events.map(|event| event.map(Event::Reply)).boxed())
    }))
}

impl CompiledSubscription {
    /// The subscription `operation` of a valid document, if all of it can be compiled to about `size` fields.
    pub(super) fn compile(
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        size: usize,
    ) -> Option<Self> {
        if operation.ty != OperationType::Subscription || !operation.directives.is_empty() {
            return None;
        }
        let mut compiler = Compiler::new(&document.fragments, size + EVENT_FIELDS);
        let kind = Kind { is: &["Subscription"], is_not: &[] };
        let fields = compiler.select(&[&operation.selection_set.node], kind)?;
        let [selected] = fields.as_slice() else { return None };
        let name = selected.field.name.node.as_str();
        let (start, compile) = field(name)?;
        let plan = compile(&mut compiler, selected)?;
        let opening = format!("{{\"{}\":", selected.key).into();
        let Compiler { needs, loads, size, .. } = compiler;
        Some(Self {
            start,
            arguments: Arguments::of(selected),
            defaults: Defaults::of(&operation.variable_definitions),
            plan,
            needs,
            loads,
            opening,
            position: selected.position,
            size,
        })
    }

    /// What the subscription streams. `None` if the library has to say what is wrong with it; nothing was done then.
    pub(crate) fn stream(
        self: &Arc<Self>,
        context: &RequestContext,
        variables: &Variables,
    ) -> Option<impl Stream<Item = EventAnswer> + Send + 'static> {
        let (chat, inputs) = (context.viewer_chat()?, self.defaults.with(variables));
        let loads = Arc::new(Loads::new(&self.loads, &inputs)?);
        let begin = (self.start)(chat.clone(), &self.needs, &self.arguments, &inputs)?;
        let source = Arc::new(Source { subscription: self.clone(), chat: chat.clone(), loads });
        let events = stream::once(begin).try_flatten();
        Some(events.map(move |event| EventAnswer { source: source.clone(), event, loaded: None }))
    }
}

impl EventPlan {
    fn write(&self, event: &Event, json: &mut Json<'_>) -> Written {
        match (self, event) {
            (Self::Reply(plan), Event::Reply(event)) => plan.write(event, json),
            (Self::Change(plan), Event::Change(event)) => plan.write(event, json),
            (Self::Reply(_) | Self::Change(_), _) => {
                Err(Error::Internal("an event is of another subscription".to_owned()).into())
            }
        }
    }
}

/// What the answers of one subscription have in common.
struct Source {
    subscription: Arc<CompiledSubscription>,
    chat: Chat,
    loads: Arc<Loads>,
}

/// An event of a subscription, before it is written.
pub(crate) struct EventAnswer {
    source: Arc<Source>,
    event: Result<Event, Error>,
    /// What its fields need beside; `None` if no field does, or if it is not read yet.
    loaded: Option<Box<Loaded>>,
}

impl EventAnswer {
    /// Whether its fields may need something beside.
    pub(crate) fn needs_reading(&self) -> bool {
        self.event.is_ok() && self.source.subscription.loads.count > 0
    }

    /// Reads what its fields need beside.
    pub(crate) async fn read(mut self) -> Self {
        let Source { subscription, chat, loads } = &*self.source;
        if self.needs_reading()
            && let Ok(event) = &self.event
        {
            let walk = |json: &mut Json<'_>| subscription.plan.write(event, json);
            self.loaded = Some(Loaded::all(chat, loads.clone(), walk).await);
        }
        self
    }

    /// How many bytes are written at most, about, where `read` were read.
    pub(crate) fn bytes(&self, read: usize) -> usize {
        self.source.subscription.size.bytes(read)
    }

    /// Writes the answer; not all of it once it is `cancelled`.
    pub(crate) fn write(&self, cancelled: &Cancelled<WrittenAnswer>) -> WrittenAnswer {
        let subscription = &*self.source.subscription;
        let mut json = Json::new(EVENT_BYTES, &self.source.chat, self.loaded.as_deref(), cancelled);
        let written = self.write_into(subscription, &mut json);
        json.finish(written)
    }

    fn write_into(&self, subscription: &CompiledSubscription, json: &mut Json<'_>) -> Written {
        let CompiledSubscription { plan, opening, position, .. } = subscription;
        json.raw(opening)?;
        json.within(
            || path_segment(opening),
            *position,
            false,
            |json| plan.write(self.event.as_ref().map_err(Clone::clone)?, json),
        )?;
        json.raw("}")
    }
}
