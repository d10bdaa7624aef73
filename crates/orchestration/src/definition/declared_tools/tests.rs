//! What operators write, sound and wrong.

use std::collections::BTreeSet;

use crewd_application::ports::{CrewSource, SourceFile};
use crewd_domain::tools::{EffectClass, HttpBody, HttpMethod, RiskLevel};
use serde_json::json;

use super::{DeclaredTools, ToolSurroundings, declared_tools, read_declared_tools};
use crate::definition::render_text;

const SOUND: &str = r#"
- name: pay_invoice
  description: Pays an invoice.
  risk: critical
  effect: keyed
  parameters:
    type: object
    properties: { invoice: { type: string }, amount: { type: number }, note: { type: string } }
    required: [invoice]
  http:
    method: PUT
    url: https://erp.example.com/invoices/{invoice}/payments
    query: { dry: "no", note: "{note}" }
    headers: { Accept: application/json }
    secret_headers: { Authorization: APP_TOOL_SECRET_ERP }
    timeout_seconds: 600
    reconcile_url: https://erp.example.com/payments/{idempotency_key}?of={invoice}
- name: weather
  description: Tells the weather.
  http: { method: GET, url: "http://127.0.0.1:8000/weather" }
"#;

fn around() -> ToolSurroundings {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    ToolSurroundings { builtin: set(&["file_read"]), secrets: Some(set(&["APP_TOOL_SECRET_ERP"])) }
}

fn read(files: &[(&str, &str)]) -> DeclaredTools {
    let file = |(path, text): &(&str, &str)| SourceFile { path: (*path).to_owned(), content: text.as_bytes().to_vec() };
    let source = CrewSource { name: "tools".to_owned(), files: files.iter().map(file).collect() };
    read_declared_tools(source, &around())
}

fn rules(text: &str) -> Vec<(String, u32)> {
    let found = read(&[("tools.yaml", text)]).report.diagnostics;
    found.into_iter().map(|found| (found.rule, found.line.unwrap_or_default())).collect()
}

/// The rules that a tool breaks whose `http` part has these lines after its address.
fn with_http(lines: &str) -> Vec<String> {
    let start = "- name: t\n  description: d\n  parameters: {properties: {a: {type: string}, l: {type: array}, n: {type: number}}, required: [a, l]}\n";
    rules(&format!("{start}  http:\n{lines}")).into_iter().map(|(rule, _)| rule).collect()
}

#[test]
fn a_sound_file_gives_its_tools() {
    let declared = read(&[("tools.yaml", SOUND)]);
    assert!(declared.report.diagnostics.is_empty(), "{:#?}", declared.report.diagnostics);
    let [pay, weather] = declared.tools.as_slice() else { panic!("{:?}", declared.tools) };
    assert_eq!((pay.name.as_str(), pay.risk, pay.effect), ("pay_invoice", RiskLevel::Critical, EffectClass::Keyed));
    assert_eq!(pay.parameters["additionalProperties"], false, "arguments nobody declared are refused");
    let http = &pay.http;
    assert_eq!((http.method, http.body, http.timeout_seconds), (HttpMethod::Put, HttpBody::Arguments, 600));
    assert_eq!(http.placed_names().collect::<Vec<_>>(), ["invoice", "note"]);
    assert_eq!(http.headers, [("Accept".to_owned(), "application/json".to_owned())]);
    assert_eq!(http.secret_headers, [("Authorization".to_owned(), "APP_TOOL_SECRET_ERP".to_owned())]);
    assert!(pay.descriptor().reconciles);
    assert_eq!((weather.risk, weather.effect), (RiskLevel::High, EffectClass::ReadOnly), "careful defaults");
    assert_eq!((weather.http.body, weather.http.timeout_seconds), (HttpBody::None, 30));
    assert_eq!(weather.parameters, json!({"type": "object", "properties": {}, "additionalProperties": false}));
    assert!(!weather.descriptor().reconciles);
}

#[test]
fn a_schema_that_says_what_else_is_allowed_stays_as_it_is() {
    let text =
        "- name: t\n  description: d\n  parameters: {properties: {}, additionalProperties: true}\n  http: {url: http://h/}\n";
    let declared = read(&[("tools.yaml", text)]);
    assert_eq!(declared.tools[0].parameters["additionalProperties"], true);
    assert_eq!(declared.tools[0].effect, EffectClass::Effectful);
}

#[test]
fn everything_wrong_is_told_at_once_with_its_place() {
    let text = "- name: Pay\n  description: d\n  http: {url: http://h/}\n\
                - name: file_read\n  description: d\n  http: {url: http://h/}\n\
                - description: d\n\
                - name: ok\n  risk: hihg\n  efect: keyed\n  http:\n    timeout_seconds: 0\n    url: http://h/{what}\n";
    assert_eq!(
        rules(text),
        [
            ("invalid_name", 1),
            ("name_taken", 4),
            ("missing_key", 7),
            ("missing_key", 8),
            ("unknown_word", 9),
            ("unknown_key", 10),
            ("out_of_range", 12),
            ("unknown_placeholder", 13),
        ]
        .map(|(rule, line)| (rule.to_owned(), line))
    );
}

