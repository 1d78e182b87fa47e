//! Queries.

use std::collections::HashSet;

use super::folded::{Folded, is_run};
use super::token::{Lookup, lookups};

/// How many characters a query may have.
pub const MAX_CHARS: usize = 10_000;

/// How many words and phrases of a query are used.
pub const MAX_TERMS: usize = 32;

/// How many tokens are looked up. More would hardly narrow the search.
const MAX_LOOKUPS: usize = 64;

/// A query of words that must all occur, `"phrases in quotes"`, `prefix*` and `-excluded` terms. Every text is a query:
/// other characters only separate words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Terms that must occur.
    pub wanted: Vec<Term>,
    /// Terms that must not occur.
    pub unwanted: Vec<Term>,
}

/// A word or phrase.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// The words and runs, which must be adjacent.
    parts: Vec<String>,
    /// Whether the last word is a prefix.
    prefix: bool,
}

impl Query {
    /// Parses a query.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        let mut seen = HashSet::new();
        let mut rest = text;
        while seen.len() < MAX_TERMS
            && let Some(raw) = RawTerm::take(&mut rest)
        {
            let Some(term) = Term::new(raw.text, raw.prefix) else { continue };
            if seen.insert((term.clone(), raw.excluded)) {
                let terms = if raw.excluded { &mut query.unwanted } else { &mut query.wanted };
                terms.push(term);
            }
        }
        query
    }

    /// Whether the query has no terms.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    /// Tokens that every hit has; none if the query only excludes.
    #[must_use]
    pub fn lookups(&self, scope: &str) -> Vec<Lookup> {
        let mut seen = HashSet::new();
        let all = self.wanted.iter().flat_map(|term| {
            let last = term.parts.len() - 1;
            let parts = term.parts.iter().enumerate();
            parts.flat_map(move |(index, part)| lookups(scope, part, term.prefix && index == last))
        });
        all.filter(|lookup| seen.insert(lookup.clone())).take(MAX_LOOKUPS).collect()
    }

    /// Whether a folded text is a hit.
    #[must_use]
    pub fn matches(&self, folded: &str) -> bool {
        let has = |term: &Term| folded.contains(&term.pattern());
        self.wanted.iter().all(has) && !self.unwanted.iter().any(has)
    }
}

impl Term {
    fn new(text: &str, prefix: bool) -> Option<Self> {
        let parts: Vec<String> = Folded::of(text).parts().map(str::to_owned).collect();
        let last = parts.last()?;
        let prefix = prefix && !is_run(last);
        Some(Self { parts, prefix })
    }

    /// The string that a folded text contains exactly if it has the term. Words match as a whole; a run may be part of
    /// a longer one.
    #[must_use]
    pub fn pattern(&self) -> String {
        let open = |part: Option<&String>| part.is_none_or(|part| is_run(part));
        let start = if open(self.parts.first()) { "" } else { " " };
        let end = if self.prefix || open(self.parts.last()) { "" } else { " " };
        format!("{start}{}{end}", self.parts.join(" "))
    }
}

/// A term of a query, as written.
struct RawTerm<'t> {
    text: &'t str,
    prefix: bool,
    excluded: bool,
}

impl<'t> RawTerm<'t> {
    /// Splits the next term off the front of `rest`.
    fn take(rest: &mut &'t str) -> Option<Self> {
        let mut text = rest.trim_start_matches(is_gap);
        if text.is_empty() {
            return None;
        }
        let excluded = text.starts_with('-') && !text[1..].starts_with(is_gap);
        if excluded {
            text = &text[1..];
        }
        let quoted = text.strip_prefix(is_quote).and_then(|inner| inner.split_once(is_quote));
        let (text, prefix) = if let Some((inner, after)) = quoted {
            let open = after.strip_prefix('*');
            *rest = open.unwrap_or(after);
            (inner, open.is_some())
        } else {
            let (word, after) = text.split_at(text.find(is_gap).unwrap_or(text.len()));
            *rest = after;
            (word, word.ends_with('*'))
        };
        Some(Self { text, prefix, excluded })
    }
}

fn is_gap(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// The keyboards of telephones insert curly quotes.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '＂')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &str) -> (Vec<String>, Vec<String>) {
        let query = Query::parse(text);
        let of = |terms: &[Term]| terms.iter().map(Term::pattern).collect();
        (of(&query.wanted), of(&query.unwanted))
    }

    #[test]
    fn queries_are_read_as_documented() {
        for (text, wanted, unwanted) in [
            ("", &[][..], &[][..]),
            ("Crème brûlée", &[" creme ", " brulee "], &[]),
            (r#""crème brûlée" -egg"#, &[" creme brulee "], &[" egg "]),
            (r#"-"two eggs" recip*"#, &[" recip"], &[" two eggs "]),
            (r#""crème brû"*"#, &[" creme bru"], &[]),
            ("“curly quotes”", &[" curly quotes "], &[]),
            ("don't a-b a_b", &[" don t ", " a b "], &[]),
            ("手机 iPhone手", &["手机", " iphone 手"], &[]),
            ("手机*", &["手机"], &[]),
            (r#"say "hi"#, &[" say ", " hi "], &[]),
            (r#"5" disk"#, &[" 5 ", " disk "], &[]),
            ("- -- * \" \"\" -\"\" ** NEAR( ) OR ^a", &[" near ", " or ", " a "], &[]),
            ("same Same sâme -same", &[" same "], &[" same "]),
        ] {
            let expected: (Vec<_>, Vec<_>) = (
                wanted.iter().map(ToString::to_string).collect(),
                unwanted.iter().map(ToString::to_string).collect(),
            );
            assert_eq!(patterns(text), expected, "{text:?}");
        }
    }

    #[test]
    fn only_so_many_terms_count() {
        let many = (0..1_000).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ");
        assert_eq!(Query::parse(&many).wanted.len(), MAX_TERMS);
        let long = format!("\"{many}\"");
        assert_eq!(Query::parse(&long).wanted.len(), 1);
        assert_eq!(Query::parse(&long).lookups("").len(), MAX_LOOKUPS);
    }
}
