//! One reader of a reply: where it is, and how it gets the rest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{StreamExt, try_unfold};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::budget::take;
use super::chunk::{CALL_BYTES, CHUNK_BYTES, Chunk};
use super::follower::{Follower, Found, Row};
use super::live::LastLive;
use super::progress::{ProgressEvent, ReplyEvents};
use super::state::Bounds;
use super::{Replies, ReplyPosition};
use crate::background::unhindered;
use crate::entity::message::{self, Status};
use crate::error::Error;
use crate::memory::{MemoryBudget, Reservation};

/// How long a reader waits before it tries again while the database is unavailable.
pub(super) const OUTAGE_POLL_PERIOD: Duration = Duration::from_millis(500);

/// How much is read at a time.
const BOUNDS: Bounds = Bounds { texts: CHUNK_BYTES, calls: CALL_BYTES };

/// A reader of a reply of its user's.
pub(super) struct Reader {
    replies: Replies,
    /// What this server writes of the reply, as of the last look.
    live: Option<LastLive>,
    /// What reads the row for all readers here; made once a row was read that another server writes.
    follower: Option<Arc<Follower>>,
    user: String,
    id: Uuid,
    position: ReplyPosition,
    /// The first attempt that this server may still write.
    attempt: i32,
    /// What was read after the position, and where the reader is after each.
    ready: VecDeque<(ProgressEvent, ReplyPosition)>,
    /// What was reserved for what is ready.
    held: Option<Reservation>,
    budget: MemoryBudget,
    /// The number of the last shared read that this reader knows of.
    seen: u64,
    /// When this reader has read the row.
    read_at: Option<Instant>,
    distance: Distance,
    /// Whether the size of the row at the end was taken out of the budget.
    charged: bool,
    ended: bool,
}

/// How far a reader is from the end of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distance {
    /// The row was not read. Nothing is sent before it was, as the reply might be another user's.
    Unknown,
    /// The row may have more than a shared read brings.
    Far,
    /// The reader has all that the row had, so that shared reads bring the rest.
    Near,
    /// The reader has, or is about to give out, all of a reply that has ended with this many bytes.
    AtEnd(usize),
}

/// What this server writes of a reply.
enum Written {
    /// Something that the reader does not have.
    Ready,
    /// No more: this is its row.
    Ended(Arc<message::Model>),
    /// Nothing, or no longer.
    Elsewhere,
}

/// What a read of the row has found.
enum Poll {
    /// Something that the reader does not have.
    Ready,
    /// The reply has ended with this many bytes, and the reader has all of them.
    AtEnd(usize),
    /// Nothing new.
    Pending,
    /// More than a shared read brings.
    Far,
}

impl Reader {
    /// A reader of a reply of `user` that has it up to `position`.
    pub(super) fn new(
        replies: &Replies,
        user: &str,
        id: Uuid,
        position: ReplyPosition,
        budget: MemoryBudget,
    ) -> Self {
        Self {
            live: None,
            follower: None,
            replies: replies.clone(),
            user: user.to_owned(),
            id,
            position,
            attempt: position.attempt,
            ready: VecDeque::new(),
            held: None,
            budget,
            seen: 0,
            read_at: None,
            distance: Distance::Unknown,
            charged: false,
            ended: false,
        }
    }

    /// The same, of a reply whose row was read as the user's, or stored. Attempts before `attempt` are over.
    pub(super) fn with_known_row(self, attempt: i32) -> Self {
        Self { distance: Distance::Far, attempt, ..self }
    }

