use uuid::Uuid;

use super::*;
use crate::runs::FailureClass;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_000).unwrap()
}

fn run() -> Run {
    Run::queued(RunId::new(Uuid::from_u128(1)), TaskId::new(Uuid::from_u128(2)), TenantId::default_tenant(), now())
}

fn cancel() -> CancelRequest {
    CancelRequest { mode: CancelMode::Graceful, reason: Some("enough".into()), actor: "ada".into(), superseded: None }
}

#[test]
fn a_run_is_claimed_once_and_each_claim_raises_the_epoch() {
    let mut run = run();
    let worker = WorkerId::new(Uuid::from_u128(3));
    let first = run.claim(worker, now(), now()).unwrap();
    assert_eq!(first.epoch, 1);
    assert_eq!(run.claim(worker, now(), now()), Err(InvalidTransition { from: RunStatus::Running, to: RunStatus::Running }));
    run.lose_worker().unwrap();
    assert_eq!((run.crash_count, run.lease), (1, None));
    assert_eq!(run.claim(worker, now(), now()).unwrap().epoch, 2);
    run.hand_back().unwrap();
    assert_eq!(run.crash_count, 1, "a drain is no crash");
    run.note_progress(0);
    assert_eq!(run.crash_count, 1);
    run.note_progress(2);
    assert_eq!((run.crash_count, run.steps_done), (0, 2), "what came before new progress does not count");
    run.crash_count = 2;
    run.note_progress(2);
    assert_eq!(run.crash_count, 2, "old progress is none");
}

#[test]
fn the_end_is_final() {
    let mut run = run();
    run.claim(WorkerId::new(Uuid::from_u128(3)), now(), now()).unwrap();
    let event = run.finish(RunOutcome::Succeeded { output: json!({"raw": "x"}) }, Usage::default(), 4, now()).unwrap();
    assert_eq!(event.kind, EventKind::TaskSucceeded);
    assert_eq!(event.data["output"]["raw"], "x");
    let version = run.version;
    assert!(run.begin_cancel(cancel()).is_err());
    assert!(run.cancel_unstarted(cancel(), now()).is_err());
    assert!(run.finish(RunOutcome::Cancelled { output: Value::Null }, Usage::default(), 4, now()).is_err());
    assert_eq!((run.status, run.version), (RunStatus::Succeeded, version), "a refused change changes nothing");
}

#[test]
fn a_cancel_keeps_who_and_why() {
    let mut run = run();
    run.claim(WorkerId::new(Uuid::from_u128(3)), now(), now()).unwrap();
    run.begin_cancel(cancel()).unwrap();
    assert!(
        run.finish(RunOutcome::Succeeded { output: Value::Null }, Usage::default(), 0, now()).is_err(),
        "a run that is being cancelled cannot succeed any more"
    );
    let event = run.finish(RunOutcome::Cancelled { output: json!({"raw": "half"}) }, Usage::default(), 1, now()).unwrap();
    assert_eq!(event.data["reason"], "enough");
    assert_eq!(event.data["actor"], "ada");
    assert_eq!(run.output, Some(json!({"raw": "half"})));
}

#[test]
fn an_unstarted_run_is_cancelled_at_once() {
    let mut run = run();
    let event = run.cancel_unstarted(cancel(), now()).unwrap();
    assert_eq!(event.kind, EventKind::TaskCancelled);
    assert_eq!((run.status, run.finished_at), (RunStatus::Cancelled, Some(now())));
}

fn running() -> Run {
    let mut run = run();
    run.claim(WorkerId::new(Uuid::from_u128(3)), now(), now()).unwrap();
    run
}

#[test]
fn a_waiting_run_holds_nothing_and_its_wait_does_not_count() {
    let mut run = running();
    let until = now() + TimeDelta::days(60);
    let pause = Pause { reason: WaitReason::Approval, until: Some(until), details: json!({"approvals": ["a"]}) };
    let event = run.wait(pause, now() + TimeDelta::seconds(5)).unwrap();
    assert_eq!(event.kind, EventKind::TaskWaiting);
    assert_eq!((&event.data["reason"], &event.data["approvals"]), (&json!("approval"), &json!(["a"])));
    assert_eq!((run.lease, run.waiting_for, run.wake_at), (None, Some(WaitReason::Approval), Some(until)));
    assert_eq!(run.active_time(now() + TimeDelta::days(30)), Duration::from_secs(5));
    run.wake(now() + TimeDelta::days(30)).unwrap();
    assert_eq!((run.status, run.waiting_for, run.woken_from), (RunStatus::Queued, None, Some(WaitReason::Approval)));
    assert_eq!(run.active_time(now() + TimeDelta::days(30) + TimeDelta::seconds(2)), Duration::from_secs(7));
    assert!(run.wake(now()).is_err(), "it does not wait any more");
}

#[test]
fn a_scheduled_run_becomes_due_once() {
    let (id, task) = (RunId::new(Uuid::from_u128(1)), TaskId::new(Uuid::from_u128(2)));
    let mut run = Run::scheduled(id, task, TenantId::default_tenant(), now() + TimeDelta::hours(1), now());
    assert!(run.claim(WorkerId::new(Uuid::from_u128(3)), now(), now()).is_err());
    assert_eq!(run.become_due(None).unwrap().kind, EventKind::TaskQueued);
    assert_eq!((run.status, run.wake_at), (RunStatus::Queued, None));
    assert!(run.become_due(None).is_err());
}

#[test]
fn only_what_the_caller_did_not_cause_is_a_dead_letter() {
    for (class, expected) in [(FailureClass::UserError, None), (FailureClass::ProviderError, Some(DeadLetter::Open))] {
        let mut run = running();
        let failure = Failure::new(class, "x", "y");
        run.finish(RunOutcome::Failed { failure, output: Value::Null }, Usage::default(), 0, now()).unwrap();
        assert_eq!(run.dead_letter, expected);
    }
    let mut run = running();
    assert!(run.file_dead_letter(DeadLetter::Discarded).is_err(), "it has not failed");
}

#[test]
fn a_superseded_run_tells_by_whom_and_drops_its_output_where_that_is_asked() {
    for (drops_output, kept) in [(false, json!({"raw": "half"})), (true, Value::Null)] {
        let mut run = run();
        run.claim(WorkerId::new(Uuid::from_u128(3)), now(), now()).unwrap();
        let by = RunId::new(Uuid::from_u128(77));
        let request = CancelRequest { superseded: Some(Superseded { by, drops_output }), ..cancel() };
        let said = run.begin_cancel(request).unwrap();
        assert_eq!((&said.data["superseded_by"], &said.data["drops_output"]), (&json!(by), &json!(drops_output)));
        let outcome = RunOutcome::Cancelled { output: json!({"raw": "half"}) };
        let said = run.finish(outcome, Usage::default(), 1, now()).unwrap();
        assert_eq!((&said.data["superseded_by"], &said.data["output"], run.output), (&json!(by), &kept, Some(kept.clone())));
    }
}
