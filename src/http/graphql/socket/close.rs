//! Why a socket is closed. The protocol's clients come again after some of the codes, and never after others.

use std::borrow::Cow;

use axum::extract::ws::{CloseFrame, Message};

use crate::auth::Rejection;
use crate::error::Error;

/// How many bytes a reason may have.
const REASON_BYTES: usize = 123;

/// A code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    reason: Cow<'static, str>,
}

impl Close {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    pub(super) const IDLE: Self = Self::new(1000, "Idle timeout");
    pub(super) const STOPPING: Self = Self::new(1001, "The server is shutting down");
    pub(super) const PROTOCOL: Self = Self::new(1002, "The frame breaks the protocol");
    pub(super) const NOT_UTF_8: Self = Self::new(1007, "The text is not UTF-8");
    pub(super) const TOO_LARGE: Self = Self::new(1009, "The message is too large");
    pub(super) const UNAVAILABLE: Self = Self::new(1013, "Try again later");
    pub(super) const TOO_MANY_MESSAGES: Self = Self::new(1013, "Too many messages");
    pub(super) const TOO_MANY_SOCKETS: Self = Self::new(1013, "Too many sockets are open");
    pub(super) const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    pub(super) const EXPIRED: Self = Self::new(4401, "The token has expired");
    pub(super) const OTHER_USER: Self = Self::new(4403, "Forbidden: the token is another user's");
    pub(super) const SUBPROTOCOL: Self = Self::new(4406, "Subprotocol not acceptable");
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    pub(super) const INIT_AGAIN: Self = Self::new(4429, "Too many initialisation requests");

    /// A message that is none of the protocol's.
    pub(super) fn bad_request(reason: &str) -> Self {
        let end = reason.floor_char_boundary(REASON_BYTES);
        Self { code: 4400, reason: Cow::Owned(reason[..end].to_owned()) }
    }

    /// An operation of this id is still running. Ids may be too long to be told whole.
    pub(super) fn taken(id: &str) -> Self {
        let end = id.floor_char_boundary(60);
        Self { code: 4409, reason: Cow::Owned(format!("Subscriber for {} already exists", &id[..end])) }
    }

    /// A token that is not accepted. One that is bad stays bad: the client must not try again with it.
    pub(super) fn rejected(error: &Error) -> Self {
        match error {
            Error::Rejected(Rejection::Expired) => Self::EXPIRED,
            error if error.is_unavailable() => Self::UNAVAILABLE,
            _ => Self::UNAUTHORIZED,
        }
    }

    /// What came is none of a WebSocket's frames, or too much; `None` if the connection itself is broken.
    pub(super) fn misread(error: &axum::Error) -> Option<Self> {
        use tungstenite::Error::{Capacity, Protocol, Utf8};
        use tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
        match std::error::Error::source(error)?.downcast_ref()? {
            Capacity(_) => Some(Self::TOO_LARGE),
            Utf8(_) => Some(Self::NOT_UTF_8),
            Protocol(ResetWithoutClosingHandshake) => None,
            Protocol(_) => Some(Self::PROTOCOL),
            _ => None,
        }
    }

    pub(super) fn frame(&self) -> Message {
        Message::Close(Some(CloseFrame { code: self.code, reason: self.reason.as_ref().into() }))
    }
}
