//! Writing an answer as JSON.

use async_graphql::resolver_utils::EnumType;
use async_graphql::{PathSegment, Pos, ServerError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::loads::{Loaded, Wanted};
use crate::blocking::Cancelled;
use crate::chat::{Chat, Metadata};
use crate::error::Error;
use crate::graphql::shared::Cursor;

/// The answer to a query, or to an event of a subscription.
pub(crate) struct WrittenAnswer {
    /// `{"data":` and the data, as JSON.
    pub(crate) data: Vec<u8>,
    pub(crate) errors: Vec<ServerError>,
}

/// Whether a value was written.
pub(crate) type Written = Result<(), Failure>;

/// Why a value could not be written. The nearest value around it that may be null is null instead.
pub(crate) enum Failure {
    /// The field itself has failed.
    Field(Error),
    /// A field below has failed. The error's path is in reverse, and ends below the field.
    Below(Box<ServerError>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Field(error)
    }
}

impl Failure {
    /// The error, which is about the field at `position` if it has no other place.
    pub(super) fn at(self, position: Pos) -> ServerError {
        match self {
            Self::Field(error) => async_graphql::Error::from(error).into_server_error(position),
            Self::Below(error) => *error,
        }
    }
}

/// What an answer begins with.
const ANSWER: &[u8] = b"{\"data\":";

/// An answer that is being written.
pub(crate) struct Json<'c> {
    pub(super) bytes: Vec<u8>,
    /// Of the fields that are null because of them. Their paths are in reverse.
    pub(super) errors: Vec<ServerError>,
    chat: &'c Chat,
    /// What was read for its fields.
    pub(super) loaded: Option<&'c Loaded>,
    /// What fields have named that was not read, if the plan is only walked for that.
    pub(super) wanted: Option<Wanted>,
    cancelled: &'c Cancelled<WrittenAnswer>,
}

impl<'c> Json<'c> {
    /// An empty answer of about `size` bytes, with what was read for its fields. The texts in it count against the budget of
    /// `chat`. Once it is `cancelled`, lists end early.
    pub(super) fn new(
        size: usize,
        chat: &'c Chat,
        loaded: Option<&'c Loaded>,
        cancelled: &'c Cancelled<WrittenAnswer>,
    ) -> Self {
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(ANSWER);
        Self { bytes, errors: Vec::new(), chat, loaded, wanted: None, cancelled }
    }

