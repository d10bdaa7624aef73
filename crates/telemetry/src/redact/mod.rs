//! Keeps secrets out of everything that is written down: log lines, spans, stored payloads.
//!
//! A value is hidden when its key says so (`api_key`, `Authorization`, …) or when it looks like a secret itself
//! (`Bearer …`, `sk-…`, a password in an address). Counts of tokens are not secrets.

mod keys;
mod text;
mod truncate;
mod value;

#[cfg(test)]
mod tests;

pub use keys::{REDACTED, is_secret_key};
pub use text::redact_text;
pub use truncate::{MAX_VALUE_BYTES, redact_and_truncate, truncate};
pub use value::redact_value;

pub(crate) use keys::{KeyClass, classify};
