//! Following a reply while it is generated, from any position, on any server.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use tokio::time::sleep;
use uuid::Uuid;

use super::Replies;
use super::chunk::{Chunk, State};
use super::live::Live;
use crate::entity::message::{self, Status};
use crate::error::Error;
use crate::memory::MemoryBudget;
use crate::signal::{Listener, Topic};

/// How often a queued reply is checked, in case signals are lost.
const QUEUED_POLL_PERIOD: Duration = Duration::from_secs(1);

/// How long a reader waits before it tries again while the database is unavailable.
const OUTAGE_POLL_PERIOD: Duration = Duration::from_millis(500);

/// How much of a reply a reader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyPosition {
    /// The attempt whose text the reader has.
    pub attempt: i32,
    /// How many bytes of that text the reader has.
    pub offset: usize,
}

/// Before the first attempt.
const START: ReplyPosition = ReplyPosition { attempt: 0, offset: 0 };

/// What a reader of a reply receives.
#[derive(Clone, Debug)]
pub enum ProgressEvent {
    /// More text.
    Text(String),
    /// The reply was restarted, or its text is shorter than what the reader has, which is to be discarded.
    Restarted,
    /// The reply has ended; this is its row.
    Ended(Box<message::Model>),
}

impl Replies {
    /// Follows a reply of `user` from `after` on, or from its start: the text so far, then new text, then the end. The
    /// texts since the last [`ProgressEvent::Restarted`] are the reply's content. Each is short; the size of the row at
    /// the end is taken out of `budget` before the row is read.
    ///
    /// The stream does nothing until its next event is asked for, and waits while the database is unavailable. It fails
    /// with [`Error::NotFound`] if the user has no such reply, or no longer, and as [`MemoryBudget::take`] does.
    #[must_use]
    pub fn progress(
        &self,
        user: &str,
        id: Uuid,
        after: Option<ReplyPosition>,
        budget: MemoryBudget,
    ) -> BoxStream<'static, Result<(ProgressEvent, ReplyPosition), Error>> {
        let reader = Reader {
            replies: self.clone(),
            user: user.to_owned(),
            id,
            position: after,
            budget,
            listener: self.0.signals.listen(Topic::Reply(id)),
            seen: false,
            charged: false,
            ended: false,
        };
        try_unfold(reader, |mut reader| async move {
            let event = reader.next().await?;
            Ok(event.map(|event| (event, reader)))
        })
        .boxed()
    }
}

struct Reader {
    replies: Replies,
    user: String,
    id: Uuid,
    position: Option<ReplyPosition>,
    budget: MemoryBudget,
    listener: Listener,
    /// Whether the row was read: no text is sent before that, as the reply might be another user's.
    seen: bool,
    /// Whether the size of the row at the end was taken out of the budget.
    charged: bool,
    ended: bool,
}

/// What a read of the row found.
enum Poll {
    Event(ProgressEvent),
    /// The reply has ended with this many bytes of text, and the reader has all of them.
    AtEnd(usize),
    /// Nothing new; the row is to be read again after this time.
    Pending(Duration),
}

impl Reader {
    async fn next(&mut self) -> Result<Option<(ProgressEvent, ReplyPosition)>, Error> {
        if self.ended {
            return Ok(None);
        }
        loop {
            if self.seen
                && let Some(event) = self.next_live().await
            {
                return Ok(Some(self.with_position(event)));
            }
            let pause = match self.poll_row().await {
                Ok(Poll::Event(event)) => return Ok(Some(self.with_position(event))),
                Ok(Poll::AtEnd(length)) => match self.end(length).await? {
                    Some(event) => return Ok(Some(self.with_position(event))),
                    None => OUTAGE_POLL_PERIOD,
                },
                Ok(Poll::Pending(_)) if self.live().is_some() => continue,
                Ok(Poll::Pending(pause)) => pause,
                // The reply may go on meanwhile.
                Err(error) if error.is_unavailable() => OUTAGE_POLL_PERIOD,
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = self.listener.woken() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// The next event of an attempt that this server generates; `None` if it does not, or no longer.
    async fn next_live(&mut self) -> Option<ProgressEvent> {
        let live = self.live()?;
        let mut extent = live.follow();
        loop {
            let seen = *extent.borrow_and_update();
            if let Some(event) = self.move_on(live.attempt(), |offset| live.chunk(offset), true) {
                return Some(event);
            }
            if seen.closed || extent.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The attempt that this server generates, unless the reader has text of a later one.
    fn live(&self) -> Option<Arc<Live>> {
        let live = self.replies.lock_running().get(&self.id).cloned()?;
        self.position.is_none_or(|position| position.attempt <= live.attempt()).then_some(live)
    }

    async fn poll_row(&mut self) -> Result<Poll, Error> {
        let ReplyPosition { attempt, offset } = self.position.unwrap_or(START);
        let state = self.replies.state(&self.user, self.id, attempt, offset).await?;
        let State { status, attempt, chunk } = state.ok_or(Error::NotFound("reply"))?;
        self.seen = true;
        let length = chunk.length;
        Ok(match self.move_on(attempt, |_| chunk, status.is_terminal()) {
            Some(event) => Poll::Event(event),
            None if status.is_terminal() => Poll::AtEnd(length),
            None if status == Status::Queued => Poll::Pending(QUEUED_POLL_PERIOD),
            None => Poll::Pending(self.replies.options().checkpoint),
        })
    }

    /// Reads the row of a reply that has ended with `length` bytes of text. `None` if the database is unavailable, or
    /// the reply has just been restarted.
    async fn end(&mut self, length: usize) -> Result<Option<ProgressEvent>, Error> {
        if !self.charged {
            self.budget.take(length)?;
            self.charged = true;
        }
        let row = match self.replies.find(&self.user, self.id).await {
            Ok(row) => row.ok_or(Error::NotFound("reply"))?,
            Err(error) if error.is_unavailable() => return Ok(None),
            Err(error) => return Err(error),
        };
        let position = ReplyPosition { attempt: row.attempt, offset: row.content.len() };
        if !row.status.is_terminal() || self.position != Some(position) {
            return Ok(None);
        }
        self.ended = true;
        Ok(Some(ProgressEvent::Ended(Box::new(row))))
    }

    /// Moves the reader on by the next chunk of `attempt`'s text. The reader may have more than a text that is not
    /// `complete`, such as a checkpoint's.
    fn move_on(
        &mut self,
        attempt: i32,
        chunk_after: impl FnOnce(usize) -> Chunk,
        complete: bool,
    ) -> Option<ProgressEvent> {
        let position = self.position.get_or_insert(ReplyPosition { attempt, offset: 0 });
        if position.attempt != attempt {
            let had_text = position.offset > 0;
            *position = ReplyPosition { attempt, offset: 0 };
            if had_text {
                return Some(ProgressEvent::Restarted);
            }
        }
        let chunk = chunk_after(position.offset);
        let text = if chunk.length < position.offset { None } else { chunk.into_text() };
        match text {
            Some(text) if text.is_empty() => None,
            Some(text) => {
                position.offset += text.len();
                Some(ProgressEvent::Text(text))
            }
            None if complete => {
                position.offset = 0;
                Some(ProgressEvent::Restarted)
            }
            None => None,
        }
    }

    fn with_position(&self, event: ProgressEvent) -> (ProgressEvent, ReplyPosition) {
        (event, self.position.unwrap_or(START))
    }
}
