//! A look at a query's text before it is parsed: the parser calls itself for each nesting.

/// How deep brackets of any kind may lie within each other.
const NESTING: usize = 64;

/// How many bytes a name may have. Names are echoed: in data, in paths and in messages.
const NAME_BYTES: usize = 256;

/// What is too much about a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// What it is that there is too much of.
    pub(super) limit: &'static str,
    /// How much there may be.
    pub(super) maximum: u64,
}

/// Counts the tokens of `text`, and checks that they are at most `maximum`, with neither long names nor deep nesting.
///
/// It need not be a document: what is no token of the language counts as one for each byte.
pub(super) fn check(text: &str, maximum: u64) -> Result<u64, Excess> {
    let mut nesting = 0_usize;
    let mut count = 0;
    for token in Tokens(text) {
        count += 1;
        if count > maximum {
            return Err(Excess { limit: "number of tokens", maximum });
        }
        match token.as_bytes()[0] {
            b'(' | b'[' | b'{' => nesting += 1,
            b')' | b']' | b'}' => nesting = nesting.saturating_sub(1),
            first if is_name(first) && token.len() > NAME_BYTES => {
                return Err(Excess { limit: "longest name", maximum: NAME_BYTES as u64 });
            }
            _ => {}
        }
        if nesting > NESTING {
            return Err(Excess { limit: "nesting of brackets", maximum: NESTING as u64 });
        }
    }
    Ok(count)
}

/// The token that `text` begins with, at most 20 characters of it; empty at the end.
pub(super) fn first(text: &str) -> String {
    Tokens(text).next().unwrap_or_default().chars().take(20).collect()
}

/// The tokens of a text, without what lies between them. None of them is empty.
struct Tokens<'t>(&'t str);

impl<'t> Iterator for Tokens<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        self.0 = skip_ignored(self.0);
        let first = self.0.chars().next()?;
        let length = match first {
            '"' => string(self.0),
            '0'..='9' | '-' => run(self.0, |byte| is_name(byte) || b"+-.".contains(&byte)),
            _ if first.is_ascii() && is_name(first as u8) => run(self.0, is_name),
            '.' if self.0.starts_with("...") => 3,
            _ => first.len_utf8(),
        };
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(token)
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn run(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len()).max(1)
}

/// Leaves out white space, commas, byte order marks and comments.
fn skip_ignored(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches([' ', '\t', '\n', '\r', ',', '\u{feff}']);
        if !text.starts_with('#') {
            return text;
        }
        text = text.split_once(['\n', '\r']).map_or("", |(_, rest)| rest);
    }
}

/// The length of the string that `text` begins with, up to the end if it does not end.
fn string(text: &str) -> usize {
    let (quote, mut at) = if text.starts_with("\"\"\"") { ("\"\"\"", 3) } else { ("\"", 1) };
    let bytes = text.as_bytes();
    while at < bytes.len() {
        if bytes[at..].starts_with(quote.as_bytes()) {
            return at + quote.len();
        }
        at += match bytes[at] {
            // Only three quotes can be escaped in a block.
            b'\\' if quote.len() == 3 && bytes[at + 1..].starts_with(b"\"\"\"") => 4,
            b'\\' if quote.len() == 1 => 2,
            b'\n' if quote.len() == 1 => return at,
            _ => 1,
        };
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_those_of_the_language() {
        let text = "query($a:[Int!]=[1,-2.5e+3]){#no }\n...F@skip(if:true)s(x:\"a\\\"{\",y:\"\"\"{\\\"\"\"\n\"\"\")}";
        let tokens: Vec<&str> = Tokens(text).collect();
        let expected = [
            "query",
            "(",
            "$",
            "a",
            ":",
            "[",
            "Int",
            "!",
            "]",
            "=",
            "[",
            "1",
            "-2.5e+3",
            "]",
            ")",
            "{",
            "...",
            "F",
            "@",
            "skip",
            "(",
            "if",
            ":",
            "true",
            ")",
            "s",
            "(",
            "x",
            ":",
            "\"a\\\"{\"",
            "y",
            ":",
            "\"\"\"{\\\"\"\"\n\"\"\"",
            ")",
            "}",
        ];
        assert_eq!(tokens, expected);
        assert_eq!(check(text, 35), Ok(35));
        assert_eq!(check(text, 34).unwrap_err().limit, "number of tokens");
    }

    #[test]
    fn nesting_and_names_are_bounded() {
        let nested = |depth: usize| "[{".repeat(depth / 2);
        assert!(check(&nested(64), 1000).is_ok());
        assert_eq!(check(&nested(66), 1000).unwrap_err().limit, "nesting of brackets");
        assert!(check(&"{}".repeat(400), 1000).is_ok());
        assert!(check(&"n".repeat(256), 1).is_ok());
        assert_eq!(check(&"n".repeat(257), 1).unwrap_err().limit, "longest name");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_to_its_end(text in r#"[ -~\n\r"\\#.é{}\u{feff}]{0,60}"#) {
            let mut tokens = Tokens(&text);
            let total: usize = tokens.by_ref().map(str::len).sum();
            prop_assert!(tokens.0.is_empty());
            prop_assert!(total <= text.len());
            prop_assert!(Tokens(&text).all(|token| !token.is_empty()));
        }
    }
}
