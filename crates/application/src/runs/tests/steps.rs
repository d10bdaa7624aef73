//! Rows of a journal.

use crewd_domain::runs::{Failure, FailureClass, Step, StepKind, StepPath, StepStatus};
use crewd_domain::shared::{RunId, TaskId, Usage};
use crewd_domain::tools::EffectClass;
use serde_json::json;
use uuid::Uuid;

pub(super) fn turn(index: usize) -> StepPath {
    StepPath::crew_task(0).agent().turn(index)
}

fn step(path: StepPath, kind: StepKind, effect: EffectClass) -> Step {
    Step {
        run_id: RunId::new(Uuid::nil()),
        task_id: TaskId::new(Uuid::nil()),
        idempotency_key: format!("key of {path}"),
        path,
        attempt: 1,
        kind,
        name: "fake".into(),
        agent: "poet".into(),
        effect,
        status: StepStatus::Succeeded,
        input_hash: "abc".into(),
        reused_from: None,
        seq: 0,
        output: Some(json!({"text": "x"})),
        error: None,
        usage: Usage { input_tokens: 5, ..Usage::default() },
        started_at: chrono::DateTime::UNIX_EPOCH,
        finished_at: Some(chrono::DateTime::UNIX_EPOCH),
    }
}

pub(super) fn asked(path: StepPath) -> Step {
    step(path, StepKind::LlmCall, EffectClass::Model)
}

pub(super) fn called(path: StepPath) -> Step {
    step(path, StepKind::ToolCall, EffectClass::Effectful)
}

pub(super) fn failed(step: Step) -> Step {
    let failure = Failure::new(FailureClass::ProviderError, "provider_failed", "no").with_details(json!({"kind": "server"}));
    Step { status: StepStatus::Failed, error: Some(failure), ..step }
}

pub(super) fn cut_off(step: Step) -> Step {
    let failure = Failure::new(FailureClass::UserError, "invalid_state", "cut off").with_details(json!({"kind": "cut_off"}));
    Step { status: StepStatus::Failed, error: Some(failure), ..step }
}

pub(super) fn unknown(step: Step) -> Step {
    Step { status: StepStatus::OutcomeUnknown, ..cut_off(step) }
}
