//! Secrets inside structured values.

use serde_json::Value;

use super::REDACTED;
use super::keys::{KeyClass, classify};
use super::text::{self, MAX_DEPTH};

/// Hides every secret in a value, however deep: by key, and by look inside texts. Tells whether anything changed.
pub fn redact_value(value: &mut Value) -> bool {
    redact_nested(value, 0)
}

pub(crate) fn redact_nested(value: &mut Value, depth: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => {
            let std::borrow::Cow::Owned(redacted) = text::redact_nested(text, depth) else {
                return false;
            };
            *text = redacted;
            true
        }
        // Deeper than anything that is read back: hidden as a whole rather than searched.
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => {
            *value = Value::String(REDACTED.to_owned());
            true
        }
        Value::Array(items) => changed(items.iter_mut().map(|item| redact_nested(item, depth + 1))),
        Value::Object(fields) => changed(fields.iter_mut().map(|(key, field)| redact_field(key, field, depth + 1))),
    }
}

/// Whether any part changed; every part is visited.
fn changed(parts: impl Iterator<Item = bool>) -> bool {
    parts.filter(|is_changed| *is_changed).count() > 0
}

fn redact_field(key: &str, value: &mut Value, depth: usize) -> bool {
    let is_hidden = match classify(key) {
        KeyClass::Plain => false,
        KeyClass::Secret => !is_harmless(value),
        KeyClass::Count => !is_harmless(value) && value.as_str().is_some_and(|text| text.parse::<f64>().is_err()),
    };
    if !is_hidden {
        return redact_nested(value, depth);
    }
    *value = Value::String(REDACTED.to_owned());
    true
}

/// Nothing is told by the absence of a secret or by a flag.
fn is_harmless(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(_)) || value.as_str() == Some("") || value.as_str() == Some(REDACTED)
}
