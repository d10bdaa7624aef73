//! Values out of JSON Schemas: small, valid where the schema can be understood, and meaningful.

use serde_json::{Map, Number, Value, json};

use super::brief::Brief;
use super::fields;

/// Schemas that refer to themselves end here.
const DEEPEST: usize = 8;
/// Items of a list at most, whatever the schema demands.
const MOST_ITEMS: u64 = 50;

/// What the value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Arguments of a tool: what is required, and optional fields that say where or what to look for.
    Arguments,
    /// An answer: what is required, or everything where nothing is.
    Answer,
}

/// Makes values for one schema.
pub(super) struct Maker<'a> {
    pub(super) root: &'a Value,
    pub(super) brief: &'a Brief,
    pub(super) purpose: Purpose,
    /// The tool, for its arguments.
    pub(super) tool: &'a str,
}

impl Maker<'_> {
    /// A value for the whole schema.
    pub(super) fn make(&self) -> Value {
        self.value(self.root, "", 0, 0)
    }

    fn value(&self, schema: &Value, name: &str, index: usize, depth: usize) -> Value {
        let schema = self.resolved(schema, 0);
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            let at = if values.is_empty() { 0 } else { index % values.len() };
            return values.get(at).cloned().unwrap_or(Value::Null);
        }
        if let Some(merged) = self.merged(&schema) {
            return self.value(&merged, name, index, depth + 1);
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(first) = schema.get(choice).and_then(Value::as_array).and_then(|list| pick(list))
                && depth < DEEPEST
            {
                return self.value(first, name, index, depth + 1);
            }
        }
        match kind(&schema) {
            "object" => self.object(&schema, depth),
            "array" => self.array(&schema, name, depth),
            "integer" => number(&schema, true),
            "number" => number(&schema, false),
            "boolean" => schema.get("default").filter(|value| value.is_boolean()).cloned().unwrap_or(Value::Bool(true)),
            "null" => Value::Null,
            _ => Value::String(self.text(&schema, name, index)),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut object = Map::new();
        if depth > DEEPEST {
            return Value::Object(object);
        }
        for (name, property) in properties {
            let wanted = match self.purpose {
                _ if required.contains(&name.as_str()) => true,
                Purpose::Arguments => depth == 0 && fields::is_telling(name) && kind(property) == "string",
                Purpose::Answer => required.is_empty(),
            };
            if wanted {
                object.insert(name.clone(), self.value(property, name, 0, depth + 1));
            }
        }
        for name in required {
            if !properties.contains_key(name) {
                object.insert(name.to_owned(), self.value(&json!({"type": "string"}), name, 0, depth + 1));
            }
        }
        Value::Object(object)
    }

    fn array(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
        let count = bound("minItems").unwrap_or(0).max(1).min(bound("maxItems").unwrap_or(MOST_ITEMS)).min(MOST_ITEMS);
        let fixed = schema.get("prefixItems").and_then(Value::as_array);
        let rest = schema.get("items").filter(|items| items.is_object());
        if depth > DEEPEST {
            return Value::Array(Vec::new());
        }
        let items = (0..usize::try_from(count).unwrap_or(0)).filter_map(|index| {
            let item = fixed.and_then(|list| list.get(index)).or(rest);
            let any = json!({"type": "string"});
            match (item, schema.get("items")) {
                (None, Some(Value::Bool(false))) => None,
                (item, _) => Some(self.value(item.unwrap_or(&any), name, index, depth + 1)),
            }
        });
        Value::Array(items.collect())
    }

    fn text(&self, schema: &Value, name: &str, index: usize) -> String {
        let said = |key: &str| schema.get(key).and_then(Value::as_str);
        if let Some(example) = formatted(said("format").unwrap_or_default()) {
            return example.to_owned();
        }
        let example = schema.get("examples").and_then(|list| list.get(0)).and_then(Value::as_str);
        // What a pattern allows is not worked out; an example or the default fits it.
        if let (Some(_), Some(fitting)) = (said("pattern"), said("default").or(example)) {
            return fitting.to_owned();
        }
        let text = match self.purpose {
            Purpose::Arguments => fields::argument(self.tool, name, said("default").or(example), self.brief),
            Purpose::Answer => fields::field(name, said("description"), index, self.brief),
        };
        let limit = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
        sized(text, limit("minLength").unwrap_or(0), limit("maxLength").unwrap_or(usize::MAX))
    }

    /// The schema that a reference stands for.
    fn resolved(&self, schema: &Value, hops: usize) -> Value {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|link| link.strip_prefix('#'));
        match target.and_then(|pointer| self.root.pointer(pointer)) {
            Some(target) if hops < DEEPEST => self.resolved(target, hops + 1),
            _ => schema.clone(),
        }
    }

    /// The parts of `allOf` as one schema.
    fn merged(&self, schema: &Value) -> Option<Value> {
        let parts = schema.get("allOf")?.as_array()?;
        let mut whole = schema.as_object()?.clone();
        whole.remove("allOf");
        for part in parts {
            let Value::Object(part) = self.resolved(part, 0) else { continue };
            for (key, value) in part {
                match (whole.get_mut(&key), value) {
                    (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
                    (Some(Value::Array(old)), Value::Array(new)) if key == "required" => old.extend(new),
                    (None, value) => {
                        whole.insert(key, value);
                    }
                    _ => {}
                }
            }
        }
        Some(Value::Object(whole))
    }
}

