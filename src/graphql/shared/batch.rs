//! Batches of loads: as few statements as an operation has levels of fields.
//!
//! The library's loader gathers keys for a millisecond, by a task and a timer. Here an operation is first polled until
//! all of it waits, so that every field that can load has asked; then all batches run to their end; then the operation
//! goes on. What is loaded together depends on the operation alone, not on how busy the machine is.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_graphql::runtime::Timer;
use futures_util::future::{BoxFuture, poll_fn};
use futures_util::stream::{self, FuturesUnordered, Stream, StreamExt};
use futures_util::task::{FutureObj, Spawn, SpawnError};

/// The batches of one operation that have not run yet. Clones share them.
#[derive(Clone, Default)]
pub struct Batches(Arc<Mutex<Vec<FutureObj<'static, ()>>>>);

impl Spawn for Batches {
    fn spawn_obj(&self, batch: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
        Ok(())
    }
}

impl Timer for Batches {
    fn delay(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Batches {
    /// Runs an operation, and its batches whenever it waits for them.
    pub async fn run<T>(self, operation: impl Future<Output = T>) -> T {
        let mut operation = std::pin::pin!(operation);
        let mut round = Round::new(self);
        poll_fn(|context| {
            loop {
                if let Poll::Ready(value) = operation.as_mut().poll(context) {
                    return Poll::Ready(value);
                }
                ready!(round.poll(context));
            }
        })
        .await
    }

    /// As [`Batches::run`], for an operation with many answers.
    pub fn follow<S>(self, answers: S) -> impl Stream<Item = S::Item> + Send
    where
        S: Stream + Send + Unpin,
    {
        let mut answers = answers;
        let mut round = Round::new(self);
        stream::poll_fn(move |context| {
            loop {
                if let Poll::Ready(answer) = Pin::new(&mut answers).poll_next(context) {
                    return Poll::Ready(answer);
                }
                ready!(round.poll(context));
            }
        })
    }
}

/// The batches that run now.
struct Round {
    waiting: Batches,
    running: FuturesUnordered<FutureObj<'static, ()>>,
}

impl Round {
    fn new(waiting: Batches) -> Self {
        Self { waiting, running: FuturesUnordered::new() }
    }

    /// Ready when all batches of a round have ended. Without any it waits: the operation then waits for something else.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.running.is_empty() {
            let mut waiting = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
            self.running.extend(waiting.drain(..));
        }
        if self.running.is_empty() {
            return Poll::Pending;
        }
        while ready!(self.running.poll_next_unpin(context)).is_some() {}
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use async_graphql::dataloader::{DataLoader, Loader};
    use futures_util::future::join_all;
    use tokio::task::yield_now;

    use super::*;

    /// Notes how many keys each batch had.
    struct Doubles(Arc<Mutex<Vec<usize>>>);

    impl Loader<u32> for Doubles {
        type Value = u32;
        type Error = ();

        async fn load(&self, keys: &[u32]) -> Result<HashMap<u32, u32>, ()> {
            self.0.lock().unwrap().push(keys.len());
            for _ in 0..keys[0] % 7 {
                yield_now().await;
            }
            Ok(keys.iter().map(|key| (*key, key * 2)).collect())
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_level_is_one_batch_however_long_its_fields_take() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let batches = Batches::default();
        let loader = DataLoader::new(Doubles(sizes.clone()), batches.clone(), batches.clone());
        let field = async |key: u32| {
            let once = loader.load_one(key).await.unwrap().unwrap();
            loader.load_one(once).await.unwrap().unwrap()
        };
        let answers = batches.run(join_all((1..=50).map(field))).await;
        assert_eq!(answers, (1..=50).map(|key| key * 4).collect::<Vec<_>>());
        assert_eq!(*sizes.lock().unwrap(), [50, 50]);
    }

    #[tokio::test]
    async fn a_stream_of_answers_has_batches_of_its_own_for_each() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let batches = Batches::default();
        let loader = Arc::new(DataLoader::new(Doubles(sizes.clone()), batches.clone(), batches.clone()));
        let answers = stream::iter(1..=3u32).then(move |event| {
            let loader = loader.clone();
            async move { join_all((0..event).map(|key| loader.load_one(key))).await.len() }
        });
        let answers: Vec<usize> = batches.follow(answers.boxed()).collect().await;
        assert_eq!(answers, [1, 2, 3]);
        assert_eq!(*sizes.lock().unwrap(), [1, 2, 3]);
    }
}
