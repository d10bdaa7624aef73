//! What earlier holders of a run have done.

use std::collections::{HashMap, HashSet};

use crewd_domain::runs::{Event, EventKind, Step, StepPath};
use crewd_domain::shared::Usage;

/// What the journal knows of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// Nothing: it is to be done.
    Nothing,
    /// Its result: it is not to be done again.
    Finished(Box<Step>),
    /// An intent without a result: it may have happened or not.
    Interrupted(Box<Step>),
}

/// Steps and announcements of earlier holders; empty for a fresh run.
#[derive(Debug, Default)]
pub struct RecordedSteps {
    steps: HashMap<StepPath, Step>,
    said: HashSet<(EventKind, Option<StepPath>)>,
}

impl RecordedSteps {
    /// Kinds that are said once per path in a task's log, however often a run is taken up again.
    pub const STRUCTURE: &'static [EventKind] = &[
        EventKind::TaskStarted,
        EventKind::CrewTaskStarted,
        EventKind::CrewTaskCompleted,
        EventKind::CrewTaskSkipped,
        EventKind::AgentStarted,
        EventKind::AgentCompleted,
    ];

    /// The steps of a run and the structural events of its log.
    #[must_use]
    pub fn new(steps: Vec<Step>, structure: &[Event]) -> Self {
        Self {
            steps: steps.into_iter().map(|step| (step.path.clone(), step)).collect(),
            said: structure.iter().map(|event| (event.kind, event.step.clone())).collect(),
        }
    }

    /// What is known of a step.
    #[must_use]
    pub fn find(&self, path: &StepPath) -> Recorded {
        match self.steps.get(path) {
            None => Recorded::Nothing,
            Some(step) if step.status.is_finished() => Recorded::Finished(Box::new(step.clone())),
            Some(step) => Recorded::Interrupted(Box::new(step.clone())),
        }
    }

    /// Whether a structural event is in the log already.
    #[must_use]
    pub fn has_said(&self, kind: EventKind, step: Option<&StepPath>) -> bool {
        !self.said.is_empty() && self.said.contains(&(kind, step.cloned()))
    }

    /// Whether a holder before this one has started the run.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.steps.is_empty() && self.said.is_empty()
    }

    /// How many steps need not be done again.
    #[must_use]
    pub fn finished(&self) -> u32 {
        u32::try_from(self.results().count()).unwrap_or(u32::MAX)
    }

    /// What these steps have used.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for step in self.results() {
            usage += step.usage;
        }
        usage
    }

    fn results(&self) -> impl Iterator<Item = &Step> {
        self.steps.values().filter(|step| step.status.is_finished())
    }
}
