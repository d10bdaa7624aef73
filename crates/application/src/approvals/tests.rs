use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use crewd_domain::approvals::{Approval, ApprovalStatus, Decision};
use crewd_domain::runs::{Pause, Priority, Run, RunStatus, WaitReason};
use crewd_domain::shared::{ApprovalId, TenantId};
use serde_json::{Value, json};

use super::*;
use crate::attempts;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode};
use crate::ports::{
    ApprovalFilter, Change, Clock, ControlItem, ControlRequest, EventQuery, RunOrders, RunQueries, RunQueue, RunUpdate, Store,
    StoreError, UnitOfWork,
};
use crate::runs::Committer;
use crate::testing::approvals::{FakeCheck, question};
use crate::testing::clock::FixedClock;
use crate::testing::event_stream::InMemoryEventStream;
use crate::testing::ids::SequenceIds;
use crate::testing::memory::InMemoryStore;
use crate::testing::signal::CountingSignal;
use crate::testing::store::Sample;

#[derive(Default)]
struct Orders(Mutex<Vec<ControlRequest>>);

impl RunOrders for Orders {
    fn look(&self, _: crewd_domain::shared::RunId) {}

    fn give(&self, order: &ControlItem) {
        self.0.lock().unwrap().push(order.request.clone());
    }
}

struct Desk {
    store: Arc<InMemoryStore>,
    stream: Arc<InMemoryEventStream>,
    clock: Arc<FixedClock>,
    signal: Arc<CountingSignal>,
    orders: Arc<Orders>,
    sample: Sample,
    service: Arc<ApprovalService>,
}

impl Desk {
    fn new() -> Self {
        let clock = Arc::new(FixedClock::default());
        let store = Arc::new(InMemoryStore::new(clock.clone()));
        let stream = Arc::new(InMemoryEventStream::default());
        let (signal, orders) = <(Arc<CountingSignal>, Arc<Orders>)>::default();
        let service = Arc::new(ApprovalService::new(ApprovalServiceParts {
            committer: Committer::new(store.clone(), stream.clone()),
            approvals: store.clone(),
            queries: store.clone(),
            check: Arc::new(FakeCheck),
            signal: signal.clone(),
            orders: orders.clone(),
            clock: clock.clone(),
            ids: Arc::new(SequenceIds::default()),
        }));
        Self { store, stream, clock, signal, orders, sample: Sample::default(), service }
    }

    /// A run at work that has asked.
    async fn asked(&self, change: impl FnOnce(&mut Approval)) -> (Run, ApprovalId) {
        self.store.commit(self.sample.queued(Priority::Standard, 0).unit()).await.unwrap();
        let run = self.store.claim(self.sample.worker(), 1, Duration::from_secs(15)).await.unwrap().remove(0).run;
        let mut approval = question(ApprovalId::new(self.sample.id()), &run);
        change(&mut approval);
        let id = approval.id;
        let mut unit = UnitOfWork::new(run.tenant_id.clone());
        unit.push(Change::InsertApproval(Box::new(approval)));
        self.store.commit(unit).await.unwrap();
        (run, id)
    }

    /// A run that has asked and is parked.
    async fn parked(&self, reason: WaitReason, change: impl FnOnce(&mut Approval)) -> (Run, ApprovalId) {
        let (mut run, id) = self.asked(change).await;
        self.park(&mut run, reason).await;
        (run, id)
    }

    async fn park(&self, run: &mut Run, reason: WaitReason) {
        let expected_version = run.version;
        let draft = run.wait(Pause { reason, until: None, details: Value::Null }, self.clock.now()).unwrap();
        let mut unit = UnitOfWork::new(run.tenant_id.clone());
        unit.push(Change::AppendEvent(Arc::new(draft.number(2, run.task_id, run.id, self.clock.now()))));
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run: run.clone(), expected_version })));
        self.store.commit(unit).await.unwrap();
    }

    async fn decide(&self, id: ApprovalId, request: DecideApproval) -> Result<DecisionTaken, Error> {
        self.service.decide(&ada(), id, &request).await
    }

    async fn run(&self, run: &Run) -> Run {
        self.store.run(&run.tenant_id, run.id).await.unwrap().unwrap()
    }

    async fn kinds(&self, run: &Run) -> Vec<&'static str> {
        let query = EventQuery { task_id: run.task_id, after: 0, kinds: Vec::new(), limit: 100 };
        self.store.events(&run.tenant_id, &query).await.unwrap().iter().map(|event| event.kind.as_str()).collect()
    }
}

fn ada() -> RequestContext {
    RequestContext { tenant: TenantId::default_tenant(), actor: "ada".into(), request_id: "request-1".into(), traceparent: None }
}

fn say(decision: Decision) -> DecideApproval {
    DecideApproval { decision, arguments: None, response: None, comment: None, arguments_hash: None, if_match: None }
}

fn assert_refused(result: Result<DecisionTaken, Error>, code: ErrorCode, reason: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.code, error.reason), (code, Some(reason)), "{error}");
}

