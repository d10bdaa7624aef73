//! What a worker would do with a task, by hand.

use std::sync::Arc;

use crewd_application::ports::{Change, Clock, RunQueries, RunUpdate, TaskView, UnitOfWork};
use crewd_domain::runs::{EventDraft, EventKind, Run, RunOutcome};
use crewd_domain::shared::{TaskId, TenantId, Usage, WorkerId};
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
