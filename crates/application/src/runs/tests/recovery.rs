use std::time::Duration;

use crewd_domain::runs::{CancelMode, CancelRequest, EventDraft, EventKind, RunStatus, Step, StepKind, StepPath, StepStatus};
use crewd_domain::shared::Usage;
use crewd_domain::tools::EffectClass;
use serde_json::json;

use super::desk::{Desk, LEASE, log_lines};
use crate::ports::{
    Change, ClaimedRun, Clock, LeaseRenewal, RunQueries, RunUpdate, Store, StoreError, UnitOfWork, WorkerPresence,
};
use crate::runs::MAX_CRASHES;

async fn die(desk: &Desk, claimed: &ClaimedRun) {
    desk.presence.kill(claimed.run.lease.unwrap().worker);
}

#[tokio::test]
async fn runs_of_a_dead_worker_are_queued_again_at_once() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    assert_eq!(desk.recovery.sweep().await.unwrap(), 0, "its lease is fresh and its worker lives");
    die(&desk, &claimed).await;
    let woken = desk.signal.count();
    assert_eq!(desk.recovery.sweep().await.unwrap(), 1);
    let run = desk.view(id).await.run;
    assert_eq!((run.status, run.crash_count, run.lease, run.epoch), (RunStatus::Queued, 1, None, 1));
    assert_eq!(desk.signal.count(), woken + 1);
    assert_eq!(desk.recovery.sweep().await.unwrap(), 0);
    assert_eq!(desk.signal.count(), woken + 1, "nobody is woken for nothing");
}

#[tokio::test]
async fn an_expired_lease_is_lost_and_a_renewed_one_is_not() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    desk.clock.advance(LEASE - Duration::from_secs(1));
    desk.store.renew(claimed.run.lease.unwrap().worker, LEASE).await.unwrap();
    desk.clock.advance(LEASE - Duration::from_secs(1));
    assert_eq!(desk.recovery.sweep().await.unwrap(), 0);
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(desk.recovery.sweep().await.unwrap(), 1);
    assert_eq!(desk.view(id).await.run.status, RunStatus::Queued);
}

#[tokio::test]
async fn clocks_of_nodes_have_no_say_about_leases() {
    for ahead in [chrono::TimeDelta::hours(1), chrono::TimeDelta::hours(-1)] {
        let desk = Desk::new();
        let node = desk.recovery_of_node(ahead);
        let id = desk.submit().await.task.id;
        desk.claim().await;
        desk.clock.advance(LEASE - Duration::from_secs(1));
        assert_eq!(node.sweep().await.unwrap(), 0, "the lease is good by the database's clock");
        desk.clock.advance(Duration::from_secs(1));
        assert_eq!(node.sweep().await.unwrap(), 1);
        assert_eq!(desk.view(id).await.run.status, RunStatus::Queued);
    }
}

#[tokio::test]
async fn the_last_of_many_deaths_ends_the_run() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    for crash in 1..=MAX_CRASHES {
        let mut claimed = desk.claim().await;
        desk.say(&mut claimed, log_lines(2)).await;
        die(&desk, &claimed).await;
        assert_eq!(desk.recovery.sweep().await.unwrap(), 1);
        assert_eq!(desk.view(id).await.run.status.is_terminal(), crash == MAX_CRASHES);
    }
    let run = desk.view(id).await.run;
    let failure = run.error.unwrap();
    assert_eq!((run.status, failure.class.as_str(), failure.code.as_str()), (RunStatus::Failed, "crash_loop", "internal"));
    assert_eq!(failure.details["reason"], "worker_crash_loop");
    let kinds = desk.kinds(id).await;
    // The submission, two lines from each worker, and the end.
    let lines = 2 + 2 * u64::from(MAX_CRASHES);
    assert_eq!((kinds.len() as u64, kinds.last()), (lines, Some(&"task.failed")));
    assert_eq!(desk.stream.published().last().map(|event| event.seq), Some(lines), "whoever follows the task hears of it");
}

#[tokio::test]
async fn a_run_that_was_being_cancelled_is_cancelled() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    let expected_version = claimed.run.version;
    let request =
        CancelRequest { mode: CancelMode::Graceful, reason: Some("enough".into()), actor: "ada".into(), superseded: None };
    let draft = claimed.run.begin_cancel(request.clone()).unwrap();
    let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
    unit.push(Change::UpdateRun(Box::new(RunUpdate { run: claimed.run.clone(), expected_version })));
    desk.store.commit(unit).await.unwrap();
    desk.say(&mut claimed, [draft]).await;
    die(&desk, &claimed).await;
    assert_eq!(desk.recovery.sweep().await.unwrap(), 1);
    let run = desk.view(id).await.run;
    assert_eq!((run.status, run.cancel, run.crash_count), (RunStatus::Cancelled, Some(request), 0));
    assert_eq!(desk.kinds(id).await, ["task.queued", "task.cancelling", "task.cancelled"]);
}

