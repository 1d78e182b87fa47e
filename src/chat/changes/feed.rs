//! A live feed of the viewer's changes.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use tokio::time::sleep;

use super::{Change, ChangeCursor, LongColumns};
use crate::background::unhindered;
use crate::chat::Chat;
use crate::error::Error;
use crate::memory::Reservation;
use crate::signal::{Listener, Topic};

/// How often a feed without signals reads the database, in case signals are lost.
const POLL_PERIOD: Duration = Duration::from_secs(5);

/// How many changes a feed reads at once.
const PAGE: u64 = 20;

/// How many bytes a feed reads at once, unless a single change has more. They are held until the reader has taken them.
const PAGE_BYTES: usize = 256 * 1024;

impl Chat {
    /// Streams the changes after `since`, or from the beginning, and then new ones without end.
    #[must_use]
    pub fn follow_changes(
        &self,
        since: Option<ChangeCursor>,
        columns: LongColumns,
    ) -> BoxStream<'static, Result<Change, Error>> {
        let listener = self.replies.listen(Topic::of_user(self.user()));
        let feed =
            Feed { chat: self.clone(), since, columns, listener, pending: VecDeque::new(), load: None };
        try_unfold(feed, |mut feed| async move {
            let change = feed.next().await?;
            Ok(Some((change, feed)))
        })
        .boxed()
    }
}

struct Feed {
    chat: Chat,
    since: Option<ChangeCursor>,
    columns: LongColumns,
    listener: Listener,
    pending: VecDeque<Change>,
    /// What they take of the server's memory.
    load: Option<Reservation>,
}

impl Feed {
    async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                self.since = Some(change.cursor());
                if self.pending.is_empty() {
                    self.load = None;
                }
                return Ok(change);
            }
            // A feed waits while the database is unavailable, and while the viewer's operations hold too much text.
            // Boxed, so that a feed has no room for it while nothing happens. The feed may tell of replies meanwhile.
            let (chat, since, columns) = (self.chat.clone(), self.since, self.columns);
            let read = async move { chat.changes_within(since, PAGE, columns, PAGE_BYTES).await };
            match Box::pin(unhindered(read)).await {
                Ok(page) if !page.items.is_empty() => {
                    self.load = Some(self.chat.budget.release());
                    self.pending = page.items.into();
                    continue;
                }
                Err(error) if !error.is_unavailable() && error.retry_after().is_none() => return Err(error),
                Ok(_) | Err(_) => {}
            }
            tokio::select! {
                () = self.listener.woken() => {}
                () = sleep(POLL_PERIOD) => {}
            }
        }
    }
}
