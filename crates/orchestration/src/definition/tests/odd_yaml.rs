//! Real projects, oddities included: each test is one of them.

use super::{AGENTS, TASKS, briefs, pair, sound, with_agent, with_task};
use crewd_domain::crews::same_role;

#[test]
fn folded_scalars_end_with_a_newline_everywhere() {
    let crew = sound(&[
        (
            "agents.yaml",
            "a:\n  role: >\n    Senior\n    Writer\n  goal: >\n    G\n  backstory: >\n    B\n  llm: >\n    openai/gpt\n",
        ),
        (
            "tasks.yaml",
            "t:\n  description: >\n    D\n  expected_output: >\n    E\n  agent: >\n    a\n  output_file: >\n    out.md\n",
        ),
    ]);
    assert_eq!(crew.agents[0].role, "Senior Writer\n");
    assert!(same_role(&crew.agents[0].role, "senior writer"));
    assert_eq!(crew.agents[0].llm.as_ref().unwrap().model, "openai/gpt");
    assert_eq!((crew.tasks[0].agent.as_str(), crew.tasks[0].output_file.as_deref()), ("a", Some("out.md")));
}

#[test]
fn quotes_inside_a_role_are_text() {
    let crew = sound(&[
        ("agents.yaml", "a:\n  role: >\n    \"Chief\" Editor\n  goal: G\n  backstory: B\n"),
        ("tasks.yaml", "t: {description: D, expected_output: E, agent: a}\n"),
    ]);
    assert_eq!(crew.agents[0].role, "\"Chief\" Editor\n");
}

#[test]
fn expected_output_may_be_empty_but_not_absent() {
    let agents = "a: {role: R, goal: G, backstory: B}\n";
    for empty in ["''", ">\n", ">-\n"] {
        let text = format!("t:\n  description: D\n  agent: a\n  expected_output: {empty}\n");
        assert_eq!(sound(&[("agents.yaml", agents), ("tasks.yaml", &text)]).tasks[0].expected_output, "");
    }
    let (_, report) = pair(agents, "t:\n  description: D\n  agent: a\n");
    assert_eq!(briefs(&report), ["tasks.yaml:1:1 error missing_key"]);
    let (_, report) = pair(agents, "t:\n  description: D\n  agent: a\n  expected_output:\n");
    assert_eq!(briefs(&report), ["tasks.yaml:4:3 error wrong_type"]);
}

#[test]
fn braces_code_and_markers_are_text() {
    let description = "  description: |\n    \"\"\"Triple quotes\"\"\" and {{topic}} and {{ \"k\": {\"n\": 1} }}\n    # not a comment\n    ```json\n    {\"a\": [1, 2]}\n    ```\n    Action: search\n    Final Answer: no\n    `file.md` – “quoted”\n";
    let crew = sound(&[
        ("agents.yaml", "a: {role: R, goal: \"Action: x\", backstory: B}\n"),
        ("tasks.yaml", &format!("# a comment\nt: # another\n{description}  expected_output: E\n\n  agent: a")),
    ]);
    let text = &crew.tasks[0].description;
    assert!(text.starts_with("\"\"\"Triple") && text.contains("# not a comment\n") && text.ends_with("“quoted”\n"));
    assert_eq!(crew.placeholders().into_iter().collect::<Vec<_>>(), ["topic"]);
}

#[test]
fn order_blank_lines_and_ends_do_not_matter() {
    let crew = sound(&[
        ("agents.yaml", "a:\n\n  backstory: B   \n\n  goal: G\n  role: Escritor em português 写作者\n\n"),
        ("tasks.yaml", "t:\n  agent: a\n  expected_output: E\n  description: >\n    no newline at the end"),
    ]);
    assert_eq!(crew.agents[0].role, "Escritor em português 写作者");
    assert_eq!(crew.tasks[0].description, "no newline at the end");
}

#[test]
fn upper_case_names_are_names_and_another_case_still_finds_them() {
    let agents = "RESEARCHER: {role: Senior Researcher, goal: G, backstory: B}\n";
    let task = |agent: &str| format!("t: {{description: D, expected_output: E, agent: {agent}}}\n");
    sound(&[("agents.yaml", agents), ("tasks.yaml", &task("RESEARCHER"))]);
    for loose in ["researcher", "senior researcher"] {
        let (crew, report) = pair(agents, &task(loose));
        assert_eq!(briefs(&report), ["tasks.yaml:1:48 warning name_case"]);
        assert_eq!(crew.unwrap().tasks[0].agent, "RESEARCHER");
    }
}

