//! Ranges of positions on a path through a conversation.

use uuid::Uuid;

use super::Slice;

/// A range of positions on a path through a conversation.
///
/// Positions run from 1 to the path's length without gaps, so a page's bounds, and whether there is more on either
/// side, are known before a message is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PositionRange {
    /// The conversation.
    pub conversation: Uuid,
    /// The position of the first message.
    pub start: i64,
    /// The position after the last message.
    pub end: i64,
}

impl PositionRange {
    /// The range that `slice`, whose cursors are positions, asks for of a path with `length` messages.
    #[must_use]
    pub fn of(conversation: Uuid, length: i64, slice: &Slice<i64>) -> Self {
        let limit = i64::try_from(slice.limit).unwrap_or(i64::MAX);
        let all = 1..length.saturating_add(1);
        let mut start =
            slice.after.map_or(all.start, |place| place.saturating_add(1)).clamp(all.start, all.end);
        let mut end = slice.before.unwrap_or(all.end).clamp(start, all.end);
        if slice.from_end {
            start = start.max(end.saturating_sub(limit));
        } else {
            end = end.min(start.saturating_add(limit));
        }
        Self { conversation, start, end }
    }

    /// How many positions there are.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_range_is_what_slicing_the_list_of_positions_gives(
            length in 0i64..12,
            after in prop::option::of(-2i64..14),
            before in prop::option::of(-2i64..14),
            limit in 0u64..6,
            from_end: bool,
        ) {
            let slice = Slice { after, before, limit, from_end };
            let range = PositionRange::of(Uuid::nil(), length, &slice);
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
            prop_assert_eq!((range.start..range.end).collect::<Vec<_>>(), expected);
        }
    }
}
