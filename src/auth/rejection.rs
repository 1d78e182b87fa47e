//! Why a token is not accepted.

use std::{error::Error, fmt};

/// What the sender of a token learns when it is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The token was good and has expired: a new one will do.
    Expired,
    /// The token is not acceptable; the reason is not told.
    Invalid,
    /// No key has ever been fetched from the issuer, so nothing can be checked: our fault, worth a retry.
    KeysUnavailable,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the token has expired",
            Self::Invalid => "the token is not valid",
            Self::KeysUnavailable => "tokens cannot be checked at present",
        })
    }
}

impl Error for Rejection {}

/// The exact cause of a [`Rejection`], for our own debug log; it carries nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    TooLarge,
    NotCompact,
    Header,
    CriticalHeader,
    Algorithm,
    UnknownKey,
    Signature,
    NoKeys,
    Payload,
    Expiry,
    Expired,
    NotBefore,
    Issuer,
    Audience,
    RequiredClaim,
    User,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "it is too large",
            Self::NotCompact => "it is not three parts of base64url",
            Self::Header => "its header is malformed",
            Self::CriticalHeader => "its header asks for an extension",
            Self::Algorithm => "its algorithm is not accepted",
            Self::UnknownKey => "no known key signed it",
            Self::Signature => "its key did not sign it",
            Self::NoKeys => "no keys have been fetched yet",
            Self::Payload => "its payload is not an object with distinct names",
            Self::Expiry => "`exp` is missing or not a number",
            Self::Expired => "it has expired",
            Self::NotBefore => "`nbf` is in the future or not a number",
            Self::Issuer => "`iss` is not the configured issuer",
            Self::Audience => "`aud` does not name the configured audience",
            Self::RequiredClaim => "a required claim is missing or has another value",
            Self::User => "the user claim is missing or no user id",
        })
    }
}

impl From<Cause> for Rejection {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Expired => Self::Expired,
            Cause::NoKeys => Self::KeysUnavailable,
            _ => Self::Invalid,
        }
    }
}
