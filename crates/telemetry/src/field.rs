//! Fields of spans and events, redacted and cut as they come in.

use std::error::Error;
use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};

use crate::redact::{self, KeyClass, REDACTED, classify, redact_and_truncate};

/// A field's value, safe to be written down.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FieldValue {
    /// A text, without secrets and of bounded length.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A whole number that may be larger.
    Unsigned(u64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

/// Fields by name; a name that comes again replaces the earlier value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    entries: Vec<(&'static str, FieldValue)>,
}

impl Fields {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity) }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &FieldValue)> {
        self.entries.iter().map(|(name, value)| (*name, value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&FieldValue> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(FieldValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn set(&mut self, name: &'static str, value: FieldValue) {
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value,
            None => self.entries.push((name, value)),
        }
    }

    fn set_text(&mut self, name: &'static str, text: &str) {
        let is_hidden = match classify(name) {
            KeyClass::Plain => false,
            KeyClass::Secret => !text.is_empty(),
            KeyClass::Count => text.parse::<f64>().is_err(),
        };
        let value = if is_hidden { REDACTED.to_owned() } else { redact_and_truncate(text).into_owned() };
        self.set(name, FieldValue::Text(value));
    }

    fn set_number(&mut self, name: &'static str, value: FieldValue) {
        let is_hidden = redact::is_secret_key(name);
        self.set(name, if is_hidden { FieldValue::Text(REDACTED.to_owned()) } else { value });
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set_number(field.name(), FieldValue::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set_number(field.name(), FieldValue::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set_number(field.name(), FieldValue::Unsigned(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), FieldValue::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.set_text(field.name(), &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        self.set_text(field.name(), &text);
    }
}
