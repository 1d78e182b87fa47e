//! Stretches of a conversation's active path.

use uuid::Uuid;

use super::Slice;
use crate::entity::{conversation, message};

/// A stretch of a conversation's active path.
///
/// Positions run from 1 to the conversation's last without a gap, so a page's bounds, and whether there is more
/// on either side, are known before a message is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The conversation.
    pub conversation: Uuid,
    /// The position of the first message.
    pub start: i64,
    /// The position after the last message.
    pub end: i64,
}

impl Span {
    /// The part of `conversation` that `slice`, whose places are positions, asks for.
    #[must_use]
    pub fn of(conversation: &conversation::Model, slice: &Slice<i64>) -> Self {
        let limit = i64::try_from(slice.limit).unwrap_or(i64::MAX);
        let all = 1..conversation.last_position.saturating_add(1);
        let mut start =
            slice.after.map_or(all.start, |place| place.saturating_add(1)).clamp(all.start, all.end);
        let mut end = slice.before.unwrap_or(all.end).clamp(start, all.end);
        if slice.from_end {
            start = start.max(end.saturating_sub(limit));
        } else {
            end = end.min(start.saturating_add(limit));
        }
        Self { conversation: conversation.id, start, end }
    }

    /// The last message alone.
    #[must_use]
    pub fn last_of(conversation: &conversation::Model) -> Self {
        let end = conversation.last_position.saturating_add(1);
        Self { conversation: conversation.id, start: conversation.last_position.max(1), end }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    pub(super) fn contains(&self, row: &message::Model) -> bool {
        row.conversation_id == self.conversation && (self.start..self.end).contains(&row.position)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn conversation(last_position: i64) -> conversation::Model {
        conversation::Model {
            user_id: String::new(),
            id: Uuid::nil(),
            title: None,
            title_key: String::new(),
            title_origin: None,
            last_position,
            read_position: 0,
            metadata: String::new(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            archived_at: None,
            pinned_at: None,
            deleted_at: None,
            erasing_at: None,
            erased_at: None,
            restored_revision: None,
            revision: 1,
        }
    }

    proptest! {
        #[test]
        fn a_span_is_what_slicing_the_list_of_positions_gives(
            length in 0i64..12,
            after in prop::option::of(-2i64..14),
            before in prop::option::of(-2i64..14),
            limit in 0u64..6,
            from_end: bool,
        ) {
            let slice = Slice { after, before, limit, from_end };
            let span = Span::of(&conversation(length), &slice);
            let mut expected: Vec<i64> = (1..=length)
                .filter(|place| after.is_none_or(|after| *place > after))
                .filter(|place| before.is_none_or(|before| *place < before))
                .collect();
            let limit = usize::try_from(limit).unwrap();
            if from_end {
                expected.drain(..expected.len().saturating_sub(limit));
            } else {
                expected.truncate(limit);
            }
            prop_assert_eq!((span.start..span.end).collect::<Vec<_>>(), expected);
        }
    }
}
