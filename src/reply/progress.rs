//! Reading a reply while it is written, from any place, on any server.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use tokio::time::sleep;
use uuid::Uuid;

use super::Replies;
use super::live::Live;
use super::piece::{Piece, State};
use crate::entity::message::{self, Status};
use crate::error::Error;
use crate::memory::MemoryBudget;
use crate::signal::{Listener, Topic};

/// How often a reply that waits for its turn is looked at, should signals be lost.
const QUEUED_PACE: Duration = Duration::from_secs(1);

/// How long a reader waits before it asks a database that is away again.
const OUTAGE_PACE: Duration = Duration::from_millis(500);

/// A place in a reply: all before it is known to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The attempt whose text the reader has.
    pub attempt: i32,
    /// How many bytes of that text.
    pub offset: usize,
}

/// Before the first attempt.
const START: Place = Place { attempt: 0, offset: 0 };

/// What a reader of a reply is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// More text.
    Text(String),
    /// The reply began anew, or lost the end of its text: what the reader has of it is void.
    Restarted,
    /// Nothing more will come; this is the reply.
    Ended(Box<message::Model>),
}

impl Replies {
    /// Follows a reply of `user` from `after` on, or from its start: first what is there, then what comes, then
    /// its end. The texts since the last [`Event::Restarted`] are the reply's content. Each of them is short; the row
    /// that comes at the end is taken out of `budget` before it is read.
    ///
    /// The stream does nothing while nobody asks for its next event. While the database is away it waits. It fails
    /// with [`Error::NotFound`] if the user has no such reply, or no longer, and as [`MemoryBudget::take`] does.
    #[must_use]
    pub fn progress(
        &self,
        user: &str,
        id: Uuid,
        after: Option<Place>,
        budget: MemoryBudget,
    ) -> BoxStream<'static, Result<(Event, Place), Error>> {
        let reader = Reader {
            replies: self.clone(),
            user: user.to_owned(),
            id,
            place: after,
            budget,
            listener: self.0.signals.listen(Topic::Reply(id)),
            known: false,
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
    place: Option<Place>,
    budget: MemoryBudget,
    listener: Listener,
    /// Whether the row was seen: nothing is told before that, as the reply might be somebody else's.
    known: bool,
    /// Whether the row that comes at the end was taken out of the budget.
    charged: bool,
    ended: bool,
}

/// What a look at a reply brings.
enum Look {
    Event(Event),
    /// The reply has ended, with so many bytes of text, all of which the reader has.
    End(usize),
    /// Nothing new; the next look is due after this time.
    Nothing(Duration),
}

impl Reader {
    async fn next(&mut self) -> Result<Option<(Event, Place)>, Error> {
        if self.ended {
            return Ok(None);
        }
        loop {
            if self.known
                && let Some(event) = self.next_live().await
            {
                return Ok(Some(self.told(event)));
            }
            let pause = match self.look().await {
                Ok(Look::Event(event)) => return Ok(Some(self.told(event))),
                Ok(Look::End(length)) => match self.end(length).await? {
                    Some(event) => return Ok(Some(self.told(event))),
                    None => OUTAGE_PACE,
                },
                Ok(Look::Nothing(_)) if self.live().is_some() => continue,
                Ok(Look::Nothing(pause)) => pause,
                // The reply goes on meanwhile, in whichever server writes it.
                Err(error) if error.is_unavailable() => OUTAGE_PACE,
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = self.listener.woken() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// The next event of an attempt that this server is writing; `None` when it is not, or no longer.
    async fn next_live(&mut self) -> Option<Event> {
        let live = self.live()?;
        let mut extent = live.follow();
        loop {
            let seen = *extent.borrow_and_update();
            if let Some(event) = self.compare(live.attempt(), |offset| live.piece(offset), true) {
                return Some(event);
            }
            if seen.closed || extent.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The attempt that this server is writing, unless the reader knows of a later one.
    fn live(&self) -> Option<Arc<Live>> {
        let live = self.replies.lock_running().get(&self.id).cloned()?;
        self.place.is_none_or(|place| place.attempt <= live.attempt()).then_some(live)
    }

    async fn look(&mut self) -> Result<Look, Error> {
        let Place { attempt, offset } = self.place.unwrap_or(START);
        let state = self.replies.state(&self.user, self.id, attempt, offset).await?;
        let State { status, attempt, piece } = state.ok_or(Error::NotFound("reply"))?;
        self.known = true;
        let length = piece.length;
        Ok(match self.compare(attempt, |_| piece, status.is_terminal()) {
            Some(event) => Look::Event(event),
            None if status.is_terminal() => Look::End(length),
            None if status == Status::Queued => Look::Nothing(QUEUED_PACE),
            None => Look::Nothing(self.replies.options().checkpoint),
        })
    }

    /// Reads the row of a reply that has ended with `length` bytes of text. `None` if the database is away, or the
    /// reply has just been begun anew.
    async fn end(&mut self, length: usize) -> Result<Option<Event>, Error> {
        if !self.charged {
            self.budget.take(length)?;
            self.charged = true;
        }
        let row = match self.replies.find(&self.user, self.id).await {
            Ok(row) => row.ok_or(Error::NotFound("reply"))?,
            Err(error) if error.is_unavailable() => return Ok(None),
            Err(error) => return Err(error),
        };
        let place = Place { attempt: row.attempt, offset: row.content.len() };
        if !row.status.is_terminal() || self.place != Some(place) {
            return Ok(None);
        }
        self.ended = true;
        Ok(Some(Event::Ended(Box::new(row))))
    }

    /// What `attempt`'s text has beyond the reader's place. Of a text that is not `complete`, as a checkpoint's, the
    /// reader may know more already.
    fn compare(
        &mut self,
        attempt: i32,
        piece_after: impl FnOnce(usize) -> Piece,
        complete: bool,
    ) -> Option<Event> {
        let place = self.place.get_or_insert(Place { attempt, offset: 0 });
        if place.attempt != attempt {
            let void = place.offset > 0;
            *place = Place { attempt, offset: 0 };
            if void {
                return Some(Event::Restarted);
            }
        }
        let piece = piece_after(place.offset);
        let text = if piece.length < place.offset { None } else { piece.into_text() };
        match text {
            Some(text) if text.is_empty() => None,
            Some(text) => {
                place.offset += text.len();
                Some(Event::Text(text))
            }
            None if complete => {
                place.offset = 0;
                Some(Event::Restarted)
            }
            None => None,
        }
    }

    fn told(&self, event: Event) -> (Event, Place) {
        (event, self.place.unwrap_or(START))
    }
}
