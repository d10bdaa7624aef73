//! Server-sent events out of bytes that are cut anywhere.

/// Collects bytes and hands out whole events. The caller bounds how many bytes there are in all.
#[derive(Debug, Default)]
pub(super) struct SseDecoder {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are done with.
    start: usize,
    /// Bytes of `buffer` that are known to hold no line end, from `start` on.
    scanned: usize,
    /// Lines of data of the event that is being read.
    data: Vec<u8>,
    has_data: bool,
    is_error: bool,
    begun: bool,
    /// The last line ended with a carriage return: a line feed that follows belongs to it.
    after_return: bool,
}

/// A whole event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SseEvent {
    /// Its data; several lines are joined by a line feed.
    pub(super) data: Vec<u8>,
    /// Whether it is named `error`.
    pub(super) is_error: bool,
}

impl SseDecoder {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if !self.begun && self.buffer.len() >= MARK.len() {
            self.begun = true;
            if self.buffer.starts_with(MARK) {
                self.start = MARK.len();
                self.scanned = 0;
            }
        }
    }

    /// The next whole event, if its end has come.
    pub(super) fn next_event(&mut self) -> Option<SseEvent> {
        loop {
            let rest = self.buffer.get(self.start..)?;
            if self.after_return && rest.first() == Some(&b'\n') {
                self.start += 1;
                self.after_return = false;
                continue;
            }
            let unseen = rest.get(self.scanned..).unwrap_or_default();
            let Some(found) = unseen.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.scanned = rest.len();
                return None;
            };
            let end = self.start + self.scanned + found;
            let line = self.buffer.get(self.start..end).unwrap_or_default();
            self.after_return = self.buffer.get(end) == Some(&b'\r');
            let is_blank = line.is_empty();
            take_line(line, &mut self.data, &mut self.has_data, &mut self.is_error);
            self.start = end + 1;
            self.scanned = 0;
            if is_blank && let Some(event) = self.dispatch() {
                return Some(event);
            }
        }
    }

    /// The event that the end of the stream leaves behind, if it lacks only its blank line.
    pub(super) fn finish(&mut self) -> Option<SseEvent> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        take_line(rest, &mut self.data, &mut self.has_data, &mut self.is_error);
        self.start = self.buffer.len();
        self.dispatch()
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let is_error = std::mem::take(&mut self.is_error);
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.has_data).then_some(SseEvent { data, is_error })
    }
}

/// Comments, ids, retry times and unknown fields are left out.
fn take_line(line: &[u8], data: &mut Vec<u8>, has_data: &mut bool, is_error: &mut bool) {
    let colon = line.iter().position(|byte| *byte == b':');
    let (field, value) = match colon {
        Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default()),
        None => (line, &b""[..]),
    };
    let value = value.strip_prefix(b" ").unwrap_or(value);
    match field {
        b"data" => {
            if *has_data {
                data.push(b'\n');
            }
            data.extend_from_slice(value);
            *has_data = true;
        }
        b"event" => *is_error = value == b"error",
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(chunks: &[&[u8]]) -> Vec<(String, bool)> {
        let mut decoder = SseDecoder::default();
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(event) = decoder.next_event() {
                events.push(event);
            }
        }
        events.extend(decoder.finish());
        events.into_iter().map(|event| (String::from_utf8_lossy(&event.data).into_owned(), event.is_error)).collect()
    }

    fn data(texts: &[&str]) -> Vec<(String, bool)> {
        texts.iter().map(|text| ((*text).to_owned(), false)).collect()
    }

    #[test]
    fn events_are_the_same_wherever_the_bytes_are_cut() {
        let stream = "\u{feff}: hello\r\n\r\ndata: {\"a\":1}\r\n\r\nid: 3\ndata:two\ndata: lines\n\n\
                      event: ping\n\ndata:\n\ndata: 中文\rretry: 5\r\rdata: [DONE]\n\n"
            .as_bytes();
        let expected = data(&["{\"a\":1}", "two\nlines", "", "中文", "[DONE]"]);
        assert_eq!(decode(&[stream]), expected);
        for cut in 0..stream.len() {
            assert_eq!(decode(&[&stream[..cut], &stream[cut..]]), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode(&bytes), expected);
    }

    #[test]
    fn an_event_named_error_is_marked_and_the_next_is_not() {
        let stream = b"event: error\ndata: bad\n\ndata: good\n\n";
        assert_eq!(decode(&[stream]), [("bad".to_owned(), true), ("good".to_owned(), false)]);
    }

    #[test]
    fn the_last_event_may_lack_its_blank_line() {
        assert_eq!(decode(&[b"data: one\n\ndata: two"]), data(&["one", "two"]));
        assert_eq!(decode(&[b"data: one\n\ndata: two\n"]), data(&["one", "two"]));
        assert_eq!(decode(&[b"data: one\n\n: comment"]), data(&["one"]));
        assert_eq!(decode(&[b""]), data(&[]));
    }
}
