//! Parsed documents, and a bounded number of them kept for the next request with the same text.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_graphql::Pos;
use async_graphql::ServerError;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::parser::{self, parse_query};
use lru::LruCache;
use ring::digest;

use super::escape::spell_out;
use super::limits::QueryLimits;
use super::refusal::{refuse, too_much};
use super::rules::Rules;
use super::tokens;
use crate::error::Code;

/// How many documents are kept.
const DOCUMENTS: NonZeroUsize = NonZeroUsize::new(512).unwrap();

/// How many tokens are kept in all. Each takes some 200 bytes once it is parsed, and its text besides.
const TOKENS: u64 = 100_000;

/// How many bytes of text are kept in all.
const TEXT_BYTES: usize = 2 * 1024 * 1024;

/// How many errors of a document are kept with it.
const KEPT_ERRORS: usize = 20;

const PARSE_FAILED: &str = Code::ParseFailed.as_str();

/// A document and its text. `Debug` shows neither: texts may hold what users wrote.
pub struct Document {
    text: String,
    tokens: u64,
    parsed: ExecutableDocument,
    /// The rules that it breaks, once somebody has looked, if they are few.
    broken: OnceLock<Vec<ServerError>>,
}

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Document").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

/// The operation of a document that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Whether it reads, writes or subscribes.
    pub kind: OperationType,
}

impl Document {
    /// Parses `text`, unless it is too much.
    ///
    /// # Errors
    /// `GRAPHQL_PARSE_FAILED`, with at most 20 characters of the text.
    pub fn parse(text: &str, limits: &QueryLimits) -> Result<Self, ServerError> {
        let tokens = tokens::check(text, limits.tokens)
            .map_err(|excess| too_much(PARSE_FAILED, excess.limit, excess.maximum))?;
        let text = spell_out(text);
        let parsed = parse_query(&text).map_err(|error| explain(&error, &text))?;
        Ok(Self { text: text.into_owned(), tokens, parsed, broken: OnceLock::new() })
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The rules of validation that it breaks.
    pub(super) fn broken(&self, rules: &Rules) -> Vec<ServerError> {
        if let Some(broken) = self.broken.get() {
            return broken.clone();
        }
        let broken = rules.broken_by(&self.text);
        if broken.len() <= KEPT_ERRORS {
            let _ = self.broken.set(broken.clone());
        }
        broken
    }

    pub(super) fn parsed(&self) -> &ExecutableDocument {
        &self.parsed
    }

    /// The operation called `name`, or the only one.
    ///
    /// # Errors
    /// `OPERATION_RESOLUTION_FAILURE` if there is no such operation, or more than one.
    pub fn select(&self, name: Option<&str>) -> Result<Selected, ServerError> {
        let fail = |message| Err(refuse(Code::OperationNotFound.as_str(), message, None));
        let found = match (&self.parsed.operations, name) {
            (DocumentOperations::Single(operation), None) => Some((None, operation)),
            (DocumentOperations::Single(_), Some(_)) => None,
            (DocumentOperations::Multiple(operations), Some(name)) => {
                operations.get_key_value(name).map(|(name, operation)| (Some(name.to_string()), operation))
            }
            // The library files a single named operation here too.
            (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
                operations.iter().next().map(|(name, operation)| (Some(name.to_string()), operation))
            }
            (DocumentOperations::Multiple(_), None) => {
                return fail("The document has several operations: say which with `operationName`.");
            }
        };
        match found {
            Some((name, operation)) => Ok(Selected { name, kind: operation.node.ty }),
            None => fail("The document has no operation of this name."),
        }
    }
}

/// The operation that a request asks for, as [`Document::select`] finds it.
pub(super) fn select_mut<'d>(
    document: &'d mut ExecutableDocument,
    name: Option<&str>,
) -> Option<&'d mut OperationDefinition> {
    match (&mut document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&mut operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get_mut(name).map(|operation| &mut operation.node)
        }
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.values_mut().next().map(|operation| &mut operation.node)
        }
        _ => None,
    }
}

/// Says what is wrong in words of ours: the parser's own name its rules, and repeat the whole line.
fn explain(error: &parser::Error, text: &str) -> ServerError {
    let position = error.positions().next();
    let message = match error {
        parser::Error::Syntax { .. } => match position.map(|at| tokens::first(rest_at(text, at))) {
            Some(token) if !token.is_empty() => format!("Syntax error: `{token}` is not expected here."),
            _ => "Syntax error: the document ends too early.".to_owned(),
        },
        parser::Error::MultipleOperations { .. } => {
            "An operation without a name must be the only one of its document.".to_owned()
        }
        parser::Error::OperationDuplicated { .. } => "Two operations have the same name.".to_owned(),
        parser::Error::FragmentDuplicated { .. } => "Two fragments have the same name.".to_owned(),
        parser::Error::MissingOperation => "The document has no operation.".to_owned(),
        _ => "The document cannot be read.".to_owned(),
    };
    refuse(PARSE_FAILED, message, position)
}

