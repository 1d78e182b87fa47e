//! Tokens that were found to be good, so that another request with one does not check its signature again: an Ed25519
//! signature takes about 60 microseconds, a tenth of which is what is left.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use lru::LruCache;
use ring::digest;

use super::claims::LEEWAY;
use super::viewer::Viewer;

/// How many tokens are kept, those that came last: some 300 bytes each.
const TOKENS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The SHA-256 of a token. Who reads the server's memory finds no token there that a request has not brought.
type Hash = [u8; digest::SHA256_OUTPUT_LEN];

/// The viewers of tokens that are good.
pub(super) struct KnownTokens(Mutex<LruCache<Hash, Known>>);

struct Known {
    viewer: Viewer,
    /// With which keys the token was checked.
    generation: u64,
}

impl KnownTokens {
    /// None yet.
    pub(super) fn new() -> Self {
        // With a bound of its own it would take the room for all of them at once.
        Self(Mutex::new(LruCache::unbounded()))
    }

    /// The viewer of the token with this hash, if it was checked with the keys of this generation and has not expired.
    pub(super) fn get(&self, hash: &Hash, generation: u64, now: DateTime<Utc>) -> Option<Viewer> {
        let mut kept = self.kept();
        let known = kept.get(hash)?;
        if known.generation == generation && now - LEEWAY < known.viewer.expires_at() {
            return Some(known.viewer.clone());
        }
        kept.pop(hash);
        None
    }

    /// Keeps the viewer of a token that was checked with the keys of this generation.
    pub(super) fn add(&self, hash: Hash, generation: u64, viewer: Viewer) {
        let mut kept = self.kept();
        kept.put(hash, Known { viewer, generation });
        while kept.len() > TOKENS.get() {
            kept.pop_lru();
        }
    }

    fn kept(&self) -> MutexGuard<'_, LruCache<Hash, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The SHA-256 of a token.
pub(super) fn hash(token: &str) -> Hash {
    let mut hash = [0; digest::SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::viewer::UserId;
    use super::*;

    fn viewer(id: &str, expires_at: DateTime<Utc>) -> Viewer {
        Viewer::new(UserId::new(id).unwrap(), expires_at)
    }

    #[test]
    fn a_token_is_known_until_it_expires_or_keys_are_fetched_again() {
        let (known, now) = (KnownTokens::new(), Utc::now());
        let (token, other) = (hash("a.b.c"), hash("a.b.d"));
        known.add(token, 1, viewer("ann", now));
        assert_eq!(known.get(&token, 1, now).unwrap().id(), "ann");
        assert!(known.get(&other, 1, now).is_none());
        assert!(known.get(&token, 1, now + LEEWAY).is_none());
        assert!(known.get(&token, 1, now).is_none(), "it is forgotten once it has expired");
        known.add(token, 1, viewer("ann", now + TimeDelta::hours(1)));
        assert!(known.get(&token, 2, now).is_none(), "its key may have been withdrawn");
    }

    #[test]
    fn the_tokens_that_came_last_are_kept() {
        let (known, now) = (KnownTokens::new(), Utc::now());
        let token = |number: usize| hash(&number.to_string());
        for number in 0..=TOKENS.get() {
            known.add(token(number), 0, viewer("ann", now));
            known.get(&token(0), 0, now).unwrap();
        }
        assert!(known.get(&token(1), 0, now).is_none());
        assert!(known.get(&token(2), 0, now).is_some());
        assert_eq!(known.kept().len(), TOKENS.get());
    }
}
