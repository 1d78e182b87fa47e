//! Escapes in strings that the parser does not know: characters beyond the first plane, as pairs or in braces.

use std::borrow::Cow;

use super::tokens::strings;

/// `text` with those characters written as they are.
pub(super) fn spell_out(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let (mut spelled, mut end) = (String::with_capacity(text.len()), 0);
    for range in strings(text) {
        spelled.push_str(&text[end..range.start]);
        end = range.end;
        spell_string(&text[range], &mut spelled);
    }
    spelled.push_str(&text[end..]);
    Cow::Owned(spelled)
}

fn spell_string(mut string: &str, spelled: &mut String) {
    while let Some(start) = string.find('\\') {
        spelled.push_str(&string[..start]);
        string = &string[start..];
        let length = if let Some((character, length)) = character(string) {
            spelled.push(character);
            length
        } else {
            // With what it escapes, which may be another backslash.
            let length = string.chars().take(2).map(char::len_utf8).sum();
            spelled.push_str(&string[..length]);
            length
        };
        string = &string[length..];
    }
    spelled.push_str(string);
}

/// The character beyond the first plane, or in braces, whose escape `text` begins with, and the escape's length.
fn character(text: &str) -> Option<(char, usize)> {
    let (code, length) = if let Some(rest) = text.strip_prefix("\\u{") {
        let digits = rest.find('}').filter(|length| (1..=8).contains(length))?;
        (u32::from_str_radix(&rest[..digits], 16).ok()?, digits + "\\u{}".len())
    } else {
        let (high, low) = (unit(text)?, unit(text.get(6..)?)?);
        let is_pair = (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low);
        (is_pair.then(|| 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 12)
    };
    // Those that a string cannot have as they are have shorter escapes.
    let character = char::from_u32(code).filter(|it| !it.is_control() && !['"', '\\'].contains(it))?;
    Some((character, length))
}

/// The code unit whose escape `text` begins with.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_spelled_out_in_strings_only() {
        for (text, spelled) in [
            (r#"{ a(b: "\uD83D\uDE00 \u{1F600}\u{e9}") }"#, "{ a(b: \"\u{1f600} \u{1f600}\u{e9}\") }"),
            (r#""\\uD83D\uDE00""#, r#""\\uD83D\uDE00""#),
            (
                r#""\uD83D" "\uDE00 \u00e9 \u{22} \u{110000} \u{""#,
                r#""\uD83D" "\uDE00 \u00e9 \u{22} \u{110000} \u{""#,
            ),
            (r"# \uD83D\uDE00", r"# \uD83D\uDE00"),
            (r#""""\uD83D\uDE00""""#, r#""""\uD83D\uDE00""""#),
        ] {
            assert_eq!(spell_out(text), spelled);
        }
    }
}
