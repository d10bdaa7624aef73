//! What earlier holders of a run have done.

use std::collections::{HashMap, HashSet};

use crewd_domain::approvals::{Approval, ApprovalKind, ApprovalStatus};
use crewd_domain::runs::{Event, EventDraft, EventKind, Step, StepPath};
use crewd_domain::shared::{ApprovalId, Usage};

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
    approvals: Vec<Approval>,
    /// Questions whose answer is in the log already.
    answers_said: HashSet<ApprovalId>,
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

    /// Kinds that tell of a question's end; each is said once for each question.
    pub const ANSWERS: &'static [EventKind] = &[EventKind::ApprovalDecided, EventKind::ApprovalExpired];

    /// The steps of a run, its questions, and the events of its log that are of the kinds above.
    #[must_use]
    pub fn new(steps: Vec<Step>, approvals: Vec<Approval>, events: &[Event]) -> Self {
        let (answers, structure): (Vec<_>, Vec<_>) = events.iter().partition(|event| Self::ANSWERS.contains(&event.kind));
        Self {
            steps: steps.into_iter().map(|step| (step.path.clone(), step)).collect(),
            said: structure.iter().map(|event| (event.kind, event.step.clone())).collect(),
            approvals,
            answers_said: answers.into_iter().filter_map(answered_question).collect(),
        }
    }

    /// The newest question of a kind about a step, under the rule that asked it if that matters.
    #[must_use]
    pub fn question(&self, step: &StepPath, kind: ApprovalKind, policy: Option<&str>) -> Option<&Approval> {
        let is_it =
            |asked: &&Approval| asked.step == *step && asked.kind == kind && policy.is_none_or(|policy| asked.policy == policy);
        self.approvals.iter().rev().find(is_it)
    }

    /// Answers that nobody has written into the log yet.
    pub fn unsaid_answers(&self) -> impl Iterator<Item = EventDraft> {
        self.approvals.iter().filter(|asked| !self.answers_said.contains(&asked.id)).filter_map(Approval::said)
    }

    /// Whether a question waits for its answer.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        self.approvals.iter().any(|asked| asked.status == ApprovalStatus::Pending)
    }

    /// Every step, finished or not.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.values()
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

    /// Whether a step, or all of a crew task, was done.
    #[must_use]
    pub fn has_done(&self, path: &StepPath) -> bool {
        let whole = [EventKind::CrewTaskCompleted, EventKind::AgentCompleted];
        matches!(self.find(path), Recorded::Finished(_)) || whole.iter().any(|kind| self.has_said(*kind, Some(path)))
    }

    /// Whether no holder before this one has started the run.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        !self.said.contains(&(EventKind::TaskStarted, None))
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

/// The question that an event tells the end of.
fn answered_question(event: &Event) -> Option<ApprovalId> {
    #[derive(serde::Deserialize)]
    struct Answer {
        approval_id: ApprovalId,
    }
    serde_json::from_str::<Answer>(event.data.get()).ok().map(|answer| answer.approval_id)
}
