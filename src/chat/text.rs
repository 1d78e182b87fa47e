//! Checks of users' texts, and titles derived from them.

use crate::error::Error;
use crate::search;

/// How many characters a title may have.
pub(super) const TITLE_CHARS: usize = 200;

/// How many characters a comment on a reply may have.
const COMMENT_CHARS: usize = 2000;

/// How many characters a title that is derived from a message has at most.
const DERIVED_TITLE_CHARS: usize = 60;

/// Trims a message and checks that it has 1 to `limit` characters and no NUL, which PostgreSQL cannot store.
pub(super) fn message(content: &str, limit: usize) -> Result<&str, Error> {
    check("content", content.trim(), limit)
}

/// Trims instructions and checks that they have 1 to `limit` characters and no NUL.
pub(super) fn instructions(instructions: &str, limit: usize) -> Result<&str, Error> {
    check("instructions", instructions.trim(), limit)
}

/// Trims a title and checks that it has 1 to [`TITLE_CHARS`] characters, none of them a control character.
pub(super) fn title(title: &str) -> Result<&str, Error> {
    let title = check("title", title.trim(), TITLE_CHARS)?;
    if title.chars().any(char::is_control) {
        return Err(Error::input("title", "`title` must not contain control characters."));
    }
    Ok(title)
}

/// The title without case and accents, by which lists are ordered and filtered.
pub(super) fn title_key(title: &str) -> String {
    search::plain(title)
}

/// A part of a title to filter by, in the form of [`title_key`]. The empty text matches every title.
pub(super) fn title_part(part: &str) -> Result<String, Error> {
    if part.is_empty() {
        return Ok(String::new());
    }
    check("titleContains", part, TITLE_CHARS).map(title_key).map_err(|error| error.within("filter"))
}

/// Trims a comment and checks that it has at most [`COMMENT_CHARS`] characters; `None` if it is empty.
pub(super) fn comment(comment: &str) -> Result<Option<&str>, Error> {
    let comment = comment.trim();
    if comment.is_empty() { Ok(None) } else { check("comment", comment, COMMENT_CHARS).map(Some) }
}

fn check<'t>(name: &'static str, text: &'t str, limit: usize) -> Result<&'t str, Error> {
    if text.is_empty() {
        return Err(Error::input(name, format!("`{name}` must not be empty.")));
    }
    if text.contains('\0') {
        return Err(Error::input(name, format!("`{name}` must not contain NUL.")));
    }
    let count = text.chars().count();
    if count > limit {
        let message = format!("`{name}` must have at most {limit} characters; it has {count}.");
        return Err(Error::input(name, message));
    }
    Ok(text)
}

/// Checks that a key has 1 to 128 printable ASCII characters.
pub(super) fn idempotency_key(key: &str) -> Result<&str, Error> {
    let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if key.is_empty() || key.len() > 128 || !printable {
        let message = "`idempotencyKey` must have 1 to 128 printable ASCII characters.";
        return Err(Error::input("idempotencyKey", message));
    }
    Ok(key)
}

/// Derives a title from the first words of a message.
pub(super) fn derive_title(message: &str) -> String {
    let words = message.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut title = String::new();
    let mut count = 0;
    for word in words {
        let length = word.chars().count();
        if count > 0 && count + 1 + length > DERIVED_TITLE_CHARS {
            return title + "…";
        }
        if count > 0 {
            title.push(' ');
            count += 1;
        }
        if length > DERIVED_TITLE_CHARS {
            title.extend(word.chars().take(DERIVED_TITLE_CHARS));
            return title + "…";
        }
        title += word;
        count += length;
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_of_whole_first_words() {
        assert_eq!(derive_title("Hello\n\n  there\tyou"), "Hello there you");
        let long = derive_title(&"seven77 ".repeat(20));
        assert_eq!(long, "seven77 seven77 seven77 seven77 seven77 seven77 seven77…");
        assert_eq!(derive_title(&"長".repeat(100)), "長".repeat(60) + "…");
    }

    #[test]
    fn limits_count_characters_after_trimming() {
        assert_eq!(message(&format!("  {}\n", "é".repeat(5)), 5).unwrap(), "ééééé");
        for bad in ["", " \n ", "123456", "a\0b"] {
            assert!(message(bad, 5).is_err(), "{bad:?}");
        }
        assert!(title("a\nb").is_err());
        for (key, good) in [("a", true), ("", false), ("é", false), ("a b~", true), ("a\n", false)] {
            assert_eq!(idempotency_key(key).is_ok(), good, "{key:?}");
        }
        assert!(idempotency_key(&"k".repeat(128)).is_ok() && idempotency_key(&"k".repeat(129)).is_err());
    }
}