fn pointers(result: Result<DecisionTaken, Error>) -> Vec<String> {
    let error = result.unwrap_err();
    assert_eq!(error.code, ErrorCode::ValidationFailed, "{error}");
    error.fields.into_iter().map(|field| field.pointer).collect()
}

#[tokio::test]
async fn an_answer_lets_a_waiting_run_go_on() {
    for reason in [WaitReason::Approval, WaitReason::Input, WaitReason::Reconcile] {
        let desk = Desk::new();
        let (run, id) = desk.parked(reason, |_| {}).await;
        assert_eq!(desk.service.awaited(&ada(), &run).await.unwrap().len(), 1);
        let taken = desk.decide(id, say(Decision::Approve)).await.unwrap();
        assert_eq!((taken.applied_seq, taken.approval.status), (Some(3), ApprovalStatus::Decided));
        assert_eq!(desk.kinds(&run).await, ["task.queued", "task.waiting", "approval.decided"]);
        let after = desk.run(&run).await;
        assert_eq!((after.status, after.woken_from, desk.signal.count()), (RunStatus::Queued, Some(reason), 1));
        assert_eq!(desk.stream.published().len(), 1, "whoever follows the task hears of it");
        assert!(desk.service.awaited(&ada(), &after).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_paused_run_is_told_and_stays_paused() {
    let desk = Desk::new();
    let (run, id) = desk.parked(WaitReason::Operator, |_| {}).await;
    assert_eq!(desk.decide(id, say(Decision::Reject)).await.unwrap().applied_seq, Some(3));
    let after = desk.run(&run).await;
    assert_eq!((after.status, after.version), (RunStatus::Waiting, run.version + 1));
    assert_eq!(desk.kinds(&run).await.last(), Some(&"approval.decided"));
}

#[tokio::test]
async fn a_run_at_work_hears_of_it_from_its_worker() {
    let desk = Desk::new();
    let (run, id) = desk.asked(|_| {}).await;
    assert_eq!(desk.decide(id, say(Decision::Approve)).await.unwrap().applied_seq, None);
    let order = ControlRequest::Decided { approval: id };
    assert_eq!(desk.store.controls(run.lease.unwrap().worker).await.unwrap()[0].request, order);
    assert_eq!(*desk.orders.0.lock().unwrap(), [order]);
    assert_eq!(desk.kinds(&run).await, ["task.queued"]);
}

#[tokio::test]
async fn the_first_answer_stays() {
    let desk = Desk::new();
    let (run, id) = desk.parked(WaitReason::Approval, |_| {}).await;
    let mut first = say(Decision::Approve);
    first.if_match = Some(vec![revision(&desk.service.get(&ada(), id).await.unwrap())]);
    desk.decide(id, first.clone()).await.unwrap();
    assert_eq!(desk.decide(id, first).await.unwrap().applied_seq, None, "again, with the tag of before");
    assert_refused(desk.decide(id, say(Decision::Reject)).await, ErrorCode::Conflict, "already_decided");
    let eve = RequestContext { actor: "eve".into(), ..ada() };
    assert_refused(desk.service.decide(&eve, id, &say(Decision::Approve)).await, ErrorCode::Conflict, "already_decided");
    assert_eq!(desk.kinds(&run).await.len(), 3);
}

#[tokio::test]
async fn of_many_at_once_one_wins() {
    let desk = Desk::new();
    let (run, id) = desk.parked(WaitReason::Approval, |_| {}).await;
    let decide = |number: u32| {
        let (service, actor) = (desk.service.clone(), format!("person-{number}"));
        async move { service.decide(&RequestContext { actor, ..ada() }, id, &say(Decision::Approve)).await }
    };
    let results = futures::future::join_all((0..16).map(decide)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.into_iter().filter_map(Result::err).all(|error| error.reason == Some("already_decided")));
    assert_eq!(desk.kinds(&run).await.len(), 3);
}

#[tokio::test]
async fn nothing_is_approved_but_what_was_shown() {
    let desk = Desk::new();
    let (_, id) = desk.parked(WaitReason::Approval, |_| {}).await;
    let shown = desk.service.get(&ada(), id).await.unwrap();
    let stale = DecideApproval { if_match: Some(vec!["7-0123456789abcdef".into()]), ..say(Decision::Approve) };
    assert_refused(desk.decide(id, stale).await, ErrorCode::Conflict, "stale");
    let other = DecideApproval { arguments_hash: Some("0".repeat(64)), ..say(Decision::Approve) };
    assert_refused(desk.decide(id, other).await, ErrorCode::Conflict, "arguments_changed");
    let changed = DecideApproval { arguments: Some(json!({"amount": 700})), ..say(Decision::Approve) };
    assert_eq!(pointers(desk.decide(id, changed).await), ["/arguments"]);
    let right = DecideApproval {
        arguments_hash: Some(shown.arguments_hash.clone()),
        arguments: Some(shown.arguments.clone()),
        if_match: Some(vec!["other".into(), revision(&shown)]),
        ..say(Decision::Approve)
    };
    assert!(desk.decide(id, right).await.is_ok());
}

#[tokio::test]
async fn what_a_person_gives_is_checked() {
    let desk = Desk::new();
    let (_, id) = desk.parked(WaitReason::Approval, |_| {}).await;
    let edit = |arguments| DecideApproval { arguments: Some(arguments), ..say(Decision::Edit) };
    assert_eq!(pointers(desk.decide(id, edit(json!({"wrong": 1}))).await), ["/arguments/wrong"]);
    assert_eq!(pointers(desk.decide(id, edit(json!([1]))).await), ["/arguments"]);
    assert_eq!(pointers(desk.decide(id, say(Decision::Edit)).await), ["/arguments"]);
    assert_eq!(pointers(desk.decide(id, say(Decision::Respond)).await), ["/decision"]);
    let taken = desk.decide(id, edit(json!({"amount": 3}))).await.unwrap();
    assert_eq!(taken.approval.decided.unwrap().arguments, Some(json!({"amount": 3})));
    let ask = |approval: &mut Approval| {
        approval.allowed = vec![Decision::Respond];
        approval.response_schema = Some(json!({}));
    };
    let desk = Desk::new();
    let (_, id) = desk.parked(WaitReason::Input, ask).await;
    let respond = |response| DecideApproval { response: Some(response), ..say(Decision::Respond) };
    assert_eq!(pointers(desk.decide(id, respond(json!({"wrong": 1}))).await), ["/response/wrong"]);
    assert_eq!(pointers(desk.decide(id, say(Decision::Respond)).await), ["/response"]);
    assert!(desk.decide(id, respond(json!("blue"))).await.is_ok());
}

#[tokio::test]
async fn late_and_needless_answers_are_refused() {
    let desk = Desk::new();
    let end = desk.clock.now() + TimeDelta::hours(1);
    let (_, id) = desk.parked(WaitReason::Approval, |approval| approval.expires_at = Some(end)).await;
    desk.clock.set(end);
    assert_refused(desk.decide(id, say(Decision::Approve)).await, ErrorCode::InvalidState, "expired");
    let (mut run, id) = desk.parked(WaitReason::Approval, |_| {}).await;
    let expected_version = run.version;
    let request = crewd_domain::runs::CancelRequest {
        mode: crewd_domain::runs::CancelMode::Graceful,
        reason: None,
        actor: "ada".into(),
        superseded: None,
    };
    run.cancel_unstarted(request, end).unwrap();
    let mut unit = UnitOfWork::new(run.tenant_id.clone());
    unit.push(Change::UpdateRun(Box::new(RunUpdate { run: run.clone(), expected_version })));
    desk.store.commit(unit).await.unwrap();
    assert_refused(desk.decide(id, say(Decision::Approve)).await, ErrorCode::InvalidState, "task_ended");
    let mut unit = UnitOfWork::new(run.tenant_id.clone());
    unit.push(Change::WithdrawApprovals { run_id: run.id, at: end });
    desk.store.commit(unit).await.unwrap();
    assert_refused(desk.decide(id, say(Decision::Approve)).await, ErrorCode::InvalidState, "task_ended");
}

#[tokio::test]
async fn a_stranger_finds_nothing() {
    let desk = Desk::new();
    let (_, id) = desk.parked(WaitReason::Approval, |_| {}).await;
    let stranger = RequestContext { tenant: TenantId::try_from("other".to_owned()).unwrap(), ..ada() };
    let code = |error: Error| error.code;
    assert_eq!(desk.service.get(&stranger, id).await.map_err(code), Err(ErrorCode::NotFound));
    let decided = desk.service.decide(&stranger, id, &say(Decision::Approve)).await;
    assert_eq!(decided.map_err(code), Err(ErrorCode::NotFound));
    assert!(desk.service.list(&stranger, &ApprovalFilter::default(), None, 10).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn the_list_is_cut_into_pages() {
    let desk = Desk::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, desk.parked(WaitReason::Approval, |_| {}).await.1);
    }
    let page = desk.service.list(&ada(), &ApprovalFilter::default(), None, 2).await.unwrap();
    assert_eq!(page.items.iter().map(|one| one.id).collect::<Vec<_>>(), ids[..2]);
    let page = desk.service.list(&ada(), &ApprovalFilter::default(), page.next_before, 2).await.unwrap();
    assert_eq!((page.items.len(), page.next_before), (1, None));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_changes_meanwhile_is_read_again() {
    let desk = Desk::new();
    let (run, id) = desk.parked(WaitReason::Approval, |_| {}).await;
    desk.store.fail_next_commit(StoreError::Conflict);
    assert!(desk.decide(id, say(Decision::Approve)).await.is_ok());
    assert_eq!(desk.kinds(&run).await.len(), 3);
    let desk = Desk::new();
    let (_, id) = desk.parked(WaitReason::Approval, |_| {}).await;
    for _ in 0..attempts::MOST {
        desk.store.fail_next_commit(StoreError::Conflict);
    }
    assert_eq!(desk.decide(id, say(Decision::Approve)).await.unwrap_err().code, ErrorCode::Conflict);
}
