//! Types of values: tolerant where CrewAI is, strict where it is.

use serde_json::json;

use super::{briefs, with_agent, with_crew, with_task};

#[test]
fn every_agent_key_is_read() {
    let (crew, report) = with_agent(
        "  max_iter: 7\n  max_rpm: 10\n  max_execution_time: 60\n  max_retry_limit: 0\n  verbose: true\n  cache: false\n  respect_context_window: false\n  \
         max_tokens: 100\n  use_system_prompt: false\n  system_template: S\n  prompt_template: P\n  response_template: R\n  inject_date: true\n  date_format: '%d'\n  tools: [file_read]\n  \
         llm: {model: a/b, temperature: 0, top_p: 1, max_tokens: 5, stop: [a, \"\\n\"], seed: -1, stream: false, native_tools: false, context_window: 8192}\n",
    );
    assert!(report.diagnostics.is_empty(), "{report:?}");
    let agent = serde_json::to_value(&crew.unwrap().agents[0]).unwrap();
    assert_eq!(
        agent,
        json!({
            "name": "a", "role": "R", "goal": "G", "backstory": "B", "tools": ["file_read"], "max_iter": 7, "max_rpm": 10,
            "max_execution_time": 60, "max_retry_limit": 0, "allow_delegation": false, "verbose": true, "cache": false,
            "respect_context_window": false, "max_tokens": 100, "use_system_prompt": false, "system_template": "S",
            "prompt_template": "P", "response_template": "R", "inject_date": true, "date_format": "%d",
            "llm": { "model": "a/b", "temperature": 0.0, "top_p": 1.0, "max_tokens": 5, "stop": ["a", "\n"], "seed": -1,
                "stream": false, "native_tools": false, "context_window": 8192 }
        })
    );
}

#[test]
fn every_task_key_is_read() {
    let (crew, report) =
        with_task("  async_execution: yes\n  output_file: out/{topic}.md\n  create_directory: off\n  markdown: \"true\"\n");
    assert!(report.diagnostics.is_empty(), "{report:?}");
    let task = crew.unwrap().tasks.remove(0);
    assert!(task.async_execution && !task.create_directory && task.markdown);
    assert_eq!(task.output_file.as_deref(), Some("out/{topic}.md"));
}

#[test]
fn numbers_and_flags_are_lax() {
    for (written, value) in [("\"7\"", 7), ("7.0", 7), ("1_000", 1000), ("' 12 '", 12), ("0x10", 16)] {
        let (crew, report) = with_agent(&format!("  max_iter: {written}\n"));
        assert!(report.diagnostics.is_empty(), "{written} {report:?}");
        assert_eq!(crew.unwrap().agents[0].max_iter, value);
    }
    for (written, value) in [("\"yes\"", true), ("1", true), ("Off", false), ("\"0\"", false), ("f", false), ("True", true)] {
        let (crew, report) = with_agent(&format!("  verbose: {written}\n"));
        assert!(report.diagnostics.is_empty(), "{written}");
        assert_eq!(crew.unwrap().agents[0].verbose, value);
    }
    for (written, value) in [("010", 8), ("1:30", 90)] {
        let (crew, report) = with_agent(&format!("  max_iter: {written}\n"));
        assert_eq!(briefs(&report), ["agents.yaml:5:13 warning yaml_11_number"], "{written}");
        assert_eq!(crew.unwrap().agents[0].max_iter, value);
    }
}

#[test]
fn wrong_types_and_ranges_are_placed() {
    for (line, rule) in [
        ("max_iter: seven", "wrong_type"),
        ("max_iter: 7.5", "wrong_type"),
        ("max_iter: yes", "wrong_type"),
        ("max_iter: [7]", "wrong_type"),
        ("max_iter: .inf", "wrong_type"),
        ("max_iter: nan", "wrong_type"),
        ("max_iter: 0", "out_of_range"),
        ("max_iter: -1", "out_of_range"),
        ("max_tokens: 1000000000000", "out_of_range"),
        ("max_tokens: 99999999999999999999", "wrong_type"),
        ("max_execution_time: 0", "out_of_range"),
        ("max_retry_limit: 1000000", "out_of_range"),
        ("verbose: maybe", "wrong_type"),
        ("verbose: 2", "wrong_type"),
        ("tools: file_read", "wrong_type"),
        ("tools: {a: b}", "wrong_type"),
        ("llm: 3", "wrong_type"),
        ("llm: []", "wrong_type"),
    ] {
        let (crew, report) = with_agent(&format!("  {line}\n"));
        let column = 3 + line.find(':').unwrap() + 2;
        assert_eq!(briefs(&report), [format!("agents.yaml:5:{column} error {rule}")], "{line}");
        assert!(crew.is_none());
    }
    let (_, report) = with_agent("  llm: {model: m, temperature: 99, top_p: -1, seed: x}\n");
    assert_eq!(
        briefs(&report),
        ["agents.yaml:5:32 error out_of_range", "agents.yaml:5:43 error out_of_range", "agents.yaml:5:53 error wrong_type"]
    );
    let (_, report) = with_agent("  tools: [file_read, 3, null]\n");
    assert_eq!(briefs(&report), ["agents.yaml:5:22 error wrong_type", "agents.yaml:5:25 error wrong_type"]);
}

#[test]
fn a_null_optional_is_unset() {
    let (crew, report) = with_agent("  max_iter: null\n  llm: ~\n  tools:\n  date_format:\n");
    assert!(report.diagnostics.is_empty(), "{report:?}");
    assert_eq!(crew.unwrap().agents[0].max_iter, 25);
}

#[test]
fn inputs_keep_their_types() {
    let (crew, report) = with_crew("inputs:\n  topic: [1, 2.5, true, null, text, 2024-01-01, {a: 18446744073709551615}]\n");
    assert!(report.diagnostics.is_empty(), "{report:?}");
    assert_eq!(crew.unwrap().inputs["topic"], json!([1, 2.5, true, null, "text", "2024-01-01", { "a": u64::MAX }]));
    let (crew, report) = with_crew("inputs: {topic: no, tpoic: 1, x: .nan}\n");
    assert!(crew.is_none());
    assert_eq!(
        briefs(&report),
        ["crew.yaml:1:17 warning yaml_11_text", "crew.yaml:1:28 warning unused_input", "crew.yaml:1:34 error wrong_type"]
    );
    assert_eq!(report.diagnostics[1].suggestion.as_deref(), Some("did you mean `topic`?"));
}

#[test]
fn everything_is_reported_at_once_in_reading_order() {
    let (crew, report) = super::pair(
        "a:\n  role: 3\n  goal: no\n  max_iter: 0\n  tool: x\n",
        "t:\n  description: D\n  agent: b\n  context: [x]\n  guardrail: x\n",
    );
    assert!(crew.is_none());
    assert_eq!(
        briefs(&report),
        [
            "agents.yaml:1:1 error missing_key",
            "agents.yaml:2:9 error wrong_type",
            "agents.yaml:3:9 warning yaml_11_text",
            "agents.yaml:4:13 error out_of_range",
            "agents.yaml:5:3 warning unknown_key",
            "tasks.yaml:1:1 error missing_key",
            "tasks.yaml:3:10 error unknown_agent",
            "tasks.yaml:4:13 error unknown_task",
            "tasks.yaml:5:3 error not_supported",
        ]
    );
}
