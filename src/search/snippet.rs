//! Snippets: the part of a text that matches a query.

use super::highlight::{CHARS, Highlights, LEAD, highlights};
use super::query::Query;

/// By how many characters a snippet's ends may move to the next gap between words.
const SLACK: usize = 20;

/// A part of an original text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The text.
    pub text: String,
    /// The matches, in order and separate.
    pub ranges: Vec<Range>,
    /// Whether there is text before it.
    pub starts_inside: bool,
    /// Whether there is text after it.
    pub ends_inside: bool,
}

/// A range of a snippet in UTF-16 code units, by which JavaScript slices strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first code unit.
    pub start: usize,
    /// The code unit after the last one.
    pub end: usize,
}

impl Snippet {
    /// The part of `text` in which most terms of `query` are close together, or else its beginning. The time is
    /// proportional to the text's length and the number of terms.
    #[must_use]
    pub fn of(text: &str, query: &Query) -> Self {
        let Highlights { best, marks } = highlights(text, query);
        let (from, to) = window(text, best);
        let (from, to) = (start_of_word(text, from), end_of_word(text, to));
        let mut ranges: Vec<Range> = Vec::new();
        let (mut at, mut units) = (from, 0);
        let mut units_to = |byte: usize| {
            units += text[at..byte].chars().map(char::len_utf16).sum::<usize>();
            at = byte;
            units
        };
        let first = marks.partition_point(|mark| mark.end <= from);
        for mark in marks[first..].iter().take_while(|mark| mark.start < to) {
            let (start, end) = (mark.start.max(from), mark.end.min(to));
            ranges.push(Range { start: units_to(start), end: units_to(end) });
        }
        let shown = text[from..to].to_owned();
        Self { text: shown, ranges, starts_inside: from > 0, ends_inside: to < text.len() }
    }
}

/// The bytes of the characters around the match at `best`.
fn window(text: &str, best: usize) -> (usize, usize) {
    let from = back(text, best, LEAD);
    let mut after = text[from..].char_indices();
    match after.by_ref().nth(CHARS) {
        Some((length, _)) => (from, from + length),
        // Near the end of the text, the snippet begins further ahead.
        None => (back(text, text.len(), CHARS), text.len()),
    }
}

/// The byte `count` characters before `at`, or the first one.
fn back(text: &str, at: usize, count: usize) -> usize {
    text[..at].char_indices().rev().take(count).last().map_or(at, |(start, _)| start)
}

fn start_of_word(text: &str, from: usize) -> usize {
    if from == 0 {
        return 0;
    }
    let gap = text[from..].char_indices().take(SLACK).find(|(_, c)| c.is_whitespace());
    gap.map_or(from, |(at, c)| from + at + c.len_utf8())
}

fn end_of_word(text: &str, to: usize) -> usize {
    if to == text.len() {
        return to;
    }
    let gap = text[..to].char_indices().rev().take(SLACK).find(|(_, c)| c.is_whitespace());
    gap.map_or(to, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::Folded;

    fn marked(text: &str, query: &str) -> Vec<String> {
        let snippet = Snippet::of(text, &Query::parse(query));
        let units: Vec<u16> = snippet.text.encode_utf16().collect();
        let part = |range: &Range| String::from_utf16(&units[range.start..range.end]).unwrap();
        snippet.ranges.iter().map(part).collect()
    }

    #[test]
    fn ranges_mark_what_was_found() {
        assert_eq!(marked("😀 Crème and 😀 CREAM, crème", "creme crea*"), ["Crème", "CREA", "crème"]);
        assert_eq!(marked("東京都に住む", "京都"), ["京都"]);
        assert_eq!(marked("no no no", "no"), ["no", "no", "no"]);
        assert_eq!(marked("ababa 手手手", "手手"), ["手手手"]);
        assert!(marked("all of it", "-nothing").is_empty());
    }

    #[test]
    fn a_snippet_is_where_the_terms_are_together() {
        let text = format!("recipe {}the soup recipe{}", "far away ".repeat(100), " and more".repeat(100));
        let snippet = Snippet::of(&text, &Query::parse("recipe soup"));
        assert!(snippet.text.contains("the soup recipe"), "{snippet:?}");
        assert!(snippet.starts_inside && snippet.ends_inside);
        assert!(snippet.text.chars().count() <= CHARS);
        assert!(snippet.text.starts_with("away ") || snippet.text.starts_with("far "));
        let end = Snippet::of(&text, &Query::parse("more"));
        assert_eq!(end.ranges.len(), end.text.matches("more").count());
    }

    proptest! {
        #[test]
        fn any_text_has_a_snippet(text in "(?s)\\PC{0,400}|([a-c]{1,4} |手|😀){0,150}", query in "\\PC{0,9}|[a-c]|手手?") {
            let query = Query::parse(&query);
            let snippet = Snippet::of(&text, &query);
            prop_assert!(text.contains(&snippet.text));
            let units = snippet.text.encode_utf16().count();
            let mut last = 0;
            for range in &snippet.ranges {
                prop_assert!(last <= range.start && range.start < range.end && range.end <= units);
                last = range.end;
            }
            if !query.wanted.is_empty() && query.matches(Folded::of(&text).as_str()) {
                prop_assert!(!snippet.ranges.is_empty());
            }
        }
    }
}
