//! Texts with `{name}` in them, read once and filled many times.
//!
//! A value never changes the structure of what it is put into: it is percent-encoded as one part of a path or of a query.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use thiserror::Error;

/// A text with places for arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Argument(String),
}

/// Why a text is no template, or a template cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A brace without its other half.
    #[error("`{{` and `}}` come in pairs around a name")]
    LooseBrace,
    /// What stands in the braces is no name.
    #[error("`{{{0}}}` is no name: letters, digits, `_` and `-`, beginning with a letter or `_`")]
    NotAName(String),
    /// The call has no such argument.
    #[error("the argument `{0}` is missing")]
    Missing(String),
    /// An argument that is a list or an object.
    #[error("the argument `{0}` must be a text, a number, true or false")]
    NotPlain(String),
    /// An argument that would leave a part of the path empty.
    #[error("the argument `{0}` must not be empty")]
    Empty(String),
    /// Arguments that make a part of the path `.` or `..`.
    #[error("the arguments must not make a part of the path `.` or `..`")]
    DotSegment,
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// Braces that are not around a name.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(open);
            let inner = from.strip_prefix('{').ok_or(TemplateError::LooseBrace)?;
            let (name, after) = inner.split_once('}').ok_or(TemplateError::LooseBrace)?;
            if !is_name(name) {
                return Err(TemplateError::NotAName(name.chars().take(40).collect()));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Argument(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    /// The names in braces, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Argument(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with every value percent-encoded. The template's own text stays as it is.
    ///
    /// # Errors
    /// A missing argument, or one that is no plain value.
    pub fn encoded(&self, arguments: &Map<String, Value>) -> Result<String, TemplateError> {
        self.fill(arguments, true)
    }

    /// As [`Self::encoded`], for the path of an address: no value may be empty.
    ///
    /// # Errors
    /// As [`Self::encoded`], and an empty value.
    pub fn encoded_path(&self, arguments: &Map<String, Value>) -> Result<String, TemplateError> {
        for name in self.names() {
            if plain(name, arguments)?.is_empty() {
                return Err(TemplateError::Empty(name.to_owned()));
            }
        }
        let path = self.fill(arguments, true)?;
        // A dot cannot be hidden in an encoding: readers of addresses undo it first.
        if path.split(['/', '\\']).any(is_dot_segment) { Err(TemplateError::DotSegment) } else { Ok(path) }
    }

    /// The text with every value as it is; for places that encode the whole afterwards.
    ///
    /// # Errors
    /// As [`Self::encoded`].
    pub fn plain(&self, arguments: &Map<String, Value>) -> Result<String, TemplateError> {
        self.fill(arguments, false)
    }

    fn fill(&self, arguments: &Map<String, Value>, encode: bool) -> Result<String, TemplateError> {
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Argument(name) if encode => percent_encode(&plain(name, arguments)?, &mut filled),
                Piece::Argument(name) => filled.push_str(&plain(name, arguments)?),
            }
        }
        Ok(filled)
    }
}

/// Whether a part of a path means this folder or the one above, also with encoded dots.
pub(super) fn is_dot_segment(segment: &str) -> bool {
    let dots = segment.to_ascii_lowercase().replace("%2e", ".");
    dots == "." || dots == ".."
}

/// Appends a value so that nothing in it has a meaning in an address: only RFC 3986's unreserved characters stay.
pub(super) fn percent_encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

fn is_name(name: &str) -> bool {
    let first = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn plain(name: &str, arguments: &Map<String, Value>) -> Result<String, TemplateError> {
    match arguments.get(name) {
        None | Some(Value::Null) => Err(TemplateError::Missing(name.to_owned())),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Bool(truth)) => Ok(truth.to_string()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Array(_) | Value::Object(_)) => Err(TemplateError::NotPlain(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arguments(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn path(template: &str, value: Value) -> Result<String, TemplateError> {
        Template::parse(template).unwrap().encoded_path(&arguments(json!({"a": value})))
    }

    #[test]
    fn names_are_found_once_and_for_all() {
        let template = Template::parse("/x/{a}/y-{b_2}{c-d}").unwrap();
        assert_eq!(template.names().collect::<Vec<_>>(), ["a", "b_2", "c-d"]);
        let filled = template.plain(&arguments(json!({"a": "{b_2}", "b_2": 7, "c-d": true}))).unwrap();
        assert_eq!(filled, "/x/{b_2}/y-7true", "a value is never read as a template");
        for wrong in ["{", "}", "a{b", "a}b", "{a}}", "{{a}}", "{}", "{ a }", "{a.b}", "{1}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_is_one_part_of_a_path_whatever_it_holds() {
        for (value, expected) in [
            (json!("INV-1"), "/i/INV-1/p"),
            (json!("a/b"), "/i/a%2Fb/p"),
            (json!("%2f"), "/i/%252f/p"),
            (json!("../x"), "/i/..%2Fx/p"),
            (json!("a?b=c&d#e"), "/i/a%3Fb%3Dc%26d%23e/p"),
            (json!("\\"), "/i/%5C/p"),
            (json!("名 \r\n"), "/i/%E5%90%8D%20%0D%0A/p"),
            (json!(-1.5), "/i/-1.5/p"),
            (json!(false), "/i/false/p"),
        ] {
            assert_eq!(path("/i/{a}/p", value.clone()).as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn values_that_would_change_the_path_are_refused() {
        for value in [json!(".."), json!("."), json!(""), json!(null), json!([1]), json!({})] {
            assert!(path("/i/{a}/p", value.clone()).is_err(), "{value}");
        }
        assert_eq!(path("/i/{a}./p", json!(".")), Err(TemplateError::DotSegment));
        assert_eq!(path("/i/%2E{a}", json!(".")), Err(TemplateError::DotSegment));
        assert_eq!(path("/i/{a}{a}", json!(".")), Err(TemplateError::DotSegment));
        assert_eq!(path("/i/{a}.json", json!("...")).as_deref(), Ok("/i/....json"));
    }

    #[test]
    fn an_absent_argument_has_its_own_error() {
        let template = Template::parse("{missing}").unwrap();
        assert_eq!(template.encoded(&Map::new()), Err(TemplateError::Missing("missing".to_owned())));
    }
}
