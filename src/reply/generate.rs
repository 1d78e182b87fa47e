//! Generating one attempt of a reply.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::checkpoint::{CheckpointOutcome, Due, Schedule};
use super::ending::{Ended, Ending};
use super::history::{History, NewTurn};
use super::live::Live;
use super::prompt::Loaded;
use super::report::Report;
use super::{Claim, Replies};
use crate::assistant::Profile;
use crate::entity::message::{self, Failure, FailureCode, Status};
use crate::error::Error;
use crate::index::Entry;
use crate::signal::Topic;

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

impl From<Ending> for AttemptOutcome {
    fn from(ending: Ending) -> Self {
        Self::Ended(ending)
    }
}

impl Replies {
    /// Lists an attempt as running: readers on this server follow its text in memory from now on.
    pub(super) fn begin(&self, reply: &message::Model) -> Running {
        let live = Arc::new(Live::new(reply));
        self.lock_running().insert(reply.id, live.clone());
        self.signal(Topic::Reply(reply.id));
        Running { replies: self.clone(), id: reply.id, live }
    }

    /// Generates the claimed reply, and then further ones with the same permit.
    pub(super) async fn generate_all(self, claim: Claim, running: Running) {
        let mut next = self.generate_attempt(&claim.reply, claim.turn, running).await;
        while let Some(reply) = next {
            let running = self.begin(&reply);
            next = self.generate_attempt(&reply, None, running).await;
        }
        drop(claim.permit);
    }

    async fn generate_attempt(
        &self,
        reply: &message::Model,
        turn: Option<NewTurn>,
        running: Running,
    ) -> Option<message::Model> {
        let live = &*running.live;
        let span = tracing::info_span!("reply", id = %reply.id, attempt = reply.attempt);
        let mut history = None;
        let outcome = tokio::select! {
            outcome = tracing::Instrument::instrument(self.run(reply, turn, &mut history, live), span) => outcome,
            never = self.publish_words(reply.id, live) => match never {},
        };
        match outcome {
            AttemptOutcome::Ended(ending) => {
                tracing::info!(
                    reply = %reply.id, attempt = reply.attempt, status = ?ending.status,
                    failure = ?ending.failure.as_ref().map(|failure| failure.code),
                    bytes = ending.draft.bytes(), "reply ended",
                );
                self.store(reply, live, ending, history).await
            }
            AttemptOutcome::Fenced => {
                tracing::info!(reply = %reply.id, attempt = reply.attempt, "reply lease lost to another server");
                None
            }
            AttemptOutcome::Released => {
                self.release(reply, live).await;
                None
            }
        }
    }

    /// Prompts the assistant and collects what it streams. Fills in what it was shown, if that may be kept.
    async fn run(
        &self,
        reply: &message::Model,
        turn: Option<NewTurn>,
        history: &mut Option<History>,
        live: &Live,
    ) -> AttemptOutcome {
        let options = &self.0.options;
        let deadline = sleep_until(Instant::now() + options.timeout);
        tokio::pin!(deadline);
        let id = reply.assistant_id.as_deref().unwrap_or_default();
        let mut report = Report::of(self.ledger(), id);
        // Never another one than was chosen, unless the operator has replaced it.
        let Some(profile) = self.0.catalog.find(id) else { return report.fail(live, not_offered()).into() };
        let mut listener = self.0.signals.listen(Topic::Stop(reply.id));
        let prompt = tokio::select! {
            loaded = self.prompt(reply, profile, turn) => {
                *history = loaded.history;
                loaded.prompt
            }
            () = &mut deadline => return report.fail(live, timed_out(options.timeout)).into(),
            () = self.0.released.cancelled() => return AttemptOutcome::Released,
        };
        report.prompt_tokens = Some(prompt.tokens());
        let mut deltas = profile.writer.reply(prompt);
        let mut work: Option<Work<'_, Result<CheckpointOutcome, Error>>> = None;
        let mut schedule = Schedule::new(options.lease, self.running(), Instant::now());
        let tick = sleep_until(self.next_tick(schedule.next_at()));
        tokio::pin!(tick);
        // Made once: each word would take its place among those who wait, and give it up again.
        let released = self.0.released.cancelled();
        tokio::pin!(released);
        loop {
            tokio::select! {
                delta = deltas.next() => match delta {
                    Some(Ok(delta)) => report.take(delta, live, profile),
                    Some(Err(failure)) => return report.fail(live, failure).into(),
                    None => return report.complete(live).into(),
                },
                () = &mut tick, if work.is_none() => {
                    work = match schedule.next(live.bytes(), self.running(), Instant::now()) {
                        Some(Due::Store) => {
                            Some(Box::pin(self.checkpoint(reply, live.draft(), report.model.clone())))
                        }
                        Some(Due::Lease) => Some(Box::pin(self.extend_lease(reply))),
                        Some(Due::StopCheck) => Some(Box::pin(self.check_stop(reply))),
                        None => None,
                    };
                    tick.as_mut().reset(self.next_tick(schedule.next_at()));
                }
                () = listener.woken(), if work.is_none() => {
                    work = Some(Box::pin(self.check_stop(reply)));
                }
                outcome = wait_if_some(&mut work) => {
                    work = None;
                    match outcome {
                        Ok(CheckpointOutcome::Continue) => {}
                        Ok(CheckpointOutcome::Stop) => return report.end(live, Status::Stopped, None).into(),
                        Ok(CheckpointOutcome::Fenced) => return AttemptOutcome::Fenced,
                        // The parts are still in memory, and the next tick tries again.
                        Err(error) => {
                            error.log();
                            schedule.failed();
                            tick.as_mut().reset(self.next_tick(schedule.next_at()));
                        }
                    }
                }
                () = &mut deadline => return report.fail(live, timed_out(options.timeout)).into(),
                () = &mut released => return AttemptOutcome::Released,
            }
        }
    }

