//! Reading the row of a reply that another server generates, once for all who follow it here.
//!
//! A reader that has nearly all of a reply takes the rest from here; one that has less reads the row by itself until it
//! is as far. While somebody waits, the server that generates the reply is asked for its words, and the row is read when
//! it has begun or ended, when more is stored of which no word has come, and at intervals in case signals are lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::chunk::{CALL_BYTES, Chunk};
use super::draft::Size;
use super::reader::OUTAGE_POLL_PERIOD;
use super::recent::{RECENT_BYTES, Recent};
use super::state::{Bounds, State};
use super::words::{READERS_PERIOD, Words};
use super::{Replies, ReplyPosition};
use crate::entity::message::Status;
use crate::error::Error;
use crate::signal::{Channel, Listener, Subscription, Topic};

/// How often a queued reply, or one that does not grow, is read at least, in case signals are lost.
const IDLE_POLL_PERIOD: Duration = Duration::from_secs(1);

/// How much of the row is read at a time. If it has more than that, readers read it by themselves.
const BOUNDS: Bounds = Bounds { texts: RECENT_BYTES, calls: CALL_BYTES };

/// For how long words that have come stand for the row.
const WORDS_PERIOD: Duration = Duration::from_millis(500);

/// How long to wait for words that are missing before they are asked for again.
const MISSING_PAUSE: Duration = Duration::from_millis(50);

/// Whose reply it is, and which.
type Key = (String, Uuid);

/// The replies that are followed on this server.
#[derive(Debug, Default)]
pub(super) struct Followers(Mutex<HashMap<Key, Weak<Follower>>>);

impl Followers {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Weak<Follower>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one reader of a reply's row. It ends with the last of those who share it.
#[derive(Debug)]
pub(super) struct Follower {
    replies: Replies,
    key: Key,
    found: watch::Receiver<Found>,
    wanted: watch::Sender<Wanted>,
    _task: AbortOnDropHandle<()>,
}

/// What was found last.
#[derive(Debug)]
pub(super) struct Found {
    /// How often something was found.
    pub(super) number: u64,
    /// The row, if the user has it. It is there once there was a read, or once words have come.
    pub(super) row: Option<Result<Row, Error>>,
    /// The end of its text.
    pub(super) recent: Recent,
}

/// What a row says besides its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) status: Status,
    pub(super) attempt: i32,
    pub(super) size: Size,
    /// How many bytes its texts have in all.
    pub(super) bytes: usize,
}

impl Row {
    /// What a reader has who has all of it.
    pub(super) fn end(&self) -> ReplyPosition {
        ReplyPosition::end_of(self.attempt, self.size)
    }
}

impl From<&State> for Row {
    fn from(state: &State) -> Self {
        let State { status, attempt, size, bytes, .. } = *state;
        Self { status, attempt, size, bytes }
    }
}

/// What those who wait have, and want.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    /// The number of what they wait for.
    number: u64,
    /// How much of the reply one of them has.
    position: ReplyPosition,
}

impl Replies {
    /// What reads the row of a reply of `user`, to whom it was shown to belong. It listens to signals from now on, and reads
    /// after this `pause` without one.
    pub(super) fn follower(&self, user: &str, id: Uuid, pause: Duration) -> Arc<Follower> {
        let key = (user.to_owned(), id);
        let mut followers = self.0.followers.lock();
        if let Some(follower) = followers.get(&key).and_then(Weak::upgrade) {
            return follower;
        }
        let position = ReplyPosition::START;
        let (found, found_by) = watch::channel(Found { number: 0, row: None, recent: Recent::at(position) });
        let (wanted, wanted_by) = watch::channel(Wanted { number: 0, position });
        let reading = Reading {
            replies: self.clone(),
            key: key.clone(),
            changed: self.listen(Topic::Reply(id)),
            stored: self.listen(Topic::Stored(id)),
            words: self.0.signals.subscribe(Channel::Words(id)),
            wanted: wanted_by,
            found,
            last: Instant::now(),
            pause,
            heard: None,
            // What is to be read at once was written here until now.
            ask_at: if pause.is_zero() { Instant::now() + READERS_PERIOD } else { Instant::now() },
        };
        let task = AbortOnDropHandle::new(tokio::spawn(reading.run()));
        let follower = Follower { replies: self.clone(), key, found: found_by, wanted, _task: task };
        let follower = Arc::new(follower);
        followers.insert(follower.key.clone(), Arc::downgrade(&follower));
        follower
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut followers = self.replies.0.followers.lock();
        // There may be another one by now.
        if followers.get(&self.key).is_some_and(|follower| follower.strong_count() == 0) {
            followers.remove(&self.key);
        }
    }
}

impl Follower {
    /// How often something was found.
    pub(super) fn number(&self) -> u64 {
        self.found.borrow().number
    }

    /// Waits for what is found after number `seen`, for a reader that is at `position`, and looks at it.
    ///
    /// # Errors
    /// [`Error::Internal`] if nothing is read any more.
    pub(super) async fn after<T>(
        &self,
        seen: u64,
        position: ReplyPosition,
        look: impl FnOnce(&Found) -> T,
    ) -> Result<T, Error> {
        let mut found = self.found.clone();
        if found.borrow().number <= seen {
            self.wanted.send_modify(|wanted| {
                let number = wanted.number.max(seen + 1);
                *wanted = Wanted { number, position };
            });
        }
        let found = found.wait_for(|found| found.number > seen).await;
        found
            .map(|found| look(&found))
            .map_err(|_| Error::Internal("a reply is not read any more".to_owned()))
    }
}

