//! The `http` part of a tool.

use std::rc::Rc;

use crewd_domain::{
    crews::{
        Problem, excerpt,
        rule::{OUT_OF_RANGE, WRONG_TYPE},
    },
    tools::{AddressTemplate, HttpBody, HttpCall, HttpMethod, IDEMPOTENCY_KEY_NAME, Template},
};
use serde_json::Value;

use super::{
    headers::{read_headers, read_secret_headers},
    reader::ToolSurroundings,
    tool::{check_tool_keys, word},
};
use crate::definition::{
    fields::Fields,
    findings::Findings,
    rules::{CONFLICTING_KEYS, INVALID_ADDRESS, INVALID_TEMPLATE, MISSING_KEY, UNKNOWN_PLACEHOLDER},
    yaml::{Entry, Node},
};

const KEYS: &[&str] = &["method", "url", "query", "headers", "secret_headers", "body", "timeout_seconds", "reconcile_url"];
const BODIES: &[(&str, HttpBody)] = &[("arguments", HttpBody::Arguments), ("none", HttpBody::None)];

/// Reads how the calls of a tool are made; nothing when that cannot be told.
pub(super) fn read_call(tool: &mut Fields<'_, '_>, parameters: &Value, around: &ToolSurroundings) -> Option<HttpCall> {
    let element = tool.path("http");
    let Some(node) = tool.given("http") else {
        tool.findings.report(tool.at, Problem::error(element, MISSING_KEY, "the tool has no `http`"));
        return None;
    };
    let Some(entries) = node.entries() else {
        return tool.findings.wrong(&element, &node, "a mapping with `url`");
    };
    check_tool_keys(&element, entries, KEYS, tool.findings);
    let mut fields = Fields { findings: tool.findings, element: &element, fields: entries, at: node.at };
    let method = read_method(&mut fields);
    let url = read_address(&mut fields, "url");
    let query = read_query(&mut fields);
    let headers = read_headers(&mut fields);
    let secret_headers = read_secret_headers(&mut fields, &headers, around);
    let timeout_seconds = read_timeout(&mut fields);
    let reconcile_url = if fields.given("reconcile_url").is_some() { read_address(&mut fields, "reconcile_url") } else { None };
    if let Some(url) = &url {
        check_names(&mut fields, ("url", "url"), url.names(), parameters, true);
    }
    if let Some(url) = &reconcile_url {
        let names = url.names().filter(|name| *name != IDEMPOTENCY_KEY_NAME);
        check_names(&mut fields, ("reconcile_url", "reconcile_url"), names, parameters, true);
    }
    for (name, template) in &query {
        check_names(&mut fields, ("query", name), template.names(), parameters, false);
    }
    let body = read_body(&mut fields, method);
    Some(HttpCall { method, url: url?, query, headers, secret_headers, body, timeout_seconds, reconcile_url })
}

fn read_method(fields: &mut Fields<'_, '_>) -> HttpMethod {
    let words = HttpMethod::ALL.map(|method| (method.as_str(), method));
    word(fields, "method", &words).unwrap_or(HttpMethod::Post)
}

fn read_address(fields: &mut Fields<'_, '_>, key: &str) -> Option<AddressTemplate> {
    let text = if key == "url" { fields.required_text(key) } else { fields.text(key)? };
    let node = fields.given(key)?;
    match AddressTemplate::parse(text.trim()) {
        Ok(address) => Some(address),
        Err(error) => {
            let problem = Problem::error(fields.path(key), INVALID_ADDRESS, format!("this address cannot be used: {error}"));
            fields.findings.report(node.at, problem);
            None
        }
    }
}

fn read_query(fields: &mut Fields<'_, '_>) -> Vec<(String, Template)> {
    let mut query = Vec::new();
    for entry in mapping(fields, "query") {
        let path = fields.path(&format!("query.{}", entry.key));
        let Some(text) = fields.findings.text(&path, &entry.value) else { continue };
        match Template::parse(&text) {
            Ok(template) => query.push((entry.key.to_string(), template)),
            Err(error) => fields.findings.report(entry.value.at, Problem::error(path, INVALID_TEMPLATE, error.to_string())),
        }
    }
    query
}

