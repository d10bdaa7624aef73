//! Typed fields of a JSON object, with everything that is wrong with them at once.

use chrono::{DateTime, Utc};
use crewd_application::error::ErrorCode;
use crewd_domain::crews::closest;
use serde_json::{Map, Value};

use crate::error::{ApiError, Problems, pointer_to};

/// Takes fields out of an object. `null` is the same as absent. A field that nobody takes is refused by name.
pub(crate) struct ObjectReader<'p> {
    fields: Map<String, Value>,
    pointer: String,
    problems: &'p mut Problems,
    asked: Vec<&'static str>,
    taken: Vec<&'static str>,
}

impl<'p> ObjectReader<'p> {
    /// Reads the fields of a whole body.
    ///
    /// # Errors
    /// `validation_failed` unless it is an object.
    pub(crate) fn of_body(body: Value, problems: &'p mut Problems) -> Result<Self, ApiError> {
        match body {
            Value::Object(fields) => Ok(Self { fields, pointer: String::new(), problems, asked: Vec::new(), taken: Vec::new() }),
            other => Err(ApiError::new(ErrorCode::ValidationFailed, format!("the body must be an object, not {}", kind(&other)))
                .because("wrong_type")
                .fields(vec![crewd_application::error::FieldProblem::new("", "must be an object")])),
        }
    }

    /// The fields of an object inside this one; nothing if it is absent or no object.
    pub(crate) fn nested<'n>(&'n mut self, name: &'static str) -> Option<ObjectReader<'n>>
    where
        'p: 'n,
    {
        let fields = self.object(name)?;
        let pointer = pointer_to(&self.pointer, name);
        Some(ObjectReader { fields, pointer, problems: self.problems, asked: Vec::new(), taken: Vec::new() })
    }

    /// Whether a field is there and not `null`. It counts as asked for only when it is taken.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// Whether a field that has been taken was there.
    pub(crate) fn was_given(&self, name: &str) -> bool {
        self.taken.contains(&name)
    }

    /// Any value.
    pub(crate) fn any(&mut self, name: &'static str) -> Option<Value> {
        self.asked.push(name);
        let value = self.fields.shift_remove(name).filter(|value| !value.is_null())?;
        self.taken.push(name);
        Some(value)
    }

    /// An object.
    pub(crate) fn object(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        match self.any(name)? {
            Value::Object(fields) => Some(fields),
            other => self.wrong(name, "an object", &other),
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.any(name)? {
            Value::String(text) => Some(text),
            other => self.wrong(name, "a string", &other),
        }
    }

    /// A text that goes to names, rows and headers: 1 to `longest` characters, none of them a control character.
    pub(crate) fn name(&mut self, name: &'static str, longest: usize) -> Option<String> {
        let text = self.text(name)?;
        if text.chars().any(char::is_control) {
            self.add("invalid_characters", name, "holds a control character");
        } else if text.is_empty() || text.chars().count() > longest {
            self.add("out_of_range", name, format!("must have 1 to {longest} characters"));
        } else if text.trim() != text {
            // Databases of MySQL's like take keys for the same that differ in blanks at their ends alone.
            self.add("invalid_characters", name, "begins or ends with a blank");
        } else {
            return Some(text);
        }
        None
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn integer(&mut self, name: &'static str, least: u64, most: u64) -> Option<u64> {
        let value = self.any(name)?;
        if !value.is_number() {
            return self.wrong(name, "an integer", &value);
        }
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.add("out_of_range", name, format!("must be an integer from {least} to {most}"));
        }
        number
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        match self.any(name)? {
            Value::Bool(value) => Some(value),
            other => self.wrong(name, "true or false", &other),
        }
    }

    /// An instant as RFC 3339 text.
    pub(crate) fn instant(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        let text = self.text(name)?;
        let instant = DateTime::parse_from_rfc3339(&text).ok();
        if instant.is_none() {
            self.add("wrong_type", name, "must be a time as RFC 3339 writes it, such as 2026-01-31T12:00:00Z");
        }
        instant.map(|instant| instant.to_utc())
    }

    /// One of a few names.
    pub(crate) fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = choices.iter().find(|(choice, _)| *choice == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
            self.add("unknown_value", name, format!("must be one of {}", names.join(", ")));
        }
        found
    }

