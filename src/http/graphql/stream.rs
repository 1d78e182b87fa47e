//! Answers one after another, in the body of one response.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::answer::Answer;
use super::framing::Framing;
use super::operation::Answers;
use super::{expired, stopping};
use crate::auth::Viewer;
use crate::blocking::TRANSPORT;
use crate::error::Error;
use crate::http::App;
use crate::http::stream_body::{self, Piece, Pieces};

/// A response that sends each of `answers` as it comes.
///
/// The stream ends early, with an error, when the viewer's token expires; and when the server stops, in a way that makes
/// the client come again. What an answer holds of the memory is held until it is sent.
pub(super) fn render(app: &App, framing: Framing, answers: Answers, viewer: Option<&Viewer>) -> Response {
    let pieces = AnswerPieces { framing, answers, errors: app.0.options.limits.errors };
    // Sent at once, so that proxies and clients see that the stream is there.
    let opening = Bytes::from_static(framing.opening());
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(framing.content_type())),
        (VARY, HeaderValue::from_static("Accept")),
    ];
    (headers, stream_body::render(app, viewer, Some(opening), pieces)).into_response()
}

struct AnswerPieces {
    framing: Framing,
    answers: Answers,
    errors: usize,
}

impl Pieces for AnswerPieces {
    type Item = Answer;

    async fn next(&mut self) -> Option<Answer> {
        self.answers.next().await
    }

    async fn write(&mut self, answer: Option<Answer>) -> Piece {
        let Some(answer) = answer else {
            return Piece::last(Some(Bytes::from_static(self.framing.end())));
        };
        let (bytes, errors, framing) = (self.answers.bytes(&answer), self.errors, self.framing);
        let reservation = self.answers.release();
        let write = move |_: &_| (framing.answer(&answer, errors), reservation);
        match TRANSPORT.run(self.answers.principal(), bytes, write).await {
            Ok((bytes, reservation)) => Piece { bytes: Some(bytes), reservation, is_last: false },
            // The stream breaks off, and the client comes again.
            Err(error) => {
                Error::log(&error);
                Piece::last(None)
            }
        }
    }

    fn expired(&self) -> Bytes {
        self.framing.fatal(&expired(), self.errors)
    }

    fn interrupted(&self) -> Option<Bytes> {
        self.framing.interrupted(&stopping(), self.errors)
    }

    fn heartbeat(&self) -> &'static [u8] {
        self.framing.heartbeat()
    }
}
