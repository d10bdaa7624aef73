//! Where files may lie, and what `crew.yaml` adds.

use crewd_domain::crews::{ContextRule, Process};
use serde_json::json;

use super::{AGENTS, TASKS, briefs, pair, read, sound, with_crew};

#[test]
fn the_classic_pair_is_a_crew() {
    let crew = sound(&[("agents.yaml", AGENTS), ("tasks.yaml", TASKS)]);
    let agents: Vec<_> = crew.agents.iter().map(|agent| agent.name.as_str()).collect();
    let tasks: Vec<_> = crew.tasks.iter().map(|task| (task.name.as_str(), task.agent.as_str())).collect();
    assert_eq!((agents, tasks), (vec!["researcher", "writer"], vec![("find", "researcher"), ("write", "writer")]));
    assert_eq!(crew.tasks[0].context, ContextRule::AllPrevious);
    assert_eq!((crew.name.as_str(), crew.process), ("crew", Process::Sequential));
}

#[test]
fn every_layout_gives_the_same_version() {
    let classic = sound(&[("agents.yaml", AGENTS), ("tasks.yaml", TASKS)]);
    let config = sound(&[("crew/config/agents.yml", AGENTS), ("crew/config/tasks.yml", TASKS)]);
    let folders = sound(&[
        ("crew/agents/researcher.yaml", "role: Researcher\ngoal: Find\nbackstory: Old\n"),
        ("crew/agents/others.yml", "writer:\n  role: Writer\n  goal: Write\n  backstory: Young\n"),
        ("crew/tasks/1.yaml", "find:\n  description: Find {topic}\n  expected_output: List\n  agent: researcher\n"),
        ("crew/tasks/write.yaml", "description: Write\nexpected_output: Text\nagent: writer\n"),
    ]);
    let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let single = sound(&[("crew.yaml", &format!("agents:\n{}tasks:\n{}", indented(AGENTS), indented(TASKS)))]);
    for other in [config, folders, single] {
        assert_eq!(classic.canonical_json(), other.canonical_json());
    }
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{"agents": {"a": {"role": "R", "goal": "G", "backstory": "B"}},
        "tasks": {"t": {"description": "D", "expected_output": "", "agent": "a"}}}"#;
    assert_eq!(sound(&[("crew.yaml", text)]).tasks[0].agent, "a");
}

#[test]
fn other_files_lying_about_do_not_matter() {
    let crew = sound(&[
        ("crew/agents.yaml", AGENTS),
        ("crew/tasks.yaml", TASKS),
        ("crew/settings.yaml", "greeting: hello\nbroken: [\n"),
        ("crew/agents/strings.yaml", "greeting: hello\n"),
        ("crew/README.md", "role: none"),
    ]);
    assert_eq!(crew.agents.len(), 2);
}

#[test]
fn crew_yaml_wires_what_python_would() {
    let (crew, report) = with_crew(
        "name: crew\ndescription: >\n  Both\nprocess: Sequential\nmax_rpm: 10\ncache: true\nllm: qwen-plus\ninputs: {topic: tea}\n\
         agents:\n  researcher: {tools: [file_read], llm: {model: x/y, temperature: 0.5, stop: END}}\n\
         tasks:\n  - write: {context: []}\n  - {name: find, agent: writer, context: [write]}\n",
    );
    assert_eq!(briefs(&report), ["agents.yaml:1:1 warning unused_agent", "crew.yaml:6:1 warning no_effect"]);
    let crew = crew.unwrap();
    assert_eq!((crew.description.as_deref(), crew.max_rpm, crew.cache), (Some("Both"), Some(10), true));
    assert_eq!(crew.inputs["topic"], json!("tea"));
    assert_eq!(crew.agents[0].tools, ["file_read"]);
    let llm = crew.agents[0].llm.as_ref().unwrap();
    assert_eq!((llm.model.as_str(), llm.temperature, llm.stop[0].as_str()), ("x/y", Some(0.5), "END"));
    assert_eq!(crew.agents[1].llm.as_ref().unwrap().model, "qwen-plus");
    assert_eq!((crew.tasks[0].name.as_str(), &crew.tasks[0].context), ("write", &ContextRule::Nothing));
    assert_eq!((crew.tasks[1].agent.as_str(), &crew.tasks[1].context), ("writer", &ContextRule::Only(vec!["write".into()])));
}

