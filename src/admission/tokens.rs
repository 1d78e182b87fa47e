//! Bounds on a document's text, checked before it is parsed.
//!
//! The tokens are those of the parser's own lexer. Its limits do not do: the parser counts white space, commas and
//! comments as tokens, recurses for some brackets only, and bounds no names.

use apollo_parser::{Lexer, TokenKind};
use async_graphql::ServerError;

use super::refusal::too_large;
use crate::error::Code;

/// How deep brackets of any kind may lie within each other: what reads a document calls itself for each.
const NESTING: u64 = 64;

/// How many bytes a name may have. Names are echoed: in data, in paths and in messages.
const NAME_BYTES: u64 = 256;

/// Counts the tokens of `text`, and checks that they are at most `maximum`, with neither long names nor deep nesting.
///
/// # Errors
/// `GRAPHQL_PARSE_FAILED`, with the bound.
pub(super) fn count(text: &str, maximum: u64) -> Result<u64, ServerError> {
    let (mut nesting, mut count) = (0_u64, 0);
    let refuse = |limit, maximum| Err(too_large(Code::ParseFailed, limit, maximum));
    for token in Lexer::new(text) {
        let kind = token.as_ref().ok().map(apollo_parser::Token::kind);
        if let Some(TokenKind::Whitespace | TokenKind::Comma | TokenKind::Comment | TokenKind::Eof) = kind {
            continue;
        }
        count += 1;
        if count > maximum {
            return refuse("number of tokens", maximum);
        }
        match kind {
            Some(TokenKind::LParen | TokenKind::LBracket | TokenKind::LCurly) => nesting += 1,
            Some(TokenKind::RParen | TokenKind::RBracket | TokenKind::RCurly) => {
                nesting = nesting.saturating_sub(1);
            }
            Some(TokenKind::Name) if token.is_ok_and(|token| token.data().len() as u64 > NAME_BYTES) => {
                return refuse("longest name", NAME_BYTES);
            }
            _ => {}
        }
        if nesting > NESTING {
            return refuse("nesting of brackets", NESTING);
        }
    }
    Ok(count)
}

/// The token that `text` begins with, at most 20 characters of it; empty at the end.
pub(super) fn first(text: &str) -> String {
    let token = match Lexer::new(text).next() {
        Some(Ok(token)) if token.kind() != TokenKind::Eof => token.data().to_owned(),
        // What is no token of the language.
        Some(Err(error)) => error.data().to_owned(),
        _ => String::new(),
    };
    token.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str, maximum: u64) -> Option<String> {
        count(text, maximum).err().map(|error| error.message)
    }

    #[test]
    fn what_is_ignored_does_not_count() {
        let text = "\u{feff}query($a:[Int!]=[1,-2.5e+3]){#no }\n...F@skip(if:true)s(x:\"a\\\"{\",y:\"\"\"{\\\"\"\"\n\"\"\")}";
        assert_eq!(count(text, 35).unwrap(), 35);
        assert!(limit(text, 34).unwrap().contains("number of tokens"));
    }

    #[test]
    fn nesting_and_names_are_bounded() {
        let nested = |depth: usize| "[{".repeat(depth / 2);
        assert_eq!(limit(&nested(64), 1000), None);
        assert!(limit(&nested(66), 1000).unwrap().contains("nesting of brackets"));
        assert_eq!(limit(&"{}".repeat(400), 1000), None);
        assert_eq!(limit(&"n".repeat(256), 1), None);
        assert!(limit(&"n".repeat(257), 1).unwrap().contains("longest name"));
    }
}
