//! Writing one attempt of a reply.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use sea_orm::DbErr;
use sea_orm::sea_query::Query;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::ending::Ending;
use super::fence::{NOBODY, still};
use super::live::Live;
use super::{Claim, Replies, prompt};
use crate::assistant::{Delta, Failure, FailureCode, Prompt};
use crate::entity::message::{self, Column, Status, ToolCalls, Usage};
use crate::error::Error;
use crate::search::Entry;
use crate::signal::Topic;

/// How often a silent reply's row is looked at for a wish to stop, should the signal have been lost.
const LOOK: Duration = Duration::from_millis(500);

/// How long to wait before a database that is away is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// How long a server that has to go tries on to store the end of a reply. What is left of [`super::RELEASE`] after it is for
/// handing the reply over instead.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// How the writing of an attempt came to its end.
enum Outcome {
    /// It is to be stored.
    Ended(Ending),
    /// Another server, or the reply's deletion, made this attempt void.
    Fenced,
    /// This server is shutting down.
    Released,
}

/// What the row said at a checkpoint.
enum Mark {
    Continue,
    Stop,
    Fenced,
}

impl Replies {
    /// Writes what was claimed, and then what this server is given in its place.
    pub(super) async fn write_queue(self, claim: Claim) {
        let mut next = Some(claim.reply);
        while let Some(reply) = next {
            next = self.write_attempt(&reply).await;
        }
        drop(claim.permit);
    }

    async fn write_attempt(&self, claim: &message::Model) -> Option<message::Model> {
        let live = Arc::new(Live::new(claim.attempt));
        self.lock_running().insert(claim.id, live.clone());
        let running = Running { replies: self, claim, live: &live };
        // Readers who wait for the first word now find it here.
        self.signal(Topic::Reply(claim.id));
        let span = tracing::info_span!("reply", id = %claim.id, attempt = claim.attempt);
        let outcome = tracing::Instrument::instrument(self.run(claim, &live), span).await;
        let next = match outcome {
            Outcome::Ended(ending) => {
                tracing::info!(
                    reply = %claim.id, attempt = claim.attempt, status = ?ending.status,
                    failure = ?ending.failure.as_ref().map(|failure| failure.code),
                    bytes = ending.content.len(), "reply ended",
                );
                self.store(claim, &live, ending).await
            }
            Outcome::Fenced => {
                tracing::info!(reply = %claim.id, attempt = claim.attempt, "reply is no longer this server's");
                None
            }
            Outcome::Released => {
                self.release(claim, &live).await;
                None
            }
        };
        drop(running);
        next
    }

    /// Asks the assistant and follows it to the end.
    async fn run(&self, claim: &message::Model, live: &Live) -> Outcome {
        let options = &self.0.options;
        let deadline = sleep_until(Instant::now() + options.timeout);
        tokio::pin!(deadline);
        let mut draft = Draft::default();
        let mut listener = self.0.signals.listen(Topic::Stop(claim.id));
        let prompt = tokio::select! {
            prompt = self.prompt(claim) => prompt,
            () = &mut deadline => return Outcome::Ended(draft.end(live, Status::Failed, Some(timed_out()))),
            () = self.0.released.cancelled() => return Outcome::Released,
        };
        let mut deltas = self.0.assistant.reply(prompt);
        let mut tick = interval_at(Instant::now() + options.checkpoint, options.checkpoint);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut saving: Option<Work<'_, Result<Mark, Error>>> = None;
        let mut saved = Saved { length: 0, extended: Instant::now(), looked: Instant::now() };
        loop {
            tokio::select! {
                delta = deltas.next() => match delta {
                    Some(Ok(delta)) => draft.take(delta, live),
                    Some(Err(failure)) => return Outcome::Ended(draft.end(live, Status::Failed, Some(failure))),
                    None => return Outcome::Ended(draft.end(live, Status::Complete, None)),
                },
                _ = tick.tick(), if saving.is_none() => {
                    let now = Instant::now();
                    let length = live.len();
                    if length > saved.length || now - saved.extended > options.lease / 3 {
                        saved = Saved { length, extended: now, looked: now };
                        saving = Some(Box::pin(self.checkpoint(claim, live.text(), draft.model.clone())));
                    } else if now - saved.looked > LOOK {
                        saved.looked = now;
                        saving = Some(Box::pin(self.look(claim)));
                    }
                }
                () = listener.woken(), if saving.is_none() => {
                    saving = Some(Box::pin(self.look(claim)));
                }
                mark = settled(&mut saving) => {
                    saving = None;
                    match mark {
                        Ok(Mark::Continue) => {}
                        Ok(Mark::Stop) => {
                            return Outcome::Ended(draft.end(live, Status::Stopped, None));
                        }
                        Ok(Mark::Fenced) => return Outcome::Fenced,
                        // The text is safe in memory, and the next tick tries again.
                        Err(error) => {
                            error.log();
                            saved.length = 0;
                        }
                    }
                }
                () = &mut deadline => return Outcome::Ended(draft.end(live, Status::Failed, Some(timed_out()))),
                () = self.0.released.cancelled() => return Outcome::Released,
            }
        }
    }