#[tokio::test]
async fn of_two_sweeps_one_moves_a_run() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    die(&desk, &claimed).await;
    let rival = desk.recovery.clone();
    desk.rival.let_act_first(async move {
        assert_eq!(rival.sweep().await.unwrap(), 1);
    });
    assert_eq!(desk.recovery.sweep().await.unwrap(), 0);
    assert_eq!(desk.view(id).await.run.crash_count, 1, "one death counts once");
}

#[tokio::test]
async fn what_cannot_be_written_now_is_found_by_the_next_sweep() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    die(&desk, &claimed).await;
    desk.store.fail_next_commit(StoreError::Unavailable("gone".into()));
    assert!(desk.recovery.sweep().await.is_err());
    assert_eq!(desk.view(id).await.run.status, RunStatus::Running);
    assert_eq!(desk.recovery.sweep().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_that_dies_before_it_has_written_leaves_the_mark() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    let worker = claimed.run.lease.unwrap().worker;
    die(&desk, &claimed).await;
    desk.store.fail_next_commit(StoreError::Unavailable("gone".into()));
    assert!(desk.recovery.look_for_dead().await.is_err());
    assert_eq!(desk.presence.dead(), [worker], "the next sweeper finds it at once");
    assert_eq!(desk.recovery.look_for_dead().await.unwrap(), 1);
    assert_eq!(desk.view(id).await.run.status, RunStatus::Queued);
    assert_eq!(desk.recovery.look_for_dead().await.unwrap(), 0);
    assert_eq!(desk.presence.dead(), [worker], "a last claim may still take effect");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(desk.recovery.look_for_dead().await.unwrap(), 0);
    assert!(desk.presence.dead().is_empty());
}

#[tokio::test]
async fn without_a_death_the_database_is_not_asked() {
    let desk = Desk::new();
    desk.submit().await;
    desk.claim().await;
    desk.clock.advance(LEASE);
    assert_eq!(desk.recovery.look_for_dead().await.unwrap(), 0, "leases are the sweep's matter");
    assert_eq!(desk.recovery.sweep().await.unwrap(), 1);
}

#[tokio::test]
async fn a_run_that_ends_without_a_worker_keeps_what_was_done_and_used() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    let output = json!({"name": "rhyme", "agent": "poet", "output": {"raw": "Roses", "json": null}});
    desk.say(&mut claimed, [EventDraft::of_step(EventKind::CrewTaskCompleted, StepPath::crew_task(0), output)]).await;
    let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
    let step = |turn: usize, status: StepStatus, effect: EffectClass| Step {
        effect,
        status,
        finished_at: None,
        ..finished_step(&desk, &claimed, turn)
    };
    for step in [
        step(0, StepStatus::Succeeded, EffectClass::Model),
        step(1, StepStatus::Started, EffectClass::Model),
        step(2, StepStatus::Started, EffectClass::Effectful),
    ] {
        unit.push(Change::SaveStep(Box::new(step)));
    }
    desk.store.commit(unit).await.unwrap();
    die(&desk, &claimed).await;
    desk.recovery.sweep().await.unwrap();
    assert_eq!(desk.view(id).await.run.crash_count, 1);
    // The other deaths without any progress.
    for _ in 1..MAX_CRASHES {
        let claimed = desk.claim().await;
        die(&desk, &claimed).await;
        desk.recovery.sweep().await.unwrap();
    }
    let run = desk.view(id).await.run;
    assert_eq!((run.status, run.usage.input_tokens, run.steps_done), (RunStatus::Failed, 40, 1));
    let task = json!({"name": "rhyme", "agent": "poet", "raw": "Roses", "json": null});
    assert_eq!(run.output.unwrap(), json!({"raw": "Roses", "json": null, "tasks": [task]}));
    let steps = desk.store.steps(&run.tenant_id, run.id).await.unwrap();
    let states: Vec<_> = steps.iter().map(|step| step.status).collect();
    assert_eq!(states, [StepStatus::Succeeded, StepStatus::Failed, StepStatus::OutcomeUnknown]);
}

#[tokio::test]
async fn a_run_that_gets_on_outlives_any_number_of_workers() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    for turn in 0..6 {
        let claimed = desk.claim().await;
        let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
        unit.push(Change::SaveStep(Box::new(finished_step(&desk, &claimed, turn))));
        desk.store.commit(unit).await.unwrap();
        die(&desk, &claimed).await;
        assert_eq!(desk.recovery.sweep().await.unwrap(), 1);
        assert_eq!(desk.view(id).await.run.status, RunStatus::Queued, "death {turn}");
    }
}

fn finished_step(desk: &Desk, claimed: &ClaimedRun, turn: usize) -> Step {
    Step {
        run_id: claimed.run.id,
        task_id: claimed.task.id,
        path: StepPath::crew_task(0).agent().turn(turn),
        attempt: 1,
        kind: StepKind::LlmCall,
        name: "model".into(),
        agent: "poet".into(),
        effect: EffectClass::Model,
        status: StepStatus::Succeeded,
        input_hash: String::new(),
        idempotency_key: String::new(),
        reused_from: None,
        seq: turn as u64,
        output: None,
        error: None,
        usage: Usage { input_tokens: 40, llm_calls: 1, ..Usage::default() },
        started_at: desk.clock.now(),
        finished_at: Some(desk.clock.now()),
    }
}
