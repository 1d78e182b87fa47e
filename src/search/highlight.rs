//! The matches of a query in a text.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use super::folded::fold_each;
use super::query::Query;

/// About how many characters a snippet has.
pub(super) const CHARS: usize = 200;

/// How many characters come before the first match.
pub(super) const LEAD: usize = 40;

/// How many characters after the first match are searched for the place where most terms are close together.
const REACH: usize = 64 * 1024;

/// The matches of a query in a text.
pub(super) struct Highlights {
    /// The byte at which the best group of matches begins; 0 if there are no matches.
    pub(super) best: usize,
    /// The matching bytes, in order and separate, at least up to the end of the snippet.
    pub(super) marks: Vec<Range<usize>>,
}

/// Finds the matches of `query` in `text` in one pass.
pub(super) fn highlights(text: &str, query: &Query) -> Highlights {
    let mut search = Search::new(text, query);
    let _ = fold_each(text, |letter, origin| search.step(letter, origin));
    Highlights { best: search.best.map_or(0, |best| best.at.byte), marks: search.marks }
}

/// A position in the original text.
#[derive(Clone, Copy)]
struct TextPosition {
    byte: usize,
    /// How many characters come before it.
    chars: usize,
}

/// A cluster of the original text, which was folded as a whole.
struct Origin {
    start: TextPosition,
    end: TextPosition,
    /// The index of its first letter in the folded text.
    first: usize,
    /// The index of its last letter.
    last: usize,
}

/// The group of matches with the most terms.
struct Best {
    terms: usize,
    at: TextPosition,
}

struct Search<'t> {
    text: &'t str,
    terms: Vec<Matcher>,
    /// The length of the longest term in letters.
    longest: usize,
    /// The origins of the last letters, as far back as a match may begin.
    origins: VecDeque<Origin>,
    /// How many letters of the folded text were read.
    letters: usize,
    /// Where the last match of each term begins.
    latest: Vec<Option<TextPosition>>,
    best: Option<Best>,
    marks: Vec<Range<usize>>,
    /// How many characters of the text are searched; unknown before the first match.
    until: Option<usize>,
    /// The index of the letter at which the search ends.
    stop: Option<usize>,
}

impl<'t> Search<'t> {
    fn new(text: &'t str, query: &Query) -> Self {
        let terms: Vec<Matcher> = query.wanted.iter().map(|term| Matcher::new(&term.pattern())).collect();
        Self {
            text,
            longest: terms.iter().map(|term| term.letters.len()).max().unwrap_or(0),
            latest: vec![None; terms.len()],
            terms,
            origins: VecDeque::new(),
            letters: 0,
            best: None,
            marks: Vec::new(),
            until: None,
            stop: None,
        }
    }

    /// Reads the next letter of the folded text, which was folded from the bytes `origin`.
    fn step(&mut self, letter: char, origin: Option<Range<usize>>) -> ControlFlow<()> {
        if self.terms.is_empty() || self.stop.is_some_and(|stop| self.letters >= stop) {
            return ControlFlow::Break(());
        }
        if let Some(bytes) = origin {
            self.record_origin(bytes);
        }
        self.letters += 1;
        let mut earliest: Option<TextPosition> = None;
        for term in 0..self.terms.len() {
            if !self.terms[term].step(letter) {
                continue;
            }
            let from = self.letters - self.terms[term].letters.len();
            let first = self.origins.partition_point(|origin| origin.last < from);
            let Some(start) = self.origins.get(first).map(|origin| origin.start) else { continue };
            self.latest[term] = Some(start);
            earliest = Some(earliest.filter(|earliest| earliest.byte <= start.byte).unwrap_or(start));
        }
        if let Some(start) = earliest {
            self.record_match(start);
        }
        ControlFlow::Continue(())
    }

    /// Records the origin of the next letter.
    fn record_origin(&mut self, bytes: Range<usize>) {
        let letter = self.letters;
        let known = match self.origins.back_mut() {
            Some(origin) if origin.start.byte == bytes.start => {
                origin.last = letter;
                return;
            }
            Some(origin) => origin.end,
            None => TextPosition { byte: 0, chars: 0 },
        };
        let chars = |from: usize, to: usize| self.text[from..to].chars().count();
        let start = TextPosition { byte: bytes.start, chars: known.chars + chars(known.byte, bytes.start) };
        let end = TextPosition { byte: bytes.end, chars: start.chars + chars(bytes.start, bytes.end) };
        count(1);
        self.origins.push_back(Origin { start, end, first: letter, last: letter });
        while self.origins.front().is_some_and(|origin| origin.last + self.longest < letter) {
            count(1);
            self.origins.pop_front();
        }
        if self.stop.is_none() && self.until.is_some_and(|until| start.chars >= until) {
            self.stop = Some(letter + self.longest);
        }
    }

