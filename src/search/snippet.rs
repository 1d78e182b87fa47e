//! The part of a text that shows why it was found.

use super::folded::Folded;
use super::query::Query;

/// About how many characters a snippet has.
const CHARS: usize = 200;

/// How many of them come before the first match.
const LEAD: usize = 40;

/// How far a snippet's ends move to be between words.
const SLACK: usize = 20;

/// A part of a text, as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The part.
    pub text: String,
    /// What of it was searched for: in order, apart from each other.
    pub ranges: Vec<Range>,
    /// Whether the text begins before it.
    pub starts_inside: bool,
    /// Whether the text goes on after it.
    pub ends_inside: bool,
}

/// A part of a snippet, counted in UTF-16 code units, as JavaScript slices strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first unit.
    pub start: usize,
    /// The unit after the last one.
    pub end: usize,
}

impl Snippet {
    /// The part of `text` in which most of what `query` wants is near together, or else the beginning.
    #[must_use]
    pub fn of(text: &str, query: &Query) -> Self {
        let matches = find(text, query);
        let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let index = |byte: usize| starts.partition_point(|start| *start < byte);
        let (first, last) = window(&matches, starts.len() - 1, index);
        let (from, to) = (starts[first], starts[last]);
        let (from, to) = (start_of_word(text, from), end_of_word(text, to));
        let shown = &text[from..to];
        let units = |byte: usize| -> usize { text[from..byte].chars().map(char::len_utf16).sum() };
        let mut ranges: Vec<Range> = Vec::new();
        for found in &matches {
            let (start, end) = (found.start.max(from), found.end.min(to));
            if start >= end {
                continue;
            }
            let (start, end) = (units(start), units(end));
            match ranges.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => ranges.push(Range { start, end }),
            }
        }
        Self { text: shown.to_owned(), ranges, starts_inside: from > 0, ends_inside: to < text.len() }
    }
}

/// A match: which term, and which bytes.
struct Match {
    term: usize,
    start: usize,
    end: usize,
}

fn find(text: &str, query: &Query) -> Vec<Match> {
    let folded = Folded::of(text);
    let mut matches = Vec::new();
    for (term, wanted) in query.wanted.iter().enumerate() {
        let ranges = folded.matches(&wanted.pattern());
        matches.extend(ranges.into_iter().map(|range| Match { term, start: range.start, end: range.end }));
    }
    matches.sort_by_key(|found| (found.start, found.end));
    matches
}

/// The characters, of `count`, between which most different terms are, and of such places the first.
fn window(matches: &[Match], count: usize, index: impl Fn(usize) -> usize) -> (usize, usize) {
    let all = matches.iter().fold(0, |terms, found| terms | bit(found)).count_ones();
    let mut best = (0, 0);
    for (number, found) in matches.iter().enumerate() {
        let start = index(found.start).saturating_sub(LEAD);
        let inside = matches[number..].iter().take_while(|other| index(other.end) <= start + CHARS);
        let terms = inside.fold(0, |terms, other| terms | bit(other)).count_ones();
        if number == 0 || terms > best.0 {
            best = (terms, start);
        }
        if best.0 == all {
            break;
        }
    }
    // Near the end there is room for more before it.
    let start = best.1.min(count.saturating_sub(CHARS));
    (start, (start + CHARS).min(count))
}

/// The term of a match, in a set of at most 32.
fn bit(found: &Match) -> u32 {
    1 << found.term
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