/// The text from a place on, which is counted from 1, in characters.
fn rest_at(text: &str, at: Pos) -> &str {
    let line = text.split_inclusive('\n').take(at.line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(line..).unwrap_or_default();
    let column = rest.char_indices().nth(at.column.saturating_sub(1));
    column.map_or("", |(column, _)| &rest[column..])
}

type Hash = [u8; digest::SHA256_OUTPUT_LEN];

/// The documents that were asked for last, by the SHA-256 of their text. Bounded in number, tokens and bytes.
pub struct Documents {
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
        self.bytes += document.text.len();
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
        self.bytes -= gone.text.len();
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Documents").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Documents {
    /// None yet.
    #[must_use]
    pub fn new(limits: QueryLimits) -> Self {
        Self { limits, kept: Mutex::new(Kept { documents: LruCache::new(DOCUMENTS), tokens: 0, bytes: 0 }) }
    }

    /// The document with this text.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse(&self, text: &str) -> Result<Arc<Document>, ServerError> {
        let hash = hash(text);
        if let Some(document) = self.by_hash(&hash) {
            return Ok(document);
        }
        let document = Arc::new(Document::parse(text, &self.limits)?);
        self.keep(hash, document.clone());
        Ok(document)
    }

    /// The document whose text has this SHA-256, if it is kept.
    #[must_use]
    pub fn by_hash(&self, hash: &Hash) -> Option<Arc<Document>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).documents.get(hash).cloned()
    }

    fn keep(&self, hash: Hash, document: Arc<Document>) {
        // One that would push out many others is not worth its place.
        if document.text.len() > TEXT_BYTES / 16 || document.tokens > TOKENS / 16 {
            return;
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).add(hash, document);
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

    fn message(text: &str) -> String {
        Document::parse(text, &QueryLimits::default()).unwrap_err().message
    }

    #[test]
    fn errors_are_in_plain_words_and_short() {
        assert_eq!(message("{ a } }"), "Syntax error: `}` is not expected here.");
        assert_eq!(message("{"), "Syntax error: the document ends too early.");
        assert_eq!(message(""), "Syntax error: the document ends too early.");
        assert_eq!(
            message("{ a }\n{ b }"),
            "An operation without a name must be the only one of its document."
        );
        assert_eq!(message("fragment F on T { a }"), "The document has no operation.");
        assert_eq!(
            message(&format!("{{ a(b: \u{e9}{}) }}", "x".repeat(200))),
            "Syntax error: `\u{e9}` is not expected here."
        );
        assert!(message(&format!("{{ a }} {}", "x".repeat(200))).len() < 80);
    }

    #[test]
    fn the_wanted_operation_is_found() {
        let document = |text| Document::parse(text, &QueryLimits::default()).unwrap();
        let name = |text, name| document(text).select(name).map(|selected| selected.name);
        assert_eq!(name("{ a }", None), Ok(None));
        assert_eq!(name("query A { a }", None), Ok(Some("A".to_owned())));
        assert_eq!(name("query A { a } query B { a }", Some("B")), Ok(Some("B".to_owned())));
        assert!(name("{ a }", Some("A")).is_err());
        assert!(name("query A { a } query B { a }", None).is_err());
        assert!(name("query A { a }", Some("B")).is_err());
        assert_eq!(document("mutation { a }").select(None).unwrap().kind, OperationType::Mutation);
    }

    #[test]
    fn few_documents_are_kept() {
        let documents = Documents::new(QueryLimits { tokens: 100_000, ..QueryLimits::default() });
        let text = |number: usize| format!("{{ a{number} }} # {}", "x".repeat(100_000));
        for number in 0..50 {
            documents.parse(&text(number)).unwrap();
        }
        let kept = documents.kept.lock().unwrap();
        let bytes: usize = kept.documents.iter().map(|(_, document)| document.text.len()).sum();
        assert_eq!(bytes, kept.bytes);
        assert!(bytes <= TEXT_BYTES && kept.documents.len() > 10, "{bytes}");
        let tokens: u64 = kept.documents.iter().map(|(_, document)| document.tokens).sum();
        assert_eq!(tokens, kept.tokens);
        drop(kept);
        assert!(documents.by_hash(&hash(&text(49))).is_some());
        assert!(documents.by_hash(&hash(&text(0))).is_none());
    }

    #[test]
    fn few_tokens_are_kept() {
        let documents = Documents::new(QueryLimits::default());
        let text = |number: usize| format!("{{ b{number} {} }}", "a,".repeat(4900));
        for number in 0..50 {
            documents.parse(&text(number)).unwrap();
        }
        let kept = documents.kept.lock().unwrap();
        assert!(kept.tokens <= TOKENS && kept.documents.len() > 10, "{}", kept.tokens);
    }
}
