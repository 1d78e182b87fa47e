//! Erasing what has been in the trash for long enough.
//!
//! Any server may do it, and several at once do no harm. A conversation is first marked as being erased, from when on
//! it cannot be restored, and loses what it has of the user's words; then its messages go in small batches, each a
//! transaction of its own, so that no write waits for long; then it is a tombstone, from which devices that were
//! away learn of it. A server that dies meanwhile leaves the mark, and the next pass goes on.
//!
//! The receipt of a request with an idempotency key stays as long as any, without its digest: a late retry must not
//! store its message a second time.

use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::background;
use crate::database::Database;
use crate::entity::{conversation, deleted_message, message, receipt};
use crate::error::Error;
use crate::index;

/// How many conversations to erase in a pass; the next pass begins at once if there may be more.
const CONVERSATIONS: u64 = 64;

/// How many ids of messages to hold at once.
const LOOK: u64 = 10_000;

/// How many messages to erase in one statement.
const BATCH: usize = 200;

/// How long a server that has begun to erase a conversation is given before another one does it as well.
const CLAIM: Duration = Duration::from_mins(5);

/// When the trash is emptied.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a deleted conversation is kept.
    pub keep: Duration,
    /// How often to look for what is to be erased.
    pub period: Duration,
}

/// Empties the trash from time to time until `shutdown`.
pub fn start(database: Database, options: Options, shutdown: CancellationToken) {
    background::repeat(options.period, shutdown, move || {
        let database = database.clone();
        async move { Ok(empty(&database, options.keep).await? >= CONVERSATIONS) }
    });
}

/// Erases conversations that were deleted more than `keep` ago. Returns how many it found; if that is
/// [`CONVERSATIONS`], there may be more.
async fn empty(database: &Database, keep: Duration) -> Result<u64, Error> {
    use conversation::Column;
    let due = conversation::Entity::find()
        .select_only()
        .columns([Column::UserId, Column::Id])
        .filter(due(database, keep))
        .limit(CONVERSATIONS);
    let found: Vec<(String, Uuid)> =
        database.read(|connection| Box::pin(due.clone().into_tuple().all(connection))).await?;
    for (user, id) in &found {
        if claim(database, keep, user, *id).await? {
            database.update(index::delete_title(database.backend(), user, *id)).await?;
            erase_messages(database, user, *id).await?;
            erase_tombstones(database, user, *id).await?;
            bury(database, user, *id).await?;
            tracing::info!(conversation = %id, "erased a deleted conversation");
        }
    }
    Ok(found.len() as u64)
}

/// Whether a conversation is to be erased, and no other server is at it.
fn due(database: &Database, keep: Duration) -> Condition {
    use conversation::Column;
    let clock = database.clock();
    Condition::all()
        // Spelled out, as the databases must see that the partial index applies.
        .add(Expr::cust("deleted_at IS NOT NULL AND erased_at IS NULL"))
        .add(
            Condition::any()
                .add(Column::ErasingAt.is_null().and(Expr::col(Column::DeletedAt).lte(clock.ago(keep))))
                .add(Expr::col(Column::ErasingAt).lt(clock.ago(CLAIM))),
        )
}

/// Marks a conversation as being erased, and takes the user's words out of it; tells whether it still was to be.
async fn claim(database: &Database, keep: Duration, user: &str, id: Uuid) -> Result<bool, Error> {
    use conversation::Column;
    let update = Query::update()
        .table(conversation::Entity)
        .value(Column::ErasingAt, database.clock().now())
        .value(Column::Title, none())
        .value(Column::TitleKey, "")
        .value(Column::TitleOrigin, none())
        .value(Column::Metadata, "{}")
        .value(Column::LastPosition, 0)
        .value(Column::ReadPosition, 0)
        .and_where(own(Column::UserId, user))
        .and_where(Expr::col(Column::Id).eq(id))
        .cond_where(due(database, keep))
        .returning_col(Column::Id)
        .to_owned();
    Ok(database.update(database.backend().build(&update)).await?.is_some())
}

/// Erases the messages of a conversation, those at its end first: no message is there without its parent. The
/// receipts of the requests that made them stay, without the digests of the texts.
async fn erase_messages(database: &Database, user: &str, conversation: Uuid) -> Result<(), Error> {
    use message::Column;
    let left = message::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(own(Column::UserId, user))
        .filter(Column::ConversationId.eq(conversation))
        .order_by_desc(Column::Position)
        .limit(LOOK);
    loop {
        let ids: Vec<Uuid> =
            database.read(|connection| Box::pin(left.clone().into_tuple().all(connection))).await?;
        for batch in ids.chunks(BATCH) {
            let forget = Query::update()
                .table(receipt::Entity)
                .value(receipt::Column::RequestDigest, none())
                .and_where(own(receipt::Column::UserId, user))
                .and_where(Expr::col(receipt::Column::MessageId).is_in(batch.iter().copied()))
                .to_owned();
            let erase = Query::delete()
                .from_table(message::Entity)
                .and_where(own(Column::UserId, user))
                .and_where(Expr::col(Column::Id).is_in(batch.iter().copied()))
                .to_owned();
            database.update(database.backend().build(&forget)).await?;
            database.update(database.backend().build(&erase)).await?;
            // Others write between the batches.
            tokio::task::yield_now().await;
        }
        if is_last(&ids) {
            return Ok(());
        }
    }
}

/// Erases what is left of messages that were deleted before their conversation was: their tombstones.
async fn erase_tombstones(database: &Database, user: &str, conversation: Uuid) -> Result<(), Error> {
    use deleted_message::Column;
    let left = deleted_message::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(own(Column::UserId, user))
        .filter(Column::ConversationId.eq(conversation))
        .limit(LOOK);
    loop {
        let ids: Vec<Uuid> =
            database.read(|connection| Box::pin(left.clone().into_tuple().all(connection))).await?;
        for batch in ids.chunks(BATCH) {
            let erase = Query::delete()
                .from_table(deleted_message::Entity)
                .and_where(own(Column::UserId, user))
                .and_where(Expr::col(Column::Id).is_in(batch.iter().copied()))
                .to_owned();
            database.update(database.backend().build(&erase)).await?;
            tokio::task::yield_now().await;
        }
        if is_last(&ids) {
            return Ok(());
        }
    }
}

fn is_last(ids: &[Uuid]) -> bool {
    ids.len() < usize::try_from(LOOK).unwrap_or(usize::MAX)
}

/// Notes that nothing is left to erase.
async fn bury(database: &Database, user: &str, id: Uuid) -> Result<(), Error> {
    use conversation::Column;
    let update = Query::update()
        .table(conversation::Entity)
        .value(Column::ErasedAt, database.clock().now())
        .value(Column::ArchivedAt, none())
        .value(Column::PinnedAt, none())
        .and_where(own(Column::UserId, user))
        .and_where(Expr::col(Column::Id).eq(id))
        .and_where(Expr::col(Column::ErasingAt).is_not_null())
        .to_owned();
    database.update(database.backend().build(&update)).await?;
    Ok(())
}

fn none() -> SimpleExpr {
    Expr::cust("NULL")
}

fn own(column: impl sea_orm::sea_query::IntoColumnRef, user: &str) -> SimpleExpr {
    Expr::col(column).eq(user)
}
