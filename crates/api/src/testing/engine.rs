//! What a worker would do with a task, by hand.

use std::sync::Arc;

use crewd_application::ports::{Change, Clock, RunQueries, RunUpdate, TaskView, UnitOfWork};
use crewd_domain::runs::{
    EventDraft, EventKind, Failure, FailureClass, Pause, Run, RunOutcome, Step, StepKind, StepPath, StepStatus, WaitReason,
};
use crewd_domain::shared::{TaskId, TenantId, Usage, WorkerId};
use crewd_domain::tools::EffectClass;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Stage;

impl Stage {
    /// Begins the task's run.
    pub(crate) async fn start(&self, id: &str) {
        let now = self.clock.now();
        self.change(id, |run| {
            run.claim(WorkerId::new(Uuid::nil()), now, now).expect("a queued run");
            EventDraft::of_run(EventKind::TaskStarted, json!({"attempt": 1}))
        })
        .await;
    }

    /// Writes so many log events.
    pub(crate) async fn log(&self, id: &str, count: usize) {
        let view = self.view(id).await;
        let seq = self.store.last_seq(&tenant(), view.task.id).await.expect("a number");
        let mut unit = UnitOfWork::new(tenant());
        for index in 0..count {
            let draft = EventDraft::of_run(EventKind::Log, json!({"index": index}));
            let event = draft.number(seq + 1 + index as u64, view.task.id, view.run.id, self.clock.now());
            unit.push(Change::AppendEvent(Arc::new(event)));
        }
        self.committer.commit(unit).await.expect("a commit");
    }

    /// Ends the task's run well.
    pub(crate) async fn succeed(&self, id: &str) {
        let now = self.clock.now();
        let output = json!({"raw": "a text", "json": null, "tasks": [{"name": "write", "agent": "writer", "raw": "a text", "json": null}]});
        self.change(id, |run| {
            run.finish(
                RunOutcome::Succeeded { output },
                Usage { input_tokens: 7, output_tokens: 3, llm_calls: 1, ..Usage::default() },
                1,
                now,
            )
            .expect("a running run")
        })
        .await;
    }

    /// Lets the task's run fail.
    pub(crate) async fn fail(&self, id: &str, class: FailureClass) {
        let now = self.clock.now();
        let failure = Failure::new(class, "provider_failed", "the model does not answer").retryable();
        let outcome = RunOutcome::Failed { failure, output: Value::Null };
        self.change(id, |run| run.finish(outcome, Usage::default(), 1, now).expect("a running run")).await;
    }

    /// Parks the task's run.
    pub(crate) async fn park(&self, id: &str, reason: WaitReason) {
        let now = self.clock.now();
        let pause = Pause { reason, until: None, details: Value::Null };
        self.change(id, |run| run.wait(pause, now).expect("a running run")).await;
    }

    /// Writes so many finished model calls into the journal of the task's run.
    pub(crate) async fn journal(&self, id: &str, turns: usize) {
        let run = self.view(id).await.run;
        let mut unit = UnitOfWork::new(tenant());
        for index in 0..turns {
            let path = StepPath::crew_task(0).agent().turn(index);
            unit.push(Change::SaveStep(Box::new(Step {
                run_id: run.id,
                task_id: run.task_id,
                idempotency_key: path.to_string(),
                path,
                attempt: 1,
                kind: StepKind::LlmCall,
                name: "fake".to_owned(),
                agent: "writer".to_owned(),
                effect: EffectClass::Model,
                status: StepStatus::Succeeded,
                input_hash: "abc".to_owned(),
                reused_from: None,
                seq: index as u64 + 2,
                output: Some(json!({"text": "x"})),
                error: None,
                usage: Usage { llm_calls: 1, ..Usage::default() },
                started_at: self.clock.now(),
                finished_at: Some(self.clock.now()),
            })));
        }
        self.committer.commit(unit).await.expect("a commit");
    }

    /// The task as it is stored.
    pub(crate) async fn view(&self, id: &str) -> TaskView {
        let id: TaskId = id.parse().expect("an id");
        self.store.task(&tenant(), id).await.expect("a store").expect("a task")
    }

    /// The data of the task's events.
    pub(crate) fn seqs(events: &[Value]) -> Vec<u64> {
        events.iter().filter_map(|event| event["seq"].as_u64()).collect()
    }

    async fn change(&self, id: &str, act: impl FnOnce(&mut Run) -> EventDraft) {
        let TaskView { task, mut run, .. } = self.view(id).await;
        let expected_version = run.version;
        let draft = act(&mut run);
        let seq = self.store.last_seq(&tenant(), task.id).await.expect("a number") + 1;
        let mut unit = UnitOfWork::new(tenant());
        unit.push(Change::AppendEvent(Arc::new(draft.number(seq, task.id, run.id, self.clock.now()))));
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
        self.committer.commit(unit).await.expect("a commit");
    }
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}
