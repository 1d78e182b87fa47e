//! Folded texts.

use std::ops::{ControlFlow, Range};

use super::fold::{Class, clusters, fold};

/// A text without case and accents, with single spaces between its words and runs and at both ends; empty if it has no
/// words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded(String);

impl Folded {
    /// Folds a text.
    #[must_use]
    pub fn of(original: &str) -> Self {
        let mut text = String::new();
        let _ = fold_each(original, |letter, _| {
            text.push(letter);
            ControlFlow::Continue(())
        });
        Self(text)
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folded text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// The words and runs, in order.
    #[must_use]
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        parts(&self.0)
    }
}

/// Calls `visit` with each letter of the folded text until it breaks. A letter comes with the bytes of the original
/// that it was folded from; a space comes without.
pub(super) fn fold_each(
    original: &str,
    mut visit: impl FnMut(char, Option<Range<usize>>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut buffer = String::new();
    let (mut last, mut begun, mut spaced) = (Class::Gap, false, false);
    for (start, cluster) in clusters(original) {
        buffer.clear();
        fold(cluster, &mut buffer);
        for letter in buffer.chars() {
            let class = Class::of(letter);
            if class != last && !spaced && (class != Class::Gap || begun) {
                visit(' ', None)?;
                (begun, spaced) = (true, true);
            }
            last = class;
            if class != Class::Gap {
                visit(letter, Some(start..start + cluster.len()))?;
                spaced = false;
            }
        }
    }
    if begun && !spaced { visit(' ', None) } else { ControlFlow::Continue(()) }
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
