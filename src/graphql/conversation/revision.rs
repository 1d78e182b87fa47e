//! The revision of a conversation, opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

/// Which state of a conversation a client has seen.
pub(super) struct Revision(pub(super) i64);

impl Revision {
    /// The text for clients.
    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("v{}", self.0))
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let digits = std::str::from_utf8(bytes.strip_prefix(b"v")?).ok()?;
        let revision = Self(digits.parse().ok()?);
        // It has one spelling.
        (revision.encode() == text).then_some(revision)
    }

    /// The number in the input field `ifRevision`.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if it is no revision.
    pub(super) fn parse(text: Option<&str>) -> Result<Option<i64>, Error> {
        let invalid = || {
            let message = "`ifRevision` is not a revision; use one that a conversation has returned.";
            Error::input("ifRevision", message)
        };
        text.map(|text| Self::decode(text).map(|revision| revision.0).ok_or_else(invalid)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_has_one_spelling_and_no_other() {
        for number in [0, 1, 17, i64::MAX] {
            assert_eq!(Revision::parse(Some(&Revision(number).encode())).unwrap(), Some(number));
        }
        assert_eq!(Revision::parse(None).unwrap(), None);
        for bad in ["", "1", "v1", "djAx", "dis", "djE="] {
            assert!(Revision::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