    /// Records the matches that end with the last letter; the longest one begins at `start`.
    fn record_match(&mut self, start: TextPosition) {
        count(self.terms.len());
        let last = self.origins.partition_point(|origin| origin.first < self.letters);
        let Some(end) = last.checked_sub(1).map(|last| self.origins[last].end) else { return };
        self.mark(start.byte..end.byte);
        let until = *self.until.get_or_insert(start.chars + REACH);
        if end.chars + CHARS > until && self.best.is_some() {
            return;
        }
        let fits = |place: &&TextPosition| end.chars <= place.chars.saturating_sub(LEAD) + CHARS;
        let together = || self.latest.iter().flatten().filter(fits);
        let terms = together().count();
        if self.best.as_ref().is_none_or(|best| terms > best.terms) {
            let at = together().min_by_key(|place| place.byte).copied().unwrap_or(start);
            self.best = Some(Best { terms, at });
            if terms == self.terms.len() {
                self.until = Some(until.min(at.chars + CHARS));
            }
        }
    }

    /// Marks bytes, and merges them with marks that they touch.
    fn mark(&mut self, mut bytes: Range<usize>) {
        count(1);
        while let Some(last) = self.marks.pop_if(|last| last.end >= bytes.start) {
            count(1);
            bytes = last.start.min(bytes.start)..last.end.max(bytes.end);
        }
        self.marks.push(bytes);
    }
}

/// Finds a term by the algorithm of Knuth, Morris and Pratt, which reads each letter once.
struct Matcher {
    letters: Vec<char>,
    /// For each number of matched letters, how many still match if the next one does not.
    fallback: Vec<usize>,
    matched: usize,
}

impl Matcher {
    fn new(pattern: &str) -> Self {
        let letters: Vec<char> = pattern.chars().collect();
        let mut fallback = vec![0; letters.len()];
        let mut matched = 0;
        for at in 1..letters.len() {
            while matched > 0 && letters[matched] != letters[at] {
                matched = fallback[matched - 1];
            }
            if letters[matched] == letters[at] {
                matched += 1;
            }
            fallback[at] = matched;
        }
        Self { letters, fallback, matched: 0 }
    }

    /// Reads the next letter. Returns whether it ends a match.
    fn step(&mut self, letter: char) -> bool {
        count(1);
        while self.matched > 0 && self.letters.get(self.matched) != Some(&letter) {
            count(1);
            self.matched = self.fallback[self.matched - 1];
        }
        if self.letters[self.matched] == letter {
            self.matched += 1;
        }
        self.matched == self.letters.len()
    }
}

/// Counts steps for the tests.
#[cfg(not(test))]
fn count(_steps: usize) {}

#[cfg(test)]
use self::tests::count;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn count(steps: usize) {
        STEPS.set(STEPS.get() + steps);
    }

    fn found(text: &str, query: &str) -> Vec<String> {
        let highlights = highlights(text, &Query::parse(query));
        highlights.marks.into_iter().map(|mark| text[mark].to_owned()).collect()
    }

    #[test]
    fn matches_lead_back_to_the_original() {
        let text = "A CRÈME, a cre\u{300}me; straße";
        assert_eq!(found(text, "creme"), ["CRÈME", "cre\u{300}me"]);
        assert_eq!(found(text, "\"creme a cr\"*"), ["CRÈME, a cr"]);
        assert_eq!(found(text, "strass*"), ["straß"]);
        assert_eq!(found("no no no", "no"), ["no", "no", "no"]);
        assert_eq!(
            found("\u{FDFA} x", "\"عليه وسلم x\""),
            ["\u{FDFA} x"],
            "a part of what a character stands for"
        );
    }

    #[test]
    fn steps_grow_as_the_text_does() {
        let many = (0..31).map(|term| "手".repeat(term + 1)).collect::<Vec<_>>().join(" ") + " b";
        let phrase = format!("\"{}\" b", "a ".repeat(4_000));
        for (unit, end, query) in [
            ("a ", " b", "a b"),
            ("a ", " b", phrase.as_str()),
            ("手", " b", many.as_str()),
            ("\u{FDFA}", " b", "b"),
            ("صلى الله عليه ", " b", "\"صلى الله\" عليه b"),
            ("a\u{301}", "", "\"a a\" b"),
            ("a\u{5b0}\u{94d}\u{301}", "", "a b"),
            ("\u{301}", "", "a"),
            ("\u{1161}", "b", "b"),
        ] {
            let query = Query::parse(query);
            for chars in [2_000, 8_000, 32_000] {
                let count = unit.chars().count();
                let text = unit.repeat(chars / count) + &"y".repeat(300) + end;
                let mut letters = 0;
                let _ = fold_each(&text, |_, _| {
                    letters += 1;
                    ControlFlow::Continue(())
                });
                STEPS.set(0);
                let _ = highlights(&text, &query);
                let terms = query.wanted.len();
                let most = letters * 4 * (terms + 1);
                assert!(
                    STEPS.get() <= most,
                    "{} steps, {letters} letters, {terms} terms: {unit:?}",
                    STEPS.get()
                );
            }
        }
    }

    #[test]
    fn no_more_is_searched_than_shows_the_terms_together() {
        let steps = |text: &str| {
            STEPS.set(0);
            let _ = highlights(text, &Query::parse("a b"));
            STEPS.get()
        };
        assert!(steps(&("a b ".to_owned() + &"y ".repeat(50_000))) < 3_000);
        assert!(steps(&("a ".to_owned() + &"y ".repeat(100_000) + "b")) < 6 * (REACH + 3_000));
    }
}
