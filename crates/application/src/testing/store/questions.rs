//! Questions to people: kept, listed, answered once, withdrawn.

use std::time::Duration;

use crewd_domain::approvals::{Approval, ApprovalKind, ApprovalStatus, Decided, Decision, OnExpire};
use crewd_domain::runs::{EventKind, Priority, Run, StepPath};
use crewd_domain::shared::ApprovalId;
use crewd_domain::tools::RiskLevel;
use futures::future::join_all;
use serde_json::{Value, json};

use super::harness::{Harness, must, update};
use super::sample::{Sample, at, event, stranger};
use crate::ports::{ApprovalFilter, ApprovalUpdate, Change, StoreError};

const LEASE: Duration = Duration::from_secs(3_600);

/// A question about a tool call of a run.
pub(super) fn question(sample: &Sample, run: &Run) -> Approval {
    Approval {
        id: ApprovalId::new(sample.id()),
        tenant_id: run.tenant_id.clone(),
        task_id: run.task_id,
        run_id: run.id,
        step: StepPath::crew_task(0).agent().turn(1).tool(0),
        kind: ApprovalKind::Tool,
        tool: "pay".to_owned(),
        agent: "clerk".to_owned(),
        question: None,
        arguments: json!({"amount": 7, "to": "ü\" ?"}),
        arguments_hash: "ab".repeat(32),
        risk: RiskLevel::Critical,
        policy: "crew:high".to_owned(),
        allowed: vec![Decision::Approve, Decision::Edit, Decision::Reject],
        response_schema: None,
        requested_at: at(10),
        expires_at: None,
        on_expire: OnExpire::Deny,
        status: ApprovalStatus::Pending,
        decided: None,
        version: 1,
    }
}

fn insert(approval: &Approval) -> Change {
    Change::InsertApproval(Box::new(approval.clone()))
}

fn answer(approval: &Approval, expected_version: u64) -> Change {
    Change::UpdateApproval(Box::new(ApprovalUpdate { approval: approval.clone(), expected_version }))
}

fn decided(approval: &Approval, by: &str) -> Approval {
    let decided = Decided {
        decision: Decision::Edit,
        arguments: Some(json!({"amount": 5})),
        response: Some(Value::Null),
        comment: Some("too much".to_owned()),
        by: by.to_owned(),
        at: at(20),
    };
    Approval { status: ApprovalStatus::Decided, decided: Some(decided), version: approval.version + 1, ..approval.clone() }
}

pub(super) async fn questions_are_read_back_as_written(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let run = sample.submit(harness, Priority::Standard, 0).await.run;
    let tool = question(&sample, &run);
    let open = Approval {
        kind: ApprovalKind::Question,
        question: Some("Which city? \u{0}".to_owned()),
        arguments: Value::Null,
        risk: RiskLevel::Low,
        allowed: vec![Decision::Respond],
        response_schema: Some(json!({"type": "string"})),
        expires_at: Some(at(99)),
        on_expire: OnExpire::Cancel,
        ..question(&sample, &run)
    };
    let unknown = Approval { kind: ApprovalKind::Reconcile, allowed: Vec::new(), ..decided(&question(&sample, &run), "ada") };
    must(harness.commit(tenant, [&unknown, &tool, &open].map(insert)).await);
    for written in [&tool, &open, &unknown] {
        assert_eq!(must(harness.approvals.approval(tenant, written.id).await).as_ref(), Some(written));
        assert_eq!(must(harness.approvals.approval(&stranger(), written.id).await), None);
    }
    assert_eq!(must(harness.approvals.approvals_of(tenant, run.id).await), [tool.clone(), open, unknown], "the oldest first");
    assert!(must(harness.approvals.approvals_of(&stranger(), run.id).await).is_empty());
    assert_eq!(must(harness.approvals.approval(tenant, ApprovalId::new(sample.id())).await), None);
    let again = harness.commit(tenant, [insert(&tool)]).await;
    assert!(matches!(again, Err(StoreError::Duplicate(_))), "{again:?}");
}