/// The task that reads.
struct Reading {
    replies: Replies,
    key: Key,
    changed: Listener,
    stored: Listener,
    words: Subscription,
    wanted: watch::Receiver<Wanted>,
    found: watch::Sender<Found>,
    /// When the row was last read.
    last: Instant,
    /// How long to wait for a signal before it is read again.
    pause: Duration,
    /// When words came last that go on from what is known.
    heard: Option<Instant>,
    /// When words are asked for again.
    ask_at: Instant,
}

impl Reading {
    async fn run(mut self) {
        loop {
            let number = self.found.borrow().number;
            if self.wanted.wait_for(|wanted| wanted.number > number).await.is_err() {
                return;
            }
            tokio::select! {
                () = self.changed.woken() => self.pause = Duration::ZERO,
                () = self.stored.woken() => {
                    if self.heard.is_some_and(|heard| heard.elapsed() < WORDS_PERIOD) {
                        continue;
                    }
                    self.pause = Duration::ZERO;
                }
                words = self.words.next() => {
                    if Words::decode(&words).is_none_or(|words| self.hear(words)) {
                        continue;
                    }
                    self.pause = Duration::ZERO;
                }
                () = sleep_until(self.ask_at) => {
                    self.ask_at = Instant::now() + READERS_PERIOD;
                    if let Some(end) = self.known() {
                        self.replies.ask_for_words(self.key.1, end);
                    }
                    continue;
                }
                () = sleep_until(self.last + self.pause) => {}
            }
            self.read().await;
        }
    }

    /// How far a reply is known that is being written; `None` if it is not, as far as is known.
    fn known(&self) -> Option<ReplyPosition> {
        let (found, position) = (self.found.borrow(), self.wanted.borrow().position);
        match &found.row {
            Some(Ok(row)) if row.status == Status::Generating => Some(found.recent.end()),
            None if position.attempt > 0 => Some(position),
            _ => None,
        }
    }

    /// Takes words that go on from what is known, and asks for those that are missing before them. `false` if the row is to
    /// be read, as they are of a later attempt.
    fn hear(&mut self, words: Words) -> bool {
        let Some(known) = self.known() else { return true };
        if words.start.attempt != known.attempt {
            return words.start.attempt < known.attempt;
        }
        if words.start.exceeds(known) {
            let now = Instant::now();
            if self.ask_at > now + MISSING_PAUSE && self.ask_at < now + READERS_PERIOD - MISSING_PAUSE {
                self.ask_at = now;
            }
            return true;
        }
        let Some(piece) = words.after(known) else { return true };
        let now = Instant::now();
        (self.heard, self.last, self.pause) = (Some(now), now, IDLE_POLL_PERIOD);
        self.found.send_modify(|found| {
            found.number += 1;
            if found.recent.end() != known {
                found.recent = Recent::at(known);
            }
            found.recent.extend([piece]);
            let end = found.recent.end();
            let size = Size { text: end.text, reasoning: end.reasoning, calls: end.calls };
            let (status, attempt) = (Status::Generating, end.attempt);
            found.row = Some(Ok(Row { status, attempt, size, bytes: end.text + end.reasoning }));
        });
        true
    }

    async fn read(&mut self) {
        let (user, id) = &self.key;
        let position = self.wanted.borrow().position;
        // Whoever waits goes on with what is in memory.
        if self.replies.live(user, *id, position.attempt).is_some() {
            self.found.send_modify(|found| found.number += 1);
            return;
        }
        let mut start = self.found.borrow().recent.end();
        // Of the same attempt the others have what was read last, even if this reader has more.
        if start.attempt < position.attempt {
            start = position;
        }
        let read = loop {
            match self.replies.state(user, *id, start, BOUNDS).await {
                Err(error) if error.is_unavailable() => sleep(OUTAGE_POLL_PERIOD).await,
                read => break read,
            }
        };
        self.last = Instant::now();
        let checkpoint = self.replies.options().checkpoint;
        let longest = IDLE_POLL_PERIOD.max(checkpoint);
        let is_new = matches!(&read, Ok(Some(state)) if state.end() != start && !is_behind(state, start));
        self.pause = match &read {
            Ok(Some(state)) if state.status != Status::Generating => IDLE_POLL_PERIOD,
            _ if is_new => checkpoint,
            _ => (self.pause * 2).clamp(checkpoint, longest),
        };
        self.found.send_modify(|found| {
            found.number += 1;
            found.row = Some(match read {
                Ok(Some(state)) => Ok(found.take(start, state)),
                Ok(None) => Err(Error::NotFound("reply")),
                Err(error) => Err(error),
            });
        });
    }
}

/// Whether words have come that the row does not have yet.
fn is_behind(state: &State, known: ReplyPosition) -> bool {
    state.attempt == known.attempt && known.exceeds(state.end()) && state.status == Status::Generating
}

impl Found {
    /// Takes the state of a row that was read from `start` on.
    fn take(&mut self, start: ReplyPosition, state: State) -> Row {
        let (row, attempt) = (Row::from(&state), state.attempt);
        if is_behind(&state, start) {
            let ReplyPosition { text, reasoning, calls, .. } = start;
            return Row { size: Size { text, reasoning, calls }, ..row };
        }
        let start = if start.attempt == attempt { start } else { ReplyPosition::start_of(attempt) };
        if self.recent.end() != start {
            self.recent = Recent::at(start);
        }
        if let Chunk::Pieces(pieces) = state.chunk {
            self.recent.extend(pieces);
        }
        // There was more than was read.
        if self.recent.end() != row.end() {
            self.recent = Recent::at(row.end());
        }
        row
    }
}
