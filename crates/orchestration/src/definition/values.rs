//! Typed values out of nodes, with CrewAI's tolerance: `"7"` is a number where one is expected, `yes` is true,
//! but 3 is no text.

use std::rc::Rc;

use crewd_domain::crews::{
    Problem, excerpt,
    rule::{OUT_OF_RANGE, WRONG_TYPE},
};
use serde_json::{Map, Number, Value};

use super::{
    findings::Findings,
    rules::{YAML_11_NUMBER, YAML_11_TEXT},
    yaml::{Content, Node, Resolved, Scalar, resolve},
};

/// Whether a value asks for anything: null, false, and empty values do not.
pub(super) fn is_set(node: &Node) -> bool {
    match &node.content {
        Content::Scalar(scalar) if scalar.plain => !matches!(resolve(&scalar.text).0, Resolved::Null | Resolved::Bool(false)),
        Content::Scalar(scalar) => !scalar.text.is_empty(),
        Content::Sequence(items) => !items.is_empty(),
        Content::Mapping(entries) => !entries.is_empty(),
    }
}

impl Findings<'_> {
    /// Text. A plain value that only YAML 1.1 takes for something else stays text, with a warning.
    pub(super) fn text(&mut self, element: &str, node: &Node) -> Option<String> {
        self.mark(element, node.at);
        let Content::Scalar(scalar) = &node.content else {
            return self.wrong(element, node, "text");
        };
        if !scalar.plain {
            return Some(scalar.text.clone());
        }
        match resolve(&scalar.text) {
            (Resolved::Text, _) => Some(scalar.text.clone()),
            (Resolved::Null, _) => {
                self.report(node.at, Problem::error(element, WRONG_TYPE, "this must be text, but it is empty"));
                None
            }
            (resolved, true) => {
                let shown = excerpt(&scalar.text);
                let message = format!("YAML 1.1 reads `{shown}` as {}, but text belongs here", kind(resolved));
                let problem = Problem::warning(element, YAML_11_TEXT, message);
                self.report(node.at, problem.suggest(format!("put it in quotes: \"{shown}\"")));
                Some(scalar.text.clone())
            }
            (resolved, false) => {
                let shown = excerpt(&scalar.text);
                let message = format!("this must be text, but `{shown}` is {}", kind(resolved));
                let problem = Problem::error(element, WRONG_TYPE, message);
                self.report(node.at, problem.suggest(format!("put it in quotes: \"{shown}\"")));
                None
            }
        }
    }

    /// True or false; also `1`, `"yes"` and the like.
    pub(super) fn flag(&mut self, element: &str, node: &Node) -> Option<bool> {
        self.mark(element, node.at);
        if let Content::Scalar(scalar) = &node.content {
            if let (Resolved::Bool(value), true) = (resolve(&scalar.text).0, scalar.plain) {
                return Some(value);
            }
            match scalar.text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" | "t" | "1" | "1.0" => return Some(true),
                "false" | "no" | "off" | "n" | "f" | "0" | "0.0" => return Some(false),
                _ => {}
            }
        }
        self.wrong(element, node, "true or false")
    }

    /// A whole number from 0 to what 32 bits hold; the rules narrow it down.
    pub(super) fn count(&mut self, element: &str, node: &Node) -> Option<u32> {
        let value = self.integer(element, node)?;
        let small = u32::try_from(value).ok();
        if small.is_none() {
            let shown = excerpt(&value.to_string());
            self.report(node.at, Problem::error(element, OUT_OF_RANGE, format!("{shown} is out of range")));
        }
        small
    }

    /// A whole number; also `"7"` and `7.0`.
    pub(super) fn integer(&mut self, element: &str, node: &Node) -> Option<i64> {
        let value = self.number(element, node)?;
        #[expect(clippy::cast_possible_truncation, reason = "the value is checked to be whole and far inside the range")]
        let whole = (value.fract() == 0.0 && value.abs() < 9.0e15).then_some(value as i64);
        if whole.is_none() {
            return self.wrong(element, node, "a whole number");
        }
        whole
    }

    /// A finite number; also in quotes.
    pub(super) fn number(&mut self, element: &str, node: &Node) -> Option<f64> {
        self.mark(element, node.at);
        let Content::Scalar(scalar) = &node.content else {
            return self.wrong(element, node, "a number");
        };
        let (value, surprising) = numeric(scalar);
        match value.filter(|value| value.is_finite()) {
            Some(value) => {
                if surprising {
                    self.warn_number(element, node, &scalar.text, value);
                }
                Some(value)
            }
            None => self.wrong(element, node, "a number"),
        }
    }

    /// A list of texts, each trimmed. Null is an empty list.
    pub(super) fn names(&mut self, element: &str, node: &Node) -> Option<Vec<String>> {
        self.mark(element, node.at);
        if node.is_null() {
            return Some(Vec::new());
        }
        let Content::Sequence(items) = &node.content else {
            let message = "this must be a list";
            let problem = Problem::error(element, WRONG_TYPE, message);
            let advice = match &node.content {
                Content::Scalar(scalar) => format!("write [{}]", excerpt(scalar.text.trim())),
                _ => "write one entry per line, each after `- `".to_owned(),
            };
            self.report(node.at, problem.suggest(advice));
            return None;
        };
        let read = |(position, item): (usize, &Rc<Node>)| {
            self.text(&format!("{element}[{position}]"), item).map(|text| text.trim().to_owned())
        };
        Some(items.iter().enumerate().filter_map(read).collect())
    }

    /// Any value as JSON. Dates stay text, because JSON has none.
    pub(super) fn json(&mut self, element: &str, node: &Node) -> Value {
        self.mark(element, node.at);
        match &node.content {
            Content::Scalar(scalar) if scalar.plain => self.json_scalar(element, node, &scalar.text),
            Content::Scalar(scalar) => Value::from(scalar.text.as_str()),
            Content::Sequence(items) => {
                let read = |(position, item): (usize, &Rc<Node>)| self.json(&format!("{element}[{position}]"), item);
                Value::Array(items.iter().enumerate().map(read).collect())
            }
            Content::Mapping(entries) => {
                let mut members = Map::new();
                for entry in entries {
                    let value = self.json(&format!("{element}.{}", entry.key), &entry.value);
                    members.insert(entry.key.to_string(), value);
                }
                Value::Object(members)
            }
        }
    }

    fn json_scalar(&mut self, element: &str, node: &Node, text: &str) -> Value {
        let (resolved, old) = resolve(text);
        if old && resolved != Resolved::Date {
            let shown = excerpt(text);
            let message = format!("YAML 1.1 reads `{shown}` as {}", kind(resolved));
            let problem = Problem::warning(element, YAML_11_TEXT, message);
            self.report(
                node.at,
                problem.suggest(format!("put text in quotes (\"{shown}\"), or write true, false or a plain number")),
            );
        }
        let number = match resolved {
            Resolved::Null => return Value::Null,
            Resolved::Bool(value) => return value.into(),
            Resolved::Date | Resolved::Text => return text.into(),
            #[expect(clippy::cast_precision_loss, reason = "JSON readers keep no more digits either")]
            Resolved::Int(value) => i64::try_from(value)
                .map(Number::from)
                .or_else(|_| u64::try_from(value).map(Number::from))
                .ok()
                .or_else(|| Number::from_f64(value as f64)),
            Resolved::Float(value) => Number::from_f64(value),
        };
        number.map_or_else(
            || {
                self.wrong::<()>(element, node, "a finite number");
                Value::Null
            },
            Value::Number,
        )
    }

    fn warn_number(&mut self, element: &str, node: &Node, text: &str, value: f64) {
        let message = format!("YAML 1.1 reads `{}` as {value}", excerpt(text));
        let problem = Problem::warning(element, YAML_11_NUMBER, message);
        self.report(node.at, problem.suggest(format!("write {value} if that is meant")));
    }

    /// Reports a value of another type and gives nothing.
    pub(super) fn wrong<T>(&mut self, element: &str, node: &Node, expected: &str) -> Option<T> {
        let found = match &node.content {
            Content::Scalar(scalar) if scalar.plain && resolve(&scalar.text).0 == Resolved::Null => "it is empty".to_owned(),
            Content::Scalar(scalar) => format!("`{}` is not", excerpt(&scalar.text)),
            Content::Sequence(_) => "a list is not".to_owned(),
            Content::Mapping(_) => "a mapping is not".to_owned(),
        };
        let message = format!("this must be {expected}, but {found}");
        self.report(node.at, Problem::error(element, WRONG_TYPE, message));
        None
    }
}

