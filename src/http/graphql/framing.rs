//! How the answers of a stream are told apart: as server-sent events, in the "distinct connections" mode of `graphql-sse`,
//! or as the parts of `multipart/mixed`, in Apollo's protocol for subscriptions.

use bytes::Bytes;
use serde_json::json;

use super::answer::{Answer, ResponseShape, write_json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `text/event-stream`.
    Events,
    /// `multipart/mixed;subscriptionSpec=1.0`.
    Multipart,
}

impl Framing {
    /// The value of `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream; charset=utf-8",
            Self::Multipart => "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0",
        }
    }

    /// What comes first.
    pub(super) fn opening(self) -> &'static [u8] {
        match self {
            Self::Events => COMMENT,
            Self::Multipart => DELIMITER,
        }
    }

    /// What is sent when there has been no answer for a while.
    pub(super) fn heartbeat(self) -> &'static [u8] {
        match self {
            Self::Events => COMMENT,
            Self::Multipart => b"\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql",
        }
    }

    /// What comes after the last answer.
    pub(super) fn end(self) -> &'static [u8] {
        match self {
            Self::Events => COMPLETE,
            Self::Multipart => CLOSE,
        }
    }

    /// One answer, with at most `errors` errors.
    pub(super) fn answer(self, answer: &Answer, errors: usize) -> Bytes {
        self.write(answer, errors).into()
    }

    /// The last answer of a stream that cannot go on.
    pub(super) fn fatal(self, answer: &Answer, errors: usize) -> Bytes {
        let mut bytes = match self {
            Self::Events => self.write(answer, errors),
            Self::Multipart => {
                // What is not the answer of an operation stands beside the payload, which is then null.
                let errors = ResponseShape::new(answer, errors).errors;
                part(|bytes| write_json(bytes, &json!({ "payload": null, "errors": errors })))
            }
        };
        bytes.extend_from_slice(self.end());
        bytes.into()
    }

    /// What ends a stream for which the client is to come again. An event stream just breaks off, upon which its clients do
    /// so by themselves.
    pub(super) fn interrupted(self, answer: &Answer, errors: usize) -> Option<Bytes> {
        (self == Self::Multipart).then(|| self.fatal(answer, errors))
    }

    fn write(self, answer: &Answer, errors: usize) -> Vec<u8> {
        let shape = ResponseShape::new(answer, errors);
        match self {
            // JSON of serde's has no line breaks, so one line holds it all.
            Self::Events => write(b"event: next\ndata: ", |bytes| shape.write(bytes), b"\n\n"),
            Self::Multipart => part(|bytes| {
                bytes.extend_from_slice(b"{\"payload\":");
                shape.write(bytes);
                bytes.push(b'}');
            }),
        }
    }
}

/// How many bytes an answer with a word has, and what is around it.
const PIECE_BYTES: usize = 512;

const COMMENT: &[u8] = b":\n\n";

/// Browsers pass an event on only if it has data, be it empty.
const COMPLETE: &[u8] = b"event: complete\ndata: \n\n";

/// What stands between parts. It follows each part at once, because a client knows only by it that the part is whole.
const DELIMITER: &[u8] = b"\r\n--graphql";

/// What turns the last delimiter into the end.
const CLOSE: &[u8] = b"--\r\n";

fn part(content: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    write(b"\r\ncontent-type: application/json\r\n\r\n", content, DELIMITER)
}

fn write(before: &[u8], content: impl FnOnce(&mut Vec<u8>), after: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PIECE_BYTES);
    bytes.extend_from_slice(before);
    content(&mut bytes);
    bytes.extend_from_slice(after);
    bytes
}
