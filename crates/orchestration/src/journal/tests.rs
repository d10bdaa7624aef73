use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{ClaimedRun, RunQueries, RunQueue, Store, StoreError, UnitOfWork};
use crewd_application::runs::Committer;
use crewd_application::testing::llm::ScriptedModel;
use crewd_domain::runs::{EventDraft, EventKind, Failure, FailureClass, Step, StepKind, StepPath, StepStatus};
use crewd_domain::shared::{Usage, WorkerId};
use crewd_domain::tools::EffectClass;
use futures::FutureExt;
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;
use crate::testing::{Lab, data, small_crew};

struct Fixture {
    lab: Lab,
    claimed: ClaimedRun,
}

impl Fixture {
    async fn new() -> Self {
        let lab = Lab::new(&ScriptedModel::new([]));
        lab.submit(small_crew()).await;
        let claimed = Self::claim(&lab).await;
        Self { lab, claimed }
    }

    async fn claim(lab: &Lab) -> ClaimedRun {
        let worker = WorkerId::new(crewd_application::ports::IdGenerator::next_id(&*lab.ids));
        lab.store.claim(worker, 1, Duration::from_secs(15)).await.unwrap().remove(0)
    }

    fn journal(&self) -> RunJournal {
        self.journal_on(self.lab.store.clone(), RecordedSteps::default())
    }

    fn journal_on(&self, store: Arc<dyn Store>, recorded: RecordedSteps) -> RunJournal {
        let parts = RunJournalParts {
            committer: Committer::new(store, self.lab.stream.clone()),
            clock: self.lab.clock.clone(),
            recorded,
            last_seq: self.claimed.last_seq,
        };
        RunJournal::new(&self.claimed.run, parts)
    }

    async fn steps(&self) -> Vec<Step> {
        self.lab.store.steps(&self.claimed.task.tenant_id, self.claimed.run.id).await.unwrap()
    }

    async fn lines(&self) -> Vec<String> {
        self.lab.story(self.claimed.task.id).await
    }
}

fn turn(index: usize) -> StepPath {
    StepPath::crew_task(0).agent().turn(index)
}

fn intent(path: &StepPath, kind: StepKind, effect: EffectClass) -> StepIntent {
    StepIntent {
        path: path.clone(),
        kind,
        name: "model".into(),
        agent: "poet".into(),
        effect,
        input_hash: "hash".into(),
        announcement: EventDraft::of_step(EventKind::LlmStarted, path.clone(), json!({})),
    }
}

fn call(path: &StepPath) -> StepIntent {
    intent(path, StepKind::LlmCall, EffectClass::Model)
}

fn result(path: &StepPath) -> StepResult {
    let usage = Usage { input_tokens: 3, llm_calls: 1, ..Usage::default() };
    let announcement = EventDraft::of_step(EventKind::LlmCompleted, path.clone(), json!({}));
    StepResult { output: Some(json!("text")), error: None, usage, announcement }
}

fn log_event() -> EventDraft {
    EventDraft::of_run(EventKind::Log, json!({}))
}

/// Lets a commit through for each permit.
struct HeldStore {
    inner: Arc<dyn Store>,
    permits: Semaphore,
    outcome: fn() -> Option<StoreError>,
}

impl HeldStore {
    fn new(inner: Arc<dyn Store>, outcome: fn() -> Option<StoreError>) -> Arc<Self> {
        Arc::new(Self { inner, permits: Semaphore::new(0), outcome })
    }
}

