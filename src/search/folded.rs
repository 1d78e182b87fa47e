//! A text as search sees it.

use std::ops::Range;

use super::fold::{Class, clusters, fold};

/// A text without case and accents, its words and runs between single spaces, one space at each end; empty if
/// it has no words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    text: String,
    /// Where each character but spaces is, and which bytes of the original it stands for.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    at: usize,
    start: usize,
    end: usize,
}

impl Folded {
    /// Folds a text.
    #[must_use]
    pub fn of(original: &str) -> Self {
        let mut folded = Self::default();
        let mut buffer = String::new();
        let mut last = Class::Gap;
        clusters(original, |start, cluster| {
            buffer.clear();
            fold(cluster, &mut buffer);
            for c in buffer.chars() {
                let class = Class::of(c);
                if class != last && (class != Class::Gap || !folded.text.is_empty()) && !folded.ends_open() {
                    folded.text.push(' ');
                }
                last = class;
                if class != Class::Gap {
                    let at = folded.text.len();
                    folded.places.push(Place { at, start, end: start + cluster.len() });
                    folded.text.push(c);
                }
            }
        });
        if !folded.text.is_empty() && !folded.ends_open() {
            folded.text.push(' ');
        }
        folded
    }

    /// Whether the next character would begin a token.
    fn ends_open(&self) -> bool {
        self.text.ends_with(' ')
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Takes the folded text out.
    #[must_use]
    pub fn into_string(self) -> String {
        self.text
    }

    /// The words and runs, in order.
    #[must_use]
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        parts(&self.text)
    }

    /// The parts of the original that `pattern` matches, in bytes, in order; they may overlap.
    pub(super) fn matches(&self, pattern: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut from = 0;
        let first = pattern.chars().next().map_or(1, char::len_utf8);
        while let Some(at) = self.text.get(from..).and_then(|rest| rest.find(pattern)) {
            let at = from + at;
            found.extend(self.original(at..at + pattern.len()));
            // The space that ends one match may begin the next.
            from = at + first;
        }
        found
    }

    fn original(&self, folded: Range<usize>) -> Option<Range<usize>> {
        let first = self.places.partition_point(|place| place.at < folded.start);
        let end = self.places.partition_point(|place| place.at < folded.end);
        let places = self.places.get(first..end)?;
        Some(places.first()?.start..places.last()?.end)
    }
}

/// The words and runs of a folded text, in order.
pub(super) fn parts(folded: &str) -> impl DoubleEndedIterator<Item = &str> {
    folded.split(' ').filter(|part| !part.is_empty())
}

/// Whether a word or run is a run.
pub(super) fn is_run(part: &str) -> bool {
    part.chars().next().is_some_and(|c| Class::of(c) == Class::Run)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_fold_as_readers_expect() {
        for (text, folded) in [
            ("", ""),
            (" -- \0!", ""),
            ("Crème Brûlée", " creme brulee "),
            ("Cre\u{300}me", " creme "),
            ("STRASSE Straße ẞ", " strasse strasse ss "),
            ("ΟΔΟΣ οδός", " οδοσ οδοσ "),
            ("Ёлка, ЩУКА", " елка щука "),
            ("İstanbul ISTANBUL ısı", " istanbul istanbul isi "),
            ("Ångström Łódź smørrebrød Þór", " angstrom lodz smorrebrod thor "),
            ("don't snake_case 3.14", " don t snake case 3 14 "),
            ("ｆｕｌｌ　ｗｉｄｔｈ", " full width "),
            ("iPhone手机的2024年", " iphone 手机的 2024 年 "),
            ("ｶﾞｷﾞ がぎ が", " ガギ がぎ が "),
            ("한국어 \u{1112}\u{1161}\u{11AB}", " 한국어 한 "),
            ("ภาษาไทย\u{200B}ดี", " ภาษาไทยดี "),
            ("हिन्दी की", " हिन्दी की "),
            ("שָׁלוֹם", " שלום "),
            ("مُحَمَّد", " محمد "),
            ("soft\u{AD}hyphen", " softhyphen "),
            ("a🎂🎂b", " a 🎂🎂 b "),
        ] {
            assert_eq!(Folded::of(text).as_str(), folded, "{text:?}");
        }
    }

    #[test]
    fn matches_lead_back_to_the_original() {
        let text = "A CRÈME, a cre\u{300}me; straße";
        let folded = Folded::of(text);
        let found = |pattern: &str| -> Vec<&str> {
            folded.matches(pattern).into_iter().map(|range| &text[range]).collect()
        };
        assert_eq!(found(" creme "), ["CRÈME", "cre\u{300}me"]);
        assert_eq!(found(" creme a cr"), ["CRÈME, a cr"]);
        assert_eq!(found(" strass"), ["straß"]);
        assert_eq!(Folded::of("no no no").matches(" no ").len(), 3);
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,60}|[a-zß-ɏ\u{300}-\u{310}Ͱ-ӿ가-힣ᄀ-ᇿぁ-ヿก-๛ ]{0,40}") {
            let once = Folded::of(&text).into_string();
            prop_assert_eq!(Folded::of(&once).into_string(), once.clone());
            prop_assert!(!once.contains("  "));
            prop_assert!(once.is_empty() || once.len() > 2 && once.starts_with(' ') && once.ends_with(' '));
        }
    }
}
