//! Places in lists, as clients carry them: opaque to them, and worthless in another user's hands.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeZone, Utc};
use uuid::Uuid;

use crate::chat::{
    ChangeCursor, ChangeKind, ConversationCursor, ConversationKey, ConversationOrder, SearchCursor,
};
use crate::error::Error;
use crate::reply::ReplyPosition;

/// A place in a list that has a text form.
pub(super) trait Cursor: Sized {
    /// The text for clients.
    fn encode(&self) -> String;

    /// The place that a text stands for, if it stands for one of this list.
    fn decode(text: &str) -> Option<Self>;

    /// Reads an argument.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if the text is no cursor of this list.
    fn parse(name: &str, text: Option<&str>) -> Result<Option<Self>, Error> {
        let refuse = || Error::BadUserInput(format!("`{name}` is not a cursor of this list."));
        text.map(|text| Self::decode(text).ok_or_else(refuse)).transpose()
    }
}

/// Message lists: the position in the conversation.
impl Cursor for i64 {
    fn encode(&self) -> String {
        encode_number('m', *self)
    }

    fn decode(text: &str) -> Option<Self> {
        decode_number('m', text)
    }
}

/// A place among siblings: the revision that made the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SiblingCursor(pub(super) i64);

impl Cursor for SiblingCursor {
    fn encode(&self) -> String {
        encode_number('s', self.0)
    }

    fn decode(text: &str) -> Option<Self> {
        decode_number('s', text).map(Self)
    }
}

fn encode_number(list: char, number: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}{number}"))
}

