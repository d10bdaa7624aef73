//! Content addresses.

use sha2::{Digest, Sha256};

/// SHA-256 of some bytes in lower-case hexadecimal digits (64 of them).
#[must_use]
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        for nibble in [byte >> 4, byte & 15] {
            text.push(DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::sha256_hex;

    #[test]
    fn known_answer() {
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