/// The number of a scalar, and whether its notation means something else to most readers.
fn numeric(scalar: &Scalar) -> (Option<f64>, bool) {
    let text = scalar.text.trim();
    let (resolved, old) = if scalar.plain { resolve(text) } else { (Resolved::Text, false) };
    let value = match resolved {
        #[expect(clippy::cast_precision_loss, reason = "numbers of definitions are small; ranges are checked after")]
        Resolved::Int(value) => Some(value as f64),
        Resolved::Float(value) => Some(value),
        Resolved::Text => text.replace('_', "").parse().ok(),
        Resolved::Null | Resolved::Bool(_) | Resolved::Date => None,
    };
    // `1_000` has one meaning only; octal and sexagesimal do not.
    let plain_digits = value.is_some_and(|value| text.replace('_', "").parse() == Ok(value));
    (value, old && !plain_digits)
}

fn kind(resolved: Resolved) -> String {
    match resolved {
        Resolved::Null => "nothing".to_owned(),
        Resolved::Bool(value) => value.to_string(),
        Resolved::Int(value) => format!("the number {}", excerpt(&value.to_string())),
        Resolved::Float(value) => format!("the number {value:e}"),
        Resolved::Date => "a date".to_owned(),
        Resolved::Text => "text".to_owned(),
    }
}