/// The first choice that is more than nothing.
fn pick(choices: &[Value]) -> Option<&Value> {
    choices.iter().find(|choice| choice.get("type").and_then(Value::as_str) != Some("null")).or_else(|| choices.first())
}

/// The type of a schema; told by its parts where it is not said.
fn kind(schema: &Value) -> &str {
    let said = match schema.get("type") {
        Some(Value::String(kind)) => Some(kind.as_str()),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    };
    let has = |keys: &[&str]| keys.iter().any(|key| schema.get(key).is_some());
    said.unwrap_or_else(|| {
        if has(&["properties", "required"]) {
            "object"
        } else if has(&["items", "minItems"]) {
            "array"
        } else if has(&["minimum", "maximum"]) {
            "number"
        } else {
            "string"
        }
    })
}

fn number(schema: &Value, whole: bool) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let default = bound("default");
    let mut value = default.unwrap_or(1.0);
    if let Some(least) = bound("minimum") {
        value = value.max(if whole { least.ceil() } else { least });
    }
    if let Some(below) = bound("exclusiveMinimum").filter(|below| value <= *below) {
        value = if whole { below.floor() + 1.0 } else { below + 1.0 };
    }
    if let Some(most) = bound("maximum") {
        value = value.min(if whole { most.floor() } else { most });
    }
    if let Some(above) = bound("exclusiveMaximum").filter(|above| value >= *above) {
        let middle = bound("exclusiveMinimum").or(bound("minimum")).map_or(above - 1.0, |low| f64::midpoint(low, above));
        value = if whole { above.ceil() - 1.0 } else { middle };
    }
    if let Some(step) = bound("multipleOf").filter(|step| *step > 0.0) {
        let up = (value / step).ceil() * step;
        value = if bound("maximum").is_some_and(|most| up > most) { (value / step).floor() * step } else { up };
    }
    let is_whole = value.fract() == 0.0 && value.abs() < 1e15;
    if whole || is_whole {
        // Only whole numbers below 10^15 come here, or ones a schema of whole numbers bounds.
        return serde_json::from_str(&format!("{value:.0}")).unwrap_or_else(|_| json!(1));
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn formatted(format: &str) -> Option<&'static str> {
    Some(match format {
        "date" => "2025-01-01",
        "date-time" => "2025-01-01T12:00:00Z",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "email" => "someone@example.org",
        "uri" | "url" | "uri-reference" | "iri" => "https://example.org/",
        "hostname" => "example.org",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uuid" => "00000000-0000-4000-8000-000000000001",
        _ => return None,
    })
}

fn sized(text: String, least: usize, most: usize) -> String {
    let length = text.chars().count();
    if length > most {
        return text.chars().take(most).collect();
    }
    if length >= least {
        return text;
    }
    let filler = if text.is_empty() { "." } else { text.as_str() };
    filler.chars().cycle().take(least.min(100_000)).collect()
}
