//! Case, accents and ways of spelling, character by character.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What a folded character is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A word, found as a whole.
    Word,
    /// A run of a script that sets no spaces between words, or sets them elsewhere than people search; found by
    /// any part. So are emoji.
    Run,
    /// Neither: what is on both sides of it is apart.
    Gap,
}

impl Class {
    /// The class of a folded character.
    pub(super) fn of(c: char) -> Self {
        let spoken = c.is_alphanumeric() || is_combining_mark(c);
        match u32::from(c) {
            0x1F000..=0x1FAFF | 0x2600..=0x27BF => Self::Run,
            // Thai, Lao, Myanmar, Hangul, Khmer, kana, bopomofo, Han
            0x0E00..=0x0EFF
            | 0x1000..=0x109F
            | 0x1100..=0x11FF
            | 0x1780..=0x17FF
            | 0x3005..=0x3007
            | 0x3040..=0x31FF
            | 0x3400..=0x4DBF
            | 0x4E00..=0x9FFF
            | 0xA960..=0xA97F
            | 0xA9E0..=0xA9FF
            | 0xAA60..=0xAA7F
            | 0xAC00..=0xD7FF
            | 0xF900..=0xFAFF
            | 0x1B000..=0x1B16F
            | 0x20000..=0x323AF
                if spoken =>
            {
                Self::Run
            }
            _ if spoken => Self::Word,
            _ => Self::Gap,
        }
    }
}

/// Each part of `text` that folds on its own, a character with all that modifies it, and the byte at which it begins.
pub(super) fn clusters(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, _) = chars.next()?;
        while chars.next_if(|(_, c)| extends(*c)).is_some() {}
        let end = chars.peek().map_or(text.len(), |(at, _)| *at);
        Some((start, &text[start..end]))
    })
}

/// `text` without case and accents, and otherwise as it is: what short texts are compared by.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for (_, cluster) in clusters(text) {
        fold(cluster, &mut plain);
    }
    plain
}

/// Whether `c` may change how the character before it folds.
fn extends(c: char) -> bool {
    !c.is_ascii()
        && (is_combining_mark(c)
            || is_ignorable(c)
            // Vowels and finals of Hangul in pieces, and the voice marks of half-width katakana.
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

/// The letters that a letter stands for though Unicode does not take it apart.
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

/// Marks that people leave out when they search: accents of Latin, Greek and Cyrillic, vowel points of Hebrew
/// and Arabic. Vowel signs of Indic scripts and of Thai are letters to their readers, and stay.
fn is_accent(c: char) -> bool {
    matches!(
        u32::from(c),
        0x0300..=0x036F
            | 0x0591..=0x05BD
            | 0x05BF
            | 0x05C1..=0x05C2
            | 0x05C4..=0x05C5
            | 0x05C7
            | 0x0610..=0x061A
            | 0x0640
            | 0x064B..=0x065F
            | 0x0670
            | 0x06D6..=0x06DC
            | 0x06DF..=0x06E8
            | 0x06EA..=0x06ED
            | 0x1AB0..=0x1AFF
            | 0x1DC0..=0x1DFF
            | 0x20D0..=0x20FF
            | 0xFE20..=0xFE2F
    )
}

/// Characters without a look of their own: soft hyphens, joiners, direction marks, variation selectors.
fn is_ignorable(c: char) -> bool {
    matches!(
        u32::from(c),
        0x00AD | 0x061C | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFE00..=0xFE0F
            | 0xFEFF | 0xE0000..=0xE0FFF
    )
}
