//! The viewer's change cursor as an operation starts.
//!
//! The fields of a query are resolved side by side. Were the cursor read like another field, a write in between could
//! be missing in what was read before it, and lie before the cursor as well. A query that selects it therefore reads it
//! first, and then everything else, from what may be newer.

use std::sync::{Arc, OnceLock};

use async_graphql::Request;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

use crate::chat::{ChangeCursor, Chat};
use crate::error::Error;

/// The field that answers with it.
const FIELD: &str = "changeCursor";

/// The cursor of the viewer's last change before an operation has read anything. Clones share it.
#[derive(Clone, Default)]
pub struct StartCursor {
    chat: Option<Chat>,
    cursor: Arc<OnceLock<Result<ChangeCursor, Error>>>,
}

impl StartCursor {
    pub(super) fn new(chat: Chat) -> Self {
        Self { chat: Some(chat), cursor: Arc::default() }
    }

    /// Reads it if `request` is a query that selects it. To be called before the request is run.
    pub async fn read_for(&self, request: &mut Request) {
        let Some(chat) = &self.chat else { return };
        let name = request.operation_name.clone();
        if request.parsed_query().is_ok_and(|document| selects_cursor(document, name.as_deref())) {
            let _ = self.cursor.set(chat.change_cursor().await);
        }
    }

    /// What was read; `None` if the operation is no query.
    pub(super) fn get(&self) -> Option<Result<ChangeCursor, Error>> {
        self.cursor.get().cloned()
    }
}

/// Whether the query `name` of `document` may select the field, conditions aside.
fn selects_cursor(document: &ExecutableDocument, name: Option<&str>) -> bool {
    let mut fragments = document.fragments.values();
    let in_fragments = fragments.any(|fragment| mentions(&fragment.node.selection_set.node));
    document.operations.iter().any(|(known, operation)| {
        let operation = &operation.node;
        let runs = name.is_none_or(|name| known.is_some_and(|known| known == name));
        runs && operation.ty == OperationType::Query
            && (in_fragments || mentions(&operation.selection_set.node))
    })
}

fn mentions(set: &SelectionSet) -> bool {
    set.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => field.node.name.node == FIELD || mentions(&field.node.selection_set.node),
        Selection::InlineFragment(fragment) => mentions(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => false,
    })
}
