use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{
    ControlItem, ControlRequest, LanguageModel, LeaseRenewal, ModelRequest, ModelStream, RunOrders, RunQueue, Store, StoreError,
    UnitOfWork,
};
use crewd_application::testing::llm::{Gate, ScriptedModel, ScriptedTurn};
use crewd_application::testing::memory::InMemoryStore;
use crewd_domain::runs::{CancelMode, CancelRequest, Priority, RunStatus};
use crewd_domain::shared::{RunId, TaskId, WorkerId};
use tokio::time::Instant;

use crate::testing::{Lab, agent, caller, crew, small_crew, task};

fn three_tasks() -> crewd_domain::crews::CrewDefinition {
    crew([agent("poet")], ["one", "two", "three"].map(|name| task(name, "poet")))
}

fn held(gate: &Gate) -> ScriptedModel {
    let gate = gate.clone();
    ScriptedModel::from_fn(move |_, _| ScriptedTurn::text("ok").held_at_start(&gate))
}

async fn status(lab: &Lab, id: TaskId) -> RunStatus {
    lab.tasks().get(&caller(), id).await.unwrap().run.status
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_no_more_runs_than_it_has_slots_and_the_urgent_ones_first() {
    let gate = Gate::new();
    let model = held(&gate);
    let mut lab = Lab::new(&model);
    lab.settings.slots = 2;
    let running = lab.start();
    let first = [lab.submit(small_crew()).await, lab.submit(small_crew()).await];
    gate.arrived(2).await;
    let mut later = Vec::new();
    for priority in [Priority::Batch, Priority::Standard, Priority::Interactive] {
        let task = crewd_application::runs::SubmitTask { crew: "crew".into(), priority, ..Default::default() };
        later.push(lab.submit_task(task).await);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((running.worker.active_runs(), model.calls()), (2, 2));
    gate.open();
    for id in first.iter().chain(&later) {
        lab.end_of(*id).await;
    }
    running.stop().await;
    let order: Vec<TaskId> =
        lab.stream.published().iter().filter(|e| e.kind.as_str() == "task.started").map(|e| e.task_id).collect();
    assert_eq!(order[2..], [later[2], later[1], later[0]]);
}

#[tokio::test(start_paused = true)]
async fn a_submission_wakes_the_worker_and_a_lost_call_costs_a_moment() {
    let lab = Lab::new(&ScriptedModel::from_fn(|_, _| ScriptedTurn::text("ok")));
    let running = lab.start();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let start = Instant::now();
    let id = lab.submit(small_crew()).await;
    lab.end_of(id).await;
    assert!(start.elapsed() < Duration::from_millis(5), "{:?}", start.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_run_of_a_key_begins_when_the_one_before_ends() {
    let lab = Lab::new(&ScriptedModel::from_fn(|_, _| ScriptedTurn::text("ok")));
    let running = lab.start();
    lab.end_of(lab.submit(small_crew()).await).await;
    let start = Instant::now();
    let mut ids = Vec::new();
    for _ in 0..4 {
        let concurrency = Some(crewd_domain::runs::Concurrency { key: "chat".to_owned(), mode: Default::default() });
        let options = crewd_domain::runs::TaskOptions { concurrency, ..Default::default() };
        ids.push(
            lab.submit_task(crewd_application::runs::SubmitTask { crew: "crew".into(), options, ..Default::default() }).await,
        );
    }
    for id in ids {
        lab.end_of(id).await;
    }
    assert!(start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopping_worker_hands_its_runs_back_at_the_next_step() {
    let gate = Gate::new();
    let model = held(&gate);
    let lab = Lab::new(&model);
    let id = lab.submit(three_tasks()).await;
    let running = lab.start();
    gate.arrived(1).await;
    running.shutdown.cancel();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(status(&lab, id).await, RunStatus::Running, "its step may finish");
    gate.open();
    running.stop().await;
    let view = lab.tasks().get(&caller(), id).await.unwrap();
    assert_eq!((view.run.status, view.run.lease, view.run.crash_count), (RunStatus::Queued, None, 0));
    assert_eq!((model.calls(), model.abandoned()), (1, 0));
    let other = lab.start();
    let view = lab.end_of(id).await;
    other.stop().await;
    assert_eq!((view.run.status, view.run.epoch, model.calls()), (RunStatus::Succeeded, 2, 3));
    let resumed = lab.log(id).await.into_iter().find(|event| event.kind.as_str() == "task.resumed").unwrap();
    assert_eq!(crate::testing::data(&resumed)["reason"], "handed_over");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_does_not_finish_in_time_is_dropped_and_the_run_handed_back() {
    let model = ScriptedModel::from_fn(|call, _| if call == 0 { ScriptedTurn::hang("half") } else { ScriptedTurn::text("ok") });
    let lab = Lab::new(&model);
    let id = lab.submit(small_crew()).await;
    let running = lab.start();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    running.stop().await;
    assert_eq!((start.elapsed(), model.abandoned()), (lab.settings.drain_timeout, 1));
    assert_eq!(status(&lab, id).await, RunStatus::Queued);
    let other = lab.start();
    let view = lab.end_of(id).await;
    other.stop().await;
    assert_eq!(view.run.output.unwrap()["raw"], "ok");
    let story = lab.story(id).await;
    assert!(story.contains(&"step.restarted crew_task[0].agent.turn[0]".to_owned()), "{story:?}");
}

#[tokio::test(start_paused = true)]
async fn a_graceful_cancel_ends_between_steps_and_an_immediate_one_at_once() {
    for (mode, calls_finished) in [(CancelMode::Graceful, 1), (CancelMode::Immediate, 0)] {
        let gate = Gate::new();
        let model = held(&gate);
        let lab = Lab::new(&model);
        let id = lab.submit(three_tasks()).await;
        let running = lab.start();
        gate.arrived(1).await;
        lab.tasks().cancel(&caller(), id, mode, None).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(status(&lab, id).await.is_terminal(), mode == CancelMode::Immediate);
        gate.open();
        let view = lab.end_of(id).await;
        running.stop().await;
        assert_eq!((view.run.status, model.calls()), (RunStatus::Cancelled, 1), "no step begins after the cancel");
        assert_eq!((model.abandoned(), view.run.steps_done), (1 - calls_finished, 1));
        assert_eq!(view.run.output.unwrap()["tasks"].as_array().map(Vec::len), Some(calls_finished));
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_of_this_process_is_obeyed_at_once() {
    let gate = Gate::new();
    let model = held(&gate);
    let lab = Lab::new(&model);
    let id = lab.submit(small_crew()).await;
    let running = lab.start();
    gate.arrived(1).await;
    let start = Instant::now();
    let view = lab.tasks().cancel(&caller(), id, CancelMode::Immediate, None).await.unwrap().view;
    let request = CancelRequest { mode: CancelMode::Immediate, reason: None, actor: "ada".into(), superseded: None };
    let order = |run_id, number| ControlItem {
        id: uuid::Uuid::from_u128(number),
        run_id,
        task_id: view.task.id,
        request: ControlRequest::Cancel(request.clone()),
    };
    running.worker.give(&order(view.run.id, 1));
    running.worker.give(&order(RunId::new(uuid::Uuid::nil()), 2));
    let view = lab.end_of(id).await;
    assert_eq!((view.run.status, model.abandoned()), (RunStatus::Cancelled, 1));
    assert!(start.elapsed() < Duration::from_millis(5), "{:?}", start.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_with_a_waiting_order_begins_no_step() {
    for mode in [CancelMode::Graceful, CancelMode::Immediate] {
        let gate = Gate::new();
        let model = held(&gate);
        let lab = Lab::new(&model);
        let id = lab.submit(small_crew()).await;
        let lost = WorkerId::new(uuid::Uuid::nil());
        lab.store.claim(lost, 1, lab.settings.lease).await.unwrap();
        lab.tasks().cancel(&caller(), id, mode, None).await.unwrap();
        lab.presence.kill(lost);
        lab.recovery().sweep().await.unwrap();
        let running = lab.start();
        let view = lab.end_of(id).await;
        assert_eq!((view.run.status, model.calls()), (RunStatus::Cancelled, 0));
        assert!(lab.story(id).await.ends_with(&["task.cancelling".to_owned(), "task.cancelled".to_owned()]));
        running.stop().await;
    }
}

/// A model with a defect.
struct Panicking;

impl LanguageModel for Panicking {
    fn default_model(&self) -> &str {
        "panicking"
    }

    fn is_simulated(&self) -> bool {
        false
    }

    fn models(&self) -> Vec<String> {
        Vec::new()
    }

    fn call(&self, _: ModelRequest) -> ModelStream {
        panic!("a secret place")
    }
}

#[tokio::test(start_paused = true)]
async fn a_defect_ends_its_own_run_alone() {
    let mut lab = Lab::new(&ScriptedModel::new([]));
    lab.model = Arc::new(Panicking);
    lab.settings.slots = 1;
    let ids = [lab.submit(small_crew()).await, lab.submit(small_crew()).await];
    let running = lab.start();
    for id in ids {
        let view = lab.end_of(id).await;
        let failure = view.run.error.unwrap();
        assert_eq!((view.run.status, failure.class.as_str(), failure.code.as_str()), (RunStatus::Failed, "internal", "internal"));
        assert!(!failure.message.contains("secret"), "the cause is for the log alone");
    }
    assert_eq!(running.worker.active_runs(), 0);
    running.stop().await;
}

/// A store that can be told to be down, or to panic.
struct MoodyStore {
    inner: Arc<InMemoryStore>,
    down: AtomicBool,
    defects: AtomicUsize,
}

#[async_trait]
impl Store for MoodyStore {
    async fn commit(&self, unit: UnitOfWork) -> Result<(), StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("down".into()));
        }
        let defect = self.defects.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        assert!(!defect, "a defect");
        self.inner.commit(unit).await
    }
}

fn moody(lab: Lab) -> (Lab, Arc<MoodyStore>) {
    let store = Arc::new(MoodyStore { inner: lab.store.clone(), down: AtomicBool::new(false), defects: AtomicUsize::new(0) });
    (lab.writing_to(store.clone()), store)
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_down_for_a_while_costs_time_and_nothing_else() {
    let gate = Gate::new();
    let (lab, store) = moody(Lab::new(&held(&gate)));
    let id = lab.submit(three_tasks()).await;
    let running = lab.start();
    gate.arrived(1).await;
    store.down.store(true, Ordering::SeqCst);
    gate.open();
    tokio::time::sleep(Duration::from_secs(10)).await;
    store.down.store(false, Ordering::SeqCst);
    let view = lab.end_of(id).await;
    running.stop().await;
    assert_eq!((view.run.status, view.run.epoch, view.run.usage.llm_calls), (RunStatus::Succeeded, 1, 3));
    lab.log(id).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_could_not_be_written_is_given_away_when_the_database_is_back() {
    let gate = Gate::new();
    let model = held(&gate);
    let (lab, store) = moody(Lab::new(&model));
    // Another run keeps the worker busy, so that its leases are renewed all the time.
    let other = lab.submit(three_tasks()).await;
    let id = lab.submit(three_tasks()).await;
    let running = lab.start();
    gate.arrived(2).await;
    store.down.store(true, Ordering::SeqCst);
    gate.open();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((running.worker.active_runs(), status(&lab, id).await), (0, RunStatus::Running));
    store.down.store(false, Ordering::SeqCst);
    for id in [other, id] {
        let view = lab.end_of(id).await;
        assert_eq!((view.run.status, view.run.crash_count), (RunStatus::Succeeded, 0), "a database that is down is no crash");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_end_met_a_defect_is_tried_again_a_few_times() {
    let (lab, store) = moody(Lab::new(&ScriptedModel::from_fn(|_, _| ScriptedTurn::text("ok"))));
    store.defects.store(1, Ordering::SeqCst);
    let id = lab.submit(small_crew()).await;
    let running = lab.start();
    let view = lab.end_of(id).await;
    assert_eq!((view.run.status, view.run.crash_count), (RunStatus::Succeeded, 1));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_zombie_stops_without_a_word() {
    let gate = Gate::new();
    let model = held(&gate);
    let lab = Lab::new(&model);
    let id = lab.submit(three_tasks()).await;
    let zombie = lab.start();
    gate.arrived(1).await;
    // The others think it is dead and take its run.
    lab.presence.kill(zombie.id);
    lab.recovery().sweep().await.unwrap();
    let before = lab.log(id).await.len();
    let heir = lab.start();
    gate.arrived(2).await;
    gate.open();
    let view = lab.end_of(id).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(zombie.worker.active_runs(), 0);
    heir.stop().await;
    zombie.stop().await;
    assert_eq!((view.run.status, view.run.usage.llm_calls), (RunStatus::Succeeded, 3));
    let story = lab.story(id).await;
    let ends = story.iter().filter(|line| line.starts_with("llm.completed")).count();
    assert_eq!((ends, before < story.len()), (3, true), "{story:?}");
}

/// Leases that can get lost.
struct LeakyLeases {
    inner: Arc<InMemoryStore>,
    hangs: AtomicBool,
    forgets: AtomicBool,
}

#[async_trait]
impl LeaseRenewal for LeakyLeases {
    async fn renew(&self, worker: WorkerId, lease: Duration) -> Result<Vec<RunId>, StoreError> {
        if self.hangs.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        if self.forgets.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        self.inner.renew(worker, lease).await
    }
}

#[tokio::test(start_paused = true)]
async fn work_under_a_lost_lease_is_dropped() {
    for hangs in [false, true] {
        let gate = Gate::new();
        let model = held(&gate);
        let mut lab = Lab::new(&model);
        let queue =
            Arc::new(LeakyLeases { inner: lab.store.clone(), hangs: AtomicBool::new(false), forgets: AtomicBool::new(false) });
        lab.leases = queue.clone();
        lab.submit(small_crew()).await;
        let running = lab.start();
        gate.arrived(1).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(running.worker.active_runs(), 1);
        let start = Instant::now();
        queue.hangs.store(hangs, Ordering::SeqCst);
        queue.forgets.store(!hangs, Ordering::SeqCst);
        while running.worker.active_runs() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let limit = if hangs { 15 } else { 6 };
        assert!(start.elapsed() <= Duration::from_secs(limit), "hangs: {hangs}, {:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(model.abandoned(), 1, "the call is dropped");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_again_however_its_run_ended() {
    let gate = Gate::new();
    let model = held(&gate);
    let (mut lab, store) = moody(Lab::new(&model));
    lab.settings.slots = 1;
    let ids = [lab.submit(small_crew()).await, lab.submit(small_crew()).await];
    let running = lab.start();
    gate.arrived(1).await;
    store.defects.store(1, Ordering::SeqCst);
    gate.open();
    let mut ends = HashSet::new();
    for id in ids {
        ends.insert(lab.end_of(id).await.run.status);
    }
    assert_eq!(ends, HashSet::from([RunStatus::Succeeded]));
    running.stop().await;
}