    /// Adds a problem with a field.
    pub(crate) fn add(&mut self, reason: &'static str, name: &str, message: impl Into<String>) {
        self.problems.add(reason, pointer_to(&self.pointer, name), message);
    }

    /// Adds a problem with something inside a field; the pointer begins with the field's name.
    pub(crate) fn add_at(&mut self, reason: &'static str, pointer: &str, message: impl Into<String>) {
        self.problems.add(reason, format!("{}/{pointer}", self.pointer), message);
    }

    /// Refuses every field that nobody has asked for.
    pub(crate) fn finish(self) {
        for name in self.fields.keys() {
            let hint =
                closest(name, self.asked.iter().copied()).map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
            self.problems.add("unknown_field", pointer_to(&self.pointer, name), format!("is not a field of this request{hint}"));
        }
    }

    fn wrong<T>(&mut self, name: &str, wanted: &str, value: &Value) -> Option<T> {
        self.add("wrong_type", name, format!("must be {wanted}, not {}", kind(value)));
        None
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value, act: impl FnOnce(&mut ObjectReader<'_>)) -> Result<(), ApiError> {
        let mut problems = Problems::default();
        let mut reader = ObjectReader::of_body(body, &mut problems)?;
        act(&mut reader);
        reader.finish();
        problems.check()
    }

    fn pointers(error: &ApiError) -> Vec<&str> {
        error.details().fields.iter().map(|field| field.pointer.as_str()).collect()
    }

    #[test]
    fn all_problems_are_found_at_once() {
        let body = json!({"name": 7, "count": "x", "flag": "yes", "at": "soon", "inner": {"deep": [], "odd/key": 1}, "nmae": 1});
        let error = read(body, |reader| {
            assert_eq!(reader.name("name", 10), None);
            assert_eq!(reader.integer("count", 1, 9), None);
            assert_eq!(reader.boolean("flag"), None);
            assert_eq!(reader.instant("at"), None);
            let mut inner = reader.nested("inner").unwrap();
            assert_eq!(inner.text("deep"), None);
            inner.finish();
        })
        .unwrap_err();
        assert_eq!(pointers(&error), ["/name", "/count", "/flag", "/at", "/inner/deep", "/inner/odd~1key", "/nmae"]);
        assert!(error.details().fields[6].message.contains("did you mean `name`?"), "{error:?}");
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        for number in ["0", "10", "-1", "1.5", "-0.0", "9223372036854775808", "99999999999999999999", "1e300"] {
            let body: Value = serde_json::from_str(&format!("{{\"count\":{number}}}")).unwrap();
            let error = read(body, |reader| assert_eq!(reader.integer("count", 1, 9), None)).unwrap_err();
            assert_eq!(error.details().reason.as_deref(), Some("out_of_range"), "{number}");
        }
    }

    #[test]
    fn names_hold_no_control_characters() {
        for (text, reason) in [
            ("a\u{0}b", "invalid_characters"),
            ("a\nb", "invalid_characters"),
            ("a ", "invalid_characters"),
            ("\u{3000}a", "invalid_characters"),
            ("", "out_of_range"),
            ("12345678901", "out_of_range"),
        ] {
            let error = read(json!({ "name": text }), |reader| drop(reader.name("name", 10))).unwrap_err();
            assert_eq!(error.details().reason.as_deref(), Some(reason), "{text:?}");
        }
        assert!(read(json!({"name": "研究"}), |reader| assert_eq!(reader.name("name", 2).as_deref(), Some("研究"))).is_ok());
    }

    #[test]
    fn null_is_absent() {
        let body = json!({"name": null, "count": null, "inner": null});
        let read = read(body, |reader| {
            assert!(
                reader.name("name", 10).is_none() && reader.integer("count", 1, 9).is_none() && reader.nested("inner").is_none()
            );
        });
        assert!(read.is_ok());
    }

    #[test]
    fn a_body_is_an_object() {
        for body in [json!([]), json!("x"), json!(null), json!(1)] {
            assert_eq!(read(body, |_| {}).unwrap_err().code(), ErrorCode::ValidationFailed);
        }
    }
}
