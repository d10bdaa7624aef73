//! What a crew leaves: the task's `output`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The output of one crew task.
#[derive(Clone, Debug, PartialEq)]
pub struct CrewTaskOutput {
    /// The crew task.
    pub name: String,
    /// The agent that did it.
    pub agent: String,
    /// The answer as text.
    pub raw: String,
    /// The answer as JSON, where the crew task has an `output_json`.
    pub json: Option<Value>,
}

/// The outputs of a crew so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrewOutput {
    /// By place in the crew's order.
    pub tasks: BTreeMap<usize, CrewTaskOutput>,
    /// Text of an answer that was cut off.
    pub partial: String,
}

impl CrewOutput {
    /// The `output` of the HTTP contract. `raw` is the last answer that is not empty; of a run that was cut off it is
    /// the text that had come until then.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let last = self.tasks.values().rev().find(|task| !task.raw.is_empty());
        let (raw, json) = match last {
            _ if !self.partial.is_empty() => (self.partial.as_str(), None),
            Some(task) => (task.raw.as_str(), task.json.as_ref()),
            None => ("", None),
        };
        let tasks: Vec<Value> = self
            .tasks
            .values()
            .map(|task| json!({"name": task.name, "agent": task.agent, "raw": task.raw, "json": task.json}))
            .collect();
        json!({"raw": raw, "json": json, "tasks": tasks})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(raw: &str) -> CrewTaskOutput {
        CrewTaskOutput { name: "t".into(), agent: "a".into(), raw: raw.into(), json: None }
    }

    #[test]
    fn the_last_answer_that_is_not_empty_is_the_crews() {
        let mut output = CrewOutput::default();
        output.tasks.insert(0, task("first"));
        output.tasks.insert(1, task(""));
        assert_eq!(output.to_json()["raw"], "first");
        assert_eq!(output.to_json()["tasks"].as_array().map(Vec::len), Some(2));
        output.partial = "half".into();
        assert_eq!(output.to_json()["raw"], "half");
    }
}
