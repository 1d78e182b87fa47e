//! Generating one attempt of a reply.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use sea_orm::DbErr;
use sea_orm::sea_query::Query;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::ending::Ending;
use super::fence::{RELEASED, owned_by};
use super::live::Live;
use super::{Claim, Replies, prompt};
use crate::assistant::{Delta, Failure, FailureCode, Prompt};
use crate::entity::message::{self, Column, Status, ToolCalls, Usage};
use crate::error::Error;
use crate::index::Entry;
use crate::signal::Topic;

/// How often the row of a reply without new text is checked for a request to stop, in case the signal was lost.
const STOP_POLL_PERIOD: Duration = Duration::from_millis(500);

/// How long to wait before another try while the database is unavailable.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// How long a stopping server tries to store the end of a reply. The rest of [`super::RELEASE_TIMEOUT`] is for
/// releasing the reply instead.
const FINAL_STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// How an attempt ended in this server.
enum AttemptOutcome {
    /// The ending is to be stored.
    Ended(Ending),
    /// The row is no longer this attempt's: another server has taken it over, or it was deleted.
    Fenced,
    /// This server is stopping.
    Released,
}

/// What a checkpoint found in the row.
enum CheckpointOutcome {
    Continue,
    Stop,
    Fenced,
}

impl Replies {
    /// Generates the claimed reply, and then further ones with the same permit.
    pub(super) async fn generate_all(self, claim: Claim) {
        let mut next = Some(claim.reply);
        while let Some(reply) = next {
            next = self.generate_attempt(&reply).await;
        }
        drop(claim.permit);
    }

    async fn generate_attempt(&self, reply: &message::Model) -> Option<message::Model> {
        let live = Arc::new(Live::new(reply.attempt));
        self.lock_running().insert(reply.id, live.clone());
        let running = Running { replies: self, reply, live: &live };
        // Readers on this server now follow the text in memory.
        self.signal(Topic::Reply(reply.id));
        let span = tracing::info_span!("reply", id = %reply.id, attempt = reply.attempt);
        let outcome = tracing::Instrument::instrument(self.run(reply, &live), span).await;
        let next = match outcome {
            AttemptOutcome::Ended(ending) => {
                tracing::info!(
                    reply = %reply.id, attempt = reply.attempt, status = ?ending.status,
                    failure = ?ending.failure.as_ref().map(|failure| failure.code),
                    bytes = ending.content.len(), "reply ended",
                );
                self.store(reply, &live, ending).await
            }
            AttemptOutcome::Fenced => {
                tracing::info!(reply = %reply.id, attempt = reply.attempt, "reply lease lost to another server");
                None
            }
            AttemptOutcome::Released => {
                self.release(reply, &live).await;
                None
            }
        };
        drop(running);
        next
    }

    /// Prompts the assistant and collects what it streams.
    async fn run(&self, reply: &message::Model, live: &Live) -> AttemptOutcome {
        let options = &self.0.options;
        let deadline = sleep_until(Instant::now() + options.timeout);
        tokio::pin!(deadline);
        let mut draft = Draft::default();
        let mut listener = self.0.signals.listen(Topic::Stop(reply.id));
        let prompt = tokio::select! {
            prompt = self.prompt(reply) => prompt,
            () = &mut deadline => return AttemptOutcome::Ended(draft.end(live, Status::Failed, Some(timed_out()))),
            () = self.0.released.cancelled() => return AttemptOutcome::Released,
        };
        let mut deltas = self.0.assistant.reply(prompt);
        let mut tick = interval_at(Instant::now() + options.checkpoint, options.checkpoint);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut saving: Option<Work<'_, Result<CheckpointOutcome, Error>>> = None;
        let mut last = LastCheckpoint { length: 0, extended_at: Instant::now(), checked_at: Instant::now() };
        loop {
            tokio::select! {
                delta = deltas.next() => match delta {
                    Some(Ok(delta)) => draft.take(delta, live),
                    Some(Err(failure)) => return AttemptOutcome::Ended(draft.end(live, Status::Failed, Some(failure))),
                    None => return AttemptOutcome::Ended(draft.end(live, Status::Complete, None)),
                },
                _ = tick.tick(), if saving.is_none() => {
                    let now = Instant::now();
                    let length = live.len();
                    if length > last.length || now - last.extended_at > options.lease / 3 {
                        last = LastCheckpoint { length, extended_at: now, checked_at: now };
                        saving = Some(Box::pin(self.checkpoint(reply, live.text(), draft.model.clone())));
                    } else if now - last.checked_at > STOP_POLL_PERIOD {
                        last.checked_at = now;
                        saving = Some(Box::pin(self.check_stop(reply)));
                    }
                }
                () = listener.woken(), if saving.is_none() => {
                    saving = Some(Box::pin(self.check_stop(reply)));
                }
                checkpoint = wait_if_some(&mut saving) => {
                    saving = None;
                    match checkpoint {
                        Ok(CheckpointOutcome::Continue) => {}
                        Ok(CheckpointOutcome::Stop) => {
                            return AttemptOutcome::Ended(draft.end(live, Status::Stopped, None));
                        }
                        Ok(CheckpointOutcome::Fenced) => return AttemptOutcome::Fenced,
                        // The text is still in memory, and the next tick tries again.
                        Err(error) => {
                            error.log();
                            last.length = 0;
                        }
                    }
                }
                () = &mut deadline => return AttemptOutcome::Ended(draft.end(live, Status::Failed, Some(timed_out()))),
                () = self.0.released.cancelled() => return AttemptOutcome::Released,
            }
        }
    }

