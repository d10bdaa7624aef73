//! One task out of its keys.

use std::collections::BTreeMap;

use crewd_domain::crews::{ContextRule, CrewTaskDefinition, Problem, closest, excerpt};
use serde_json::Value;

use super::{
    entries::RawEntry,
    fields::Fields,
    findings::Findings,
    keys::{TASK, check_keys},
    rules::{CONFLICTING_KEYS, INVALID_SCHEMA, UNKNOWN_SCHEMA},
    yaml::{Content, Node},
};

/// Schemas of `crew.yaml`, by name.
pub(super) type Schemas = BTreeMap<String, Value>;

pub(super) fn read_task(entry: &RawEntry, schemas: &Schemas, findings: &mut Findings<'_>) -> CrewTaskDefinition {
    let element = format!("tasks.{}", entry.name);
    // CrewAI calls a task by its key as well, so a `name` that repeats it says nothing new.
    let repeats = |node: &Node| matches!(&node.content, Content::Scalar(scalar) if scalar.text.trim() == entry.name);
    let mut keys = entry.fields.clone();
    keys.retain(|field| !(&*field.key == "name" && repeats(&field.value)));
    check_keys(findings, &element, &keys, TASK);
    let mut fields = Fields { findings, element: &element, fields: &entry.fields, at: entry.at };
    let mut task = CrewTaskDefinition::new(
        entry.name.as_str(),
        fields.required_text("description"),
        fields.required_text("expected_output"),
        fields.text("agent").unwrap_or_default().trim(),
    );
    task.context = read_context(&mut fields);
    // CrewAI copies the agent's tools in when the list is empty.
    task.tools = fields.names("tools").filter(|tools| !tools.is_empty());
    task.output_file = fields.text("output_file").map(|file| file.trim().to_owned());
    task.output_json = read_output(&mut fields, schemas);
    task.human_input = fields.flag("human_input").unwrap_or(false);
    task.async_execution = fields.flag("async_execution").unwrap_or(false);
    task.create_directory = fields.flag("create_directory").unwrap_or(true);
    task.markdown = fields.flag("markdown").unwrap_or(false);
    task
}

/// Not written: all earlier answers. Written as null or empty: none.
fn read_context(fields: &mut Fields<'_, '_>) -> ContextRule {
    let Some(node) = fields.raw("context") else { return ContextRule::AllPrevious };
    match fields.findings.names(&fields.path("context"), &node) {
        Some(names) if !names.is_empty() => ContextRule::Only(names),
        _ => ContextRule::Nothing,
    }
}

/// `output_json` or `output_pydantic`: the name of a schema in `crew.yaml`, or the schema itself.
fn read_output(fields: &mut Fields<'_, '_>, schemas: &Schemas) -> Option<Value> {
    let json = fields.given("output_json");
    let pydantic = fields.given("output_pydantic");
    if let (Some(_), Some(second)) = (&json, &pydantic) {
        let message = "output_json and output_pydantic exclude each other";
        let problem = Problem::error(fields.path("output_pydantic"), CONFLICTING_KEYS, message);
        fields.findings.report(second.at, problem.suggest("keep one of them"));
    }
    let key = if json.is_some() { "output_json" } else { "output_pydantic" };
    let node = json.or(pydantic)?;
    let path = fields.path(key);
    // The rules address the schema as `output_json`, whichever key it came from.
    fields.findings.mark(fields.path("output_json"), node.at);
    let schema = match &node.content {
        Content::Mapping(_) => fields.findings.json(&path, &node),
        _ => named_schema(&path, &node, schemas, fields.findings)?,
    };
    check_schema(&path, &node, &schema, fields.findings);
    Some(schema)
}

fn named_schema(path: &str, node: &Node, schemas: &Schemas, findings: &mut Findings<'_>) -> Option<Value> {
    let name = findings.text(path, node)?.trim().to_owned();
    if let Some(schema) = schemas.get(&name) {
        return Some(schema.clone());
    }
    let shown = excerpt(&name);
    let message = format!("no schema is called `{shown}`; classes of a Python project cannot be read");
    let problem = Problem::error(path, UNKNOWN_SCHEMA, message);
    findings.report(
        node.at,
        match closest(&name, schemas.keys().map(String::as_str)) {
            Some(near) => problem.suggest(format!("did you mean `{near}`?")),
            None => problem.suggest(format!("add its JSON Schema to crew.yaml as `schemas: {{{shown}: …}}`")),
        },
    );
    None
}

/// Reports a schema that answers could never be checked against.
fn check_schema(path: &str, node: &Node, schema: &Value, findings: &mut Findings<'_>) {
    if schema.is_object()
        && let Err(error) = jsonschema::validator_for(schema)
    {
        let message = format!("this is no JSON Schema: {}", excerpt(&error.to_string()));
        findings.report(node.at, Problem::error(path, INVALID_SCHEMA, message));
    }
}
