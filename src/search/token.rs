//! Tokens, which the databases index.

use std::collections::HashSet;
use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

use super::folded::{is_run, parts};

/// How many characters of a word are indexed. Longer words, such as hashes, are told apart by the folded text.
const WORD_CHARS: usize = 40;

/// How many bytes of tokens a text may have; a `tsvector` can hold a little more.
const BYTES: usize = 1_000_000;

/// A token to look up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// This token.
    Exact(String),
    /// All tokens with this prefix.
    Prefix(String),
}

/// The prefix of a user's tokens: eight hexadecimal digits.
///
/// It only keeps one user's tokens together in the index. Two users may have the same one, so queries also compare the
/// owner of the row.
#[must_use]
pub fn scope(user: &str) -> String {
    let mut scope = String::with_capacity(8);
    for byte in &digest(&SHA256, user.as_bytes()).as_ref()[..4] {
        // Writing to a string cannot fail.
        let _ = write!(scope, "{byte:02x}");
    }
    scope
}

/// The tokens of a folded text, each once, separated by spaces. They consist of letters, digits and marks.
///
/// The tokens of a run are all its pairs of adjacent characters, and its last character. Every part of two characters
/// is therefore a token, and every character begins one. Text beyond a million bytes of tokens is not indexed; texts of
/// up to 60,000 characters have fewer.
#[must_use]
pub fn tokens(scope: &str, folded: &str) -> String {
    let mut seen = HashSet::new();
    let (mut output, mut bytes) = (String::new(), 0);
    for part in parts(folded) {
        for token in part_tokens(part) {
            if seen.insert(token) {
                bytes += scope.len() + token.len();
                if bytes > BYTES {
                    return output;
                }
                if !output.is_empty() {
                    output.push(' ');
                }
                output.push_str(scope);
                output.push_str(token);
            }
        }
    }
    output
}

/// Tokens that every text with `part` as a part of a term has.
pub(super) fn lookups(scope: &str, part: &str, prefix: bool) -> Vec<Lookup> {
    let name = |token: &str| format!("{scope}{token}");
    if !is_run(part) {
        let name = name(head(part, WORD_CHARS));
        return vec![if prefix { Lookup::Prefix(name) } else { Lookup::Exact(name) }];
    }
    let pairs = || part_tokens(part).filter(|token| token.chars().nth(1).is_some());
    match pairs().next() {
        None => vec![Lookup::Prefix(name(part))],
        Some(_) => pairs().map(|pair| Lookup::Exact(name(pair))).collect(),
    }
}

fn part_tokens(part: &str) -> impl Iterator<Item = &str> {
    let run = is_run(part);
    let starts = part.char_indices().take(if run { usize::MAX } else { 1 });
    starts.map(move |(at, _)| head(&part[at..], if run { 2 } else { WORD_CHARS }))
}

/// The first `count` characters.
fn head(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_and_runs_are_pairs() {
        assert_eq!(tokens("u:", " a cat a "), "u:a u:cat");
        assert_eq!(tokens("", " 手机的 ก "), "手机 机的 的 ก");
        assert_eq!(tokens("", &format!(" {} ", "x".repeat(100))), "x".repeat(40));
        assert_eq!(tokens("", ""), "");
    }

    #[test]
    fn lookups_find_what_tokens_hold() {
        let exact =
            |names: &[&str]| names.iter().map(|name| Lookup::Exact((*name).into())).collect::<Vec<_>>();
        assert_eq!(lookups("", "cat", false), exact(&["cat"]));
        assert_eq!(lookups("", "cat", true), [Lookup::Prefix("cat".into())]);
        assert_eq!(lookups("", "手机的", false), exact(&["手机", "机的"]));
        assert_eq!(lookups("u", "手", true), [Lookup::Prefix("u手".into())]);
    }

    #[test]
    fn tokens_are_bounded() {
        let there = (0..30_000).filter_map(|n| char::from_u32(0x20000 + n));
        let text: String = there.clone().chain(there.rev()).collect();
        let all = tokens("12345678", &format!(" {text} "));
        assert!((59_999..=60_000).contains(&all.split(' ').count()));
        let long = (0..100_000).map(|n| format!("{n:032}")).collect::<Vec<_>>().join(" ");
        let bounded = tokens("12345678", &long);
        assert!((BYTES - 40..=BYTES).contains(&bounded.replace(' ', "").len()));
    }
}
