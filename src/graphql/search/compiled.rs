//! What a search finds, for queries that are compiled.

use crate::chat::Hit;
use crate::error::Error;
use crate::graphql::compiled::{
    Compiler, ConversationOf, Field, Json, MessageNode, Node, ObjectType, Selected, Typed, Write, Written,
    conversation, list, value,
};
use crate::graphql::shared::Listed;
use crate::search::{Range, Snippet};

/// A hit, with its snippet if that is needed.
pub(in crate::graphql) struct HitNode {
    hit: Hit,
    snippet: Option<Result<Snippet, Error>>,
}

impl HitNode {
    /// A hit, of which the snippet is made if it `shows` it.
    pub(super) async fn new(hit: Hit, shows: bool) -> Self {
        let snippet = if shows { Some(hit.snippet().await) } else { None };
        Self { hit, snippet }
    }
}

impl Typed for HitNode {
    fn object() -> ObjectType<Self> {
        ObjectType::new(&["SearchHit"], field)
    }
}

impl Node for HitNode {
    type Order = ();
    const CONNECTION: &'static [&'static str] = &[super::SearchHit::CONNECTION];
    const EDGE: &'static [&'static str] = &[super::SearchHit::EDGE];

    fn compile(compiler: &mut Compiler<'_>, selected: &Selected<'_>) -> Option<Write<Self>> {
        Self::object().writer(compiler, selected)
    }

    fn write_cursor(&self, (): (), json: &mut Json<'_>) -> Written {
        json.cursor(&self.hit.cursor)
    }
}

fn field(name: &str) -> Option<Field<HitNode>> {
    match name {
        "conversation" => conversation(|it| ConversationOf::Row(&it.hit.conversation)),
        "message" => MessageNode::object().optional(|it| it.hit.message.as_ref()),
        "snippet" => Some(Field::Compiled(Box::new(|compiler, selected| {
            compiler.snippets();
            let plan = SNIPPET.compile(compiler, selected)?;
            Some(Box::new(move |it: &HitNode, json: &mut Json<'_>| {
                let unread = || Err(Error::Internal("a snippet was not made".to_owned()));
                let snippet =
                    it.snippet.as_ref().map_or_else(unread, |snippet| snippet.as_ref().map_err(Clone::clone));
                plan.write(snippet?, json)
            }))
        }))),
        _ => None,
    }
}

const SNIPPET: ObjectType<Snippet> = ObjectType::new(&["SearchSnippet"], snippet_field).simple();

fn snippet_field(name: &str) -> Option<Field<Snippet>> {
    match name {
        "text" => value(|it, json| json.string(&it.text)),
        "ranges" => ranges(),
        "startsInside" => value(|it, json| json.boolean(it.starts_inside)),
        "endsInside" => value(|it, json| json.boolean(it.ends_inside)),
        _ => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the lines of a table all return the same")]
fn ranges() -> Option<Field<Snippet>> {
    Some(Field::Compiled(Box::new(|compiler, selected| {
        let (plan, position) = (RANGE.compile(compiler, selected)?, selected.position);
        Some(Box::new(move |it: &Snippet, json: &mut Json<'_>| {
            list(&it.ranges, position, json, |range, json| plan.write(range, json))
        }))
    })))
}

const RANGE: ObjectType<Range> = ObjectType::new(&["TextRange"], range_field).simple();

fn range_field(name: &str) -> Option<Field<Range>> {
    match name {
        "start" => value(|it, json| json.number(it.start)),
        "end" => value(|it, json| json.number(it.end)),
        _ => None,
    }
}