    pub(super) fn into_events(self) -> ReplyEvents {
        try_unfold(self, |mut reader| async move {
            let event = reader.next().await?;
            Ok(event.map(|event| ((event, reader.position), reader)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<ProgressEvent>, Error> {
        if self.ended {
            return Ok(None);
        }
        loop {
            if let Some((event, _)) = self.ready.front() {
                let bytes = event.bytes();
                if let Some(held) = self.held.take() {
                    self.budget.add(held);
                }
                self.take(bytes).await?;
            }
            if let Some((event, position)) = self.ready.pop_front() {
                self.position = position;
                return Ok(Some(event));
            }
            if self.distance != Distance::Unknown {
                match self.read_live().await? {
                    Written::Ready => continue,
                    // Without memory for the row it is read, once there is some.
                    Written::Ended(row)
                        if self.position == ReplyPosition::of(&row)
                            && self.budget.take(row.bytes()).is_ok() =>
                    {
                        self.ended = true;
                        return Ok(Some(ProgressEvent::Ended(Box::new(Arc::unwrap_or_clone(row)))));
                    }
                    Written::Ended(_) | Written::Elsewhere => {}
                }
            }
            let poll = match self.distance {
                Distance::Near => self.read_shared().await,
                Distance::AtEnd(bytes) => Ok(Poll::AtEnd(bytes)),
                // Boxed, as is the end: a reader that waits for words has no room for what it does once or twice.
                Distance::Unknown | Distance::Far => Box::pin(self.read_row()).await,
            };
            match poll {
                Ok(Poll::Ready | Poll::Pending) => {}
                Ok(Poll::Far) => self.distance = Distance::Far,
                Ok(Poll::AtEnd(bytes)) => {
                    if let Some(event) = Box::pin(self.end(bytes)).await? {
                        return Ok(Some(event));
                    }
                    self.distance = Distance::Far;
                    sleep(OUTAGE_POLL_PERIOD).await;
                }
                // The reply may go on meanwhile.
                Err(error) if error.is_unavailable() => sleep(OUTAGE_POLL_PERIOD).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for news of an attempt that this server generates.
    async fn read_live(&mut self) -> Result<Written, Error> {
        let last = self.live.take();
        let attempt = self.place().attempt;
        let Some((live, mut news)) = self.replies.live_after(last, &self.user, self.id, attempt) else {
            return Ok(Written::Elsewhere);
        };
        loop {
            let is_closed = *news.borrow_and_update();
            let start = self.begin(live.attempt());
            let mut chunk = live.chunk(start, BOUNDS);
            if let Chunk::TooLarge(bytes) = chunk
                && self.ready.is_empty()
            {
                Box::pin(self.hold(bytes)).await?;
                chunk = live.chunk(start, Bounds { calls: bytes, ..BOUNDS });
            }
            if self.accept(start, chunk, true) {
                self.live = Some((Arc::downgrade(&live), news));
                return Ok(Written::Ready);
            }
            if is_closed || news.changed().await.is_err() {
                return Ok(live.stored_end().map_or(Written::Elsewhere, Written::Ended));
            }
        }
    }

    /// Reads the row from this reader's position on.
    async fn read_row(&mut self) -> Result<Poll, Error> {
        let mut bounds = BOUNDS;
        self.read_at = Some(Instant::now());
        let attempt = self.place().attempt;
        if self.follower.is_none() && self.replies.live(&self.user, self.id, attempt).is_none() {
            let pause = self.replies.options().checkpoint;
            self.follower = Some(self.replies.follower(&self.user, self.id, pause));
        }
        let state = loop {
            self.seen = self.follower.as_ref().map_or(0, |follower| follower.number());
            let (replies, user) = (self.replies.clone(), self.user.clone());
            let (id, position) = (self.id, self.position);
            // A feed follows other replies as well.
            let read = unhindered(async move { replies.state(&user, id, position, bounds).await });
            let state = read.await?.ok_or(Error::NotFound("reply"))?;
            match state.chunk {
                // What is reserved is for one event: that the attempt has begun comes before.
                Chunk::TooLarge(bytes) if state.attempt == self.position.attempt && bytes > bounds.calls => {
                    self.hold(bytes).await?;
                    bounds.calls = bytes;
                }
                _ => break state,
            }
        };
        let (end, row) = (state.end(), Row::from(&state));
        if row.status == Status::Queued {
            // What a retried reply still has is of the attempt before.
            self.distance = Distance::Near;
            return Ok(Poll::Pending);
        }
        let start = self.begin(row.attempt);
        let is_ready = self.accept(start, state.chunk, row.status.is_terminal());
        let position = self.ready.back().map_or(self.position, |(_, position)| *position);
        self.distance = if position == end {
            row.distance()
        } else if is_ready {
            Distance::Far
        } else {
            // A reader that has more than the row has heard of the rest from the server that generates it.
            Distance::Near
        };
        Ok(if is_ready { Poll::Ready } else { row.poll() })
    }

    /// Waits for a shared read of the row that this reader does not know of.
    async fn read_shared(&mut self) -> Result<Poll, Error> {
        // This server has just stopped writing the reply, so that there is something to read.
        let now = || self.replies.follower(&self.user, self.id, Duration::ZERO);
        let follower = self.follower.get_or_insert_with(now).clone();
        let (number, row, pieces) = follower
            .after(self.seen, self.place(), |found: &Found| {
                let attempt = found.recent.end().attempt;
                let start = if attempt == self.position.attempt {
                    self.position
                } else {
                    ReplyPosition::start_of(attempt)
                };
                (found.number, found.row.clone(), found.recent.after(start))
            })
            .await?;
        self.seen = number;
        // The reply is generated here now.
        let Some(row) = row else { return Ok(Poll::Pending) };
        let row = row?;
        // What was read before the reader's position was.
        if row.status == Status::Queued || row.attempt < self.position.attempt {
            return Ok(Poll::Pending);
        }
        let is_ahead = row.attempt == self.position.attempt && self.position.exceeds(row.end());
        match pieces {
            Some(pieces) => {
                let start = self.begin(row.attempt);
                let is_ready = self.accept(start, Chunk::Pieces(pieces), false);
                self.distance = row.distance();
                Ok(if is_ready { Poll::Ready } else { row.poll() })
            }
            None if is_ahead && !row.status.is_terminal() => Ok(Poll::Pending),
            None => {
                // The row may have nothing yet of what comes before the words that were heard.
                if let Some(read_at) = self.read_at {
                    sleep_until(read_at + self.replies.options().checkpoint).await;
                }
                Ok(Poll::Far)
            }
        }
    }

    /// What the reader has of the attempts that are not over.
    fn place(&self) -> ReplyPosition {
        if self.position.attempt < self.attempt {
            ReplyPosition::start_of(self.attempt)
        } else {
            self.position
        }
    }

    /// Notes that what follows is of `attempt`. Returns where the reader then is.
    fn begin(&mut self, attempt: i32) -> ReplyPosition {
        let position = self.position;
        if position.attempt == attempt {
            return position;
        }
        // What the row takes at the end is another size, and the end is another one.
        self.charged = false;
        if let Distance::AtEnd(_) = self.distance {
            self.distance = Distance::Far;
        }
        let start = ReplyPosition::start_of(attempt);
        let event = if position.attempt == 0 { ProgressEvent::Started } else { ProgressEvent::Restarted };
        self.ready.push_back((event, start));
        start
    }

    /// Takes what was read after `position`; `false` if there is nothing new. The reader may have more than a chunk that
    /// is not of the `complete` attempt, such as a checkpoint's.
    fn accept(&mut self, mut position: ReplyPosition, chunk: Chunk, complete: bool) -> bool {
        match chunk {
            Chunk::Pieces(pieces) => {
                for piece in pieces {
                    position = piece.end(position);
                    self.ready.push_back((piece.into(), position));
                }
            }
            Chunk::Nowhere if complete => {
                let start = ReplyPosition::start_of(position.attempt);
                self.ready.push_back((ProgressEvent::Restarted, start));
            }
            Chunk::Nowhere | Chunk::TooLarge(_) => {}
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
        let (replies, user, id) = (self.replies.clone(), self.user.clone(), self.id);
        let row = match unhindered(async move { replies.find(&user, id).await }).await {
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

    /// Reserves `bytes` for what is about to be read.
    async fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        let budget = self.budget.another();
        take(&budget, bytes).await?;
        self.held = Some(budget.release());
        Ok(())
    }

    /// Takes `bytes` out of the budget.
    async fn take(&self, bytes: usize) -> Result<(), Error> {
        take(&self.budget, bytes).await
    }
}

impl Row {
    /// How far a reader is who has all of it.
    fn distance(&self) -> Distance {
        if self.status.is_terminal() { Distance::AtEnd(self.bytes) } else { Distance::Near }
    }

    /// What it is to a reader who has all of it.
    fn poll(&self) -> Poll {
        if self.status.is_terminal() { Poll::AtEnd(self.bytes) } else { Poll::Pending }
    }
}
