//! Server-sent events, from bytes cut anywhere.

use std::mem;

/// The longest line, in bytes.
const MAX_LINE: usize = 1 << 20;

/// The most data that one event may have, in bytes.
const MAX_EVENT: usize = 4 << 20;

/// One event that carries data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// The server named it `error`, or sent its data in a field of that name, as older llama.cpp does.
    pub(super) error: bool,
    /// The data, its lines joined by `\n`; not only white space.
    pub(super) data: String,
}

/// A line or an event that is longer than a sane server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Reads events. Comments and events without data leave no trace.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed right after it ends no further line.
    returned: bool,
    /// The first line is behind us, and with it the place of a byte order mark.
    begun: bool,
    error: bool,
    data: Option<String>,
}

impl Reader {
    /// Takes the next bytes and appends the events that they complete.
    pub(super) fn feed(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        while let Some(first) = bytes.first() {
            if mem::take(&mut self.returned) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + line.len() > MAX_LINE {
                return Err(TooLong);
            }
            let Some(ending) = rest.first() else {
                self.line.extend_from_slice(line);
                break;
            };
            self.returned = *ending == b'\r';
            bytes = &rest[1..];
            if self.line.is_empty() {
                self.end_line(line, events)?;
                continue;
            }
            self.line.extend_from_slice(line);
            let line = mem::take(&mut self.line);
            self.end_line(&line, events)?;
        }
        Ok(())
    }

    /// Takes the end of the bytes: an event that lacks its blank line, or its line's end, is complete now.
    pub(super) fn finish(&mut self, events: &mut Vec<Event>) -> Result<(), TooLong> {
        if !self.line.is_empty() {
            let line = mem::take(&mut self.line);
            self.end_line(&line, events)?;
        }
        self.dispatch(events);
        Ok(())
    }

    fn end_line(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
        if !mem::replace(&mut self.begun, true) {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        if bytes.is_empty() {
            self.dispatch(events);
            return Ok(());
        }
        let line = String::from_utf8_lossy(bytes);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.append(value),
            "event" => {
                self.error = value == "error";
                Ok(())
            }
            "error" => {
                self.error = true;
                self.append(value)
            }
            // Comments, `id`, `retry`, and what nobody knows.
            _ => Ok(()),
        }
    }

    fn append(&mut self, value: &str) -> Result<(), TooLong> {
        if self.data.as_ref().map_or(0, String::len) + value.len() > MAX_EVENT {
            return Err(TooLong);
        }
        match &mut self.data {
            None => self.data = Some(value.to_owned()),
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, events: &mut Vec<Event>) {
        let error = mem::take(&mut self.error);
        if let Some(data) = self.data.take()
            && !data.trim().is_empty()
        {
            events.push(Event { error, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, TooLong> {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        for piece in pieces {
            reader.feed(piece, &mut events)?;
        }
        reader.finish(&mut events)?;
        Ok(events)
    }

    fn data(text: &str) -> Vec<String> {
        let events = read([text.as_bytes()]).expect("short enough");
        events.into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn comments_and_empty_events_dispatch_nothing() {
        for silent in [
            ": OPENROUTER PROCESSING\n\n",
            ":\n\n",
            ":\r\n\r\n",
            ": keep-alive\n\n",
            "\n\n\n",
            "",
            "data:\n\n",
            "data\n\n",
            "data: \ndata: \n\n",
            "event: ping\n\n",
            "id: 1\nretry: 5\n\n",
            "unknown: x\n\n",
        ] {
            assert_eq!(data(silent), [""; 0], "{silent:?}");
        }
        assert_eq!(data(":\n\ndata: 1\n\n:\n\n"), ["1"]);
    }

    #[test]
    fn lines_end_in_any_way_and_data_needs_no_space() {
        for text in [
            "data: a\ndata: b\n\ndata: c\n\n",
            "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n",
            "data: a\rdata: b\r\rdata: c\r\r",
            "data:a\rdata:b\n\r\ndata:c\r\n\n",
        ] {
            assert_eq!(data(text), ["a\nb", "c"], "{text:?}");
        }
        assert_eq!(data("data:  two spaces: one goes\n\n"), [" two spaces: one goes"]);
    }

    #[test]
    fn the_last_event_may_lack_its_blank_line_or_its_line_end() {
        assert_eq!(data("data: [DONE]\n"), ["[DONE]"]);
        assert_eq!(data("data: 1\n\ndata: [DONE]"), ["1", "[DONE]"]);
    }

    #[test]
    fn errors_are_told_by_the_events_name_or_by_a_bare_field() {
        for (text, error) in [
            ("event: error\ndata: {}\n\n", true),
            ("data: {}\nevent: error\n\n", true),
            ("error: {}\n\n", true),
            ("event: message\ndata: {}\n\n", false),
            ("event: error\n\ndata: {}\n\n", false),
        ] {
            assert_eq!(read([text.as_bytes()]), Ok(vec![Event { error, data: "{}".to_owned() }]), "{text:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_broken_utf8_do_no_harm() {
        assert_eq!(data("\u{feff}data: a\n\ndata: \u{feff}b\n\n"), ["a", "\u{feff}b"]);
        assert_eq!(read([&b"data: a\xff\xc3\n\n"[..]]).expect("read")[0].data, "a\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_carriage_return_completes_an_event_at_once() {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        reader.feed(b"data: a\r\n\r", &mut events).expect("read");
        assert_eq!(events.len(), 1);
        reader.feed(b"\ndata: b\r\n\r\n", &mut events).expect("read");
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn lines_and_events_without_end_are_refused() {
        let long = vec![b'x'; MAX_LINE + 1];
        assert_eq!(read([&long[..]]), Err(TooLong));
        assert_eq!(read([&long[1..], b"\n"]), Ok(Vec::new()));
        assert_eq!(read(long.chunks(1000)), Err(TooLong));
        let lines = format!("data: {}\n", "x".repeat(MAX_LINE - 10)).repeat(5);
        assert_eq!(read([lines.as_bytes()]), Err(TooLong));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            text in "((data|event|error|id|)(:| :|: )[ a€😀{}\":]{0,6}(\n|\r|\r\n){0,3}){0,12}",
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(read(pieces), read([bytes]));
            prop_assert_eq!(read(bytes.chunks(1)), read([bytes]));
        }
    }
}