#[async_trait]
impl Store for HeldStore {
    async fn commit(&self, unit: UnitOfWork) -> Result<(), StoreError> {
        self.permits.acquire().await.unwrap().forget();
        match (self.outcome)() {
            Some(error) => Err(error),
            None => self.inner.commit(unit).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_before_a_commit_and_all_of_it_with_one() {
    let fixture = Fixture::new().await;
    let journal = fixture.journal();
    let step = journal.intend(call(&turn(0)));
    journal.record(step, result(&turn(0)));
    journal.intend(call(&turn(1)));
    assert_eq!(fixture.steps().await, []);
    journal.commit().await.unwrap();
    let steps = fixture.steps().await;
    assert_eq!(steps.iter().map(|step| step.status).collect::<Vec<_>>(), [StepStatus::Succeeded, StepStatus::Started]);
    assert_eq!((steps[0].seq, steps[1].seq), (2, 4), "a step has the number of its announcement");
    assert_eq!((journal.steps_done(), journal.usage().input_tokens), (1, 3));
    let before = fixture.lab.stream.published().len();
    journal.commit().await.unwrap();
    assert_eq!(fixture.lab.stream.published().len(), before, "an empty commit is none");
}

#[tokio::test(start_paused = true)]
async fn a_commit_reaches_the_log_although_nobody_waits_for_it() {
    let fixture = Fixture::new().await;
    let held = HeldStore::new(fixture.lab.store.clone(), || None);
    let journal = fixture.journal_on(held.clone(), RecordedSteps::default());
    journal.say(log_event());
    // Dropped while the store is busy, as by a deadline.
    assert!(journal.commit().now_or_never().is_none());
    journal.say(EventDraft::of_run(EventKind::TaskStarted, json!({})));
    let second = journal.commit();
    tokio::pin!(second);
    assert!((&mut second).now_or_never().is_none(), "the next commit waits for the one before it");
    assert_eq!(fixture.lines().await.len(), 1);
    held.permits.add_permits(2);
    second.await.unwrap();
    assert_eq!(fixture.lines().await, ["task.queued", "log", "task.started"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_while_a_dropped_commit_waited_for_its_turn_is_not_lost() {
    let fixture = Fixture::new().await;
    let held = HeldStore::new(fixture.lab.store.clone(), || None);
    let journal = fixture.journal_on(held.clone(), RecordedSteps::default());
    journal.say(log_event());
    assert!(journal.commit().now_or_never().is_none());
    journal.say(log_event());
    assert!(journal.commit().now_or_never().is_none(), "dropped while it waits for the first");
    held.permits.add_permits(2);
    journal.commit().await.unwrap();
    assert_eq!(fixture.lines().await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_a_commit_that_failed() {
    let fixture = Fixture::new().await;
    let held = HeldStore::new(fixture.lab.store.clone(), || Some(StoreError::Fenced));
    let journal = fixture.journal_on(held.clone(), RecordedSteps::default());
    journal.say(log_event());
    assert!(journal.commit().now_or_never().is_none(), "nobody hears that it fails");
    held.permits.add_permits(9);
    tokio::task::yield_now().await;
    journal.say(log_event());
    assert!(matches!(journal.commit().await, Err(StoreError::Corrupt(_))), "else the log would have a gap");
    assert_eq!(fixture.lines().await, ["task.queued"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_for_a_while_costs_nothing() {
    let fixture = Fixture::new().await;
    for _ in 0..6 {
        fixture.lab.store.fail_next_commit(StoreError::Unavailable("locked".into()));
    }
    let journal = fixture.journal();
    journal.say(log_event());
    let start = tokio::time::Instant::now();
    journal.commit().await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(15_250));
    assert_eq!(fixture.lines().await, ["task.queued", "log"]);

    for _ in 0..7 {
        fixture.lab.store.fail_next_commit(StoreError::Unavailable("gone".into()));
    }
    journal.say(log_event());
    assert!(matches!(journal.commit().await, Err(StoreError::Unavailable(_))), "one lease is the limit");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_step_is_restarted_and_told_so() {
    let fixture = Fixture::new().await;
    let journal = fixture.journal();
    journal.intend(call(&turn(0)));
    journal.commit().await.unwrap();
    let steps = fixture.steps().await;
    let recorded = RecordedSteps::new(steps, Vec::new(), &[]);
    assert!(matches!(recorded.find(&turn(0)), Recorded::Interrupted(_)));
    assert!(matches!(recorded.find(&turn(1)), Recorded::Nothing));

    let fixture = Fixture { claimed: ClaimedRun { last_seq: 2, ..fixture.claimed }, lab: fixture.lab };
    let journal = fixture.journal_on(fixture.lab.store.clone(), recorded);
    let step = journal.intend(call(&turn(0)));
    assert_eq!((step.attempt, step.idempotency_key.as_str()), (2, journal.idempotency_key(&turn(0)).as_str()));
    journal.commit().await.unwrap();
    let log = fixture.lab.log(fixture.claimed.task.id).await;
    assert_eq!(log[2].kind, EventKind::StepRestarted);
    assert_eq!(data(&log[2]), json!({"step_path": turn(0), "attempt": 2, "supersedes_from_seq": 2}));
}

#[tokio::test(start_paused = true)]
async fn usage_of_earlier_holders_counts_from_the_start() {
    let fixture = Fixture::new().await;
    let first = fixture.journal();
    for index in 0..2 {
        let step = first.intend(call(&turn(index)));
        first.record(step, result(&turn(index)));
    }
    first.intend(call(&turn(2)));
    first.commit().await.unwrap();
    let recorded = RecordedSteps::new(fixture.steps().await, Vec::new(), &[]);
    let journal = fixture.journal_on(fixture.lab.store.clone(), recorded);
    assert_eq!((journal.steps_done(), journal.usage().input_tokens, journal.usage().llm_calls), (2, 6, 2));
}

#[tokio::test(start_paused = true)]
async fn structure_is_said_once_and_everything_else_each_time() {
    let fixture = Fixture::new().await;
    let started = |index: usize| EventDraft::of_step(EventKind::CrewTaskStarted, StepPath::crew_task(index), json!({}));
    let said = started(0).number(2, fixture.claimed.task.id, fixture.claimed.run.id, chrono::DateTime::UNIX_EPOCH);
    let journal = fixture.journal_on(fixture.lab.store.clone(), RecordedSteps::new(Vec::new(), Vec::new(), &[said]));
    for draft in [started(0), started(1), log_event(), log_event()] {
        journal.say(draft);
    }
    journal.commit().await.unwrap();
    assert_eq!(fixture.lines().await, ["task.queued", "crew_task.started crew_task[1]", "log", "log"]);
}

#[tokio::test(start_paused = true)]
async fn steps_that_the_end_of_the_run_cuts_off_are_closed() {
    let fixture = Fixture::new().await;
    let journal = fixture.journal();
    let done = journal.intend(call(&turn(0)));
    journal.record(done, result(&turn(0)));
    journal.intend(call(&turn(1)));
    journal.intend(intent(&turn(1).tool(0), StepKind::ToolCall, EffectClass::ReadOnly));
    journal.intend(intent(&turn(1).tool(1), StepKind::ToolCall, EffectClass::Effectful));
    journal.close_open_steps(&Failure::new(FailureClass::Timeout, "timeout", "cut off"));
    journal.close_open_steps(&Failure::new(FailureClass::Timeout, "timeout", "once is enough"));
    journal.commit().await.unwrap();
    let steps = fixture.steps().await;
    let states: Vec<_> = steps.iter().map(|step| step.status).collect();
    assert_eq!(states, [StepStatus::Succeeded, StepStatus::Failed, StepStatus::Failed, StepStatus::OutcomeUnknown]);
    assert_eq!(steps[3].error.as_ref().map(|error| error.message.as_str()), Some("cut off"));
    let lines = fixture.lines().await;
    assert_eq!(lines.iter().filter(|line| line.starts_with("tool.failed")).count(), 2);
    assert_eq!((journal.steps_done(), journal.usage().llm_calls, journal.usage().tool_calls), (3, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn keys_towards_the_outside_differ_between_runs_and_not_between_attempts() {
    let fixture = Fixture::new().await;
    let other = Fixture::new().await;
    let journal = fixture.journal();
    assert_eq!(journal.idempotency_key(&turn(0)), fixture.journal().idempotency_key(&turn(0)));
    assert_ne!(journal.idempotency_key(&turn(0)), journal.idempotency_key(&turn(1)));
    let run = crewd_domain::runs::Run { id: crewd_domain::shared::RunId::new(uuid::Uuid::nil()), ..other.claimed.run.clone() };
    let other = Fixture { claimed: ClaimedRun { run, ..other.claimed }, lab: other.lab };
    assert_ne!(journal.idempotency_key(&turn(0)), other.journal().idempotency_key(&turn(0)));
}
