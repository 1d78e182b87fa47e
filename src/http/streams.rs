//! What is known of the streams and sockets that are open.

use chrono::Utc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{LEEWAY, Viewer};

/// The open streams and sockets, and what tells them to end.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// The server stops: what has nothing to do ends now.
    pub(super) stopping: CancellationToken,
    /// Everything ends now.
    pub(super) closing: CancellationToken,
    /// Counts them.
    pub(super) tracker: TaskTracker,
}

/// When the viewer's token is no longer accepted; `None` if that is too far away to matter.
pub(super) fn expiry(viewer: &Viewer) -> Option<Instant> {
    let left = (viewer.expires_at() - Utc::now()).to_std().unwrap_or_default();
    let past = (Utc::now() - viewer.expires_at()).to_std().unwrap_or_default();
    Instant::now().checked_add((left + LEEWAY).saturating_sub(past))
}
