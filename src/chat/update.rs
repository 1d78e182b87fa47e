//! Changing conversations: the title, the pin, the archive and the metadata.

use std::collections::HashMap;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use uuid::Uuid;

use super::metadata_index::{IndexChange, check_values};
use super::receipt::IdempotentRequest;
use super::{Chat, ConversationSettings, Metadata, text, unchanged};
use crate::database::Write;
use crate::entity::conversation::{self, Column, Entity, TitleOrigin};
use crate::error::Error;
use crate::index;

/// How many conversations one request may change.
pub const MAX_CONVERSATIONS: usize = 100;

/// A conversation to change.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateConversation {
    /// The conversation.
    pub id: Uuid,
    /// What to change.
    #[serde(flatten)]
    pub changes: ConversationChanges,
    /// The revision that the conversation must still have.
    pub if_revision: Option<i64>,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// Conversations to change alike.
#[derive(Clone, Debug, Serialize)]
pub struct UpdateConversations {
    /// The conversations.
    pub ids: Vec<Uuid>,
    /// What to change; not the title, nor the settings.
    #[serde(flatten)]
    pub changes: ConversationChanges,
    /// The idempotency key: a second request with the same key changes nothing.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

/// What changes in conversations; what is `None` stays as it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ConversationChanges {
    /// The title, as the user gives it.
    pub title: Option<String>,
    /// Whether they are pinned. Those that are pinned already keep the date.
    pub pinned: Option<bool>,
    /// Whether they are archived. Those that are archived already keep the date.
    pub archived: Option<bool>,
    /// What is merged into their metadata.
    pub metadata: Option<Metadata>,
    /// Which assistant answers, how, and what it is told; only of one conversation.
    #[serde(flatten)]
    pub settings: ConversationSettings,
}

impl ConversationChanges {
    /// The row after the changes; `None` if it stays as it is.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if the metadata would not be within its bounds.
    fn apply(&self, row: &conversation::Model, write: &Write) -> Result<Option<conversation::Model>, Error> {
        let date = |earlier: Option<DateTimeUtc>, wanted: Option<bool>| match wanted {
            None => earlier,
            Some(false) => None,
            Some(true) => earlier.or(Some(write.now)),
        };
        let mut changed = conversation::Model {
            pinned_at: date(row.pinned_at, self.pinned),
            archived_at: date(row.archived_at, self.archived),
            ..row.clone()
        };
        if let Some(title) = &self.title {
            changed.title = Some(title.clone());
            changed.title_key = text::title_key(title);
            changed.title_origin = Some(TitleOrigin::User);
        }
        if let Some(patch) = &self.metadata {
            let merged = patch.merged_into(&row.metadata)?;
            check_values(&merged)?;
            changed.metadata = merged.into_text();
        }
        if changed == *row {
            return Ok(None);
        }
        changed.revision = write.revision;
        Ok(Some(changed))
    }

    /// The changes as one statement makes them of all `rows`, which have their new values.
    fn columns(&self, write: &Write, rows: &[&conversation::Model]) -> Vec<(Column, SimpleExpr)> {
        let date = |column: Column, wanted: bool| -> SimpleExpr {
            if wanted {
                Func::coalesce([Expr::col(column), Expr::value(write.now)]).into()
            } else {
                Expr::value(None::<DateTimeUtc>)
            }
        };
        let mut columns = vec![(Column::Revision, Expr::value(write.revision))];
        if let Some(title) = &self.title {
            columns.extend([
                (Column::Title, Expr::value(title.as_str())),
                (Column::TitleKey, Expr::value(text::title_key(title))),
                (Column::TitleOrigin, Expr::value(TitleOrigin::User.to_value())),
            ]);
        }
        columns.extend(self.pinned.map(|pinned| (Column::PinnedAt, date(Column::PinnedAt, pinned))));
        columns
            .extend(self.archived.map(|archived| (Column::ArchivedAt, date(Column::ArchivedAt, archived))));
        if self.metadata.is_some() {
            let each = rows.iter().fold(CaseStatement::new(), |each, row| {
                each.case(Expr::col(Column::Id).eq(row.id), row.metadata.as_str())
            });
            columns.push((Column::Metadata, each.finally(Expr::col(Column::Metadata)).into()));
        }
        columns
    }
}

