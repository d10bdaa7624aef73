//! Keeps single values at a readable size.

use std::borrow::Cow;

use super::text::{MAX_SCANNED_BYTES, redact_patterns, redact_text};

/// The most bytes of one value in a log line or span, the notice included.
pub const MAX_VALUE_BYTES: usize = 4_096;

/// Room for the notice.
const NOTICE_BYTES: usize = 48;

/// Cuts a text that is longer than [`MAX_VALUE_BYTES`] and says how long it was.
pub fn truncate(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_VALUE_BYTES { Cow::Borrowed(text) } else { Cow::Owned(cut(text, text.len())) }
}

/// A text as it may be written down: without secrets, and cut to [`MAX_VALUE_BYTES`].
pub fn redact_and_truncate(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_SCANNED_BYTES {
        return match redact_text(text) {
            Cow::Borrowed(same) => truncate(same),
            Cow::Owned(redacted) if redacted.len() <= MAX_VALUE_BYTES => Cow::Owned(redacted),
            Cow::Owned(redacted) => Cow::Owned(cut(&redacted, text.len())),
        };
    }
    Cow::Owned(cut(&redact_patterns(prefix(text, MAX_SCANNED_BYTES)), text.len()))
}

fn cut(text: &str, whole_bytes: usize) -> String {
    format!("{}… [cut, {whole_bytes} bytes in all]", prefix(text, MAX_VALUE_BYTES - NOTICE_BYTES))
}

/// The longest start of `text` of at most `bytes` bytes that ends between characters.
pub(crate) fn prefix(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
