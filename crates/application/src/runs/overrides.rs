//! Whether what a child task is to do differently can be done.

use std::collections::BTreeSet;

use crewd_domain::crews::{CrewDefinition, closest};
use crewd_domain::runs::ForkOverrides;
use serde_json::{Map, Value};

use super::submit::{MAX_INPUT_BYTES, escape};
use crate::error::FieldProblem;

/// Characters of a text or a model name that replaces another one.
const LONGEST_TEXT: usize = 64 * 1024;

/// Overrides, and where they stand in the request.
pub(super) struct OverrideCheck<'a> {
    pub(super) crew: &'a CrewDefinition,
    pub(super) overrides: &'a ForkOverrides,
    /// The inputs of the child.
    pub(super) inputs: &'a Map<String, Value>,
    /// Names that the origin was given, whether its crew asks for them or not.
    pub(super) given: &'a Map<String, Value>,
    /// JSON pointer of the changed inputs.
    pub(super) inputs_at: &'static str,
}

impl OverrideCheck<'_> {
    /// Everything that is wrong, at once.
    pub(super) fn problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        self.check_inputs(&mut problems);
        let agents: Vec<&str> = self.crew.agents.iter().map(|agent| agent.name.as_str()).collect();
        let tasks: Vec<&str> = self.crew.tasks.iter().map(|task| task.name.as_str()).collect();
        let texts = |map, kind, known: &[&str], fields: &[&str], problems: &mut Vec<FieldProblem>| {
            check_names(map, &format!("/overrides/prompt/{kind}s"), kind, known, problems);
            check_texts(map, &format!("/overrides/prompt/{kind}s"), fields, problems);
        };
        texts(&self.overrides.agents, "agent", &agents, &["role", "goal", "backstory"], &mut problems);
        texts(&self.overrides.tasks, "task", &tasks, &["description", "expected_output"], &mut problems);
        let tools = self.tools();
        check_names(&self.overrides.tools, "/overrides/tools", "tool", &tools, &mut problems);
        problems
    }

    fn check_inputs(&self, problems: &mut Vec<FieldProblem>) {
        let crew = self.overrides.apply(self.crew);
        let placeholders = crew.placeholders();
        let known: BTreeSet<&str> =
            placeholders.iter().chain(crew.inputs.keys()).chain(self.given.keys()).map(String::as_str).collect();
        let known: Vec<&str> = known.into_iter().collect();
        check_names(&self.overrides.inputs, self.inputs_at, "input", &known, problems);
        if let Err(error) = crew.render(self.inputs) {
            let at = |name: &str| format!("{}/{}", self.inputs_at, escape(name));
            problems.extend(error.problems.into_iter().map(|problem| FieldProblem::new(at(&problem.name), problem.message)));
        }
        let bytes = serde_json::to_vec(self.inputs).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > MAX_INPUT_BYTES {
            let message = format!("the inputs have {bytes} bytes of JSON; {MAX_INPUT_BYTES} are allowed");
            problems.push(FieldProblem::new(self.inputs_at, message));
        }
    }

    fn tools(&self) -> Vec<&str> {
        let of_agents = self.crew.agents.iter().flat_map(|agent| &agent.tools);
        let of_tasks = self.crew.tasks.iter().flat_map(|task| task.tools.iter().flatten());
        of_agents.chain(of_tasks).map(String::as_str).collect()
    }
}

fn check_names(given: &Map<String, Value>, pointer: &str, kind: &str, known: &[&str], problems: &mut Vec<FieldProblem>) {
    for name in given.keys().filter(|name| !known.contains(&name.as_str())) {
        let hint = closest(name, known.iter().copied()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        problems.push(FieldProblem::new(format!("{pointer}/{}", escape(name)), format!("the crew has no such {kind}{hint}")));
    }
}

fn check_texts(given: &Map<String, Value>, pointer: &str, fields: &[&str], problems: &mut Vec<FieldProblem>) {
    for (name, texts) in given {
        let at = format!("{pointer}/{}", escape(name));
        let Value::Object(texts) = texts else {
            problems.push(FieldProblem::new(at, format!("must be an object with {}", fields.join(", "))));
            continue;
        };
        for (field, text) in texts {
            let at = format!("{at}/{}", escape(field));
            match text.as_str() {
                _ if !fields.contains(&field.as_str()) => {
                    problems.push(FieldProblem::new(at, format!("is none of {}", fields.join(", "))));
                }
                None => problems.push(FieldProblem::new(at, "must be a string")),
                Some(text) if text.chars().count() > LONGEST_TEXT => {
                    problems.push(FieldProblem::new(at, format!("has more than {LONGEST_TEXT} characters")));
                }
                Some(_) => {}
            }
        }
    }
}
