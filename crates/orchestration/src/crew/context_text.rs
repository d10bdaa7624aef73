//! Which earlier outputs a crew task sees (CrewAI's rules).

use std::collections::BTreeMap;

use crewd_domain::crews::{ContextRule, CrewTaskDefinition};

use super::output::CrewTaskOutput;

/// Stands between the outputs of two crew tasks.
const DIVIDER: &str = "\n\n----------\n\n";

/// The context of the crew task at a place: unset means all earlier synchronous ones (and nothing for an asynchronous
/// one), an empty list means none, a list means those.
#[must_use]
pub(super) fn context_text(tasks: &[CrewTaskDefinition], index: usize, done: &BTreeMap<usize, CrewTaskOutput>) -> String {
    let Some(task) = tasks.get(index) else { return String::new() };
    let sees = |earlier: &CrewTaskDefinition| match &task.context {
        ContextRule::Nothing => false,
        ContextRule::AllPrevious => !task.async_execution && !earlier.async_execution,
        ContextRule::Only(names) => names.contains(&earlier.name),
    };
    let outputs: Vec<&str> = tasks
        .iter()
        .enumerate()
        .take(index)
        .filter(|(_, earlier)| sees(earlier))
        .filter_map(|(place, _)| done.get(&place))
        .map(|output| output.raw.as_str())
        .filter(|raw| !raw.is_empty())
        .collect();
    outputs.join(DIVIDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str, context: ContextRule, async_execution: bool) -> CrewTaskDefinition {
        CrewTaskDefinition { context, async_execution, ..CrewTaskDefinition::new(name, "d", "e", "a") }
    }

    fn done(raws: &[&str]) -> BTreeMap<usize, CrewTaskOutput> {
        let output = |raw: &str| CrewTaskOutput { name: String::new(), agent: String::new(), raw: raw.to_owned(), json: None };
        raws.iter().enumerate().map(|(index, raw)| (index, output(raw))).collect()
    }

    #[test]
    fn unset_sees_all_earlier_synchronous_tasks() {
        let tasks = [
            definition("a", ContextRule::AllPrevious, false),
            definition("b", ContextRule::AllPrevious, true),
            definition("c", ContextRule::AllPrevious, false),
        ];
        let done = done(&["A", "B"]);
        assert_eq!(context_text(&tasks, 2, &done), "A");
        assert_eq!(context_text(&tasks, 1, &done), "", "an asynchronous task with unset context sees nothing");
        assert_eq!(context_text(&tasks, 0, &done), "");
    }

    #[test]
    fn an_empty_list_sees_nothing_and_a_list_sees_those() {
        let all = ContextRule::AllPrevious;
        let mut tasks = [
            definition("a", all.clone(), false),
            definition("b", all.clone(), true),
            definition("c", ContextRule::Nothing, false),
        ];
        let done = done(&["A", "B"]);
        assert_eq!(context_text(&tasks, 2, &done), "");
        tasks[2].context = ContextRule::Only(vec!["b".into(), "a".into()]);
        assert_eq!(context_text(&tasks, 2, &done), format!("A{DIVIDER}B"));
    }
}
