//! Every rule once from its unhappy side, and one crew that breaks none.

use std::collections::BTreeSet;

use serde_json::json;

use crate::crews::{
    AgentDefinition, ContextRule, CrewDefinition, CrewTaskDefinition, LlmSettings, Process, Severity, output_file_problem,
};

fn tools() -> BTreeSet<String> {
    ["file_read", "file_write", "directory_read"].into_iter().map(str::to_owned).collect()
}

fn crew() -> CrewDefinition {
    let mut crew = CrewDefinition::new("research");
    crew.agents.push(AgentDefinition::new("researcher", "Researcher on {topic}\n", "Find facts", ""));
    crew.agents.push(AgentDefinition::new("writer", "Writer", "Write", "Wrote books"));
    crew.tasks.push(CrewTaskDefinition::new("find", "Find facts on {topic}", "A list", "researcher"));
    crew.tasks.push(CrewTaskDefinition::new("write", "Write it up", "", "writer"));
    crew
}

fn broken(change: impl FnOnce(&mut CrewDefinition)) -> Vec<(String, &'static str, Option<String>)> {
    let mut crew = crew();
    change(&mut crew);
    let known = tools();
    crew.check(Some(&known)).into_iter().map(|problem| (problem.element, problem.rule, problem.suggestion)).collect()
}

fn assert_only(change: impl FnOnce(&mut CrewDefinition), element: &str, rule: &str, advice: &str) {
    let found = broken(change);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0.as_str(), found[0].1), (element, rule));
    assert!(found[0].2.as_deref().unwrap_or("").contains(advice), "{found:?}");
}

#[test]
fn a_sound_crew_has_no_problems() {
    assert!(broken(|_| {}).is_empty());
    assert!(!crew().validate(None).has_errors(true));
}

#[test]
fn an_empty_crew_lacks_agents_and_tasks() {
    let rules: Vec<_> = CrewDefinition::new("empty").check(None).into_iter().map(|problem| problem.rule).collect();
    assert_eq!(rules, ["no_agents", "no_tasks"]);
}

#[test]
fn hierarchical_is_an_error_not_a_surprise() {
    assert_only(|crew| crew.process = Process::Hierarchical, "process", "not_supported", "sequential");
}

#[test]
fn references_must_resolve() {
    assert_only(|crew| crew.tasks[1].agent = "writter".into(), "tasks.write.agent", "unknown_agent", "`writer`");
    assert_only(|crew| crew.tasks[1].agent.clear(), "tasks.write.agent", "missing_agent", "agent: researcher");
    let only = |name: &str| ContextRule::Only(vec![name.to_owned()]);
    assert_only(|crew| crew.tasks[1].context = only("fnd"), "tasks.write.context[0]", "unknown_task", "`find`");
    assert_only(|crew| crew.tasks[0].context = only("write"), "tasks.find.context[0]", "forward_reference", "move");
    assert_only(|crew| crew.tasks[0].context = only("find"), "tasks.find.context[0]", "forward_reference", "");
}

#[test]
fn an_unused_agent_is_a_warning() {
    let mut crew = crew();
    crew.agents.push(AgentDefinition::new("idle", "Idler", "Rest", ""));
    let problems = crew.check(None);
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].rule, problems[0].severity), ("unused_agent", Severity::Warning));
    crew.agents[0].allow_delegation = true;
    assert!(crew.check(None).is_empty());
}

#[test]
fn an_asynchronous_task_cannot_wait_for_its_neighbour() {
    let change = |crew: &mut CrewDefinition, between: bool| {
        crew.tasks[0].async_execution = true;
        let mut late = CrewTaskDefinition::new("late", "d", "e", "writer");
        late.async_execution = true;
        late.context = ContextRule::Only(vec!["find".into()]);
        crew.tasks.insert(if between { 2 } else { 1 }, late);
    };
    assert_only(|crew| change(crew, false), "tasks.late.context[0]", "async_context", "synchronous");
    assert!(broken(|crew| change(crew, true)).is_empty());
}

#[test]
fn at_most_one_asynchronous_task_at_the_end() {
    let change = |crew: &mut CrewDefinition| crew.tasks.iter_mut().for_each(|task| task.async_execution = true);
    assert_only(change, "tasks.write.async_execution", "async_tail", "joins");
    assert!(broken(|crew| crew.tasks[1].async_execution = true).is_empty());
}

#[test]
fn names_are_no_paths_and_not_shared() {
    for name in ["../x", "a/b", "a..b", ".hidden", "", " a", "a\nb", "a\\b", "a:b", &"x".repeat(300)] {
        let found = broken(|crew| crew.name = name.into());
        assert_eq!(found.iter().map(|problem| problem.1).collect::<Vec<_>>(), ["invalid_name"], "{name:?}");
        let found = broken(|crew| {
            crew.tasks[1].name = name.into();
        });
        assert_eq!(found.iter().map(|problem| problem.1).collect::<Vec<_>>(), ["invalid_name"], "{name:?}");
    }
    assert!(broken(|crew| crew.name = "客服-2.a".into()).is_empty());
    assert!(broken(|crew| crew.tasks[1].name = "写 报告".into()).is_empty());
    assert_only(|crew| crew.tasks[1].name = "find".into(), "tasks.find", "duplicate_name", "");
    assert_only(|crew| crew.agents[1].role = " researcher on {topic}".into(), "agents.writer.role", "duplicate_role", "");
}

