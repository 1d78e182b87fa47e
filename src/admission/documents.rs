//! From the text or the name of a document to the document.

use std::sync::Arc;

use async_graphql::ServerError;

use super::cache::{Cache, hash};
use super::document::Document;
use super::principal::Principal;
use super::query_limits::QueryLimits;
use super::trusted::TrustedDocuments;
use crate::blocking::TRANSPORT;
use crate::error::Code;

/// The documents that are served: any, or those of a list.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    cache: Arc<Cache>,
    trusted: Option<Arc<TrustedDocuments>>,
}

impl Documents {
    pub(super) fn new(limits: QueryLimits, trusted: Option<TrustedDocuments>) -> Self {
        Self { cache: Arc::new(Cache::new(limits)), trusted: trusted.map(Arc::new) }
    }

    /// The document with this text, or of this name, for `principal`.
    ///
    /// # Errors
    /// `PERSISTED_QUERY_NOT_FOUND` and `PERSISTED_QUERY_ONLY` in the words that clients of Apollo's protocol look for,
    /// `BAD_USER_INPUT` if text and name differ, and what is wrong with the text.
    pub(super) async fn find(
        &self,
        principal: &Principal,
        text: Option<String>,
        name: Option<&str>,
    ) -> Result<Arc<Document>, ServerError> {
        let not_found = || Code::PersistedQueryNotFound.error("PersistedQueryNotFound");
        if let Some(trusted) = &self.trusted {
            return match (name, text) {
                (Some(name), _) => trusted
                    .by_name
                    .get(name.strip_prefix("sha256:").unwrap_or(name))
                    .cloned()
                    .ok_or_else(not_found),
                (None, Some(text)) if trusted.texts.contains(&hash(&text)) => {
                    self.parse(principal, text).await
                }
                _ => Err(Code::PersistedQueryOnly.error("PersistedQueryOnly")),
            };
        }
        match (text, name) {
            (Some(text), None) => self.parse(principal, text).await,
            (Some(text), Some(name)) if read_hash(name) == Some(hash(&text)) => {
                self.parse(principal, text).await
            }
            (Some(_), Some(_)) => {
                let field = "extensions.persistedQuery.sha256Hash".to_owned();
                Err(Code::input_error(field, "The document's name is not the SHA-256 of its text."))
            }
            (None, Some(name)) => {
                read_hash(name).and_then(|hash| self.cache.by_hash(&hash)).ok_or_else(not_found)
            }
            (None, None) => Err(Code::BadRequest.error("`query` must be a string.")),
        }
    }

    async fn parse(&self, principal: &Principal, text: String) -> Result<Arc<Document>, ServerError> {
        let cache = self.cache.clone();
        let parsed = TRANSPORT.run(&principal.key(), text.len(), move |_| cache.parse(&text)).await;
        parsed.unwrap_or_else(|error| {
            error.log();
            Err(error.code().error(error.message()))
        })
    }
}

/// Reads 64 hexadecimal digits.
fn read_hash(text: &str) -> Option<[u8; 32]> {
    let text = text.strip_prefix("sha256:").unwrap_or(text);
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}
