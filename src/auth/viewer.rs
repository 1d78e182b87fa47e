//! Who is behind a request.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use ring::digest;

/// A user's id as the issuer spells it: 1 to 255 characters, any Unicode except control characters.
///
/// Ids are compared byte for byte: neither case nor Unicode form is folded. Cheap to clone. Its `Debug` shows
/// [`log_id`](Self::log_id), never the id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// The most characters (Unicode scalar values) an id may have.
    pub const MAX_CHARS: usize = 255;

    /// Checks `id`; the error says what is wrong without repeating it.
    pub fn new(id: &str) -> Result<Self, String> {
        if id.is_empty() {
            return Err("a user id needs at least one character".into());
        }
        if id.chars().nth(Self::MAX_CHARS).is_some() {
            return Err(format!("a user id has at most {} characters", Self::MAX_CHARS));
        }
        if id.chars().any(char::is_control) {
            return Err("a user id has no control characters".into());
        }
        Ok(Self(id.into()))
    }

    /// The id itself; never to be logged.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A stand-in for logs: the first 12 hexadecimal digits of the id's SHA-256.
    ///
    /// It is the same on every server and after every restart, so an operator who knows an id can find its
    /// lines. It hides ids from a reader of logs, but does not stop one who guesses ids and compares.
    #[must_use]
    pub fn log_id(&self) -> String {
        let digest = digest::digest(&digest::SHA256, self.0.as_bytes());
        let number =
            digest.as_ref().iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{number:012x}")
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserId").field(&format_args!("{}", self.log_id())).finish()
    }
}

/// The authenticated user behind a request, and how long that holds. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    id: UserId,
    plan: Arc<str>,
    expires_at: DateTime<Utc>,
}

/// The plan of those whose token names none.
pub(super) const DEFAULT_PLAN: &str = "default";

impl Viewer {
    /// A viewer whom the caller has authenticated by its own means.
    #[must_use]
    pub fn new(id: UserId, expires_at: DateTime<Utc>) -> Self {
        Self { id, plan: DEFAULT_PLAN.into(), expires_at }
    }

    /// The same viewer with a plan.
    #[must_use]
    pub fn with_plan(self, plan: &str) -> Self {
        Self { plan: plan.into(), ..self }
    }

    /// The plan, which says what assistants the user may choose, and how much they may use.
    #[must_use]
    pub fn plan(&self) -> &str {
        &self.plan
    }

    /// The user's id; never to be logged.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The user's id as a checked value.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.id
    }

    /// A stand-in for the id in logs, see [`UserId::log_id`].
    #[must_use]
    pub fn log_id(&self) -> String {
        self.id.log_id()
    }

    /// The token's `exp`, to the millisecond.
    ///
    /// A token is accepted until [`LEEWAY`](super::LEEWAY) later, so this may lie a little in the past. It is
    /// [`DateTime::<Utc>::MAX_UTC`] when `exp` is beyond what a date can hold.
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(UserId::new("").is_err());
        assert!(UserId::new("a").is_ok());
        assert!(UserId::new(&"🦜".repeat(255)).is_ok());
        assert!(UserId::new(&"a".repeat(256)).is_err());
    }

    #[test]
    fn control_characters_are_refused() {
        for bad in ["\0", "a\nb", "tab\t", "\u{7f}", "\u{85}"] {
            assert!(UserId::new(bad).is_err(), "{bad:?}");
        }
        for good in [" ", "auth0|abc", "zoë@example.com", "家族", "👩‍👩‍👧"] {
            assert_eq!(UserId::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn logs_show_a_hash() {
        let viewer = Viewer::new(UserId::new("abc").unwrap(), DateTime::UNIX_EPOCH);
        assert_eq!(viewer.log_id(), "ba7816bf8f01", "the SHA-256 of `abc` is well known");
        let debug = format!("{viewer:?}");
        assert!(debug.contains("UserId(ba7816bf8f01)"), "{debug}");
        assert!(!debug.contains("abc"), "{debug}");
    }
}