#[test]
fn a_colon_in_a_long_plain_text_is_placed() {
    let (crew, report) = pair("a:\n  role: R\n  goal: Do two things: this and that\n  backstory: B\n", TASKS);
    assert!(crew.is_none());
    assert_eq!(briefs(&report), ["agents.yaml:3:22 error yaml_syntax"]);
    assert!(report.diagnostics[0].suggestion.as_deref().unwrap().contains("quotes"));
}

#[test]
fn more_tasks_than_agents_and_agents_without_tasks() {
    let tasks = format!("{TASKS}again:\n  description: D\n  expected_output: E\n  agent: writer\n");
    sound(&[("agents.yaml", AGENTS), ("tasks.yaml", &tasks)]);
    let (crew, report) = pair(&format!("{AGENTS}idle: {{role: I, goal: G, backstory: B}}\n"), TASKS);
    assert_eq!(briefs(&report), ["agents.yaml:9:1 warning unused_agent"]);
    assert!(crew.is_some());
}

#[test]
fn yaml_11_words_and_numbers_warn_where_text_belongs() {
    for (written, kept) in
        [("no", "no"), ("On", "On"), ("12:30:00", "12:30:00"), ("010", "010"), ("1_000", "1_000"), ("2024-01-01", "2024-01-01")]
    {
        let (crew, report) = pair(
            &format!("a:\n  role: {written}\n  goal: G\n  backstory: B\n"),
            "t: {description: D, expected_output: E, agent: a}\n",
        );
        assert_eq!(briefs(&report), ["agents.yaml:2:9 warning yaml_11_text"], "{written}");
        assert!(report.has_errors(true) && !report.has_errors(false));
        assert_eq!(crew.unwrap().agents[0].role, kept);
    }
    for written in ["3", "1.5", "true", "null", "~", "[a]", "{a: b}"] {
        let (crew, report) = pair(
            &format!("a:\n  role: {written}\n  goal: G\n  backstory: B\n"),
            "t: {description: D, expected_output: E, agent: a}\n",
        );
        assert_eq!(report.diagnostics[0].rule, "wrong_type", "{written}");
        assert!(crew.is_none());
    }
    let (_, report) =
        pair("a:\n  role: '3'\n  goal: \"no\"\n  backstory: !!str 1\n", "t: {description: 08, expected_output: y, agent: a}\n");
    assert!(report.diagnostics.is_empty(), "{report:?}");
}

#[test]
fn unknown_keys_of_real_files_warn_with_advice() {
    let (crew, report) = with_agent("  name: x\n  description: x\n  thought: x\n  tool: [x]\n  LLM: gpt\n");
    let found: Vec<_> = report.diagnostics.iter().map(|found| (found.line, found.suggestion.as_deref())).collect();
    assert_eq!(
        found,
        [
            (Some(5), None),
            (Some(6), None),
            (Some(7), None),
            (Some(8), Some("did you mean `tools`?")),
            (Some(9), Some("did you mean `llm`?")),
        ]
    );
    assert!(report.diagnostics.iter().all(|found| found.rule == "unknown_key"));
    assert!(crew.unwrap().agents[0].tools.is_empty());
    let (_, report) = with_task("  inputs: {topic: x}\n  name: t\n");
    assert_eq!(briefs(&report), ["tasks.yaml:5:3 warning unknown_key"]);
}

#[test]
fn a_wrapper_key_around_everything_is_understood() {
    let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let (crew, report) = pair(&format!("agents:\n{}", indented(AGENTS)), &format!("tasks:\n{}", indented(TASKS)));
    assert_eq!(briefs(&report), ["agents.yaml:1:1 warning wrapper_key", "tasks.yaml:1:1 warning wrapper_key"]);
    assert_eq!(crew.unwrap().tasks.len(), 2);
    let list = "agents:\n  - name: a\n    role: R\n    goal: G\n    backstory: B\n  - role: nameless\n";
    let (_, report) = pair(list, "t: {description: D, expected_output: E, agent: a}\n");
    assert_eq!(briefs(&report), ["agents.yaml:1:1 warning wrapper_key", "agents.yaml:6:5 error missing_key"]);
}

#[test]
fn an_entry_that_is_no_mapping_is_an_error_at_its_place() {
    let (_, report) = pair(
        "a: just text\nb: {role: R, goal: G, backstory: B}\n",
        "t: {description: D, expected_output: E, agent: a}\nu: {description: D, expected_output: E, agent: b}\n",
    );
    assert_eq!(briefs(&report), ["agents.yaml:1:4 error wrong_type"]);
}
