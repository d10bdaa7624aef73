//! Secrets inside running text, recognised by their look or by the key before them.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::keys::{KeyClass, classify};
use super::{REDACTED, value};

/// Texts beyond this are cut first: nothing that long is shown anyway.
pub(crate) const MAX_SCANNED_BYTES: usize = 65_536;

/// JSON inside JSON is followed this far.
pub(crate) const MAX_DEPTH: usize = 32;

/// In order: cookies to the end of the line; a key that sounds secret and its value; schemes of the authorization
/// header; provider keys; JSON web tokens; the password of an address.
const PATTERN: &str = r#"(?x)
      (?P<cookie>  (?i: (?:set-)?cookie ) \\*["']? \s* : \s* \\*["']? ) [^\r\n"'\\]+
    | (?P<key>     [A-Za-z0-9_.\-]* (?i: api[_-]?key | password | passwd | passphrase | secret | token | authorization
                     | credential | private[_-]?key | access[_-]?key ) [A-Za-z0-9_.\-]* )
      (?P<between> \\*["']? \s* [:=]+ \s* )
      (?P<value>   (?i: bearer | basic | digest | negotiate ) \s+ [^\s,;"'}\\]+
                     | \\+" [^"\\]* (?: \\+" )? | " (?: [^"\\] | \\. )* "? | ' [^']* '? | [^\s,;&"'}\])\\]+ )
    | (?P<scheme>  \b (?i: bearer \s+ ) ) [^\s,;"'}\\]+
    | (?P<basic>   \b (?i: basic \s+ ) ) [A-Za-z0-9+/_\-]{16,} =*
    | \b sk- [A-Za-z0-9_\-]{4,}
    | \b sk_ (?: live | test ) _ [A-Za-z0-9]+
    | \b eyJ [A-Za-z0-9_\-]{4,} \. [A-Za-z0-9_\-]+ (?: \. [A-Za-z0-9_\-]* )?
    | (?P<user>    :// [^\s/:@"']* : ) [^\s/@"']+ (?P<at> @ )
"#;

#[expect(clippy::expect_used, reason = "the pattern is a constant, and every test of this module compiles it")]
static SECRETS: LazyLock<Regex> = LazyLock::new(|| Regex::new(PATTERN).expect("a valid pattern"));

/// A text without its secrets; borrowed when there were none. Texts that are JSON are searched by key.
pub fn redact_text(text: &str) -> Cow<'_, str> {
    redact_nested(text, 0)
}

pub(crate) fn redact_nested(text: &str, depth: usize) -> Cow<'_, str> {
    if text.len() > MAX_SCANNED_BYTES {
        let kept = super::truncate::prefix(text, MAX_SCANNED_BYTES);
        return Cow::Owned(format!("{}… [cut, {} bytes in all]", redact_patterns(kept), text.len()));
    }
    let trimmed = text.trim_start();
    if depth < MAX_DEPTH
        && (trimmed.starts_with('{') || trimmed.starts_with('['))
        && let Ok(mut parsed) = serde_json::from_str::<Value>(text)
    {
        let has_changed = value::redact_nested(&mut parsed, depth + 1);
        return if has_changed { Cow::Owned(parsed.to_string()) } else { Cow::Borrowed(text) };
    }
    redact_patterns(text)
}

pub(super) fn redact_patterns(text: &str) -> Cow<'_, str> {
    if !may_hold_secret(text) {
        return Cow::Borrowed(text);
    }
    match SECRETS.replace_all(text, replacement) {
        Cow::Owned(redacted) if redacted != text => Cow::Owned(redacted),
        _ => Cow::Borrowed(text),
    }
}

/// Ids and names, which are most of what is written, hold nothing that any part of the pattern could begin with.
fn may_hold_secret(text: &str) -> bool {
    let is_separator = |byte: u8| matches!(byte, b':' | b'=') || byte.is_ascii_whitespace() || !byte.is_ascii();
    text.bytes().any(is_separator) || ["sk-", "sk_", "eyJ"].iter().any(|start| text.contains(start))
}

fn replacement(found: &Captures<'_>) -> String {
    let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
    if let Some(key) = found.name("key") {
        let whole = found.get(0).map_or("", |whole| whole.as_str());
        return match classify(key.as_str()) {
            KeyClass::Plain => plain_pair(key.as_str(), whole),
            _ if is_redacted(part("value")) => whole.to_owned(),
            KeyClass::Count if is_number(part("value")) => whole.to_owned(),
            _ => format!("{}{}{}", key.as_str(), part("between"), quoted(part("value"))),
        };
    }
    format!("{}{}{}{}{REDACTED}{}", part("cookie"), part("scheme"), part("basic"), part("user"), part("at"))
}

/// A pair under a harmless key (`token_type: …`): its value may still look like a secret.
fn plain_pair(key: &str, whole: &str) -> String {
    let rest = whole.get(key.len()..).unwrap_or_default();
    format!("{key}{}", redact_patterns(rest))
}

/// Whether a value was hidden before; its closing bracket is no part of an unquoted value.
fn is_redacted(value: &str) -> bool {
    value.trim_start_matches(['\\', '"', '\'']).starts_with(REDACTED.trim_end_matches(']'))
}

fn is_number(value: &str) -> bool {
    let bare = value.trim_matches(['"', '\'', '\\']);
    bare.parse::<f64>().is_ok()
}

/// The replacement in the quotes of the value, so that JSON stays JSON.
fn quoted(value: &str) -> String {
    let open_length = value.len() - value.trim_start_matches(['\\', '"', '\'']).len();
    let close_length = value.len() - value.trim_end_matches(['\\', '"', '\'']).len();
    let open = value.get(..open_length).unwrap_or_default();
    let close = if open_length == value.len() { "" } else { value.get(value.len() - close_length..).unwrap_or_default() };
    format!("{open}{REDACTED}{close}")
}
