//! Reading a reply while it is written, from any place, on any server.

use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use tokio::time::sleep;
use uuid::Uuid;

use super::Replies;
use super::live::Live;
use crate::entity::message::{self, Status};
use crate::error::Error;
use crate::signal::{Listener, Topic};

/// How often a reply that waits for its turn is looked at, should signals be lost.
const QUEUED_PACE: Duration = Duration::from_secs(1);

/// A place in a reply: all before it is known to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The attempt whose text the reader has.
    pub attempt: i32,
    /// How many bytes of that text.
    pub offset: usize,
}

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
    /// its end. The texts since the last [`Event::Restarted`] are the reply's content.
    ///
    /// The stream does nothing while nobody asks for its next event. It fails with [`Error::NotFound`] if the
    /// user has no such reply, or no longer.
    #[must_use]
    pub fn progress(
        &self,
        user: &str,
        id: Uuid,
        after: Option<Place>,
    ) -> BoxStream<'static, Result<(Event, Place), Error>> {
        let reader = Reader {
            replies: self.clone(),
            key: (user.to_owned(), id),
            place: after,
            listener: self.0.signals.listen(Topic::Reply(id)),
            known: false,
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
    key: (String, Uuid),
    place: Option<Place>,
    listener: Listener,
    /// Whether the row was seen: nothing is told before that, as the reply might be somebody else's.
    known: bool,
    ended: bool,
}

/// What a look at a reply brings.
enum Look {
    Event(Event),
    /// Nothing new, and not the end.
    Nothing,
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
            let row = self.row().await?;
            self.known = true;
            let queued = row.status == Status::Queued;
            if let Look::Event(event) = self.compare(row) {
                return Ok(Some(self.told(event)));
            }
            if self.live().is_none() {
                let pace = if queued { QUEUED_PACE } else { self.replies.options().checkpoint };
                tokio::select! {
                    () = self.listener.woken() => {}
                    () = sleep(pace) => {}
                }
            }
        }
    }

    /// The next event of an attempt that this server is writing; `None` when it is not, or no longer.
    async fn next_live(&mut self) -> Option<Event> {
        let live = self.live()?;
        let mut extent = live.follow();
        loop {
            let seen = *extent.borrow_and_update();
            let event = self.compare_text(live.attempt(), |offset| live.text_after(offset), true);
            if let Look::Event(event) = event {
                return Some(event);
            }
            if seen.closed || extent.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The attempt that this server is writing, unless the reader knows of a later one.
    fn live(&self) -> Option<std::sync::Arc<Live>> {
        let live = self.replies.lock_running().get(&self.key.1).cloned()?;
        self.place.is_none_or(|place| place.attempt <= live.attempt()).then_some(live)
    }

    async fn row(&self) -> Result<message::Model, Error> {
        let (user, id) = &self.key;
        self.replies.find(user, *id).await?.ok_or(Error::NotFound("reply"))
    }

    fn compare(&mut self, row: message::Model) -> Look {
        let terminal = row.status.is_terminal();
        let text = |offset: usize| row.content.get(offset..).map(str::to_owned);
        match self.compare_text(row.attempt, text, terminal) {
            Look::Nothing if terminal => {
                self.ended = true;
                Look::Event(Event::Ended(Box::new(row)))
            }
            look => look,
        }
    }

    /// What `attempt`'s text has beyond the reader's place. Of a text that is not `complete`, as a checkpoint's, the
    /// reader may know more already.
    fn compare_text(
        &mut self,
        attempt: i32,
        text_after: impl Fn(usize) -> Option<String>,
        complete: bool,
    ) -> Look {
        let place = self.place.get_or_insert(Place { attempt, offset: 0 });
        if place.attempt != attempt {
            let void = place.offset > 0;
            *place = Place { attempt, offset: 0 };
            if void {
                return Look::Event(Event::Restarted);
            }
        }
        match text_after(place.offset) {
            Some(text) if text.is_empty() => Look::Nothing,
            Some(text) => {
                place.offset += text.len();
                Look::Event(Event::Text(text))
            }
            None if complete => {
                place.offset = 0;
                Look::Event(Event::Restarted)
            }
            None => Look::Nothing,
        }
    }

    fn told(&self, event: Event) -> (Event, Place) {
        (event, self.place.unwrap_or(Place { attempt: 0, offset: 0 }))
    }
}