#[test]
fn a_mapping_adds_and_a_list_chooses() {
    let (crew, report) = with_crew("tasks: {find: {markdown: true}}\n");
    assert!(report.diagnostics.is_empty(), "{report:?}");
    assert_eq!(crew.unwrap().tasks.len(), 2);
    let (crew, report) = with_crew("agents: [researcher]\ntasks: [find]\n");
    assert_eq!(briefs(&report), ["agents.yaml:5:1 warning unused_agent", "tasks.yaml:5:1 warning unused_task"]);
    assert_eq!(crew.unwrap().tasks.len(), 1);
}

#[test]
fn wrong_wiring_is_reported_where_it_stands() {
    let (crew, report) = with_crew(
        "name: other\nprocess: consensual\ninputs: [topic]\nagents: [reseacher, 3]\ntasks:\n  - find\n  - wirte\n  - [x]\n  - write\n",
    );
    assert!(crew.is_none());
    assert_eq!(
        briefs(&report),
        [
            "crew.yaml:1:7 warning name_mismatch",
            "crew.yaml:2:10 error wrong_type",
            "crew.yaml:3:9 error wrong_type",
            "crew.yaml:4:10 error unknown_agent",
            "crew.yaml:4:21 error wrong_type",
            "crew.yaml:7:5 error unknown_task",
            "crew.yaml:8:5 error wrong_type",
        ]
    );
    assert_eq!(report.diagnostics[5].suggestion.as_deref(), Some("did you mean `write`?"));
}

#[test]
fn names_given_twice_are_reported_at_both_places() {
    let (_, report) =
        read(&[("c/agents.yaml", AGENTS), ("c/agents/writer.yaml", "role: R\ngoal: G\nbackstory: B\n"), ("c/tasks.yaml", TASKS)]);
    assert_eq!(briefs(&report), ["c/agents.yaml:5:1 error duplicate_name", "c/agents/writer.yaml:1:1 error duplicate_name"]);
    let (_, report) = pair(&format!("{AGENTS}writer:\n  role: X\n  role: Y\n"), TASKS);
    assert_eq!(
        briefs(&report),
        [
            "agents.yaml:5:1 error duplicate_name",
            "agents.yaml:9:1 error duplicate_name",
            "agents.yaml:10:3 error duplicate_key",
            "agents.yaml:11:3 error duplicate_key",
        ]
    );
}

#[test]
fn a_missing_half_is_told() {
    let (_, report) = read(&[("agents.yaml", AGENTS)]);
    assert_eq!(briefs(&report)[0], "crew:-:- error no_tasks");
    let (_, report) = read(&[]);
    assert_eq!(briefs(&report), ["crew:-:- error no_agents", "crew:-:- error no_tasks"]);
    let (_, report) = pair("", "# nothing\n");
    assert_eq!(briefs(&report), ["agents.yaml:1:1 error no_agents", "tasks.yaml:1:1 error no_tasks"]);
    let (_, report) = pair("- a\n", "text");
    assert_eq!(briefs(&report)[0], "agents.yaml:1:1 error wrong_type");
}

#[test]
fn a_broken_file_does_not_blame_the_others() {
    let (crew, report) = pair("writer:\n  role: x: y\n", &format!("{TASKS}  tool: [x]\n  max: 1\n"));
    assert!(crew.is_none());
    assert_eq!(
        briefs(&report),
        ["agents.yaml:2:10 error yaml_syntax", "tasks.yaml:9:3 warning unknown_key", "tasks.yaml:10:3 warning unknown_key"]
    );
}
