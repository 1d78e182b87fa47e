//! Erasing conversations that have been in the trash for long enough.
//!
//! Any server does it, and several at once do no harm. First the conversation is marked as being erased, after which it
//! cannot be restored, and its title and metadata are deleted. Then its messages are deleted in small batches, each in
//! a transaction of its own, so that no write waits for long. At last it is a tombstone, from which offline devices
//! learn of the deletion. If a server stops meanwhile, another one continues.
//!
//! Receipts of what was made stay as long as any, without their digests, so that a late retry does not store its message again.

use std::time::Duration;

use clap::Args;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Statement};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::background;
use crate::database::Database;
use crate::entity::{
    conversation, conversation_metadata, conversation_setting, deleted_message, message, receipt,
};
use crate::error::Error;
use crate::index;
use crate::options::days;
use crate::reply::Replies;
use crate::usage;

/// How many conversations one pass erases. If there may be more, the next pass begins at once.
const CONVERSATIONS: u64 = 64;

/// How many ids of messages are read at once.
const ID_PAGE: usize = 10_000;

/// How many messages one statement deletes.
const BATCH: usize = 200;

/// How long a server may take to erase a conversation before another one continues.
const ERASE_TIMEOUT: Duration = Duration::from_mins(5);

/// When deleted conversations are erased.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Conversations")]
#[group(skip)]
pub struct Options {
    /// A deleted conversation can be restored for this many days; then it is erased for good. With 0 it is erased at
    /// once.
    #[arg(id = "trash_days", long = "trash-days", env = "CAUSERIE_TRASH_DAYS", value_name = "NUMBER",
        default_value = "30", value_parser = days(0..=36_500))]
    pub keep: Duration,
    /// How often to look for what is to be erased.
    #[arg(skip = Duration::from_mins(1))]
    pub period: Duration,
}

/// Empties the trash every `period` until `shutdown`. What has not ended in it is settled by the ledger of `replies`.
pub fn start(database: Database, replies: Replies, options: Options, shutdown: CancellationToken) {
    background::repeat(options.period, shutdown, move || {
        let (database, replies) = (database.clone(), replies.clone());
        async move { Ok(empty(&database, &replies, options.keep).await? >= CONVERSATIONS) }
    });
}

/// Erases conversations that were deleted more than `keep` ago. Returns how many it found; if that is
/// [`CONVERSATIONS`], there may be more.
async fn empty(database: &Database, replies: &Replies, keep: Duration) -> Result<u64, Error> {
    use conversation::Column;
    let due = conversation::Entity::find()
        .select_only()
        .columns([Column::UserId, Column::Id])
        .filter(due(database, keep))
        .limit(CONVERSATIONS);
    let found: Vec<(String, Uuid)> =
        database.read(|connection| Box::pin(due.clone().into_tuple().all(connection))).await?;
    let mut failed = None;
    for (user, id) in &found {
        // One that fails is tried again later, and does not keep the others from being erased.
        if let Err(error) = erase(database, replies, keep, user, *id).await {
            tracing::warn!(conversation = %id, error = %error.message(), "could not erase a deleted conversation");
            if let Err(error) = give_up(database, user, *id).await {
                error.log();
            }
            failed = Some(error);
        }
    }
    failed.map_or(Ok(found.len() as u64), Err)
}

/// Erases a conversation, unless another server does or it was restored.
async fn erase(
    database: &Database,
    replies: &Replies,
    keep: Duration,
    user: &str,
    id: Uuid,
) -> Result<(), Error> {
    if mark_erasing(database, keep, user, id).await? {
        database.update(index::delete_title(database.backend(), user, id)).await?;
        clear_digest(database, user, id).await?;
        erase_metadata(database, user, id).await?;
        settle(database, replies, user, id).await?;
        erase_settings(database, user, id).await?;
        erase_messages(database, user, id).await?;
        erase_tombstones(database, user, id).await?;
        mark_erased(database, user, id).await?;
        tracing::info!(conversation = %id, "erased a deleted conversation");
    }
    Ok(())
}

/// The condition that a conversation is to be erased, and that no other server is erasing it.
fn due(database: &Database, keep: Duration) -> Condition {
    use conversation::Column;
    let clock = database.clock();
    Condition::all()
        // Spelled out, as the databases must see that the partial index applies.
        .add(Expr::cust("deleted_at IS NOT NULL AND erased_at IS NULL"))
        .add(
            Condition::any()
                .add(Column::ErasingAt.is_null().and(Expr::col(Column::DeletedAt).lte(clock.ago(keep))))
                .add(Expr::col(Column::ErasingAt).lt(clock.ago(ERASE_TIMEOUT))),
        )
}

