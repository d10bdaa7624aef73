//! One text per definition: keys sorted, no blanks. Its hash is the version of the definition.

use std::fmt::Write as _;

use serde_json::Value;

use super::CrewDefinition;

impl CrewDefinition {
    /// The definition as JSON with sorted keys and without blanks.
    ///
    /// Equal definitions give equal bytes, whatever file layout they came from. The version of a definition
    /// is `sha256:` and the hash of these bytes; it is computed outside, because this crate hashes nothing.
    #[must_use]
    pub fn canonical_json(&self) -> String {
        let mut text = String::new();
        // Every field has a JSON form, so the conversion cannot fail; null would still be deterministic.
        write_sorted(&serde_json::to_value(self).unwrap_or(Value::Null), &mut text);
        text
    }
}

fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by(|left, right| left.0.cmp(right.0));
            text.push('{');
            for (position, (key, member)) in sorted.into_iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                let _ = write!(text, "{}:", Value::from(key.as_str()));
                write_sorted(member, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_sorted(item, text);
            }
            text.push(']');
        }
        scalar => {
            let _ = write!(text, "{scalar}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crews::{AgentDefinition, CrewTaskDefinition, LlmSettings};

    fn crew() -> CrewDefinition {
        let mut crew = CrewDefinition::new("research");
        let mut agent = AgentDefinition::new("writer", "Writer\n", "Write", "Wrote \"a lot\"");
        agent.llm = Some(LlmSettings { model: "qwen-plus".into(), temperature: Some(0.7), ..LlmSettings::default() });
        crew.agents.push(agent);
        let mut task = CrewTaskDefinition::new("write", "Write about {topic}", "", "writer");
        task.output_json = Some(json!({ "type": "object", "properties": { "b": {}, "a": {} } }));
        crew.tasks.push(task);
        crew.inputs.insert("topic".into(), json!("river"));
        crew
    }

    #[test]
    fn order_of_keys_does_not_matter() {
        let first = crew();
        let mut second = crew();
        second.tasks[0].output_json = Some(json!({ "properties": { "a": {}, "b": {} }, "type": "object" }));
        assert_eq!(first.canonical_json(), second.canonical_json());
        assert!(
            first
                .canonical_json()
                .starts_with(r#"{"agents":[{"allow_delegation":false,"backstory":"Wrote \"a lot\"","cache":true,"#)
        );
    }

    #[test]
    fn a_changed_text_changes_it() {
        let mut changed = crew();
        changed.agents[0].role.push(' ');
        assert_ne!(crew().canonical_json(), changed.canonical_json());
    }

    #[test]
    fn it_reads_back_to_the_same_crew() {
        let back: CrewDefinition = serde_json::from_str(&crew().canonical_json()).unwrap();
        assert_eq!(back, crew());
    }

    #[test]
    fn a_stored_definition_of_another_version_still_loads() {
        let text = r#"{"name":"c","future":1,"agents":[{"name":"a","role":"r","goal":"g","backstory":"b","future":true}],
            "tasks":[{"name":"t","description":"d","expected_output":"e","agent":"a"}]}"#;
        let crew: CrewDefinition = serde_json::from_str(text).unwrap();
        assert_eq!(crew.agents[0].max_iter, 25);
        assert_eq!(crew.agents[0].max_retry_limit, 2);
        assert!(crew.agents[0].cache && crew.tasks[0].create_directory && !crew.cache);
    }
}
