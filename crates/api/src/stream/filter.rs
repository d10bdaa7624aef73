//! Which events of a log a reader wants. The numbers stay as they are.

use crewd_domain::runs::{Event, EventKind};

use crate::extract::Query;

/// Types of the contract that this version does not send yet. Asking for them is no error: there are just none.
const LATER: &[&str] = &[
    "plan.created",
    "delegation.started",
    "delegation.completed",
    "llm.fallback",
    "tool.delta",
    "retrieval.completed",
    "memory.written",
    "guardrail.triggered",
    "usage.updated",
    "budget.alert",
];

/// Which events of a log a reader wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventFilter {
    /// These types; all if there is no list.
    kinds: Option<Vec<EventKind>>,
    /// Only this step and those below it.
    step: Option<String>,
}

impl EventFilter {
    /// Reads `?types=` and `?steps=`.
    pub(crate) fn read(query: &mut Query) -> Self {
        let is_asked = query.has("types");
        let kinds = query.names("types", read_type).into_iter().flatten().collect();
        Self { kinds: is_asked.then_some(kinds), step: query.text("steps").filter(|step| !step.is_empty()) }
    }

    /// A filter by names of types; nothing if one of them is unknown.
    pub(crate) fn of_types<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let kinds: Option<Vec<_>> = names.into_iter().map(read_type).collect();
        Some(Self { kinds: Some(kinds?.into_iter().flatten().collect()), step: None })
    }

    /// Whether the reader wants an event.
    pub(crate) fn wants(&self, event: &Event) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind)) && self.wants_step(event)
    }

    /// The types, for a query of the database; empty means all.
    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        self.kinds.clone().unwrap_or_default()
    }

    /// Whether it can be seen at once that no event is wanted.
    pub(crate) fn wants_nothing(&self) -> bool {
        self.kinds.as_ref().is_some_and(Vec::is_empty)
    }

    fn wants_step(&self, event: &Event) -> bool {
        let Some(wanted) = &self.step else { return true };
        let below = event.step.as_ref().and_then(|step| step.as_str().strip_prefix(wanted.as_str()));
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// A type of the contract: the kind, nothing for one that this version never sends.
fn read_type(name: &str) -> Option<Option<EventKind>> {
    match EventKind::parse(name) {
        Some(kind) => Some(Some(kind)),
        None => LATER.contains(&name).then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use crewd_domain::runs::{EventDraft, StepPath};
    use crewd_domain::shared::{RunId, TaskId};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn event(kind: EventKind, step: Option<StepPath>) -> Event {
        EventDraft { kind, step, data: json!({}) }.number(
            1,
            TaskId::new(Uuid::nil()),
            RunId::new(Uuid::nil()),
            DateTime::UNIX_EPOCH,
        )
    }

    #[test]
    fn types_are_those_of_the_contract() {
        let mut query = Query::of(&[("types", "llm.delta,tool.completed,memory.written")]);
        let filter = EventFilter::read(&mut query);
        assert!(query.finish().is_ok());
        assert!(filter.wants(&event(EventKind::LlmDelta, None)) && !filter.wants(&event(EventKind::TaskQueued, None)));
        let mut query = Query::of(&[("types", "tool.bogus")]);
        EventFilter::read(&mut query);
        assert_eq!(query.finish().unwrap_err().details().fields[0].pointer, "/types");
        assert!(LATER.iter().all(|name| EventKind::parse(name).is_none()), "a type that is sent is not for later");
    }

    #[test]
    fn asking_for_later_types_alone_gives_none_and_not_all() {
        let filter = EventFilter::of_types(["budget.alert"]).unwrap();
        assert!(filter.wants_nothing() && !filter.wants(&event(EventKind::TaskQueued, None)));
        assert!(!EventFilter::default().wants_nothing() && EventFilter::default().wants(&event(EventKind::Log, None)));
        assert_eq!(EventFilter::of_types(["x"]), None);
    }

    #[test]
    fn steps_go_by_whole_parts() {
        let filter = EventFilter { kinds: None, step: Some("crew_task[1]".to_owned()) };
        let at = |step: StepPath| filter.wants(&event(EventKind::Log, Some(step)));
        assert!(at(StepPath::crew_task(1)) && at(StepPath::crew_task(1).agent().turn(0)));
        assert!(!at(StepPath::crew_task(0)) && !at(StepPath::crew_task(10)));
        assert!(!filter.wants(&event(EventKind::TaskSucceeded, None)));
        let agents = EventFilter { kinds: None, step: Some("crew_task[1].age".to_owned()) };
        assert!(!agents.wants(&event(EventKind::Log, Some(StepPath::crew_task(1).agent()))));
    }
}
