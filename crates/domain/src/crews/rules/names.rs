//! Names: readable, storable, unique, and never a path.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    limits::NAME_CHARACTERS,
    rule::{DUPLICATE_ENTRY, DUPLICATE_NAME, DUPLICATE_ROLE, INVALID_NAME},
};
use crate::crews::{CrewDefinition, Problem, excerpt, normalise_role};

pub(super) fn check(crew: &CrewDefinition, problems: &mut Vec<Problem>) {
    if let Some(reason) = name_problem(&crew.name, false) {
        let message = format!("the crew's name `{}` {reason}", excerpt(&crew.name));
        problems.push(Problem::error("name", INVALID_NAME, message));
    }
    check_list("agents", crew.agents.iter().map(|agent| agent.name.as_str()), problems);
    check_list("tasks", crew.tasks.iter().map(|task| task.name.as_str()), problems);
    check_roles(crew, problems);
}

/// Warns about entries that stand twice in one list.
pub(super) fn check_repeated(element: &str, entries: &[String], problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (position, entry) in entries.iter().enumerate() {
        if !seen.insert(entry) {
            let message = format!("`{}` stands twice in this list", excerpt(entry));
            problems.push(Problem::warning(format!("{element}[{position}]"), DUPLICATE_ENTRY, message));
        }
    }
}

fn check_list<'name>(kind: &str, names: impl Iterator<Item = &'name str>, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for name in names {
        let element = format!("{kind}.{name}");
        if let Some(reason) = name_problem(name, true) {
            let message = format!("the name `{}` {reason}", excerpt(name));
            problems.push(Problem::error(element.as_str(), INVALID_NAME, message));
        }
        if !seen.insert(name) {
            let message = format!("two {kind} are called `{}`", excerpt(name));
            problems.push(Problem::error(element, DUPLICATE_NAME, message));
        }
    }
}

fn check_roles(crew: &CrewDefinition, problems: &mut Vec<Problem>) {
    let mut roles: BTreeMap<String, &str> = BTreeMap::new();
    for agent in &crew.agents {
        let role = normalise_role(&agent.role);
        if role.is_empty() {
            continue;
        }
        if let Some(first) = roles.insert(role, &agent.name) {
            let message = format!("agent `{}` has the same role; work can be handed to only one of them", excerpt(first));
            let element = format!("agents.{}.role", agent.name);
            problems.push(Problem::warning(element, DUPLICATE_ROLE, message));
        }
    }
}

/// What is wrong with a name. Letters of every script are fine; crews stand in addresses and hold no blanks.
fn name_problem(name: &str, blanks: bool) -> Option<&'static str> {
    let allowed =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.') || (blanks && character == ' ');
    if name.is_empty() {
        Some("is empty")
    } else if name.chars().count() > NAME_CHARACTERS {
        Some("is longer than 100 characters")
    } else if name.starts_with('.') || name.contains("..") {
        Some("looks like a path")
    } else if name.trim() != name {
        Some("begins or ends with a blank")
    } else if !name.chars().all(allowed) {
        Some("may hold only letters, digits, `_`, `-` and `.`")
    } else {
        None
    }
}