/// Marks a conversation as being erased, and deletes its title and metadata. Returns `false` if another server was
/// quicker, or the conversation was restored.
async fn mark_erasing(database: &Database, keep: Duration, user: &str, id: Uuid) -> Result<bool, Error> {
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

/// Lets the next pass of any server go on with a conversation that could not be erased.
async fn give_up(database: &Database, user: &str, id: Uuid) -> Result<(), Error> {
    use conversation::Column;
    let update = Query::update()
        .table(conversation::Entity)
        .value(Column::ErasingAt, database.clock().ago(2 * ERASE_TIMEOUT))
        .and_where(own(Column::UserId, user))
        .and_where(Expr::col(Column::Id).eq(id))
        .and_where(Expr::col(Column::ErasingAt).is_not_null())
        .and_where(Expr::col(Column::ErasedAt).is_null())
        .to_owned();
    database.update(database.backend().build(&update)).await?;
    Ok(())
}

/// Deletes the digest of the request that has made a conversation.
async fn clear_digest(database: &Database, user: &str, conversation: Uuid) -> Result<(), Error> {
    use receipt::Column;
    let clear = Query::update()
        .table(receipt::Entity)
        .value(Column::RequestDigest, none())
        .and_where(own(Column::UserId, user))
        .and_where(Expr::col(Column::ConversationId).eq(conversation))
        .to_owned();
    database.update(database.backend().build(&clear)).await?;
    Ok(())
}

/// Settles what the replies of a conversation have used that have not ended: they cannot any more. There are some only if
/// their servers have not heard yet that they are to stop.
async fn settle(database: &Database, replies: &Replies, user: &str, conversation: Uuid) -> Result<(), Error> {
    use message::Column;
    let unended = message::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(own(Column::UserId, user))
        .filter(Column::ConversationId.eq(conversation))
        // Spelled out, as the database must see that the partial index applies.
        .filter(Expr::cust("status = 'GENERATING'"));
    let unended: Vec<Uuid> =
        database.read(|connection| Box::pin(unended.clone().into_tuple().all(connection))).await?;
    if unended.is_empty() {
        return Ok(());
    }
    database
        .write(user, (replies.clone(), user.to_owned(), unended), |write, (replies, user, unended)| {
            Box::pin(async move {
                for request in usage::under_way(write, user, unended).await? {
                    replies.ledger().settle_lost(write, user, &request).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Deletes the index of a conversation's metadata.
async fn erase_metadata(database: &Database, user: &str, conversation: Uuid) -> Result<(), Error> {
    use conversation_metadata::Column;
    let delete = Query::delete()
        .from_table(conversation_metadata::Entity)
        .and_where(own(Column::UserId, user))
        .and_where(Expr::col(Column::ConversationId).eq(conversation))
        .to_owned();
    database.update(database.backend().build(&delete)).await?;
    Ok(())
}

/// Deletes what was chosen for a conversation, its instructions among it.
async fn erase_settings(database: &Database, user: &str, conversation: Uuid) -> Result<(), Error> {
    use conversation_setting::Column;
    let delete = Query::delete()
        .from_table(conversation_setting::Entity)
        .and_where(own(Column::UserId, user))
        .and_where(Expr::col(Column::ConversationId).eq(conversation))
        .to_owned();
    database.update(database.backend().build(&delete)).await?;
    Ok(())
}

/// Deletes the messages of a conversation, children before parents, and the digests of their receipts.
async fn erase_messages(database: &Database, user: &str, conversation: Uuid) -> Result<(), Error> {
    use message::Column;
    let left = message::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(own(Column::UserId, user))
        .filter(Column::ConversationId.eq(conversation))
        .order_by_desc(Column::Position);
    erase_rows(database, left, |batch| {
        let clear_digests = Query::update()
            .table(receipt::Entity)
            .value(receipt::Column::RequestDigest, none())
            .and_where(own(receipt::Column::UserId, user))
            .and_where(Expr::col(receipt::Column::MessageId).is_in(batch.iter().copied()))
            .to_owned();
        let delete = Query::delete()
            .from_table(message::Entity)
            .and_where(own(Column::UserId, user))
            .and_where(Expr::col(Column::Id).is_in(batch.iter().copied()))
            .to_owned();
        vec![database.backend().build(&clear_digests), database.backend().build(&delete)]
    })
    .await
}

/// Deletes the tombstones of messages that were deleted before their conversation.
async fn erase_tombstones(database: &Database, user: &str, conversation: Uuid) -> Result<(), Error> {
    use deleted_message::Column;
    let left = deleted_message::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(own(Column::UserId, user))
        .filter(Column::ConversationId.eq(conversation));
    erase_rows(database, left, |batch| {
        let delete = Query::delete()
            .from_table(deleted_message::Entity)
            .and_where(own(Column::UserId, user))
            .and_where(Expr::col(Column::Id).is_in(batch.iter().copied()))
            .to_owned();
        vec![database.backend().build(&delete)]
    })
    .await
}

/// Runs the statements of `erase` for batches of the ids that `left` finds, until none are left.
async fn erase_rows<E: EntityTrait>(
    database: &Database,
    left: Select<E>,
    erase: impl Fn(&[Uuid]) -> Vec<Statement>,
) -> Result<(), Error> {
    let page = left.limit(ID_PAGE as u64);
    let work = database.heavy_work("");
    loop {
        let ids: Vec<Uuid> =
            database.read(|connection| Box::pin(page.clone().into_tuple().all(connection))).await?;
        for batch in ids.chunks(BATCH) {
            let began = Instant::now();
            for statement in erase(batch) {
                database.update(statement).await?;
            }
            work.rest_after(began).await;
        }
        if ids.len() < ID_PAGE {
            return Ok(());
        }
    }
}

/// Makes the conversation a tombstone.
async fn mark_erased(database: &Database, user: &str, id: Uuid) -> Result<(), Error> {
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
