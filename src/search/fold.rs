//! Case, accents and ways of spelling, character by character.

use icu_properties::CodePointSetData;
use icu_properties::props::{DefaultIgnorableCodePoint, Script};
use icu_properties::script::ScriptWithExtensions;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Scripts that set no spaces between words, or set them elsewhere than people search.
const UNSPACED: [Script; 9] = [
    Script::Bopomofo,
    Script::Han,
    Script::Hangul,
    Script::Hiragana,
    Script::Katakana,
    Script::Khmer,
    Script::Lao,
    Script::Myanmar,
    Script::Thai,
];

/// Scripts whose readers leave out combining marks when they search: accents, and the vowel points of Hebrew and
/// Arabic. Vowel signs of Indic scripts and of Thai are letters to their readers.
const ACCENTED: [Script; 6] =
    [Script::Arabic, Script::Cyrillic, Script::Greek, Script::Hebrew, Script::Inherited, Script::Latin];

/// What a folded character is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A word, which is found as a whole.
    Word,
    /// A run of an unspaced script or of pictographs, which is found by any part.
    Run,
    /// A gap, which separates words and runs.
    Gap,
}

impl Class {
    /// The class of a folded character.
    pub(super) fn of(c: char) -> Self {
        if c.is_ascii() {
            return if c.is_ascii_alphanumeric() { Self::Word } else { Self::Gap };
        }
        if is_pictograph(c) {
            return Self::Run;
        }
        if !c.is_alphanumeric() && !is_combining_mark(c) {
            return Self::Gap;
        }
        let mut scripts = ScriptWithExtensions::new().get_script_extensions_val(c).iter();
        if scripts.all(|script| UNSPACED.contains(&script)) { Self::Run } else { Self::Word }
    }
}

/// Whether `c` is in the blocks of emoji and other pictographs. The properties of emoji include digits.
fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27BF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// Splits `text` into clusters, each a character with all that modifies it, which fold independently. Each comes with
/// the byte at which it begins.
pub(super) fn clusters(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, _) = chars.next()?;
        while chars.next_if(|(_, c)| modifies_previous(*c)).is_some() {}
        let end = chars.peek().map_or(text.len(), |(at, _)| *at);
        Some((start, &text[start..end]))
    })
}

/// Removes case and accents from `text` and leaves the rest unchanged. Short texts are compared by the result.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for (_, cluster) in clusters(text) {
        fold(cluster, &mut plain);
    }
    plain
}

/// Whether `c` may change how the character before it folds.
fn modifies_previous(c: char) -> bool {
    !c.is_ascii()
        && (is_combining_mark(c)
            || is_ignorable(c)
            // Hangul vowels and final consonants in decomposed form, and the voice marks of half-width katakana.
            || matches!(c, '\u{1160}'..='\u{11FF}' | '\u{FF9E}' | '\u{FF9F}'))
}

/// Appends the folded form of one cluster.
pub(super) fn fold(cluster: &str, output: &mut String) {
    if let [byte] = cluster.as_bytes() {
        output.push(char::from(byte.to_ascii_lowercase()));
        return;
    }
    let plain = cluster
        .nfkd()
        .filter(|c| !is_accent(*c) && !is_ignorable(*c))
        .flat_map(char::to_lowercase)
        .filter(|c| !is_accent(*c))
        .flat_map(Letters::of);
    output.extend(plain.nfc());
}

/// One or two base letters for a letter that Unicode does not decompose.
struct Letters(Option<char>, Option<char>);

impl Letters {
    fn of(c: char) -> Self {
        let (first, second) = match c {
            'ß' => ('s', Some('s')),
            'æ' => ('a', Some('e')),
            'œ' => ('o', Some('e')),
            'þ' => ('t', Some('h')),
            'ø' => ('o', None),
            'ł' => ('l', None),
            'đ' | 'ð' => ('d', None),
            'ħ' => ('h', None),
            'ŧ' => ('t', None),
            'ı' => ('i', None),
            'ς' => ('σ', None),
            c => (c, None),
        };
        Self(Some(first), second)
    }
}

impl Iterator for Letters {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        self.0.take().or_else(|| self.1.take())
    }
}

fn is_accent(c: char) -> bool {
    // The letters among the signs of Arabic: the tatweel, and two small ones of the Quran.
    matches!(c, '\u{640}' | '\u{6E5}' | '\u{6E6}')
        || is_combining_mark(c)
            && ACCENTED.iter().any(|script| ScriptWithExtensions::new().has_script(c, *script))
}

/// Whether `c` is invisible: soft hyphens, joiners, direction marks, variation selectors.
fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}