impl Chat {
    /// Changes a conversation. If nothing differs, it keeps its revision.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the viewer has no such conversation; [`Error::RevisionMismatch`] if it has changed since
    /// the revision that is given; [`Error::BadUserInput`] if the title, the metadata, the parameters or the instructions
    /// are not within their bounds.
    pub async fn update(&self, mut request: UpdateConversation) -> Result<conversation::Model, Error> {
        if let Some(title) = &mut request.changes.title {
            *title = text::title(title)?.to_owned();
        }
        self.check_instructions(&mut request.changes.settings.instructions)?;
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "updateConversation", &request)?;
        self.write((request, idempotent), |chat, write, (request, idempotent)| {
            Box::pin(async move {
                let repeated = chat.is_repeated(write, idempotent.as_ref()).await?;
                let row = chat.conversation_within(write, request.id).await?;
                if repeated {
                    return Ok(unchanged(write, row));
                }
                if request.if_revision.is_some_and(|revision| revision != row.revision) {
                    return Err(Error::RevisionMismatch);
                }
                let mut changed = request.changes.apply(&row, write)?;
                let settings = &request.changes.settings;
                if !settings.is_empty() && chat.change_settings(write, row.id, settings).await? {
                    // Other devices learn of it by the conversation.
                    let revision = write.revision;
                    changed = changed.or_else(|| Some(conversation::Model { revision, ..row.clone() }));
                }
                let Some(changed) = changed else {
                    write.clear_after_commit();
                    return Ok(row);
                };
                chat.store_changes(write, &[(&row, &changed)], &request.changes).await?;
                if changed.title != row.title {
                    index::index_title(write, &changed).await?;
                }
                Ok(changed)
            })
        })
        .await
    }

    /// Changes several conversations in one transaction. Each has an outcome of its own, in the order of their ids in
    /// the request; one that fails does not keep the others from changing.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if there are more than [`MAX_CONVERSATIONS`].
    pub async fn update_conversations(&self, request: UpdateConversations) -> Result<Outcomes, Error> {
        check_count(request.ids.len())?;
        let key = request.idempotency_key.as_deref();
        let idempotent = IdempotentRequest::new(key, "updateConversations", &request)?;
        self.write((request, idempotent), |chat, write, (request, idempotent)| {
            Box::pin(async move {
                let repeated = chat.is_repeated(write, idempotent.as_ref()).await?;
                let query = chat.own_conversations().filter(Column::Id.is_in(request.ids.iter().copied()));
                let rows = query.all(&**write).await?;
                if repeated {
                    // What was refused is refused again, unless the conversation has changed since.
                    let outcome =
                        |row: conversation::Model| (row.id, request.changes.apply(&row, write).map(|_| row));
                    return Ok(unchanged(write, rows.into_iter().map(outcome).collect()));
                }
                let mut results = Outcomes::default();
                for row in &rows {
                    let changed = request.changes.apply(row, write).transpose();
                    results.insert(row.id, changed.unwrap_or_else(|| Ok(row.clone())));
                }
                let now = |row: &conversation::Model| results.get(&row.id).and_then(|row| row.as_ref().ok());
                let changed: Vec<_> = rows
                    .iter()
                    .filter_map(|row| Some((row, now(row)?)))
                    .filter(|(_, row)| row.revision == write.revision)
                    .collect();
                if changed.is_empty() {
                    write.clear_after_commit();
                } else {
                    chat.store_changes(write, &changed, &request.changes).await?;
                }
                Ok(results)
            })
        })
        .await
    }

    /// Stores rows, each given as it was and as it is to be, in one statement, and indexes what differs in their metadata.
    async fn store_changes(
        &self,
        write: &Write,
        rows: &[(&conversation::Model, &conversation::Model)],
        changes: &ConversationChanges,
    ) -> Result<(), Error> {
        let changed: Vec<_> = rows.iter().map(|(_, row)| *row).collect();
        let update = Entity::update_many()
            .filter(Column::UserId.eq(self.user()))
            .filter(Column::Id.is_in(changed.iter().map(|row| row.id)));
        let columns = changes.columns(write, &changed).into_iter();
        columns.fold(update, |update, (column, value)| update.col_expr(column, value)).exec(&**write).await?;
        if changes.metadata.is_some() {
            let index: Vec<_> = rows
                .iter()
                .map(|(earlier, now)| IndexChange {
                    conversation_id: now.id,
                    earlier: &earlier.metadata,
                    now: &now.metadata,
                })
                .collect();
            self.index_metadata(write, &index).await?;
        }
        Ok(())
    }
}

/// What became of each conversation that was found. Those that the viewer does not have are not there.
pub type Outcomes = HashMap<Uuid, Result<conversation::Model, Error>>;

/// The outcomes of conversations that are as they should be.
pub(super) fn outcomes(rows: Vec<conversation::Model>) -> Outcomes {
    rows.into_iter().map(|row| (row.id, Ok(row))).collect()
}

/// Checks that a request names no more conversations than it may.
///
/// # Errors
/// [`Error::BadUserInput`] if it names more than [`MAX_CONVERSATIONS`].
pub fn check_count(count: usize) -> Result<(), Error> {
    if count <= MAX_CONVERSATIONS {
        return Ok(());
    }
    let message = format!("`conversationIds` must have at most {MAX_CONVERSATIONS} ids; it has {count}.");
    Err(Error::input("conversationIds", message))
}
