//! Titles that were derived from a first message, by its first words or by the assistant, change with that message.

use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ActiveEnum, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::super::{Chat, text};
use crate::database::Write;
use crate::entity::conversation::{self, Column, TitleOrigin};
use crate::entity::message;
use crate::error::Error;
use crate::index;

/// The changes of a conversation that now begins with `first`. Unless the user has set the title, it is derived from
/// `first`, and removed without one.
pub(super) fn derived_title(first: Option<&str>) -> [(Column, SimpleExpr); 3] {
    let title = first.map(text::derive_title);
    let key = title.as_deref().map(text::title_key).unwrap_or_default();
    let origin = title.as_ref().map(|_| TitleOrigin::Message.to_value());
    let if_derived = |column: Column, value: SimpleExpr| {
        let derived = Expr::col(Column::TitleOrigin).ne(TitleOrigin::User.to_value());
        (column, Expr::case(derived, value).finally(Expr::col(column)).into())
    };
    [
        if_derived(Column::Title, Expr::value(title)),
        if_derived(Column::TitleKey, Expr::value(key)),
        if_derived(Column::TitleOrigin, Expr::value(origin)),
    ]
}

/// Indexes the title that [`derived_title`] has set.
pub(super) async fn index_derived_title(write: &Write, row: &conversation::Model) -> Result<(), Error> {
    match row.title_origin {
        None | Some(TitleOrigin::Message) => index::index_title(write, row).await,
        Some(TitleOrigin::Assistant | TitleOrigin::User) => Ok(()),
    }
}

impl Chat {
    /// The text of the first message on the active path.
    pub(super) async fn first_text(
        &self,
        write: &Write,
        conversation_id: Uuid,
    ) -> Result<Option<String>, Error> {
        let first = self
            .own_messages()
            .select_only()
            .column(message::Column::Content)
            .filter(Expr::col(message::Column::ConversationId).eq(conversation_id))
            .filter(Expr::col(message::Column::Active))
            .filter(Expr::col(message::Column::Position).lte(1));
        Ok(first.into_tuple().one(&**write).await?)
    }
}
