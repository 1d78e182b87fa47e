//! What every subject of the API uses: pages and cursors, ids, scalars, and the way from a resolver to its viewer's rows.

mod batch;
mod connection;
mod context;
mod cursor;
mod error_code;
mod id;
mod loader;
mod payload;
mod scalar;
mod start;

pub use self::batch::Batches;
pub(super) use self::connection::{Connection, Listed, Paging};
pub(super) use self::context::ContextExt;
pub use self::context::RequestContext;
pub(crate) use self::cursor::{Cursor, ReplyCursor};
pub(super) use self::cursor::{MessageCursor, QueueCursor, SiblingCursor};
pub(super) use self::error_code::ErrorCode;
pub(super) use self::id::{parse_id, require_id};
pub(super) use self::loader::{ConversationId, MessageId, OwnSettings, SettingsOf};
pub(super) use self::payload::{Payload, payload};
pub(super) use self::scalar::{BigInt, Date, DateTime, Decimal, Json, parse_metadata, read_metadata};
pub use self::start::StartCursor;
