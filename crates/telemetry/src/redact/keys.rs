//! Which keys name secrets.

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// What a key says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyClass {
    /// Nothing.
    Plain,
    /// It is a secret, whatever it looks like.
    Secret,
    /// It is a secret unless it is a number: `max_tokens`.
    Count,
}

/// Words that make a key a secret wherever they stand in it, letters and digits only.
const SECRET_WORDS: &[&str] =
    &["apikey", "authorization", "password", "passwd", "passphrase", "secret", "cookie", "credential", "privatekey", "accesskey"];

/// Keys that hold such a word but only tell which secret was meant.
const IDENTIFIERS: &[&str] = &["apikeyid", "apikeyprefix", "apikeyname"];

/// Endings of keys around tokens that are about kinds, not values.
const TOKEN_KINDS: &[&str] = &["tokentype", "tokenizer", "tokenization"];

/// Parts of keys that count tokens.
const TOKEN_COUNTS: &[&str] = &["tokens", "tokencount", "tokenlimit", "tokenusage", "tokenbudget", "pertoken", "outputtoken"];

/// Whether a value under this key is always hidden. Upper and lower case, `-` and `_` are alike.
pub fn is_secret_key(key: &str) -> bool {
    classify(key) == KeyClass::Secret
}

pub(crate) fn classify(key: &str) -> KeyClass {
    // Almost every key of a log line is short and plain; longer ones are cut where a word can no longer matter.
    let plain = normalised(key);
    if IDENTIFIERS.iter().any(|identifier| plain.ends_with(identifier)) {
        return KeyClass::Plain;
    }
    if SECRET_WORDS.iter().any(|word| plain.contains(word)) {
        return KeyClass::Secret;
    }
    if !plain.contains("token") {
        return KeyClass::Plain;
    }
    let last = normalised(key.rsplit('.').next().unwrap_or(key));
    if !last.contains("token") || TOKEN_KINDS.iter().any(|kind| last.ends_with(kind)) {
        KeyClass::Plain
    } else if TOKEN_COUNTS.iter().any(|part| last.contains(part)) {
        KeyClass::Count
    } else {
        KeyClass::Secret
    }
}

fn normalised(key: &str) -> String {
    const LONGEST: usize = 256;
    key.chars().take(LONGEST).filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect()
}
