//! What the reader of events promises of any bytes.

use super::sse::{Event, Reader, TooLong};

/// Reads the bytes after the first as events: whole, byte by byte, and in pieces of as many bytes as the first says.
///
/// # Panics
/// If the pieces make a difference, or an event is empty, or the events are larger than what was read.
pub fn sse(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let whole = read([bytes]);
    assert_eq!(whole, read(bytes.chunks(1)));
    assert_eq!(whole, read(bytes.chunks(usize::from(*size).max(1))));
    let (events, _) = whole;
    assert!(events.iter().all(|event| !event.data.trim().is_empty()), "an empty event");
    // A byte that is no text becomes a character of three bytes.
    let total: usize = events.iter().map(|event| event.data.len()).sum();
    assert!(total <= 3 * bytes.len(), "events larger than what was read");
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Result<(), TooLong>) {
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    let fed = pieces.into_iter().try_for_each(|piece| reader.feed(piece, &mut events));
    let ended = fed.and_then(|()| reader.finish(&mut events));
    (events, ended)
}
