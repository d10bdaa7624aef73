//! The way through all rules.

use std::{collections::BTreeSet, fmt::Display, ops::RangeInclusive};

use super::{
    limits, names, output_file, references,
    rule::{NO_AGENTS, NO_TASKS, NOT_SUPPORTED, OUT_OF_RANGE, UNKNOWN_TOOL, WRONG_TYPE},
    texts,
};
use crate::crews::{
    AgentDefinition, CrewDefinition, CrewTaskDefinition, LlmSettings, Problem, Process, ValidationReport, closest, excerpt,
};

/// Problems found so far, with the tools that exist.
pub(super) struct Checks<'tools> {
    pub(super) problems: Vec<Problem>,
    tools: Option<&'tools BTreeSet<String>>,
}

impl CrewDefinition {
    /// Every rule this crew breaks, all at once. An empty list means it can run.
    ///
    /// `tools` are the names of the tools that exist; `None` leaves names of tools unchecked.
    #[must_use]
    pub fn check(&self, tools: Option<&BTreeSet<String>>) -> Vec<Problem> {
        let mut checks = Checks { problems: Vec::new(), tools };
        checks.crew(self);
        for agent in &self.agents {
            checks.agent(agent);
        }
        for task in &self.tasks {
            checks.task(task);
        }
        names::check(self, &mut checks.problems);
        // References are compared each with each; beyond the limits the crew is refused anyway.
        if self.agents.len() <= limits::AGENTS && self.tasks.len() <= limits::TASKS {
            references::check(self, &mut checks.problems);
        }
        texts::check(self, &mut checks.problems);
        checks.problems
    }

    /// The same as a report.
    #[must_use]
    pub fn validate(&self, tools: Option<&BTreeSet<String>>) -> ValidationReport {
        self.check(tools).into_iter().collect()
    }
}

impl Checks<'_> {
    fn crew(&mut self, crew: &CrewDefinition) {
        if crew.process == Process::Hierarchical {
            self.problems.push(
                Problem::error("process", NOT_SUPPORTED, "the hierarchical process cannot run yet")
                    .suggest("use `process: sequential` and name the agent of every task"),
            );
        }
        if crew.agents.is_empty() {
            self.problems.push(Problem::error("agents", NO_AGENTS, "the crew has no agents"));
        }
        if crew.tasks.is_empty() {
            self.problems.push(Problem::error("tasks", NO_TASKS, "the crew has no tasks"));
        }
        self.count("agents", crew.agents.len(), limits::AGENTS);
        self.count("tasks", crew.tasks.len(), limits::TASKS);
        self.range("max_rpm", crew.max_rpm, &limits::MAX_RPM);
    }

    fn agent(&mut self, agent: &AgentDefinition) {
        let element = |key: &str| format!("agents.{}.{key}", agent.name);
        self.range(&element("max_iter"), Some(agent.max_iter), &limits::MAX_ITER);
        self.range(&element("max_rpm"), agent.max_rpm, &limits::MAX_RPM);
        self.range(&element("max_execution_time"), agent.max_execution_time, &limits::MAX_EXECUTION_TIME);
        self.range(&element("max_retry_limit"), Some(agent.max_retry_limit), &limits::MAX_RETRY_LIMIT);
        self.range(&element("max_tokens"), agent.max_tokens, &limits::MAX_TOKENS);
        self.tools(&element("tools"), &agent.tools);
        if let Some(llm) = &agent.llm {
            self.llm(&element("llm"), llm);
        }
    }

    fn llm(&mut self, element: &str, llm: &LlmSettings) {
        if llm.model.trim().is_empty() {
            self.problems.push(Problem::error(format!("{element}.model"), WRONG_TYPE, "the model has no name"));
        }
        self.range(&format!("{element}.temperature"), llm.temperature, &limits::TEMPERATURE);
        self.range(&format!("{element}.top_p"), llm.top_p, &limits::TOP_P);
        self.range(&format!("{element}.max_tokens"), llm.max_tokens, &limits::MAX_TOKENS);
        self.range(&format!("{element}.context_window"), llm.context_window, &limits::CONTEXT_WINDOW);
    }

    fn task(&mut self, task: &CrewTaskDefinition) {
        let element = |key: &str| format!("tasks.{}.{key}", task.name);
        if let Some(tools) = &task.tools {
            self.tools(&element("tools"), tools);
        }
        if let Some(file) = &task.output_file {
            output_file::check(&element("output_file"), file, &mut self.problems);
        }
        if task.output_json.as_ref().is_some_and(|schema| !schema.is_object()) {
            let message = "output_json must be a JSON Schema, a mapping such as {type: object}";
            self.problems.push(Problem::error(element("output_json"), WRONG_TYPE, message));
        }
    }

    fn tools(&mut self, element: &str, tools: &[String]) {
        names::check_repeated(element, tools, &mut self.problems);
        let Some(known) = self.tools else { return };
        for (position, tool) in tools.iter().enumerate() {
            if known.contains(tool) {
                continue;
            }
            let message = format!("no tool is called `{}`", excerpt(tool));
            let problem = Problem::error(format!("{element}[{position}]"), UNKNOWN_TOOL, message);
            self.problems.push(match closest(tool, known.iter().map(String::as_str)) {
                Some(name) => problem.suggest(format!("did you mean `{name}`?")),
                None if known.is_empty() => problem,
                None => problem.suggest(format!("known tools: {}", listed(known))),
            });
        }
    }

    fn range<T: PartialOrd + Display>(&mut self, element: &str, value: Option<T>, range: &RangeInclusive<T>) {
        if value.as_ref().is_none_or(|value| range.contains(value)) {
            return;
        }
        let key = element.rsplit('.').next().unwrap_or(element);
        let message = format!("{key} must be between {} and {}", range.start(), range.end());
        self.problems.push(Problem::error(element, OUT_OF_RANGE, message));
    }

    fn count(&mut self, element: &str, count: usize, most: usize) {
        if count > most {
            let message = format!("a crew has at most {most} {element}, this one has {count}");
            self.problems.push(Problem::error(element, OUT_OF_RANGE, message));
        }
    }
}

/// Names for a message; a long list is cut.
fn listed(names: &BTreeSet<String>) -> String {
    let mut shown: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
    if names.len() > shown.len() {
        shown.push("…");
    }
    shown.join(", ")
}