#[test]
fn numbers_stay_in_range() {
    assert_only(|crew| crew.agents[0].max_iter = 0, "agents.researcher.max_iter", "out_of_range", "");
    assert_only(|crew| crew.agents[0].max_retry_limit = 1_000_000, "agents.researcher.max_retry_limit", "out_of_range", "");
    assert_only(|crew| crew.agents[0].max_execution_time = Some(0), "agents.researcher.max_execution_time", "out_of_range", "");
    assert_only(|crew| crew.agents[0].max_tokens = Some(0), "agents.researcher.max_tokens", "out_of_range", "");
    assert_only(|crew| crew.max_rpm = Some(0), "max_rpm", "out_of_range", "");
    let llm = |temperature, top_p| Some(LlmSettings { model: "m".into(), temperature, top_p, ..LlmSettings::default() });
    assert_only(|crew| crew.agents[0].llm = llm(Some(99.0), None), "agents.researcher.llm.temperature", "out_of_range", "");
    assert_only(|crew| crew.agents[0].llm = llm(Some(f64::NAN), None), "agents.researcher.llm.temperature", "out_of_range", "");
    assert_only(|crew| crew.agents[0].llm = llm(None, Some(-0.1)), "agents.researcher.llm.top_p", "out_of_range", "");
    assert_only(|crew| crew.agents[0].llm = Some(LlmSettings::default()), "agents.researcher.llm.model", "wrong_type", "");
}

#[test]
fn a_crew_has_a_size() {
    let mut crew = crew();
    crew.tasks = (0..1_001).map(|task| CrewTaskDefinition::new(format!("t{task}"), "", "", "nobody")).collect();
    crew.agents = (0..201).map(|agent| AgentDefinition::new(format!("a{agent}"), format!("r{agent}"), "", "")).collect();
    let found: Vec<_> = crew.check(None).into_iter().map(|problem| (problem.element, problem.rule)).collect();
    assert_eq!(found, [("agents".to_owned(), "out_of_range"), ("tasks".to_owned(), "out_of_range")]);
}

#[test]
fn tools_must_exist() {
    assert_only(
        |crew| crew.agents[0].tools = vec!["FileReadTool".into()],
        "agents.researcher.tools[0]",
        "unknown_tool",
        "`file_read`",
    );
    assert_only(
        |crew| crew.tasks[0].tools = Some(vec!["serper".into()]),
        "tasks.find.tools[0]",
        "unknown_tool",
        "known tools: directory_read",
    );
    let twice = || vec!["file_read".to_owned(), "file_read".to_owned()];
    assert_only(|crew| crew.agents[0].tools = twice(), "agents.researcher.tools[1]", "duplicate_entry", "");
    let mut crew = crew();
    crew.agents[0].tools = vec!["anything".into()];
    assert!(crew.check(None).is_empty());
}

#[test]
fn output_files_stay_in_the_folder() {
    for file in
        ["/etc/passwd", "~/x", "$HOME/x", "a/../b", "a|b", "a>b", "a<b", "a&b", "a;b", "C:\\x", "a\\b", "", "a/", "a\u{1b}b"]
    {
        assert!(output_file_problem(file).is_some(), "{file:?}");
        assert_only(|crew| crew.tasks[0].output_file = Some(file.into()), "tasks.find.output_file", "output_file", "");
    }
    for file in ["{a-b}.md", "{0}.md", "{a b}.md", "a{.md"] {
        assert_only(|crew| crew.tasks[0].output_file = Some(file.into()), "tasks.find.output_file", "output_file", "");
    }
    for file in ["report.md", "out/{topic}/报告.md", "a.b.c"] {
        assert!(broken(|crew| crew.tasks[0].output_file = Some(file.into())).is_empty(), "{file:?}");
    }
}

#[test]
fn texts_are_read_for_slips() {
    assert_only(|crew| crew.tasks[0].description.push_str(" {主题}"), "tasks.find.description", "not_a_placeholder", "ASCII");
    assert_only(|crew| crew.tasks[1].description.push_str(" { topic }"), "tasks.write.description", "not_a_placeholder", "");
    assert_only(|crew| crew.tasks[0].description.push('\0'), "tasks.find.description", "invalid_characters", "");
    assert_only(|crew| drop(crew.inputs.insert("topics".into(), json!(1))), "inputs.topics", "unused_input", "`topic`");
    assert_only(|crew| crew.tasks[0].output_json = Some(json!("Report")), "tasks.find.output_json", "wrong_type", "");
}

#[test]
fn everything_is_reported_at_once() {
    let found = broken(|crew| {
        crew.agents[0].max_iter = 0;
        crew.agents[1].tools = vec!["nope".into()];
        crew.tasks[0].agent = "nobody".into();
        crew.tasks[1].output_file = Some("../x".into());
    });
    assert_eq!(found.len(), 4, "{found:?}");
}
