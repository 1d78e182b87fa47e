//! What the cursors promise of any bytes.

use std::fmt::Debug;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::shared::{Cursor, MessageCursor, QueueCursor, ReplyCursor, SiblingCursor};
use crate::chat::{ChangeCursor, ConversationCursor, SearchCursor};

/// Reads text, and the base64url of it, as each kind of cursor.
///
/// # Panics
/// If a cursor that was read is written as another one, or as a longer one, or leads to before the first place.
pub fn cursor(bytes: &[u8]) {
    for text in [String::from_utf8_lossy(bytes).into_owned(), URL_SAFE_NO_PAD.encode(bytes)] {
        assert!(
            MessageCursor::decode(&text).is_none_or(|cursor| cursor.position >= 0),
            "a place before the first"
        );
        check_cursor::<MessageCursor>(&text);
        check_cursor::<SiblingCursor>(&text);
        check_cursor::<QueueCursor>(&text);
        check_cursor::<ConversationCursor>(&text);
        check_cursor::<ChangeCursor>(&text);
        check_cursor::<ReplyCursor>(&text);
        check_cursor::<SearchCursor>(&text);
    }
}

fn check_cursor<C: Cursor + Debug + PartialEq>(text: &str) {
    if let Some(place) = C::decode(text) {
        let written = place.encode();
        assert!(written.len() <= text.len(), "a cursor grows");
        assert_eq!(C::decode(&written).as_ref(), Some(&place));
    }
}