fn read_body(fields: &mut Fields<'_, '_>, method: HttpMethod) -> HttpBody {
    let usual = if method.usually_has_body() { HttpBody::Arguments } else { HttpBody::None };
    let Some(body) = word(fields, "body", BODIES) else { return usual };
    if let Some(node) = fields.given("body")
        && body == HttpBody::Arguments
        && method.only_reads()
    {
        let message = format!("{} has no body", method.as_str());
        let problem = Problem::error(fields.path("body"), CONFLICTING_KEYS, message);
        fields.findings.report(node.at, problem.suggest("put the arguments into `url` or `query`"));
    }
    body
}

fn read_timeout(fields: &mut Fields<'_, '_>) -> u32 {
    let Some(node) = fields.given("timeout_seconds") else { return HttpCall::DEFAULT_SECONDS };
    let Some(seconds) = fields.count("timeout_seconds") else { return HttpCall::DEFAULT_SECONDS };
    if !(HttpCall::MIN_SECONDS..=HttpCall::MAX_SECONDS).contains(&seconds) {
        let message = format!("{seconds} is not from {} to {}", HttpCall::MIN_SECONDS, HttpCall::MAX_SECONDS);
        let path = fields.path("timeout_seconds");
        fields.findings.report(node.at, Problem::error(path, OUT_OF_RANGE, message));
    }
    seconds
}

/// Every `{name}` is an argument; one that must be there is also required, and none is a list or an object.
fn check_names<'name>(
    fields: &mut Fields<'_, '_>,
    (key, shown): (&str, &str),
    names: impl Iterator<Item = &'name str>,
    parameters: &Value,
    needed: bool,
) {
    let Some(node) = fields.given(key) else { return };
    let properties = parameters.get("properties").and_then(Value::as_object);
    let required: Vec<&str> =
        parameters.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for name in names {
        let problem = match properties.and_then(|properties| properties.get(name)) {
            None => {
                let known: Vec<&str> = properties.into_iter().flat_map(|known| known.keys()).map(String::as_str).collect();
                let message = format!("`{{{name}}}` in `{}` is no argument of the tool", excerpt(shown));
                Some(Problem::error(fields.path(key), UNKNOWN_PLACEHOLDER, message).suggest(advice(&known)))
            }
            Some(schema) if matches!(schema.get("type").and_then(Value::as_str), Some("array" | "object")) => {
                let message = format!("`{{{name}}}` in `{}` must be a text, a number, true or false", excerpt(shown));
                Some(Problem::error(fields.path(key), WRONG_TYPE, message))
            }
            Some(_) if needed && !required.contains(&name) => {
                let message = format!("`{name}` stands in `{}` and must be in `required`", excerpt(shown));
                Some(Problem::error(fields.path(key), MISSING_KEY, message))
            }
            Some(_) => None,
        };
        if let Some(problem) = problem {
            fields.findings.report(node.at, problem);
        }
    }
}

fn advice(known: &[&str]) -> String {
    if known.is_empty() {
        return "add it to `properties` in `parameters`".to_owned();
    }
    format!("the arguments are {}", known.join(", "))
}

/// The entries of a mapping, when the key is there.
pub(super) fn mapping(fields: &mut Fields<'_, '_>, key: &str) -> Vec<Entry> {
    let Some(node) = fields.given(key) else { return Vec::new() };
    entries_of(&fields.path(key), &node, fields.findings)
}

fn entries_of(path: &str, node: &Rc<Node>, findings: &mut Findings<'_>) -> Vec<Entry> {
    if let Some(entries) = node.entries() {
        return entries.to_vec();
    }
    findings.wrong::<()>(path, node, "a mapping of names and texts");
    Vec::new()
}
