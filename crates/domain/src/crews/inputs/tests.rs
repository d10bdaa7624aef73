//! Placeholders, defaults and rendering of a whole crew.

use serde_json::{Map, Value, json};

use crate::crews::{AgentDefinition, CrewDefinition, CrewTaskDefinition};

fn crew() -> CrewDefinition {
    let mut crew = CrewDefinition::new("c");
    crew.agents.push(AgentDefinition::new("a", "{topic} expert\n", "Know {topic}", "Lives in {city-name}"));
    let mut task = CrewTaskDefinition::new("t", "Write {count} lines on {topic}: {\"k\": {{topic}}}", "{tone}", "a");
    task.output_file = Some("out/{topic}.md".into());
    crew.tasks.push(task);
    crew.inputs.insert("tone".into(), json!("calm"));
    crew
}

fn inputs(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[test]
fn all_placeholders_are_known_before_a_run() {
    assert_eq!(crew().placeholders().into_iter().collect::<Vec<_>>(), ["city-name", "count", "tone", "topic"]);
}

#[test]
fn defaults_fill_what_is_missing() {
    assert_eq!(crew().missing_inputs(&inputs(json!({ "topic": "tea" }))), ["city-name", "count"]);
}

#[test]
fn every_missing_input_is_named_also_without_any_input() {
    let error = crew().render(&Map::new()).unwrap_err();
    let names: Vec<_> = error.problems.iter().map(|problem| problem.name.as_str()).collect();
    assert_eq!(names, ["city-name", "count", "topic"]);
    assert_eq!(error.problems[0].pointer(), "/inputs/city-name");
    assert!(error.to_string().contains("count: is required"));
}

#[test]
fn texts_are_rendered_once() {
    let given = inputs(json!({ "topic": "{count}", "city-name": null, "count": [1, "a"], "unused": 1 }));
    let rendered = crew().render(&given).unwrap();
    assert_eq!(rendered.agents[0].role, "{count} expert\n");
    assert_eq!(rendered.agents[0].backstory, "Lives in None");
    assert_eq!(rendered.tasks[0].description, "Write [1, 'a'] lines on {count}: {\"k\": {{count}}}");
    assert_eq!(rendered.tasks[0].expected_output, "calm");
    assert_eq!(rendered.tasks[0].output_file.as_deref(), Some("out/{count}.md"));
}

#[test]
fn given_values_go_before_defaults() {
    let given = inputs(json!({ "topic": "tea", "city-name": "X", "count": 1, "tone": "loud" }));
    assert_eq!(crew().render(&given).unwrap().tasks[0].expected_output, "loud");
}

#[test]
fn a_value_cannot_lead_out_of_the_folder() {
    for topic in ["../../etc/passwd", "{topic}/../../x", "a;b", "a\u{0}b"] {
        let given = inputs(json!({ "topic": topic, "city-name": "X", "count": 1 }));
        let error = crew().render(&given).unwrap_err();
        assert_eq!(error.problems.len(), 1, "{topic}");
        assert_eq!(error.problems[0].name, "topic");
        assert!(!error.to_string().contains("passwd"));
    }
}

#[test]
fn the_schema_lists_required_and_optional_inputs() {
    let schema = crew().input_schema();
    assert_eq!(schema["required"], json!(["city-name", "count", "topic"]));
    assert_eq!(schema["properties"]["tone"]["default"], "calm");
    assert_eq!(
        schema["properties"]["topic"]["description"],
        "Used in agents.a.role, agents.a.goal, tasks.t.description, tasks.t.output_file."
    );
}

#[test]
fn a_crew_without_placeholders_needs_nothing() {
    let mut crew = crew();
    crew.agents[0] = AgentDefinition::new("a", "r", "g", "b");
    crew.tasks[0] = CrewTaskDefinition::new("t", "Answer in JSON: {\"k\": 1}", "", "a");
    let rendered = crew.render(&Map::new()).unwrap();
    assert_eq!(rendered.tasks[0].description, "Answer in JSON: {\"k\": 1}");
}
