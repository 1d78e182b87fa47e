//! What the guard and the cursors promise of any bytes.

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextPrepareRequest,
};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Request, Response, ServerResult, Value, Variables};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;

use super::guard::Guard;
use super::shared::{Cursor, PositionCursor, ReplyCursor, SiblingCursor};
use super::{Mutation, Query, QueryLimits, Schema, Subscription};
use crate::chat::{ChangeCursor, ConversationCursor, SearchCursor};

/// Small enough that a fuzzer soon finds what is around them.
const LIMITS: QueryLimits =
    QueryLimits { tokens: 300, size: 60, depth: 8, aliases: 6, directives: 6, complexity: 400 };

/// The most bytes that an error may say of a request.
const MESSAGE: usize = 1024;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .extension(Probe)
        .extension(Guard::new(&super::sdl(), LIMITS))
        .disable_suggestions()
        .finish()
});

/// Reads a document, then after a NUL a JSON object of variables, and has the guard and the validation decide on it.
///
/// # Panics
/// If the guard lets pass what is above its limits, or an answer is longer than an answer may be.
pub fn query_guard(bytes: &[u8]) {
    let (query, variables) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &b""[..]),
    };
    let variables = serde_json::from_slice(variables).map(Variables::from_json).unwrap_or_default();
    let request = Request::new(String::from_utf8_lossy(query)).variables(variables);
    let response = SCHEMA.execute(request).now_or_never();
    assert!(response.is_some(), "the guard waits for nobody");
    for error in response.into_iter().flat_map(|response| response.errors) {
        // Validation names what the query names; each name is bounded, and so is their number.
        assert!(error.message.len() <= MESSAGE + query.len(), "an error is too long");
    }
}

/// Stands around the guard, and in place of what would be executed.
struct Probe;

impl ExtensionFactory for Probe {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Probe {
    async fn prepare_request(
        &self,
        context: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let prepared = next.run(context, request).await;
        match prepared {
            Ok(mut request) => {
                check_size(request.parsed_query()?);
                Ok(request)
            }
            Err(error) => {
                assert!(error.message.len() <= MESSAGE, "a refusal is too long");
                assert!(error.extensions.is_some(), "a refusal has a code");
                Err(error)
            }
        }
    }

    async fn execute(
        &self,
        _context: &ExtensionContext<'_>,
        _operation_name: Option<&str>,
        _next: NextExecute<'_>,
    ) -> Response {
        Response::new(Value::Null)
    }
}

/// Walks a document that has passed in the plainest way, with every fragment wherever it is spread.
fn check_size(document: &ExecutableDocument) {
    for (_, operation) in document.operations.iter() {
        let mut left = LIMITS.size;
        spend(document, &operation.node.selection_set.node, LIMITS.depth, &mut left);
    }
}

fn spend(document: &ExecutableDocument, set: &SelectionSet, levels: u64, left: &mut u64) {
    assert!(levels > 0 || set.items.is_empty(), "a query that is too deep has passed");
    for selection in &set.items {
        assert!(*left > 0, "a query that is too large has passed");
        *left -= 1;
        let below = match &selection.node {
            Selection::Field(field) => &field.node.selection_set,
            Selection::InlineFragment(fragment) => &fragment.node.selection_set,
            Selection::FragmentSpread(spread) => {
                match document.fragments.get(&spread.node.fragment_name.node) {
                    Some(fragment) => &fragment.node.selection_set,
                    None => continue,
                }
            }
        };
        spend(document, &below.node, levels.saturating_sub(1), left);
    }
}

/// Reads text, and the base64url of it, as each kind of cursor.
///
/// # Panics
/// If a cursor that was read is written as another one, or as a longer one, or leads to before the first place.
pub fn cursor(bytes: &[u8]) {
    for text in [String::from_utf8_lossy(bytes).into_owned(), URL_SAFE_NO_PAD.encode(bytes)] {
        assert!(PositionCursor::decode(&text).is_none_or(|cursor| cursor.0 >= 0), "a place before the first");
        check_cursor::<PositionCursor>(&text);
        check_cursor::<SiblingCursor>(&text);
        check_cursor::<ConversationCursor>(&text);
        check_cursor::<ChangeCursor>(&text);
        check_cursor::<ReplyCursor>(&text);
        check_cursor::<SearchCursor>(&text);
    }
}

fn check_cursor<C: Cursor + Debug + PartialEq>(text: &str) {
    if let Some(place) = C::decode(text) {
        let written = place.encode();
        assert!(written.len() <= text.len(), "a cursor grows");
        assert_eq!(C::decode(&written).as_ref(), Some(&place));
    }
}
