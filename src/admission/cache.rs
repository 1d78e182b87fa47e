//! A bounded number of documents, kept for the next request with the same text.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::ServerError;
use lru::LruCache;
use ring::digest;

use super::document::Document;
use super::query_limits::QueryLimits;

/// How many documents are kept.
const DOCUMENTS: NonZeroUsize = NonZeroUsize::new(512).unwrap();

/// How many tokens are kept in all. Each takes some 500 bytes once it is parsed and typed, and its text besides.
const TOKENS: u64 = 100_000;

/// How many bytes of text are kept in all.
const TEXT_BYTES: usize = 2 * 1024 * 1024;

/// How many errors a document may have that is kept.
const ERRORS: usize = 20;

type Hash = [u8; digest::SHA256_OUTPUT_LEN];

/// The documents that were asked for last, by the SHA-256 of their text. Bounded in number, tokens and bytes.
pub(super) struct Cache {
    limits: QueryLimits,
    kept: Mutex<Kept>,
}

struct Kept {
    documents: LruCache<Hash, Arc<Document>>,
    tokens: u64,
    bytes: usize,
}

impl Kept {
    fn add(&mut self, hash: Hash, document: Arc<Document>) {
        self.tokens += document.tokens;
        self.bytes += document.bytes;
        // An equal one, or the oldest one.
        if let Some((_, gone)) = self.documents.push(hash, document) {
            self.subtract(&gone);
        }
        while (self.tokens > TOKENS || self.bytes > TEXT_BYTES)
            && let Some((_, gone)) = self.documents.pop_lru()
        {
            self.subtract(&gone);
        }
    }

    fn subtract(&mut self, gone: &Document) {
        self.tokens -= gone.tokens;
        self.bytes -= gone.bytes;
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cache").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Cache {
    /// None yet.
    pub(super) fn new(limits: QueryLimits) -> Self {
        Self { limits, kept: Mutex::new(Kept { documents: LruCache::new(DOCUMENTS), tokens: 0, bytes: 0 }) }
    }

    /// The document with this text.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub(super) fn parse(&self, text: &str) -> Result<Arc<Document>, ServerError> {
        let hash = hash(text);
        if let Some(document) = self.by_hash(&hash) {
            return Ok(document);
        }
        let document = Arc::new(Document::parse(text, &self.limits)?);
        // One that would push out many others is not worth its place.
        if document.bytes <= TEXT_BYTES / 16
            && document.tokens <= TOKENS / 16
            && document.errors().len() <= ERRORS
        {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).add(hash, document.clone());
        }
        Ok(document)
    }

    /// The document whose text has this SHA-256, if it is kept.
    pub(super) fn by_hash(&self, hash: &Hash) -> Option<Arc<Document>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).documents.get(hash).cloned()
    }
}

/// The SHA-256 of a document's text.
#[must_use]
pub fn hash(text: &str) -> Hash {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut hash = [0; digest::SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_are_kept() {
        let cache = Cache::new(QueryLimits { tokens: 100_000, ..QueryLimits::default() });
        let text = |number: usize| format!("{{ a{number} }} # {}", "x".repeat(100_000));
        for number in 0..50 {
            cache.parse(&text(number)).unwrap();
        }
        let kept = cache.kept.lock().unwrap();
        let bytes: usize = kept.documents.iter().map(|(_, document)| document.bytes).sum();
        assert_eq!(bytes, kept.bytes);
        assert!(bytes <= TEXT_BYTES && kept.documents.len() > 10, "{bytes}");
        let tokens: u64 = kept.documents.iter().map(|(_, document)| document.tokens).sum();
        assert_eq!(tokens, kept.tokens);
        drop(kept);
        assert!(cache.by_hash(&hash(&text(49))).is_some());
        assert!(cache.by_hash(&hash(&text(0))).is_none());
    }

    #[test]
    fn few_tokens_are_kept() {
        let cache = Cache::new(QueryLimits::default());
        let text = |number: usize| format!("{{ b{number} {} }}", "a,".repeat(4900));
        for number in 0..50 {
            cache.parse(&text(number)).unwrap();
        }
        let kept = cache.kept.lock().unwrap();
        assert!(kept.tokens <= TOKENS && kept.documents.len() > 10, "{}", kept.tokens);
    }
}
