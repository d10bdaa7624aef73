//! One declared tool.

use std::rc::Rc;

use crewd_domain::{
    crews::{Problem, closest, excerpt, rule::WRONG_TYPE},
    tools::{EffectClass, HttpToolDefinition, RiskLevel},
};
use serde_json::{Map, Value, json};

use super::{call::read_call, reader::ToolSurroundings};
use crate::definition::{
    entries::Field,
    fields::Fields,
    findings::Findings,
    rules::{INVALID_NAME, INVALID_SCHEMA, MISSING_KEY, NAME_TAKEN, UNKNOWN_KEY, UNKNOWN_WORD},
    yaml::{Node, Position},
};

const KEYS: &[&str] = &["name", "description", "risk", "effect", "parameters", "http"];
const RISKS: &[(&str, RiskLevel)] =
    &[("low", RiskLevel::Low), ("medium", RiskLevel::Medium), ("high", RiskLevel::High), ("critical", RiskLevel::Critical)];
const EFFECTS: &[(&str, EffectClass)] = &[
    ("read_only", EffectClass::ReadOnly),
    ("idempotent", EffectClass::Idempotent),
    ("keyed", EffectClass::Keyed),
    ("effectful", EffectClass::Effectful),
];
/// Keywords that decide by themselves which arguments are allowed.
const OPEN_SCHEMA_KEYS: &[&str] =
    &["additionalProperties", "unevaluatedProperties", "patternProperties", "allOf", "anyOf", "oneOf", "$ref"];

/// A tool as its file has it.
pub(super) struct ReadTool {
    pub(super) name: String,
    pub(super) at: Position,
    /// Nothing if anything of it is wrong.
    pub(super) definition: Option<HttpToolDefinition>,
}

/// Reads one item of a list; nothing when not even its name can be read.
pub(super) fn read_tool(item: &Rc<Node>, around: &ToolSurroundings, findings: &mut Findings<'_>) -> Option<ReadTool> {
    let Some(entries) = item.entries() else {
        return findings.wrong("tools", item, "a tool: a mapping with `name`, `description` and `http`");
    };
    let name = read_name(entries, item.at, around, findings)?;
    let errors_before = findings.error_count();
    let element = format!("tools.{name}");
    findings.mark(element.as_str(), item.at);
    check_tool_keys(&element, entries, KEYS, findings);
    let mut fields = Fields { findings, element: &element, fields: entries, at: item.at };
    let description = read_description(&mut fields);
    let risk = word(&mut fields, "risk", RISKS).unwrap_or(RiskLevel::High);
    let effect = word(&mut fields, "effect", EFFECTS);
    let parameters = read_parameters(&mut fields);
    let http = read_call(&mut fields, &parameters, around);
    let at = item.at;
    let definition = http.filter(|_| findings.error_count() == errors_before).map(|http| {
        let usual = if http.method.only_reads() { EffectClass::ReadOnly } else { EffectClass::Effectful };
        HttpToolDefinition { name: name.clone(), description, risk, effect: effect.unwrap_or(usual), parameters, http }
    });
    Some(ReadTool { name, at, definition })
}

fn read_name(entries: &[Field], at: Position, around: &ToolSurroundings, findings: &mut Findings<'_>) -> Option<String> {
    let mut fields = Fields { findings, element: "tools", fields: entries, at };
    let Some(node) = fields.given("name") else {
        fields.findings.report(at, Problem::error("tools", MISSING_KEY, "a tool has no `name`"));
        return None;
    };
    let name = fields.text("name")?.trim().to_owned();
    let element = format!("tools.{}.name", excerpt(&name));
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !(name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(is_word) && name.len() <= 64) {
        let message = format!("`{}` is no name of a tool", excerpt(&name));
        let advice = "use lower-case letters, digits and `_`, at most 64, beginning with a letter";
        findings.report(node.at, Problem::error(element, INVALID_NAME, message).suggest(advice));
        return None;
    }
    if around.builtin.contains(&name) {
        let message = format!("`{name}` is a tool that comes with crewd");
        findings.report(node.at, Problem::error(element, NAME_TAKEN, message).suggest("choose another name"));
        return None;
    }
    Some(name)
}

fn read_description(fields: &mut Fields<'_, '_>) -> String {
    let text = fields.required_text("description").trim().to_owned();
    if let Some(node) = fields.given("description")
        && text.is_empty()
    {
        let path = fields.path("description");
        fields.findings.report(node.at, Problem::error(path, MISSING_KEY, "the description is empty: models choose tools by it"));
    }
    text
}

/// One of a few words.
pub(super) fn word<T: Copy>(fields: &mut Fields<'_, '_>, key: &str, words: &[(&str, T)]) -> Option<T> {
    let node = fields.given(key)?;
    let text = fields.text(key)?;
    if let Some((_, found)) = words.iter().find(|(known, _)| *known == text.trim()) {
        return Some(*found);
    }
    let all: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
    let message = format!("`{}` is none of {}", excerpt(text.trim()), all.join(", "));
    let problem = Problem::error(fields.path(key), UNKNOWN_WORD, message);
    fields.findings.report(
        node.at,
        match closest(text.trim(), all) {
            Some(near) => problem.suggest(format!("did you mean `{near}`?")),
            None => problem,
        },
    );
    None
}

/// The schema of the arguments. Arguments it does not name are refused unless it says so itself.
fn read_parameters(fields: &mut Fields<'_, '_>) -> Value {
    let Some(node) = fields.given("parameters") else {
        return json!({"type": "object", "properties": {}, "additionalProperties": false});
    };
    let path = fields.path("parameters");
    let Value::Object(mut schema) = fields.findings.json(&path, &node) else {
        fields.findings.wrong::<()>(&path, &node, "a JSON Schema, a mapping such as {type: object}");
        return Value::Object(Map::new());
    };
    if schema.get("type").is_some_and(|kind| kind != "object") {
        let problem = Problem::error(format!("{path}.type"), WRONG_TYPE, "the arguments of a tool are an object");
        fields.findings.report(node.at, problem.suggest("write `type: object`"));
    }
    schema.entry("type").or_insert_with(|| "object".into());
    schema.entry("properties").or_insert_with(|| json!({}));
    if !OPEN_SCHEMA_KEYS.iter().any(|key| schema.contains_key(*key)) {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    let schema = Value::Object(schema);
    if let Err(error) = jsonschema::validator_for(&schema) {
        let message = format!("this is no JSON Schema: {}", excerpt(&error.to_string()));
        fields.findings.report(node.at, Problem::error(path, INVALID_SCHEMA, message));
    }
    schema
}

/// Unlike in a crew, an unknown key is an error: it may be the one that makes a tool safe.
pub(super) fn check_tool_keys(element: &str, fields: &[Field], known: &[&str], findings: &mut Findings<'_>) {
    for field in fields.iter().filter(|field| !known.contains(&&*field.key)) {
        let message = format!("`{}` is not a known key", excerpt(&field.key));
        let problem = Problem::error(format!("{element}.{}", field.key), UNKNOWN_KEY, message);
        findings.report(
            field.key_at,
            match closest(&field.key, known.iter().copied()) {
                Some(near) => problem.suggest(format!("did you mean `{near}`?")),
                None => problem.suggest(format!("the keys are {}", known.join(", "))),
            },
        );
    }
}
