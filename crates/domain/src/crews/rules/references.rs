//! Who refers to whom: agents of tasks, tasks in `context`, and what asynchronous tasks may wait for.

use std::collections::BTreeSet;

use super::names::check_repeated;
use super::rule::{ASYNC_CONTEXT, ASYNC_TAIL, FORWARD_REFERENCE, MISSING_AGENT, UNKNOWN_AGENT, UNKNOWN_TASK, UNUSED_AGENT};
use crate::crews::{ContextRule, CrewDefinition, CrewTaskDefinition, Problem, Process, closest, excerpt};

pub(super) fn check(crew: &CrewDefinition, problems: &mut Vec<Problem>) {
    for (position, task) in crew.tasks.iter().enumerate() {
        check_agent(crew, task, problems);
        check_context(crew, position, task, problems);
    }
    check_async_tail(crew, problems);
    check_unused(crew, problems);
}

fn check_agent(crew: &CrewDefinition, task: &CrewTaskDefinition, problems: &mut Vec<Problem>) {
    let element = format!("tasks.{}.agent", task.name);
    if task.agent.is_empty() {
        if crew.process == Process::Sequential {
            let problem = Problem::error(element, MISSING_AGENT, "the task names no agent");
            problems.push(match crew.agents.first() {
                Some(agent) => {
                    problem.suggest(format!("add for example `agent: {}`, here or in crew.yaml", excerpt(&agent.name)))
                }
                None => problem,
            });
        }
    } else if crew.agent(&task.agent).is_none() {
        let message = format!("the crew has no agent `{}`", excerpt(&task.agent));
        let problem = Problem::error(element, UNKNOWN_AGENT, message);
        let names = || crew.agents.iter().map(|agent| agent.name.as_str());
        problems.push(with_names(problem, &task.agent, names));
    }
}

fn check_context(crew: &CrewDefinition, position: usize, task: &CrewTaskDefinition, problems: &mut Vec<Problem>) {
    let ContextRule::Only(names) = &task.context else { return };
    check_repeated(&format!("tasks.{}.context", task.name), names, problems);
    for (entry, name) in names.iter().enumerate() {
        let element = format!("tasks.{}.context[{entry}]", task.name);
        let shown = excerpt(name);
        match crew.tasks.iter().position(|other| &other.name == name) {
            None => {
                let problem = Problem::error(element, UNKNOWN_TASK, format!("the crew has no task `{shown}`"));
                let earlier = || crew.tasks.iter().take(position).map(|other| other.name.as_str());
                problems.push(with_names(problem, name, earlier));
            }
            Some(found) if found == position => {
                let message = "a task cannot be its own context";
                problems.push(Problem::error(element, FORWARD_REFERENCE, message));
            }
            Some(found) if found > position => {
                let message = format!("`{shown}` comes later; context can only name earlier tasks");
                let problem = Problem::error(element, FORWARD_REFERENCE, message);
                problems.push(problem.suggest(format!("move `{shown}` before `{}`", excerpt(&task.name))));
            }
            Some(found) if task.async_execution && runs_beside(crew, found, position) => {
                let message = format!("`{shown}` runs at the same time; an asynchronous task cannot wait for it");
                let problem = Problem::error(element, ASYNC_CONTEXT, message);
                problems.push(problem.suggest("put a synchronous task between them, or make one of them synchronous"));
            }
            Some(_) => {}
        }
    }
}

/// Whether every task from `earlier` up to `position` is asynchronous, so that none joins the earlier one.
fn runs_beside(crew: &CrewDefinition, earlier: usize, position: usize) -> bool {
    crew.tasks.iter().take(position).skip(earlier).all(|task| task.async_execution)
}

fn check_async_tail(crew: &CrewDefinition, problems: &mut Vec<Problem>) {
    let tail: Vec<_> = crew.tasks.iter().rev().take_while(|task| task.async_execution).collect();
    if tail.len() < 2 {
        return;
    }
    // The first of the tail may stay; each further one is reported where it stands.
    for task in tail.iter().rev().skip(1) {
        let element = format!("tasks.{}.async_execution", task.name);
        let problem = Problem::error(element, ASYNC_TAIL, "a crew may end with at most one asynchronous task");
        problems.push(problem.suggest("end with a synchronous task that joins them"));
    }
}

fn check_unused(crew: &CrewDefinition, problems: &mut Vec<Problem>) {
    let used: BTreeSet<&str> = crew.tasks.iter().map(|task| task.agent.as_str()).collect();
    // A wrong reference is reported already; the agent it meant is not idle.
    if used.iter().any(|name| crew.agent(name).is_none()) {
        return;
    }
    // Agents that can be asked by others have a use without a task of their own.
    let asked = crew.process == Process::Hierarchical || crew.agents.iter().any(|agent| agent.allow_delegation);
    for agent in crew.agents.iter().filter(|agent| !asked && !used.contains(agent.name.as_str())) {
        let message = format!("no task uses agent `{}`", excerpt(&agent.name));
        problems.push(Problem::warning(format!("agents.{}", agent.name), UNUSED_AGENT, message));
    }
}

fn with_names<'name, I>(problem: Problem, wrong: &str, names: impl Fn() -> I) -> Problem
where
    I: Iterator<Item = &'name str>,
{
    if let Some(name) = closest(wrong, names()) {
        return problem.suggest(format!("did you mean `{name}`?"));
    }
    let known: Vec<String> = names().take(12).map(excerpt).collect();
    if known.is_empty() { problem } else { problem.suggest(format!("known here: {}", known.join(", "))) }
}