pub(super) async fn questions_are_listed_newest_first(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let one = sample.submit(harness, Priority::Standard, 0).await.run;
    let other = sample.submit(harness, Priority::Standard, 0).await.run;
    let tools: Vec<Approval> = (0..3).map(|_| question(&sample, &one)).collect();
    let asked = Approval { kind: ApprovalKind::Question, ..question(&sample, &other) };
    let done = decided(&question(&sample, &other), "ada");
    must(harness.commit(tenant, tools.iter().chain([&asked, &done]).map(insert)).await);
    let list = async |filter: ApprovalFilter, before, limit| -> Vec<ApprovalId> {
        must(harness.approvals.approvals(tenant, &filter, before, limit).await).iter().map(|approval| approval.id).collect()
    };
    let mut all: Vec<ApprovalId> = tools.iter().chain([&asked, &done]).map(|approval| approval.id).collect();
    all.reverse();
    assert_eq!(list(ApprovalFilter::default(), None, 9).await, all);
    assert_eq!(list(ApprovalFilter::default(), None, 2).await, all.get(..2).unwrap_or_default());
    assert_eq!(list(ApprovalFilter::default(), Some(asked.id), 2).await, all.get(2..4).unwrap_or_default());
    let pending = ApprovalFilter { status: Some(ApprovalStatus::Pending), ..ApprovalFilter::default() };
    assert_eq!(list(pending.clone(), None, 9).await, all.get(1..).unwrap_or_default());
    assert_eq!(list(ApprovalFilter { kind: Some(ApprovalKind::Question), ..pending.clone() }, None, 9).await, [asked.id]);
    let of_other = ApprovalFilter { task_id: Some(other.task_id), ..ApprovalFilter::default() };
    assert_eq!(list(of_other, None, 9).await, [done.id, asked.id]);
    assert_eq!(must(harness.approvals.approvals(&stranger(), &pending, None, 9).await), []);
}

pub(super) async fn the_first_answer_wins(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let run = sample.submit(harness, Priority::Standard, 0).await.run;
    let asked = question(&sample, &run);
    must(harness.commit(tenant, [insert(&asked)]).await);
    let answers: Vec<Approval> = ["ada", "bob", "eve", "zoe"].map(|by| decided(&asked, by)).into();
    let results = join_all(answers.iter().map(|one| harness.commit(tenant, [answer(one, asked.version)]))).await;
    let winners: Vec<_> = answers.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(one, _)| one).collect();
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Conflict))), "{results:?}");
    let stored = must(harness.approvals.approval(tenant, asked.id).await);
    assert_eq!(winners, stored.iter().collect::<Vec<_>>(), "exactly one");

    let late = harness.commit(tenant, [event(&run, EventKind::Log, 2), answer(&decided(&asked, "late"), asked.version)]).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    assert_eq!(must(harness.queries.last_seq(tenant, run.task_id).await), 1, "nothing of the unit is stored");
    let unknown = question(&sample, &run);
    assert!(matches!(harness.commit(tenant, [answer(&unknown, 1)]).await, Err(StoreError::Conflict)));
}

pub(super) async fn an_ended_run_withdraws_what_it_asked(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let run = sample.submit(harness, Priority::Standard, 0).await.run;
    let other = sample.submit(harness, Priority::Standard, 0).await.run;
    let (open, done, elsewhere) = (question(&sample, &run), question(&sample, &run), question(&sample, &other));
    let done = decided(&done, "ada");
    must(harness.commit(tenant, [&open, &done, &elsewhere].map(insert)).await);
    must(harness.commit(tenant, [Change::WithdrawApprovals { run_id: run.id, at: at(30) }]).await);
    let withdrawn = Approval { status: ApprovalStatus::Withdrawn, version: open.version + 1, ..open.clone() };
    assert_eq!(must(harness.approvals.approvals_of(tenant, run.id).await), [withdrawn, done]);
    assert_eq!(must(harness.approvals.approval(tenant, elsewhere.id).await), Some(elsewhere.clone()));
    let late = harness.commit(tenant, [answer(&decided(&open, "ada"), open.version)]).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");

    for change in [
        insert(&question(&sample, &other)),
        answer(&decided(&elsewhere, "eve"), elsewhere.version),
        Change::WithdrawApprovals { run_id: other.id, at: at(30) },
    ] {
        let shown = format!("{change:?}");
        assert!(harness.commit(&stranger(), [change]).await.is_err(), "{shown}");
    }
    assert_eq!(must(harness.approvals.approvals_of(tenant, other.id).await), [elsewhere]);
}

pub(super) async fn a_later_claim_brings_what_was_asked(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    sample.submit(harness, Priority::Standard, 0).await;
    let first = must(harness.queue.claim(sample.worker(), 1, LEASE).await);
    let Some(claimed) = first.first() else { return assert!(!first.is_empty()) };
    assert!(claimed.approvals.is_empty());
    let (one, two) = (question(&sample, &claimed.run), decided(&question(&sample, &claimed.run), "ada"));
    let mut back = claimed.run.clone();
    assert!(back.hand_back().is_ok());
    must(harness.commit(tenant, [insert(&two), insert(&one), update(&back, claimed.run.version)]).await);
    let fresh = sample.submit(harness, Priority::Standard, 1).await;
    let again = must(harness.queue.claim(sample.worker(), 9, LEASE).await);
    let [again, other] = again.as_slice() else { return assert_eq!(again.len(), 2) };
    assert_eq!(again.approvals, [one, two], "the oldest first, decided or not");
    assert_eq!((other.run.id, other.approvals.len()), (fresh.run.id, 0));
}
