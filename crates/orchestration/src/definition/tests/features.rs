//! Keys of CrewAI that crewd honours, refuses, or passes over, each said aloud.

use crewd_domain::approvals::ApprovalRule;
use crewd_domain::crews::{ContextRule, Severity};
use serde_json::json;

use super::{briefs, read, with_agent, with_crew, with_task};

#[test]
fn keys_that_gate_a_run_are_errors() {
    for line in ["guardrail: check it", "guardrails: [a]", "type: conditional", "condition: x", "response_model: X"] {
        let (crew, report) = with_task(&format!("  {line}\n"));
        assert_eq!(briefs(&report), ["tasks.yaml:5:3 error not_supported"], "{line}");
        assert!(crew.is_none());
    }
    for line in ["guardrail: null", "guardrails: []"] {
        let (_, report) = with_task(&format!("  {line}\n"));
        assert!(report.diagnostics.is_empty(), "{line}");
    }
    let (crew, report) = with_crew("process: hierarchical\nmanager_llm: gpt\n");
    assert_eq!(briefs(&report), ["crew.yaml:1:10 error not_supported", "crew.yaml:2:1 warning no_effect"]);
    assert!(crew.is_none());
}

#[test]
fn people_are_asked_where_the_definition_says_so() {
    let (crew, report) = with_task("  human_input: yes\n");
    assert!(report.diagnostics.is_empty() && crew.unwrap().tasks[0].human_input);
    let (crew, report) = with_task("  human_input: false\n");
    assert!(report.diagnostics.is_empty() && !crew.unwrap().tasks[0].human_input);
    let (_, report) = with_task("  human_input: perhaps\n");
    assert_eq!(briefs(&report), ["tasks.yaml:5:16 error wrong_type"]);
    let (crew, report) = with_agent("  approval_from: High\n");
    assert!(report.diagnostics.is_empty(), "{report:?}");
    assert_eq!(crew.unwrap().agents[0].approval_from, Some(ApprovalRule::High));
    let (crew, report) = with_crew("approval_from: low\n");
    assert!(report.diagnostics.is_empty(), "{report:?}");
    assert_eq!(crew.unwrap().approval_from, Some(ApprovalRule::Low));
    let (_, report) = with_crew("approval_from: hihg\n");
    assert_eq!(briefs(&report), ["crew.yaml:1:16 error wrong_type"]);
    assert_eq!(report.diagnostics[0].suggestion.as_deref(), Some("did you mean `high`?"));
    let (_, report) = with_agent("  approval_from: 3\n");
    assert_eq!(briefs(&report), ["agents.yaml:5:18 error wrong_type"]);
    let (crew, report) = with_agent("  approval_from:\n");
    assert!(report.diagnostics.is_empty() && crew.unwrap().agents[0].approval_from.is_none());
}

#[test]
fn features_to_come_are_warnings() {
    let (crew, report) = with_agent(
        "  planning: true\n  memory: true\n  knowledge_sources: [a]\n  mcps: [x]\n  a2a: {x: 1}\n  skills: [s]\n  step_callback: f\n",
    );
    assert!(report.diagnostics.iter().all(|found| found.rule == "no_effect" && found.severity == Severity::Warning));
    assert_eq!(report.diagnostics.len(), 7);
    assert!(crew.is_some() && report.has_errors(true));
    let (crew, report) = with_agent("  allow_delegation: true\n");
    assert_eq!(briefs(&report), ["agents.yaml:5:3 warning no_effect"]);
    assert!(crew.unwrap().agents[0].allow_delegation);
    let (_, report) = with_crew("planning: true\nmemory: true\nbefore_kickoff_callbacks: [x]\n");
    assert_eq!(report.warning_count(), 3);
}

#[test]
fn keys_without_meaning_here_are_warnings() {
    for line in [
        "allow_code_execution: true",
        "code_execution_mode: safe",
        "multimodal: true",
        "function_calling_llm: x",
        "i18n: x",
        "executor_class: x",
        "from_repository: x",
        "apps: [x]",
    ] {
        let (crew, report) = with_agent(&format!("  {line}\n"));
        assert_eq!(briefs(&report), ["agents.yaml:5:3 warning ignored_key"], "{line}");
        assert!(crew.is_some());
    }
    let (_, report) = with_agent("  allow_code_execution: false\n  multimodal: no\n");
    assert!(report.diagnostics.is_empty());
    let (_, report) = with_task("  name: other\n");
    assert_eq!(briefs(&report), ["tasks.yaml:5:3 warning ignored_key"]);
}