    /// Reads the conversation, however long the database takes.
    async fn prompt(&self, claim: &message::Model) -> Prompt {
        loop {
            match prompt::load(&self.0.database, claim, &self.0.options).await {
                Ok(prompt) => return prompt,
                Err(error) => error.log(),
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Stores the text so far and extends the lease.
    async fn checkpoint(
        &self,
        claim: &message::Model,
        text: String,
        model: Option<String>,
    ) -> Result<Mark, Error> {
        let lease_until = self.0.database.clock().in_future(self.0.options.lease);
        let update = Query::update()
            .table(message::Entity)
            .value(Column::Content, text)
            .value(Column::Model, model)
            .value(Column::LeaseUntil, lease_until)
            .cond_where(still(claim))
            .returning_col(Column::StopRequestedAt)
            .to_owned();
        let statement = self.0.database.backend().build(&update);
        let mark = self.0.database.update(statement).await?;
        self.signal(Topic::Reply(claim.id));
        mark.map_or(Ok(Mark::Fenced), |row| read_mark(&row))
    }

    /// Looks whether the reply is to stop, or is no longer this server's.
    async fn look(&self, claim: &message::Model) -> Result<Mark, Error> {
        let select = Query::select()
            .column(Column::StopRequestedAt)
            .from(message::Entity)
            .cond_where(still(claim))
            .to_owned();
        let statement = self.0.database.backend().build(&select);
        let row = self.0.database.row(statement).await?;
        row.map_or(Ok(Mark::Fenced), |row| read_mark(&row))
    }

    /// Stores how the attempt ended, however long the database takes, unless this server has to go.
    async fn store(&self, claim: &message::Model, live: &Live, ending: Ending) -> Option<message::Model> {
        let store = async {
            let entry = loop {
                match Entry::prepare(&claim.user_id, ending.content.clone()).await {
                    Ok(entry) => break entry,
                    Err(error) => error.log(),
                }
                sleep(RETRY_PAUSE).await;
            };
            let ending = Arc::new((ending, entry));
            loop {
                match self.end(claim, &ending).await {
                    Ok(next) => return next,
                    Err(error) => error.log(),
                }
                sleep(RETRY_PAUSE).await;
            }
        };
        let given_up = async {
            self.0.released.cancelled().await;
            sleep(LAST_CHANCE).await;
        };
        tokio::select! {
            next = store => next,
            never = self.keep_lease(claim) => match never {},
            () = given_up => {
                self.release(claim, live).await;
                None
            }
        }
    }

    /// Extends the lease again and again.
    async fn keep_lease(&self, claim: &message::Model) -> Infallible {
        loop {
            sleep(self.0.options.lease / 3).await;
            let extend = Query::update()
                .table(message::Entity)
                .value(Column::LeaseUntil, self.0.database.clock().in_future(self.0.options.lease))
                .cond_where(still(claim))
                .to_owned();
            if let Err(error) = self.0.database.update(self.0.database.backend().build(&extend)).await {
                error.log();
            }
        }
    }

    /// Lets another server take the reply over at once, without counting against its restarts. The lease changes
    /// hands: a checkpoint that is still on its way can no longer extend it.
    async fn release(&self, claim: &message::Model, live: &Live) {
        let update = Query::update()
            .table(message::Entity)
            .value(Column::Content, live.text())
            .value(Column::LeaseOwner, NOBODY)
            .value(Column::LeaseUntil, self.0.database.clock().now())
            // A number and not a sum: the statement may run twice.
            .value(Column::RestartsLeft, claim.restarts_left + 1)
            .cond_where(still(claim))
            .returning_col(Column::StopRequestedAt)
            .to_owned();
        let statement = self.0.database.backend().build(&update);
        match self.0.database.update(statement).await {
            Ok(_) => self.signal(Topic::Orphans),
            Err(error) => error.log(),
        }
    }
}

fn read_mark(row: &sea_orm::QueryResult) -> Result<Mark, Error> {
    let asked: Option<sea_orm::prelude::DateTimeUtc> =
        row.try_get_by_index(0).map_err(|error: DbErr| Error::from(error))?;
    Ok(if asked.is_some() { Mark::Stop } else { Mark::Continue })
}

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Waits for the work in `slot`, for ever if there is none.
async fn settled<T>(slot: &mut Option<Work<'_, T>>) -> T {
    match slot {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

fn timed_out() -> Failure {
    Failure {
        code: FailureCode::AssistantTimeout,
        message: "The assistant took too long.".to_owned(),
        retryable: true,
    }
}

/// What was last brought to the database, and when.
struct Saved {
    length: usize,
    extended: Instant,
    looked: Instant,
}

/// What an attempt has brought so far, beside its text.
#[derive(Default)]
struct Draft {
    tool_calls: ToolCalls,
    finish_reason: Option<message::FinishReason>,
    model: Option<String>,
    usage: Option<Usage>,
}

impl Draft {
    fn take(&mut self, delta: Delta, live: &Live) {
        match delta {
            Delta::Text(text) => live.push(&text),
            Delta::ToolCall(call) => self.tool_calls.0.push(call),
            Delta::Model(model) => self.model = Some(model),
            Delta::Usage(usage) => self.usage = Some(Usage(usage)),
            Delta::Finish(reason) => self.finish_reason = Some(reason.into()),
        }
    }

    fn end(&mut self, live: &Live, status: Status, failure: Option<Failure>) -> Ending {
        Ending {
            status,
            content: live.text(),
            tool_calls: std::mem::take(&mut self.tool_calls),
            finish_reason: self.finish_reason,
            failure,
            model: self.model.take(),
            usage: self.usage,
        }
    }
}

/// Takes the reply off the list of what this server writes, also when the assistant panics.
struct Running<'a> {
    replies: &'a Replies,
    claim: &'a message::Model,
    live: &'a Arc<Live>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.replies.lock_running();
        // It may be a successor that this server is writing now.
        if running.get(&self.claim.id).is_some_and(|live| Arc::ptr_eq(live, self.live)) {
            running.remove(&self.claim.id);
        }
        drop(running);
        self.live.close();
        self.replies.signal(Topic::Reply(self.claim.id));
    }
}
