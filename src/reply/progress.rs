//! Following a reply while it is generated, from any position, on any server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Replies;
use super::chunk::{Chunk, Piece, State};
use super::live::Live;
use crate::entity::message::{self, Status, ToolCall};
use crate::error::Error;
use crate::memory::MemoryBudget;
use crate::signal::{Listener, Topic};

/// How often a queued reply, or one that does not grow, is checked at least, in case signals are lost.
const IDLE_POLL_PERIOD: Duration = Duration::from_secs(1);

/// How long a reader waits before it tries again while the database is unavailable.
const OUTAGE_POLL_PERIOD: Duration = Duration::from_millis(500);

/// How long a reader waits for memory, and how often it looks.
const MEMORY_TIMEOUT: Duration = Duration::from_secs(30);
const MEMORY_POLL_PERIOD: Duration = Duration::from_millis(100);

/// How much of a reply a reader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyPosition {
    /// The attempt that the reader has something of.
    pub attempt: i32,
    /// How many bytes of its text the reader has.
    pub text: usize,
    /// How many bytes of its reasoning the reader has.
    pub reasoning: usize,
    /// How many of its tool calls the reader has.
    pub calls: usize,
}

impl ReplyPosition {
    /// Before the first attempt.
    pub const START: Self = Self::start_of(0);

    /// At the start of an attempt.
    #[must_use]
    pub const fn start_of(attempt: i32) -> Self {
        Self { attempt, text: 0, reasoning: 0, calls: 0 }
    }

    /// What a reader of this row has, if the reply has not ended.
    #[must_use]
    pub fn in_row(row: &message::Model) -> Option<Self> {
        let is_running = row.role == message::Role::Assistant && !row.status.is_terminal();
        is_running.then(|| Self::of(row))
    }

    /// What a reader has who has all of this row.
    fn of(row: &message::Model) -> Self {
        Self {
            attempt: row.attempt,
            text: row.content.len(),
            reasoning: row.reasoning.len(),
            calls: row.parts.tool_calls().count(),
        }
    }
}

/// What a reader of a reply receives.
#[derive(Clone, Debug)]
pub enum ProgressEvent {
    /// The reply has begun.
    Started,
    /// More reasoning.
    Reasoning(String),
    /// More text.
    Text(String),
    /// A tool call, and the index of its part.
    ToolCall(usize, ToolCall),
    /// The reply was restarted, or its text is shorter than what the reader has, which is to be discarded.
    Restarted,
    /// The reply has ended; this is its row.
    Ended(Box<message::Model>),
}

impl Replies {
    /// Follows a reply of `user` from `after` on, or from its start: the parts so far, then new ones, then the end. The
    /// texts since the last [`ProgressEvent::Restarted`] are the reply's content. Each is short; their sizes, and that of
    /// the row at the end, are taken out of `budget` before they are given out.
    ///
    /// The stream does nothing until its next event is asked for. It waits while the database is unavailable, and for
    /// up to 30 seconds while there is no memory. A reply that this server generates costs no statement until it ends; of
    /// others the row is read at each signal, and at least once a second.
    ///
    /// The stream fails with [`Error::NotFound`] if the user has no such reply, or no longer, and as
    /// [`MemoryBudget::take`] does.
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
            position: after.unwrap_or(ReplyPosition::START),
            ready: VecDeque::new(),
            budget,
            listener: self.0.signals.listen(Topic::Reply(id)),
            idle: Duration::ZERO,
            seen: false,
            charged: false,
            ended: false,
        };
        try_unfold(reader, |mut reader| async move {
            let event = reader.next().await?;
            Ok(event.map(|event| ((event, reader.position), reader)))
        })
        .boxed()
    }
}

struct Reader {
    replies: Replies,
    user: String,
    id: Uuid,
    position: ReplyPosition,
    /// What was read after the position, and where the reader is after each.
    ready: VecDeque<(ProgressEvent, ReplyPosition)>,
    budget: MemoryBudget,
    listener: Listener,
    /// How long the last pause was, if nothing has come since.
    idle: Duration,
    /// Whether the row was read: nothing is sent before that, as the reply might be another user's.
    seen: bool,
    /// Whether the size of the row at the end was taken out of the budget.
    charged: bool,
    ended: bool,
}

/// What a read of the row found.
enum Poll {
    /// Something that the reader does not have.
    Ready,
    /// The reply has ended with this many bytes, and the reader has all of them.
    AtEnd(usize),
    /// Nothing new; the row is to be read again after this time.
    Pending(Duration),
}

impl Reader {
    async fn next(&mut self) -> Result<Option<ProgressEvent>, Error> {
        if self.ended {
            return Ok(None);
        }
        loop {
            if let Some((event, _)) = self.ready.front() {
                self.take(event.bytes()).await?;
            }
            if let Some((event, position)) = self.ready.pop_front() {
                self.position = position;
                self.idle = Duration::ZERO;
                return Ok(Some(event));
            }
            if self.seen && self.read_live().await {
                continue;
            }
            let pause = match self.poll_row().await {
                Ok(Poll::Ready) => continue,
                Ok(Poll::AtEnd(bytes)) => match self.end(bytes).await? {
                    Some(event) => return Ok(Some(event)),
                    None => OUTAGE_POLL_PERIOD,
                },
                Ok(Poll::Pending(_)) if self.live().is_some() => continue,
                Ok(Poll::Pending(pause)) => pause,
                // The reply may go on meanwhile.
                Err(error) if error.is_unavailable() => OUTAGE_POLL_PERIOD,
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = self.listener.woken() => self.idle = Duration::ZERO,
                () = sleep(pause) => {}
            }
        }
    }