#[test]
fn providers_belong_to_the_operator() {
    let (crew, report) = with_agent("  llm:\n    model: openai/x\n    base_url: http://evil\n    api_key: sk-secret\n");
    assert_eq!(briefs(&report), ["agents.yaml:7:5 error operator_only", "agents.yaml:8:5 error operator_only"]);
    assert!(crew.is_none());
    assert!(!serde_json::to_string(&report).unwrap().contains("sk-secret"));
    let (_, report) = with_agent("  llm: {temperature: 1}\n");
    assert_eq!(briefs(&report), ["agents.yaml:5:8 error missing_key"]);
}

#[test]
fn context_has_three_forms() {
    let tasks = |context: &str| {
        format!(
            "a: {{description: D, expected_output: E, agent: x}}\nb:\n  description: D\n  expected_output: E\n  agent: x\n{context}"
        )
    };
    let context = |lines: &str| {
        let (crew, report) = read(&[("agents.yaml", "x: {role: R, goal: G, backstory: B}\n"), ("tasks.yaml", &tasks(lines))]);
        assert!(report.diagnostics.is_empty(), "{report:?}");
        crew.unwrap().tasks[1].context.clone()
    };
    assert_eq!(context(""), ContextRule::AllPrevious);
    assert_eq!(context("  context: []\n"), ContextRule::Nothing);
    assert_eq!(context("  context: null\n"), ContextRule::Nothing);
    assert_eq!(context("  context:\n"), ContextRule::Nothing);
    assert_eq!(context("  context:\n    - a\n"), ContextRule::Only(vec!["a".into()]));
    let wrong = |lines: &str| {
        let (_, report) = read(&[("agents.yaml", "x: {role: R, goal: G, backstory: B}\n"), ("tasks.yaml", &tasks(lines))]);
        (briefs(&report), report.diagnostics[0].suggestion.clone())
    };
    assert_eq!(wrong("  context: a\n"), (vec!["tasks.yaml:6:12 error wrong_type".into()], Some("write [a]".into())));
    assert_eq!(wrong("  context:\n    - b\n").0, ["tasks.yaml:7:7 error forward_reference"]);
    assert_eq!(wrong("  context: [a, c]\n").0, ["tasks.yaml:6:16 error unknown_task"]);
}

#[test]
fn tools_of_a_task_replace_and_an_empty_list_does_not() {
    let tools = |line: &str| with_task(line).0.unwrap().tasks[0].tools.clone();
    assert_eq!(tools(""), None);
    assert_eq!(tools("  tools: []\n"), None);
    assert_eq!(tools("  tools: [file_read]\n"), Some(vec!["file_read".to_owned()]));
    let (_, report) = with_agent("  tools: [file_read, FileWriterTool, serper_dev]\n");
    assert_eq!(briefs(&report), ["agents.yaml:5:22 error unknown_tool", "agents.yaml:5:38 error unknown_tool"]);
    assert_eq!(report.diagnostics[0].suggestion.as_deref(), Some("did you mean `file_write`?"));
}

#[test]
fn output_json_is_a_schema_or_its_name() {
    let (crew, _) = with_task("  output_json: {type: object, properties: {a: {type: string}}}\n");
    assert_eq!(
        crew.unwrap().tasks[0].output_json,
        Some(json!({ "type": "object", "properties": { "a": { "type": "string" } } }))
    );
    let (crew, report) = with_crew("schemas: {report: {type: object}}\ntasks: {find: {output_pydantic: report}}\n");
    assert!(report.diagnostics.is_empty(), "{report:?}");
    assert_eq!(crew.unwrap().tasks[0].output_json, Some(json!({ "type": "object" })));
    let (_, report) = with_task("  output_json: ReportModel\n");
    assert_eq!(briefs(&report), ["tasks.yaml:5:16 error unknown_schema"]);
    let (_, report) = with_task("  output_json: {type: 3}\n");
    assert_eq!(briefs(&report), ["tasks.yaml:5:16 error invalid_schema"]);
    let (_, report) = with_task("  output_json: {type: object}\n  output_pydantic: {type: object}\n");
    assert_eq!(briefs(&report), ["tasks.yaml:6:20 error conflicting_keys"]);
    let (_, report) = with_crew("schemas: {report: text}\n");
    assert_eq!(briefs(&report), ["crew.yaml:1:19 error wrong_type"]);
}

#[test]
fn file_names_are_checked() {
    for file in ["../x", "/etc/passwd", "~/x", "$HOME/x", "'a|b'"] {
        let (_, report) = with_task(&format!("  output_file: {file}\n"));
        assert_eq!(briefs(&report), ["tasks.yaml:5:16 error output_file"], "{file}");
    }
}
