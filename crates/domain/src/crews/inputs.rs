//! What a crew asks for, and its texts with the answers filled in.

use std::{borrow::Cow, collections::BTreeMap, collections::BTreeSet};

use serde_json::{Map, Value, json};

use super::{CrewDefinition, output_file_problem, placeholder_names, python_text, replace_placeholders};

/// Inputs a crew cannot run with. All problems at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct InputError {
    /// One entry per wrong or missing input.
    pub problems: Vec<InputProblem>,
}

/// One wrong or missing input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// Name of the input.
    pub name: String,
    /// What is wrong with it, in one sentence.
    pub message: String,
}

impl InputProblem {
    /// Where the input stands in the body of a request, as a JSON pointer.
    #[must_use]
    pub fn pointer(&self) -> String {
        format!("/inputs/{}", self.name.replace('~', "~0").replace('/', "~1"))
    }
}

impl InputError {
    fn sentence(&self) -> String {
        let parts: Vec<String> = self.problems.iter().map(|problem| format!("{}: {}", problem.name, problem.message)).collect();
        parts.join("; ")
    }
}

impl CrewDefinition {
    /// Every placeholder of every text, whether or not it has a default.
    #[must_use]
    pub fn placeholders(&self) -> BTreeSet<String> {
        self.places().into_keys().collect()
    }

    /// The placeholders that neither `inputs` nor the crew's defaults give a value for.
    #[must_use]
    pub fn missing_inputs(&self, inputs: &Map<String, Value>) -> Vec<String> {
        let given = |name: &String| inputs.contains_key(name) || self.inputs.contains_key(name);
        self.placeholders().into_iter().filter(|name| !given(name)).collect()
    }

    /// The inputs as a JSON Schema: one property per placeholder, those without a default required.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, places) in self.places() {
            let mut property = Map::new();
            property.insert("description".into(), format!("Used in {}.", places.join(", ")).into());
            match self.inputs.get(&name) {
                Some(default) => drop(property.insert("default".into(), default.clone())),
                None => required.push(name.clone()),
            }
            properties.insert(name, Value::Object(property));
        }
        json!({ "type": "object", "properties": properties, "required": required })
    }

    /// The crew of one run: every placeholder replaced, in one pass, as Python would write the value.
    ///
    /// # Errors
    /// Names every placeholder without a value, and every input that would lead `output_file` out of the
    /// run's folder. A crew whose texts ask for inputs is refused without them, even when none are given.
    pub fn render(&self, inputs: &Map<String, Value>) -> Result<CrewDefinition, InputError> {
        let missing = self.missing_inputs(inputs);
        let required = |name: &String| InputProblem {
            name: name.clone(),
            message: "is required by the crew's texts and was not given".into(),
        };
        let mut problems: Vec<InputProblem> = missing.iter().map(required).collect();
        let value_of =
            |name: &str| inputs.get(name).or_else(|| self.inputs.get(name)).map(|value| Cow::Owned(python_text(value)));
        let fill = |text: &mut String| *text = replace_placeholders(text, value_of);
        let mut crew = self.clone();
        for agent in &mut crew.agents {
            fill(&mut agent.role);
            fill(&mut agent.goal);
            fill(&mut agent.backstory);
        }
        for (task, original) in crew.tasks.iter_mut().zip(&self.tasks) {
            fill(&mut task.description);
            fill(&mut task.expected_output);
            let (Some(file), Some(template)) = (&mut task.output_file, &original.output_file) else { continue };
            fill(file);
            let names = placeholder_names(template);
            if !names.iter().any(|name| missing.contains(name)) {
                problems.extend(output_problems(file, names, &task.name));
            }
        }
        if problems.is_empty() { Ok(crew) } else { Err(InputError { problems }) }
    }

    /// Placeholders with the elements that use them, in reading order.
    fn places(&self) -> BTreeMap<String, Vec<String>> {
        let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (element, text) in self.texts() {
            for name in placeholder_names(text) {
                places.entry(name).or_default().push(element.clone());
            }
        }
        places
    }

    /// Every text in which placeholders count, with its element.
    pub(super) fn texts(&self) -> Vec<(String, &str)> {
        let mut texts = Vec::new();
        for agent in &self.agents {
            for (key, text) in [("role", &agent.role), ("goal", &agent.goal), ("backstory", &agent.backstory)] {
                texts.push((format!("agents.{}.{key}", agent.name), text.as_str()));
            }
        }
        for task in &self.tasks {
            let element = |key: &str| format!("tasks.{}.{key}", task.name);
            texts.push((element("description"), task.description.as_str()));
            texts.push((element("expected_output"), task.expected_output.as_str()));
            if let Some(file) = &task.output_file {
                texts.push((element("output_file"), file.as_str()));
            }
        }
        texts
    }
}

/// A value may turn a harmless file name into a path out of the folder; the inputs used there are to blame.
fn output_problems(file: &str, names: BTreeSet<String>, task: &str) -> Vec<InputProblem> {
    let Some(problem) = output_file_problem(file) else { return Vec::new() };
    names
        .into_iter()
        .map(|name| InputProblem { name, message: format!("cannot stand in output_file of task {task}: it {problem}") })
        .collect()
}

#[cfg(test)]
mod tests;
