//! A crew as a child task runs it.

use serde_json::{Map, Value};

use super::task::ForkOverrides;
use crate::crews::{CrewDefinition, LlmSettings};

impl ForkOverrides {
    /// The crew with other texts and another model. Placeholders of the new texts are filled in as those of the old
    /// ones; names that the crew does not have change nothing.
    #[must_use]
    pub fn apply(&self, crew: &CrewDefinition) -> CrewDefinition {
        let mut crew = crew.clone();
        for agent in &mut crew.agents {
            if let Some(Value::Object(texts)) = self.agents.get(&agent.name) {
                replace(texts, [("role", &mut agent.role), ("goal", &mut agent.goal), ("backstory", &mut agent.backstory)]);
            }
            if let Some(model) = &self.model {
                agent.llm.get_or_insert_with(LlmSettings::default).model.clone_from(model);
            }
        }
        for task in &mut crew.tasks {
            if let Some(Value::Object(texts)) = self.tasks.get(&task.name) {
                replace(texts, [("description", &mut task.description), ("expected_output", &mut task.expected_output)]);
            }
        }
        crew
    }

    /// These overrides on top of those of an earlier child: what both name is as it is here.
    #[must_use]
    pub fn on_top_of(mut self, earlier: &Self) -> Self {
        self.model = self.model.or_else(|| earlier.model.clone());
        for (own, before) in [(&mut self.inputs, &earlier.inputs), (&mut self.tools, &earlier.tools)] {
            for (name, value) in before {
                own.entry(name).or_insert_with(|| value.clone());
            }
        }
        for (own, before) in [(&mut self.agents, &earlier.agents), (&mut self.tasks, &earlier.tasks)] {
            for (name, texts) in before {
                let merged = own.entry(name).or_insert_with(|| Value::Object(Map::new()));
                for (field, text) in texts.as_object().into_iter().flatten() {
                    merged.as_object_mut().map(|own| own.entry(field).or_insert_with(|| text.clone()));
                }
            }
        }
        self
    }

    /// The text that stands in for a tool's result, if the child does not call the tool.
    #[must_use]
    pub fn result_of(&self, tool: &str) -> Option<String> {
        self.tools.get(tool).map(|result| result.as_str().map_or_else(|| result.to_string(), str::to_owned))
    }
}

fn replace<const N: usize>(texts: &Map<String, Value>, fields: [(&str, &mut String); N]) {
    for (name, field) in fields {
        if let Some(text) = texts.get(name).and_then(Value::as_str) {
            text.clone_into(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crews::{AgentDefinition, CrewTaskDefinition};

    #[test]
    fn a_child_of_a_child_keeps_what_it_does_not_change() {
        let overrides = |value| serde_json::from_value::<ForkOverrides>(value).unwrap();
        let earlier = overrides(json!({"model": "m", "inputs": {"a": 1, "b": 1}, "agents": {"x": {"role": "r", "goal": "g"}}}));
        let later = overrides(json!({"inputs": {"b": 2}, "agents": {"x": {"goal": "other"}}, "tools": {"t": "mock"}}));
        let both = overrides(json!({"model": "m", "inputs": {"a": 1, "b": 2}, "agents": {"x": {"role": "r", "goal": "other"}},
            "tools": {"t": "mock"}}));
        assert_eq!(later.on_top_of(&earlier), both);
    }

    #[test]
    fn what_is_named_is_replaced_and_nothing_else() {
        let mut crew = CrewDefinition::new("c");
        crew.agents = vec![AgentDefinition::new("a", "role", "goal", "story"), AgentDefinition::new("b", "r", "g", "s")];
        crew.tasks = vec![CrewTaskDefinition::new("t", "do {x}", "out", "a")];
        let overrides: ForkOverrides = serde_json::from_value(json!({
            "model": "small", "agents": {"a": {"goal": "another"}, "nobody": {"goal": "x"}},
            "tasks": {"t": {"description": "do {y}"}}, "tools": {"look": {"n": 1}, "say": "hi"},
        }))
        .unwrap();
        let child = overrides.apply(&crew);
        assert_eq!((child.agents[0].role.as_str(), child.agents[0].goal.as_str()), ("role", "another"));
        assert_eq!(child.agents[1].goal, "g");
        assert!(child.agents.iter().all(|agent| agent.llm.as_ref().is_some_and(|llm| llm.model == "small")));
        assert_eq!((child.tasks[0].description.as_str(), child.tasks[0].expected_output.as_str()), ("do {y}", "out"));
        assert_eq!(overrides.result_of("look").as_deref(), Some("{\"n\":1}"));
        assert_eq!((overrides.result_of("say").as_deref(), overrides.result_of("other")), (Some("hi"), None));
        assert_eq!(ForkOverrides::default().apply(&crew), crew);
    }
}
