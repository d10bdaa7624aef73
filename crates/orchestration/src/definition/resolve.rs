//! Makes references exact: blanks around a name, another case, or a role instead of a name still find their target.

use crewd_domain::crews::{ContextRule, CrewDefinition, Problem, excerpt, limits, normalise_role};

use super::{findings::Findings, rules::NAME_CASE};

/// A name with the forms in which it is compared.
struct Target {
    name: String,
    folded: String,
    role: String,
}

impl Target {
    fn new(name: &str, role: &str) -> Self {
        Self { name: name.to_owned(), folded: name.to_lowercase(), role: normalise_role(role) }
    }
}

/// Replaces references that match loosely by the name they mean, with a warning for each.
pub(super) fn resolve_references(crew: &mut CrewDefinition, findings: &mut Findings<'_>) {
    // Each reference is compared with each name; a crew beyond these limits is refused anyway.
    if crew.agents.len() > limits::AGENTS || crew.tasks.len() > limits::TASKS {
        return;
    }
    let agents: Vec<Target> = crew.agents.iter().map(|agent| Target::new(&agent.name, &agent.role)).collect();
    let tasks: Vec<Target> = crew.tasks.iter().map(|task| Target::new(&task.name, "")).collect();
    let mut warnings = Vec::new();
    for task in &mut crew.tasks {
        let element = format!("tasks.{}.agent", task.name);
        warnings.extend(resolve(&mut task.agent, &agents, element));
        let ContextRule::Only(names) = &mut task.context else { continue };
        for (position, name) in names.iter_mut().enumerate() {
            warnings.extend(resolve(name, &tasks, format!("tasks.{}.context[{position}]", task.name)));
        }
    }
    findings.add_all(warnings);
}

fn resolve(written: &mut String, targets: &[Target], element: String) -> Option<Problem> {
    if written.is_empty() || targets.iter().any(|target| target.name == *written) {
        return None;
    }
    let (folded, role) = (written.to_lowercase(), normalise_role(written));
    let by_name = only(targets.iter().filter(|target| target.folded == folded));
    let by_role = || only(targets.iter().filter(|target| !role.is_empty() && target.role == role));
    let name = by_name.or_else(by_role)?.name.clone();
    let problem = inexact(element, written, &name);
    *written = name;
    Some(problem)
}

/// The only item, or nothing when there are several: a guess would be worse than an error.
fn only<'target>(mut found: impl Iterator<Item = &'target Target>) -> Option<&'target Target> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn inexact(element: String, written: &str, name: &str) -> Problem {
    let message = format!("`{}` is taken for `{}`", excerpt(written), excerpt(name));
    Problem::warning(element, NAME_CASE, message).suggest(format!("write `{}`", excerpt(name)))
}