    /// Reads the prompt, and tries again until the database answers.
    async fn prompt(&self, reply: &message::Model) -> Prompt {
        loop {
            match prompt::load(&self.0.database, reply, &self.0.options).await {
                Ok(prompt) => return prompt,
                Err(error) => error.log(),
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Stores the text so far, and extends the lease.
    async fn checkpoint(
        &self,
        reply: &message::Model,
        text: String,
        model: Option<String>,
    ) -> Result<CheckpointOutcome, Error> {
        let lease_until = self.0.database.clock().in_future(self.0.options.lease);
        let update = Query::update()
            .table(message::Entity)
            .value(Column::Content, text)
            .value(Column::Model, model)
            .value(Column::LeaseUntil, lease_until)
            .cond_where(owned_by(reply))
            .returning_col(Column::StopRequestedAt)
            .to_owned();
        let statement = self.0.database.backend().build(&update);
        let checkpoint = self.0.database.update(statement).await?;
        self.signal(Topic::Reply(reply.id));
        checkpoint.map_or(Ok(CheckpointOutcome::Fenced), |row| checkpoint_outcome(&row))
    }

    /// Checks whether the reply is to stop, or is no longer this attempt's.
    async fn check_stop(&self, reply: &message::Model) -> Result<CheckpointOutcome, Error> {
        let select = Query::select()
            .column(Column::StopRequestedAt)
            .from(message::Entity)
            .cond_where(owned_by(reply))
            .to_owned();
        let statement = self.0.database.backend().build(&select);
        let row = self.0.database.row(statement).await?;
        row.map_or(Ok(CheckpointOutcome::Fenced), |row| checkpoint_outcome(&row))
    }

    /// Stores the ending, and tries again until the database answers or this server stops.
    async fn store(&self, reply: &message::Model, live: &Live, ending: Ending) -> Option<message::Model> {
        let store = async {
            let entry = loop {
                match Entry::prepare(&reply.user_id, ending.content.clone()).await {
                    Ok(entry) => break entry,
                    Err(error) => error.log(),
                }
                sleep(RETRY_PAUSE).await;
            };
            let ending = Arc::new((ending, entry));
            loop {
                match self.end(reply, &ending).await {
                    Ok(next) => return next,
                    Err(error) => error.log(),
                }
                sleep(RETRY_PAUSE).await;
            }
        };
        let deadline = async {
            self.0.released.cancelled().await;
            sleep(FINAL_STORE_TIMEOUT).await;
        };
        tokio::select! {
            next = store => next,
            never = self.keep_lease(reply) => match never {},
            () = deadline => {
                self.release(reply, live).await;
                None
            }
        }
    }

    /// Extends the lease until it is dropped.
    async fn keep_lease(&self, reply: &message::Model) -> Infallible {
        loop {
            sleep(self.0.options.lease / 3).await;
            let extend = Query::update()
                .table(message::Entity)
                .value(Column::LeaseUntil, self.0.database.clock().in_future(self.0.options.lease))
                .cond_where(owned_by(reply))
                .to_owned();
            if let Err(error) = self.0.database.update(self.0.database.backend().build(&extend)).await {
                error.log();
            }
        }
    }

    /// Releases the lease, so that another server takes the reply over at once. It does not count against the reply's
    /// restarts. The lease gets another owner, so a checkpoint that is still running can no longer extend it.
    async fn release(&self, reply: &message::Model, live: &Live) {
        let update = Query::update()
            .table(message::Entity)
            .value(Column::Content, live.text())
            .value(Column::LeaseOwner, RELEASED)
            .value(Column::LeaseUntil, self.0.database.clock().now())
            // A number and not a sum: the statement may run twice.
            .value(Column::RestartsLeft, reply.restarts_left + 1)
            .cond_where(owned_by(reply))
            .returning_col(Column::StopRequestedAt)
            .to_owned();
        let statement = self.0.database.backend().build(&update);
        match self.0.database.update(statement).await {
            Ok(_) => self.signal(Topic::Claimable),
            Err(error) => error.log(),
        }
    }
}

fn checkpoint_outcome(row: &sea_orm::QueryResult) -> Result<CheckpointOutcome, Error> {
    let asked: Option<sea_orm::prelude::DateTimeUtc> =
        row.try_get_by_index(0).map_err(|error: DbErr| Error::from(error))?;
    Ok(if asked.is_some() { CheckpointOutcome::Stop } else { CheckpointOutcome::Continue })
}

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Waits for the future in `slot`; never returns if there is none.
async fn wait_if_some<T>(slot: &mut Option<Work<'_, T>>) -> T {
    match slot {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

fn timed_out() -> Failure {
    Failure {
        code: FailureCode::AssistantTimeout,
        message: "The assistant did not finish in time.".to_owned(),
        retryable: true,
    }
}

/// How much text was last stored, and when the lease was extended and the row checked.
struct LastCheckpoint {
    length: usize,
    extended_at: Instant,
    checked_at: Instant,
}

/// What the assistant has streamed so far, apart from the text.
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
            Delta::Usage(usage) => self.usage = Some(usage),
            Delta::Finish(reason) => self.finish_reason = Some(reason),
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

/// Removes the reply from the list of running ones when it is dropped, also if the assistant panics.
struct Running<'a> {
    replies: &'a Replies,
    reply: &'a message::Model,
    live: &'a Arc<Live>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.replies.lock_running();
        // The entry may be of the next attempt, which this server runs as well.
        if running.get(&self.reply.id).is_some_and(|live| Arc::ptr_eq(live, self.live)) {
            running.remove(&self.reply.id);
        }
        drop(running);
        self.live.close();
        self.replies.signal(Topic::Reply(self.reply.id));
    }
}
