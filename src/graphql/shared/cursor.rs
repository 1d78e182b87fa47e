//! Cursors, opaque to clients, and worthless in another user's hands.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeZone, Utc};
use uuid::Uuid;

use crate::chat::{
    ChangeCursor, ChangeKind, ConversationCursor, ConversationKey, ConversationOrder, QueuePosition,
    SearchCursor,
};
use crate::error::Error;
use crate::reply::ReplyPosition;

/// A position in a list, written as base64url of its bytes. Clients keep cursors, so that the bytes must not change.
pub(crate) trait Cursor: Sized {
    fn to_bytes(&self) -> Vec<u8>;

    /// The position, if the bytes are those of a cursor of this list.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.to_bytes())
    }

    fn decode(text: &str) -> Option<Self> {
        Self::from_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?)
    }

    /// Reads the argument `name`.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if the text is no cursor of this list.
    fn parse(name: &'static str, text: Option<&str>) -> Result<Option<Self>, Error> {
        Self::parse_key(name, text, Some)
    }

    /// Reads of the argument `name` what the list goes by; `key` is `None` for a cursor of another list.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] if the text is no cursor of this list.
    fn parse_key<K>(
        name: &'static str,
        text: Option<&str>,
        key: impl Fn(Self) -> Option<K>,
    ) -> Result<Option<K>, Error> {
        let invalid = || {
            let message =
                format!("`{name}` is not a cursor of this list; use one that the same list has returned.");
            Error::input(name, message)
        };
        text.map(|text| Self::decode(text).and_then(&key).ok_or_else(invalid)).transpose()
    }
}

/// In a list of messages: the position on a branch. The conversation and the branch belong to it, as the same position
/// elsewhere means another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageCursor {
    pub(crate) conversation: Uuid,
    /// The last message of the branch; `None` for the active path.
    pub(crate) leaf: Option<Uuid>,
    pub(crate) position: i64,
}

impl Cursor for MessageCursor {
    fn to_bytes(&self) -> Vec<u8> {
        let leaf = self.leaf.as_ref().map_or(&[][..], |leaf| leaf.as_bytes());
        [b"m", &self.conversation.as_bytes()[..], &self.position.to_be_bytes(), leaf].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (conversation, rest) = bytes.strip_prefix(b"m")?.split_at_checked(16)?;
        let (position, leaf) = rest.split_at_checked(8)?;
        Some(Self {
            conversation: Uuid::from_slice(conversation).ok()?,
            leaf: if leaf.is_empty() { None } else { Some(Uuid::from_slice(leaf).ok()?) },
            position: parse_count(position)?,
        })
    }
}

/// In a list of siblings: the revision that made the message, and what the siblings have in common: their parent, or
/// the conversation of first messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiblingCursor {
    pub(crate) group: Uuid,
    pub(crate) revision: i64,
}

impl Cursor for SiblingCursor {
    fn to_bytes(&self) -> Vec<u8> {
        [b"v", &self.group.as_bytes()[..], &self.revision.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (group, revision) = bytes.strip_prefix(b"v")?.split_at_checked(16)?;
        Some(Self { group: Uuid::from_slice(group).ok()?, revision: parse_count(revision)? })
    }
}

/// In the queue of a conversation: the place of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueCursor {
    pub(crate) conversation: Uuid,
    pub(crate) place: QueuePosition,
}

impl Cursor for QueueCursor {
    fn to_bytes(&self) -> Vec<u8> {
        let QueuePosition { position, id } = self.place;
        [b"q", &self.conversation.as_bytes()[..], &position.to_be_bytes(), id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (conversation, rest) = bytes.strip_prefix(b"q")?.split_at_checked(16)?;
        let (position, id) = rest.split_at_checked(8)?;
        let place = QueuePosition { position: parse_count(position)?, id: Uuid::from_slice(id).ok()? };
        Some(Self { conversation: Uuid::from_slice(conversation).ok()?, place })
    }
}

fn parse_count(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?)).filter(|count| *count >= 0)
}