    /// The prompt. If it is not known, it is read, again and again until the database answers.
    async fn prompt(&self, reply: &message::Model, profile: &Profile, turn: Option<NewTurn>) -> Loaded {
        if let Some(known) = turn.and_then(|turn| self.known_prompt(reply, profile, turn)) {
            return known;
        }
        loop {
            match self.read_prompt(reply, profile).await {
                Ok(loaded) => return loaded,
                Err(error) => error.log(),
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Stores the ending, and tries again until the database answers or this server stops.
    async fn store(
        &self,
        reply: &message::Model,
        live: &Live,
        ending: Ending,
        history: Option<History>,
    ) -> Option<message::Model> {
        let store = async {
            let entry = loop {
                match Entry::prepare(&reply.user_id, ending.draft.content.clone()).await {
                    Ok(entry) => break entry,
                    Err(error) => error.log(),
                }
                sleep(RETRY_PAUSE).await;
            };
            let ending = Arc::new((ending, entry));
            loop {
                match self.end(reply, &ending).await {
                    Ok(Ended { closed, next }) => {
                        if let Some(history) = history.filter(|_| closed.is_some()) {
                            self.keep_history(reply, history, &ending.0);
                        }
                        live.end(|| closed.and_then(|closed| closed.into_row(reply, &ending.0)));
                        return next;
                    }
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
}

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Waits for the future in `slot`; never returns if there is none.
async fn wait_if_some<T>(slot: &mut Option<Work<'_, T>>) -> T {
    match slot {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

/// The failure of an attempt that took longer than `limit`.
fn timed_out(limit: Duration) -> Failure {
    Failure {
        code: FailureCode::AssistantTimeout,
        message: format!("The assistant did not finish within {}.", humantime::format_duration(limit)),
        retryable: true,
    }
}

/// The failure of an attempt whose assistant this server does not offer, or no longer.
fn not_offered() -> Failure {
    Failure {
        code: FailureCode::AssistantRejected,
        message: "The assistant that was chosen for this reply is no longer offered.".to_owned(),
        retryable: false,
    }
}

/// A reply in the list of running ones. It is removed when this is dropped, also if the assistant panics.
#[derive(Debug)]
pub(super) struct Running {
    replies: Replies,
    id: Uuid,
    live: Arc<Live>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.replies.lock_running();
        // The entry may be of the next attempt, which this server runs as well.
        if running.get(&self.id).is_some_and(|live| Arc::ptr_eq(live, &self.live)) {
            running.remove(&self.id);
        }
        drop(running);
        self.live.close();
        self.replies.signal(Topic::Reply(self.id));
    }
}