#[test]
fn names_are_unique_over_all_files() {
    let one = "- name: t\n  description: d\n  http: {url: http://h/}\n";
    let declared = read(&[("tools.yaml", one), ("tools/more.yaml", one)]);
    let places: Vec<_> = declared.report.diagnostics.iter().map(|found| (found.path.as_str(), found.rule.as_str())).collect();
    assert_eq!(places, [("tools.yaml", "duplicate_name"), ("tools/more.yaml", "duplicate_name")]);
    assert_eq!(declared.names.len(), 1);
}

#[test]
fn wrong_calls_are_refused() {
    let url = "    url: http://h/{a}\n";
    assert_eq!(with_http(url), Vec::<String>::new());
    for (lines, rule) in [
        ("    url: http://{a}/", "invalid_address"),
        ("    url: http://h/{a", "invalid_address"),
        ("    url: http://h/{n}", "missing_key"),
        ("    url: http://h/{l}", "wrong_type"),
        ("    url: http://h/{idempotency_key}", "unknown_placeholder"),
        ("    method: GET", "missing_key"),
        ("    url: http://h/\n    method: TRACE", "unknown_word"),
        ("    url: http://h/\n    method: GET\n    body: arguments", "conflicting_keys"),
        ("    url: http://h/\n    query: {x: '{b}'}", "unknown_placeholder"),
        ("    url: http://h/\n    query: {x: '{'}", "invalid_template"),
        ("    url: http://h/\n    query: [x]", "wrong_type"),
        ("    url: http://h/\n    timeout_seconds: 601", "out_of_range"),
        ("    url: http://h/\n    reconcile_url: http://h/{b}", "unknown_placeholder"),
        ("    url: http://h/\n    headers: {'a b': x}", "invalid_header"),
        ("    url: http://h/\n    headers: {Host: x}", "invalid_header"),
        ("    url: http://h/\n    headers: {idempotency-key: x}", "invalid_header"),
        ("    url: http://h/\n    headers: {A: \"x\\ny\"}", "invalid_header"),
        ("    url: http://h/\n    headers: {A: x, a: y}", "duplicate_key"),
        ("    url: http://h/\n    headers: {authorization: Bearer x}", "secret_in_file"),
        ("    url: http://h/\n    secret_headers: {A: sk-123}", "secret_in_file"),
        ("    url: http://h/\n    secret_headers: {A: APP_SECRET_KEY}", "secret_in_file"),
        ("    url: http://h/\n    secret_headers: {A: APP_TOOL_SECRET_CRM}", "unknown_secret"),
    ] {
        assert_eq!(with_http(&format!("{lines}\n")), [rule], "{lines}");
    }
    assert_eq!(with_http("    url: http://h/\n    query: {x: '{n}'}\n"), Vec::<String>::new(), "optional in the query");
}

#[test]
fn files_that_are_no_lists_of_tools_are_refused() {
    assert_eq!(rules("a: 1\n"), [("wrong_type".to_owned(), 1)]);
    assert_eq!(rules("- x\n"), [("wrong_type".to_owned(), 1)]);
    assert_eq!(rules("- name: t\n  name: u\n  description: d\n  http: {url: http://h/}\n").len(), 2);
    assert_eq!(rules("- [\n")[0].0, "yaml_syntax");
    assert!(rules("# nothing yet\n").is_empty());
    let schema =
        |schema: &str| rules(&format!("- name: t\n  description: d\n  parameters: {schema}\n  http: {{url: http://h/}}\n"));
    assert_eq!(schema("{type: array}")[0].0, "wrong_type");
    assert_eq!(schema("[]")[0].0, "wrong_type");
    assert_eq!(schema("{properties: {a: {type: strin}}}")[0].0, "invalid_schema");
    assert_eq!(schema("{$ref: 'http://h/schema.json'}")[0].0, "invalid_schema", "nothing is fetched");
}

#[test]
fn a_report_never_shows_a_secret() {
    let text = "- name: t\n  description: d\n  http:\n    url: http://h/\n    headers: {Authorization: Bearer planted-1}\n    secret_headers: {X: planted-2}\n";
    let declared = read(&[("tools.yaml", text)]);
    let shown = render_text(&declared.report, &[declared.source]);
    assert!(shown.contains("tools.yaml:5:") && shown.contains("tools.yaml:6:"), "{shown}");
    assert!(!shown.contains("planted"), "{shown}");
}

#[test]
fn files_are_found_in_the_configuration_folder() {
    let folder = tempfile::tempdir().unwrap();
    let tool = |name: &str| format!("- name: {name}\n  description: d\n  http: {{url: http://h/}}\n");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    assert!(declared_tools(folder.path(), &around()).tools.is_empty());
    write("tools.yaml", &tool("b"));
    write("tools/2.yaml", &tool("c"));
    write("tools/1.yml", &tool("a"));
    write("tools/.3.yaml", "wrong");
    write("tools/notes.md", "wrong");
    let declared = declared_tools(folder.path(), &around());
    assert!(declared.report.diagnostics.is_empty(), "{:?}", declared.report);
    assert_eq!(declared.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["b", "a", "c"]);
    std::fs::create_dir(folder.path().join("tools/4.yaml")).unwrap();
    let unreadable = declared_tools(folder.path(), &around()).report;
    assert_eq!(unreadable.diagnostics[0].rule, "unreadable");
}
