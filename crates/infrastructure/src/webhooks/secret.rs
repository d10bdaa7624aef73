//! A secret as text and as key.

use aws_lc_rs::hmac::{HMAC_SHA256, Key};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const PREFIX: &str = "whsec_";
/// Bytes of a fresh secret.
const FRESH_BYTES: usize = 32;
/// Bytes of a secret that the standard allows.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A fresh secret as text.
pub(super) fn fresh() -> String {
    let mut bytes = [0_u8; FRESH_BYTES];
    // The library ends the process when the system has no randomness; an error that passes is tried again, because a
    // guessable secret must never come out of here.
    while rand::fill(&mut bytes).is_err() {
        std::thread::yield_now();
    }
    format!("{PREFIX}{}", STANDARD.encode(bytes))
}

/// The key in a secret's text; `None` unless it has the standard's form.
pub(super) fn key(secret: &str) -> Option<Key> {
    let bytes = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    BYTES.contains(&bytes.len()).then(|| Key::new(HMAC_SHA256, &bytes))
}
