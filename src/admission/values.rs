//! How many values a JSON text has. Parsed, each takes many times what it is on the wire.

/// How many values a text may have, about: what stands before each, a bracket or a comma, is counted. A megabyte of empty
/// objects would take 85 in memory.
const VALUES: usize = 10_000;

/// Whether `json` has more values than a client may send. It need not be valid: a parser gets no further in it than
/// the place up to which this counts as it does.
pub(crate) fn are_too_many(json: &[u8]) -> bool {
    let (mut count, mut bytes) = (0, json.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b',' | b'[' | b'{' => count += 1,
            _ => {}
        }
    }
    count > VALUES
}

/// Leaves out the rest of a string, its closing quote included.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_commas_count_outside_of_strings() {
        let many = |item: &str| format!("[{}0]", item.repeat(VALUES - 1));
        assert!(!are_too_many(many("0,").as_bytes()));
        assert!(are_too_many(format!(" {} ,", many("0,")).as_bytes()));
        assert!(!are_too_many(many(r#""\",[{\\","#).as_bytes()));
        assert!(are_too_many(many("{},").as_bytes()));
        assert!(are_too_many("[".repeat(VALUES + 1).as_bytes()));
        assert!(!are_too_many(format!("\"{}", "[".repeat(VALUES + 1)).as_bytes()), "a string without end");
    }
}