    /// What fields need that is not among what was read for them, as `walk` names it.
    pub(super) fn named(chat: &Chat, loaded: &Loaded, walk: impl FnOnce(&mut Json<'_>) -> Written) -> Wanted {
        let cancelled = Cancelled::never();
        let mut json = Json::new(0, chat, Some(loaded), &cancelled);
        json.wanted = Some(Wanted::default());
        // What has failed is said when the answer is written.
        let _ = walk(&mut json);
        json.wanted.unwrap_or_default()
    }

    /// Whether nothing is written, and fields only name what they need.
    pub(super) fn is_walk(&self) -> bool {
        self.wanted.is_some()
    }

    /// The answer, once its data are `written`. If they could not be, the error comes first.
    pub(super) fn finish(self, written: Written) -> WrittenAnswer {
        let (mut data, nulls) = (self.bytes, self.errors);
        let mut errors = Vec::new();
        if let Err(Failure::Below(error)) = written {
            data = [ANSWER, b"null"].concat();
            errors.push(*error);
        }
        errors.extend(nulls);
        for error in &mut errors {
            error.path.reverse();
        }
        WrittenAnswer { data, errors }
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Whose answer it is.
    pub(crate) fn chat(&self) -> &'c Chat {
        self.chat
    }

    /// What is JSON already.
    pub(super) fn raw(&mut self, json: &str) -> Written {
        self.bytes.extend_from_slice(json.as_bytes());
        Ok(())
    }

    /// A short text, which does not count.
    pub(crate) fn string(&mut self, text: &str) -> Written {
        self.value(text)
    }

    /// A text of any length, which counts against the budget.
    pub(crate) fn text(&mut self, text: &str) -> Written {
        self.chat.take(text.len())?;
        self.value(text)
    }

    pub(crate) fn boolean(&mut self, value: bool) -> Written {
        self.raw(if value { "true" } else { "false" })
    }

    pub(crate) fn number(&mut self, number: impl Serialize) -> Written {
        self.value(&number)
    }

    /// A list of short texts.
    pub(crate) fn strings(&mut self, texts: &[String]) -> Written {
        self.value(texts)
    }

    pub(crate) fn id(&mut self, id: Uuid) -> Written {
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        self.bytes.push(b'"');
        Ok(())
    }

    pub(crate) fn cursor(&mut self, cursor: &impl Cursor) -> Written {
        let bytes = cursor.to_bytes();
        // Four digits for three bytes.
        let start = self.bytes.len() + 1;
        self.bytes.push(b'"');
        self.bytes.resize(start + bytes.len() * 4 / 3 + 4, 0);
        let written = URL_SAFE_NO_PAD.encode_slice(&bytes, &mut self.bytes[start..]).unwrap_or(0);
        self.bytes.truncate(start + written);
        self.bytes.push(b'"');
        Ok(())
    }

    /// An instant, in the form of the scalar `DateTime`.
    pub(crate) fn instant(&mut self, at: DateTime<Utc>) -> Written {
        let (date, time) = (at.date_naive(), at.time());
        // What has no four digits is left to the library, and so are leap seconds.
        if !(0..10_000).contains(&date.year()) || time.nanosecond() >= 1_000_000_000 {
            return self.string(&at.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
        let mut text = *b"\"0000-00-00T00:00:00.000Z\"";
        let numbers = [
            (1, 4, date.year().unsigned_abs()),
            (6, 2, date.month()),
            (9, 2, date.day()),
            (12, 2, time.hour()),
            (15, 2, time.minute()),
            (18, 2, time.second()),
            (21, 3, time.nanosecond() / 1_000_000),
        ];
        for (start, digits, mut number) in numbers {
            for place in text[start..start + digits].iter_mut().rev() {
                *place += u8::try_from(number % 10).unwrap_or(0);
                number /= 10;
            }
        }
        self.bytes.extend_from_slice(&text);
        Ok(())
    }

    pub(crate) fn variant<E: EnumType>(&mut self, value: E) -> Written {
        let item = E::items().iter().find(|item| item.value == value);
        self.string(item.map_or("", |item| item.name))
    }

    /// A value, or `null`.
    pub(crate) fn optional<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T) -> Written,
    ) -> Written {
        match value {
            Some(value) => write(self, value),
            None => self.raw("null"),
        }
    }

    /// The metadata of a row, which count against the budget.
    pub(crate) fn metadata(&mut self, text: &str) -> Written {
        self.chat.take(text.len())?;
        if text == "{}" { self.raw(text) } else { self.value(&Metadata::read(text)) }
    }

    /// What `write` writes, or `null` if that fails.
    pub(super) fn nullable(&mut self, position: Pos, write: impl FnOnce(&mut Self) -> Written) -> Written {
        let start = self.bytes.len();
        if let Err(failure) = write(self) {
            self.bytes.truncate(start);
            self.errors.push(failure.at(position));
            return self.raw("null");
        }
        Ok(())
    }

    /// Writes what has this place in the answer. Like the library, which gives a list's errors the path of its item, it may
    /// `stop` there.
    pub(super) fn within(
        &mut self,
        segment: impl Fn() -> PathSegment,
        position: Pos,
        stop: bool,
        write: impl FnOnce(&mut Self) -> Written,
    ) -> Written {
        let earlier = self.errors.len();
        let written = write(self);
        for error in &mut self.errors[earlier..] {
            error.path.push(segment());
        }
        written.map_err(|failure| {
            let mut error = failure.at(position);
            if stop {
                error.path.clear();
            }
            error.path.push(segment());
            Failure::Below(Box::new(error))
        })
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let written = serde_json::to_writer(&mut self.bytes, value);
        written.map_err(|error| Failure::Field(Error::Internal(error.to_string())))
    }
}