    /// Waits for news of an attempt that this server generates; `false` if it does not, or no longer.
    async fn read_live(&mut self) -> bool {
        let Some(live) = self.live() else { return false };
        let mut extent = live.follow();
        loop {
            let seen = *extent.borrow_and_update();
            if self.read(live.attempt(), |position| live.chunk(position), true) {
                return true;
            }
            if seen.closed || extent.changed().await.is_err() {
                return false;
            }
        }
    }

    /// The attempt that this server generates, unless the reader has something of a later one.
    fn live(&self) -> Option<Arc<Live>> {
        let live = self.replies.lock_running().get(&self.id).cloned()?;
        (self.position.attempt <= live.attempt()).then_some(live)
    }

    async fn poll_row(&mut self) -> Result<Poll, Error> {
        let state = self.replies.state(&self.user, self.id, self.position).await?;
        let State { status, attempt, bytes, chunk } = state.ok_or(Error::NotFound("reply"))?;
        self.seen = true;
        if status == Status::Queued {
            // What a retried reply still has is of the attempt before.
            return Ok(Poll::Pending(IDLE_POLL_PERIOD));
        }
        Ok(if self.read(attempt, |_| chunk, status.is_terminal()) {
            Poll::Ready
        } else if status.is_terminal() {
            Poll::AtEnd(bytes)
        } else {
            let checkpoint = self.replies.options().checkpoint;
            self.idle = (self.idle * 2).clamp(checkpoint, IDLE_POLL_PERIOD.max(checkpoint));
            Poll::Pending(self.idle)
        })
    }

    /// Reads on in `attempt`; `false` if there is nothing new. The reader may have more than a chunk that is not of the
    /// `complete` attempt, such as a checkpoint's.
    fn read(
        &mut self,
        attempt: i32,
        chunk_after: impl FnOnce(ReplyPosition) -> Chunk,
        complete: bool,
    ) -> bool {
        let mut position = self.position;
        if position.attempt != attempt {
            // What the row takes at the end is another size.
            self.charged = false;
            let event = if position.attempt == 0 { ProgressEvent::Started } else { ProgressEvent::Restarted };
            position = ReplyPosition::start_of(attempt);
            self.ready.push_back((event, position));
        }
        match chunk_after(position).0 {
            Some(pieces) => {
                for piece in pieces {
                    let event = match piece {
                        Piece::Text(text) => {
                            position.text += text.len();
                            ProgressEvent::Text(text)
                        }
                        Piece::Reasoning(text) => {
                            position.reasoning += text.len();
                            ProgressEvent::Reasoning(text)
                        }
                        Piece::ToolCall(index, call) => {
                            position.calls += 1;
                            ProgressEvent::ToolCall(index, call)
                        }
                    };
                    self.ready.push_back((event, position));
                }
            }
            None if complete => {
                self.ready.push_back((ProgressEvent::Restarted, ReplyPosition::start_of(attempt)));
            }
            None => {}
        }
        !self.ready.is_empty()
    }

    /// Reads the row of a reply that has ended with `bytes` bytes. `None` if the database is unavailable, or the reply
    /// has just been restarted.
    async fn end(&mut self, bytes: usize) -> Result<Option<ProgressEvent>, Error> {
        if !self.charged {
            self.take(bytes).await?;
            self.charged = true;
        }
        let row = match self.replies.find(&self.user, self.id).await {
            Ok(row) => row.ok_or(Error::NotFound("reply"))?,
            Err(error) if error.is_unavailable() => return Ok(None),
            Err(error) => return Err(error),
        };
        if !row.status.is_terminal() || self.position != ReplyPosition::of(&row) {
            return Ok(None);
        }
        self.ended = true;
        Ok(Some(ProgressEvent::Ended(Box::new(row))))
    }

    /// Takes `bytes` out of the budget, and waits while others have too many.
    async fn take(&self, bytes: usize) -> Result<(), Error> {
        let until = Instant::now() + MEMORY_TIMEOUT;
        loop {
            match self.budget.take(bytes) {
                Err(Error::Unavailable(_) | Error::TooManyBytesInFlight) if Instant::now() < until => {
                    sleep(MEMORY_POLL_PERIOD).await;
                }
                taken => return taken,
            }
        }
    }
}

impl ProgressEvent {
    /// How many bytes of text it brings by itself.
    fn bytes(&self) -> usize {
        match self {
            Self::Reasoning(text) | Self::Text(text) => text.len(),
            Self::ToolCall(_, call) => call.bytes(),
            Self::Started | Self::Restarted | Self::Ended(_) => 0,
        }
    }
}
