//! A key set that the issuer publishes: fetched at start, at an unknown key, and from time to time.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::{
    algorithm::Family, endpoint::Endpoint, keys::KeySet, options::Options, rejection::Cause, token::Token,
};

/// The least pause before the refresher tries again, whatever the options say.
const MIN_RETRY: Duration = Duration::from_secs(1);

/// The keys of an issuer's endpoint, kept current. The last good ones stay while it is down.
pub(super) struct LiveKeys {
    shared: Arc<Shared>,
    _refresher: AbortOnDropHandle<()>,
}

struct Shared {
    endpoint: Endpoint,
    refetch_interval: Duration,
    state: watch::Sender<State>,
}

#[derive(Clone, Default)]
struct State {
    /// The keys of the last fetch that succeeded.
    keys: Option<Arc<KeySet>>,
    /// How many fetches have succeeded.
    generation: u64,
    /// When the last fetch began.
    attempted_at: Option<Instant>,
    fetching: bool,
    /// Whether the last fetch failed.
    down: bool,
}

impl LiveKeys {
    /// Fetches the keys once, and goes on without them where that fails.
    pub(super) async fn start(endpoint: Endpoint, options: &Options) -> Self {
        let shared = Arc::new(Shared {
            endpoint,
            refetch_interval: options.refetch_interval,
            state: watch::Sender::default(),
        });
        shared.newer_than(0).await;
        let refresher = tokio::spawn(refresh(Arc::clone(&shared), options.refresh_interval));
        Self { shared, _refresher: AbortOnDropHandle::new(refresher) }
    }

    /// How many times keys have been fetched.
    pub(super) fn generation(&self) -> u64 {
        self.shared.state.borrow().generation
    }

    /// Whether one of the keys signed the token, asking the issuer for newer ones where that may help.
    pub(super) async fn verify(&self, token: &Token<'_>) -> Result<(), Cause> {
        // No published key ever fits, so there is nothing to ask for.
        if token.algorithm.family() == Family::Secret {
            return Err(Cause::Algorithm);
        }
        let State { keys, generation, .. } = self.shared.state.borrow().clone();
        let result = keys.map_or(Err(Cause::NoKeys), |keys| keys.verify(token));
        if !matches!(result, Err(Cause::NoKeys | Cause::UnknownKey)) {
            return result;
        }
        match self.shared.newer_than(generation).await {
            Some(keys) => keys.verify(token),
            None => result,
        }
    }
}

impl Shared {
    /// Keys fetched after `generation`: those that are there already, or those of the fetch that is under way,
    /// or those of a new one if enough time has passed since the last.
    async fn newer_than(self: &Arc<Self>, generation: u64) -> Option<Arc<KeySet>> {
        let mut state = self.state.subscribe();
        if state.borrow().generation == generation {
            self.fetch_if_due();
            // The sender lives in `self`, so this cannot fail.
            let _ = state.wait_for(|state| !state.fetching).await;
        }
        let state = state.borrow();
        state.keys.clone().filter(|_| state.generation > generation)
    }

    /// Starts a fetch, unless one is under way or began less than the interval ago.
    fn fetch_if_due(self: &Arc<Self>) {
        let started = self.state.send_if_modified(|state| {
            let due = state.attempted_at.is_none_or(|at| at.elapsed() >= self.refetch_interval);
            if state.fetching || !due {
                return false;
            }
            state.fetching = true;
            state.attempted_at = Some(Instant::now());
            true
        });
        if started {
            // A task of its own: the request that asked may go away, and the others would then have waited
            // for nothing.
            let attempt = PendingFetch(Arc::clone(self));
            tokio::spawn(async move { attempt.run().await });
        }
    }
}

/// A fetch under way; whatever becomes of it, those who wait are let go.
struct PendingFetch(Arc<Shared>);

impl PendingFetch {
    async fn run(self) {
        let result = self.0.endpoint.fetch().await;
        self.0.state.send_modify(|state| match result {
            Ok(keys) => {
                if keys.len() == 0 {
                    tracing::warn!("the issuer publishes no key that can be used: all tokens are refused");
                } else if state.down {
                    tracing::info!(keys = keys.len(), "the issuer's keys can be fetched again");
                }
                state.keys = Some(Arc::new(keys));
                state.generation += 1;
                state.down = false;
            }
            Err(error) => {
                if state.down {
                    tracing::debug!(%error, "the issuer's keys still cannot be fetched");
                } else {
                    tracing::warn!(%error, kept = state.keys.is_some(), "the issuer's keys cannot be fetched");
                }
                state.down = true;
            }
        });
    }
}

impl Drop for PendingFetch {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| state.fetching = false);
    }
}

/// Fetches the keys again and again, more often while the endpoint is down, so that withdrawn keys disappear on
/// a server that sees no unknown ones.
async fn refresh(shared: Arc<Shared>, interval: Duration) {
    loop {
        let State { down, generation, attempted_at, .. } = *shared.state.borrow();
        let pause = if down { Duration::ZERO } else { interval };
        // Never less than the limit, or the loop would spin.
        let pause = pause.max(shared.refetch_interval).max(MIN_RETRY);
        let waited = attempted_at.map_or(Duration::MAX, |at| at.elapsed());
        match pause.checked_sub(waited).filter(|rest| !rest.is_zero()) {
            Some(rest) => tokio::time::sleep(rest).await,
            None => drop(shared.newer_than(generation).await),
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::super::options::Source;
    use super::*;

    #[tokio::test]
    async fn the_refresher_ends_with_its_owner() {
        let url = Url::parse("http://127.0.0.1:1/jwks").unwrap();
        let options = Options::new(Source::JwksUrl(url.clone()));
        let keys = LiveKeys::start(Endpoint::new(&url, &options).unwrap(), &options).await;
        let shared = Arc::downgrade(&keys.shared);
        assert!(shared.strong_count() > 1, "the refresher runs");
        drop(keys);
        let ended = async {
            while shared.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
    }
}