fn decode_number(list: char, text: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let digits = std::str::from_utf8(&bytes).ok()?.strip_prefix(list)?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// Conversation lists: the order, then what it goes by, then the id.
impl Cursor for ConversationCursor {
    fn encode(&self) -> String {
        let mut bytes = vec![b'c', tag_of(self.order)];
        bytes.extend(self.id.as_bytes());
        match &self.key {
            ConversationKey::Instant(instant) => bytes.extend(instant.timestamp_millis().to_be_bytes()),
            ConversationKey::Title(key) => bytes.extend(key.as_bytes()),
            ConversationKey::Pinned(pinned, instant) => {
                bytes.push(u8::from(*pinned));
                bytes.extend(instant.timestamp_millis().to_be_bytes());
            }
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (tag, rest) = bytes.strip_prefix(b"c")?.split_first()?;
        let order = ORDERS.into_iter().find(|order| tag_of(*order) == *tag)?;
        let (id, key) = rest.split_at_checked(16)?;
        let key = match order {
            ConversationOrder::TitleAsc | ConversationOrder::TitleDesc => {
                let key = std::str::from_utf8(key).ok().filter(|key| !key.contains('\0'))?;
                ConversationKey::Title(key.to_owned())
            }
            ConversationOrder::PinnedFirst => {
                let (pinned, instant) = key.split_first()?;
                ConversationKey::Pinned(*pinned == 1, instant_of(instant)?)
            }
            _ => ConversationKey::Instant(instant_of(key)?),
        };
        Some(Self { order, key, id: Uuid::from_slice(id).ok()? })
    }
}

const ORDERS: [ConversationOrder; 7] = [
    ConversationOrder::UpdatedAtDesc,
    ConversationOrder::UpdatedAtAsc,
    ConversationOrder::CreatedAtDesc,
    ConversationOrder::CreatedAtAsc,
    ConversationOrder::TitleAsc,
    ConversationOrder::TitleDesc,
    ConversationOrder::PinnedFirst,
];

/// What an order is called in cursors; clients keep them, so that the names must not change.
fn tag_of(order: ConversationOrder) -> u8 {
    match order {
        ConversationOrder::UpdatedAtDesc => b'U',
        ConversationOrder::UpdatedAtAsc => b'u',
        ConversationOrder::CreatedAtDesc => b'C',
        ConversationOrder::CreatedAtAsc => b'c',
        ConversationOrder::TitleAsc => b't',
        ConversationOrder::TitleDesc => b'T',
        ConversationOrder::PinnedFirst => b'P',
    }
}

/// An instant that both databases can hold: their own forms of instants have four digits for the year.
fn instant_of(millis: &[u8]) -> Option<DateTime<Utc>> {
    let instant = Utc.timestamp_millis_opt(i64::from_be_bytes(millis.try_into().ok()?)).single()?;
    let representable = DateTime::UNIX_EPOCH..DateTime::from_timestamp(253_402_300_800, 0)?;
    representable.contains(&instant).then_some(instant)
}

impl Cursor for ChangeCursor {
    fn encode(&self) -> String {
        let mut bytes = vec![match self.kind {
            ChangeKind::Conversation => b'C',
            ChangeKind::Message => b'M',
            ChangeKind::DeletedMessage => b'D',
        }];
        bytes.extend(self.revision.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (kind, rest) = bytes.split_first()?;
        let kind = match kind {
            b'C' => ChangeKind::Conversation,
            b'M' => ChangeKind::Message,
            b'D' => ChangeKind::DeletedMessage,
            _ => return None,
        };
        let (revision, id) = rest.split_at_checked(8)?;
        let revision = i64::from_be_bytes(revision.try_into().ok()?);
        Some(Self { revision, kind, id: Uuid::from_slice(id).ok()? })
    }
}

/// A place in one reply; the reply's id is in it, as the same place in another reply would mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReplyCursor {
    pub(super) reply: Uuid,
    pub(super) place: ReplyPosition,
}

impl Cursor for ReplyCursor {
    fn encode(&self) -> String {
        let mut bytes = vec![b'r'];
        bytes.extend(self.reply.as_bytes());
        bytes.extend(self.place.attempt.to_be_bytes());
        bytes.extend((self.place.offset as u64).to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (reply, place) = bytes.strip_prefix(b"r")?.split_at_checked(16)?;
        let (attempt, offset) = place.split_at_checked(4)?;
        let attempt = i32::from_be_bytes(attempt.try_into().ok()?);
        let offset = usize::try_from(u64::from_be_bytes(offset.try_into().ok()?)).ok()?;
        Some(Self { reply: Uuid::from_slice(reply).ok()?, place: ReplyPosition { attempt, offset } })
    }
}

impl Cursor for SearchCursor {
    fn encode(&self) -> String {
        let mut bytes = vec![b's'];
        bytes.extend(self.score.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (score, id) = bytes.strip_prefix(b"s")?.split_at_checked(8)?;
        let score = i64::from_be_bytes(score.try_into().ok()?);
        Some(Self { score, id: Uuid::from_slice(id).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_survive_the_journey(
            position in 0i64.., millis in 0i64..253_402_300_800_000, id: u128, pinned: bool, title in "[^\0]*",
        ) {
            prop_assert_eq!(i64::decode(&position.encode()), Some(position));
            let sibling = SiblingCursor(position);
            prop_assert_eq!(SiblingCursor::decode(&sibling.encode()), Some(sibling));
            prop_assert_eq!(i64::decode(&sibling.encode()), None);
            let instant = Utc.timestamp_millis_opt(millis).unwrap();
            for order in ORDERS {
                let key = match order {
                    ConversationOrder::TitleAsc | ConversationOrder::TitleDesc => ConversationKey::Title(title.clone()),
                    ConversationOrder::PinnedFirst => ConversationKey::Pinned(pinned, instant),
                    _ => ConversationKey::Instant(instant),
                };
                let place = ConversationCursor { order, key, id: Uuid::from_u128(id) };
                prop_assert_eq!(ConversationCursor::decode(&place.encode()), Some(place.clone()));
                prop_assert_eq!(i64::decode(&place.encode()), None);
                prop_assert_eq!(SearchCursor::decode(&place.encode()), None);
            }
            let hit = SearchCursor { score: position, id: Uuid::from_u128(id) };
            prop_assert_eq!(SearchCursor::decode(&hit.encode()), Some(hit));
            prop_assert_eq!(ConversationCursor::decode(&hit.encode()), None);
            prop_assert_eq!(ConversationCursor::decode(&position.encode()), None);
        }

        #[test]
        fn places_in_feeds_and_replies_survive_too(revision: i64, id: u128, attempt: i32, offset in 0usize..) {
            let id = Uuid::from_u128(id);
            for kind in [ChangeKind::Conversation, ChangeKind::Message, ChangeKind::DeletedMessage] {
                let place = ChangeCursor { revision, kind, id };
                prop_assert_eq!(ChangeCursor::decode(&place.encode()), Some(place));
            }
            let place = ReplyCursor { reply: id, place: ReplyPosition { attempt, offset } };
            prop_assert_eq!(ReplyCursor::decode(&place.encode()), Some(place));
            prop_assert_eq!(ChangeCursor::decode(&place.encode()), None);
        }

        #[test]
        fn nonsense_never_panics_or_goes_backwards(text in ".*", bytes: Vec<u8>) {
            for text in [text, URL_SAFE_NO_PAD.encode(bytes)] {
                prop_assert!(i64::decode(&text).is_none_or(|place| place >= 0));
                let _ = SearchCursor::decode(&text);
                let place = ConversationCursor::decode(&text);
                let good = place.is_none_or(|place| match place.key {
                    ConversationKey::Instant(at) | ConversationKey::Pinned(_, at) => at >= DateTime::UNIX_EPOCH,
                    ConversationKey::Title(key) => !key.contains('\0'),
                });
                prop_assert!(good);
            }
        }
    }
}