/// The order of the list, the id, then what the list goes by.
impl Cursor for ConversationCursor {
    fn to_bytes(&self) -> Vec<u8> {
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
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
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
    fn to_bytes(&self) -> Vec<u8> {
        let kind = match self.kind {
            ChangeKind::Conversation => b"C",
            ChangeKind::Message => b"M",
            ChangeKind::DeletedMessage => b"D",
        };
        [&kind[..], &self.revision.to_be_bytes(), self.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
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

/// A reader's position in one reply. It has the reply's id, as the same position in another reply would mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyCursor {
    pub(crate) reply: Uuid,
    pub(crate) position: ReplyPosition,
}

impl Cursor for ReplyCursor {
    fn to_bytes(&self) -> Vec<u8> {
        let ReplyPosition { attempt, text, reasoning, calls } = self.position;
        let [text, reasoning, calls] = [text, reasoning, calls].map(|size| (size as u64).to_be_bytes());
        [b"r", &self.reply.as_bytes()[..], &attempt.to_be_bytes(), &text, &reasoning, &calls].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (reply, position) = bytes.strip_prefix(b"r")?.split_at_checked(16)?;
        let (attempt, sizes) = position.split_at_checked(4)?;
        let (text, sizes) = sizes.split_at_checked(8)?;
        let (reasoning, calls) = sizes.split_at_checked(8)?;
        let size = |bytes: &[u8]| usize::try_from(u64::from_be_bytes(bytes.try_into().ok()?)).ok();
        let attempt = i32::from_be_bytes(attempt.try_into().ok()?);
        let position =
            ReplyPosition { attempt, text: size(text)?, reasoning: size(reasoning)?, calls: size(calls)? };
        Some(Self { reply: Uuid::from_slice(reply).ok()?, position })
    }
}

impl Cursor for SearchCursor {
    fn to_bytes(&self) -> Vec<u8> {
        [&b"s"[..], &self.score.to_be_bytes(), self.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
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
        fn cursors_survive_the_journey(
            position in 0i64.., millis in 0i64..253_402_300_800_000, id: u128, pinned: bool, title in "[^\0]*",
        ) {
            let conversation = Uuid::from_u128(id);
            let message = MessageCursor { conversation, leaf: None, position };
            prop_assert_eq!(MessageCursor::decode(&message.encode()), Some(message));
            let of_branch = MessageCursor { leaf: Some(Uuid::from_u128(!id)), ..message };
            prop_assert_eq!(MessageCursor::decode(&of_branch.encode()), Some(of_branch));
            let sibling = SiblingCursor { group: conversation, revision: position };
            prop_assert_eq!(SiblingCursor::decode(&sibling.encode()), Some(sibling));
            prop_assert_eq!(MessageCursor::decode(&sibling.encode()), None);
            let place = QueuePosition { position, id: Uuid::from_u128(!id) };
            let queued = QueueCursor { conversation, place };
            prop_assert_eq!(QueueCursor::decode(&queued.encode()), Some(queued));
            prop_assert_eq!(MessageCursor::decode(&queued.encode()), None);
            prop_assert_eq!(SearchCursor::decode(&sibling.encode()), None);
            let instant = Utc.timestamp_millis_opt(millis).unwrap();
            for order in ORDERS {
                let key = match order {
                    ConversationOrder::TitleAsc | ConversationOrder::TitleDesc => ConversationKey::Title(title.clone()),
                    ConversationOrder::PinnedFirst => ConversationKey::Pinned(pinned, instant),
                    _ => ConversationKey::Instant(instant),
                };
                let place = ConversationCursor { order, key, id: Uuid::from_u128(id) };
                prop_assert_eq!(ConversationCursor::decode(&place.encode()), Some(place.clone()));
                prop_assert_eq!(MessageCursor::decode(&place.encode()), None);
                prop_assert_eq!(SearchCursor::decode(&place.encode()), None);
            }
            let hit = SearchCursor { score: position, id: Uuid::from_u128(id) };
            prop_assert_eq!(SearchCursor::decode(&hit.encode()), Some(hit));
            prop_assert_eq!(ConversationCursor::decode(&hit.encode()), None);
            prop_assert_eq!(ConversationCursor::decode(&message.encode()), None);
        }

        #[test]
        fn places_in_feeds_and_replies_survive_too(
            revision: i64, id: u128, attempt: i32, text: usize, reasoning: usize, calls: usize,
        ) {
            let id = Uuid::from_u128(id);
            for kind in [ChangeKind::Conversation, ChangeKind::Message, ChangeKind::DeletedMessage] {
                let place = ChangeCursor { revision, kind, id };
                prop_assert_eq!(ChangeCursor::decode(&place.encode()), Some(place));
            }
            let place = ReplyCursor { reply: id, position: ReplyPosition { attempt, text, reasoning, calls } };
            prop_assert_eq!(ReplyCursor::decode(&place.encode()), Some(place));
            prop_assert_eq!(ChangeCursor::decode(&place.encode()), None);
        }

        #[test]
        fn nonsense_never_panics_or_goes_backwards(text in ".*", bytes: Vec<u8>) {
            for text in [text, URL_SAFE_NO_PAD.encode(bytes)] {
                prop_assert!(MessageCursor::decode(&text).is_none_or(|cursor| cursor.position >= 0));
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
