//! A worker that dies at any commit, and another one that goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use crewd_application::ports::{RunQueries, Store, StoreError, TaskView, UnitOfWork};
use crewd_application::runs::MAX_CRASHES;
use crewd_application::testing::llm::{ScriptedModel, ScriptedTurn};
use crewd_application::testing::memory::InMemoryStore;
use crewd_application::testing::tool::FakeTool;
use crewd_domain::crews::{CrewDefinition, CrewTaskDefinition};
use crewd_domain::runs::{EventKind, RunStatus};
use crewd_domain::shared::{TaskId, TenantId};
use serde_json::json;
use tokio::sync::Notify;

use crate::testing::{Lab, agent, crew, data, line, task};

/// Stands before the store and lets the process die at a commit: whoever commits then hears nothing any more.
struct MortalStore {
    inner: Arc<InMemoryStore>,
    left: AtomicUsize,
    /// Whether the last commit still reaches the disk.
    last_is_kept: bool,
    died: Notify,
}

impl MortalStore {
    fn new(inner: &Arc<InMemoryStore>, commits: usize, last_is_kept: bool) -> Arc<Self> {
        Arc::new(Self { inner: inner.clone(), left: AtomicUsize::new(commits), last_is_kept, died: Notify::new() })
    }
}

#[async_trait]
impl Store for MortalStore {
    async fn commit(&self, unit: UnitOfWork) -> Result<(), StoreError> {
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return self.inner.commit(unit).await;
        }
        if self.last_is_kept {
            self.inner.commit(unit).await?;
        }
        self.died.notify_one();
        std::future::pending().await
    }
}

/// A process: whatever it was doing is gone at its end.
fn process<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// Two tools at once, text, an asynchronous pair, JSON that must be mended: everything that walks the journal.
fn long_crew() -> CrewDefinition {
    let mut finder = agent("finder");
    finder.tools = vec!["search".into(), "check".into()];
    let writer = agent("writer");
    let alone = |name: &str| CrewTaskDefinition { async_execution: true, ..task(name, "writer") };
    let schema = json!({"type": "object", "required": ["stars"]});
    let rate = CrewTaskDefinition { output_json: Some(schema), ..task("rate", "writer") };
    crew([finder, writer], [task("find", "finder"), alone("left"), alone("right"), rate])
}

/// Its answers depend on the conversation alone.
fn model() -> ScriptedModel {
    ScriptedModel::from_fn(|_, request| {
        let description = request.labels.task_description.as_str();
        let turn = match (description, request.messages.len()) {
            ("Do find", 2) => ScriptedTurn::tool_calls([("search", json!({"q": "a"})), ("check", json!({}))]),
            ("Do find", _) => ScriptedTurn::text("Found it."),
            ("Do rate", 2 | 3) => ScriptedTurn::text("Many stars"),
            ("Do rate", _) => ScriptedTurn::text("{\"stars\": 5}"),
            (other, _) => ScriptedTurn::text(format!("{other} is done")),
        };
        turn.with_usage(request.messages.len() as u64 * 10, 7)
    })
}

struct World {
    lab: Lab,
    model: ScriptedModel,
    tools: [Arc<FakeTool>; 2],
}

fn world() -> World {
    let model = model();
    let tools = ["search", "check"].map(|name| Arc::new(FakeTool::new(name)));
    let lab = Lab::new(&model).with_tool(&tools[0]).with_tool(&tools[1]);
    World { lab, model, tools }
}

impl World {
    /// How often each step was asked of the outside, by its key.
    fn acts(&self) -> BTreeMap<String, usize> {
        let calls = self.model.requests().into_iter().map(|request| request.idempotency_key);
        let mut acts = BTreeMap::new();
        for key in calls.chain(self.tools.iter().flat_map(|tool| tool.calls()).map(|call| call.context.idempotency_key)) {
            *acts.entry(key).or_default() += 1;
        }
        acts
    }

    async fn finished(&self, id: TaskId) -> BTreeMap<String, u64> {
        let tenant = TenantId::default_tenant();
        let view = self.lab.store.task(&tenant, id).await.unwrap().unwrap();
        let steps = self.lab.store.steps(&tenant, view.run.id).await.unwrap();
        steps.into_iter().filter(|step| step.status.is_finished()).map(|step| (step.idempotency_key, step.seq)).collect()
    }

    /// Another worker finds the run and goes on.
    async fn recover(&self, id: TaskId) -> TaskView {
        self.lab.recovery().sweep().await.unwrap();
        let running = self.lab.start();
        let view = self.lab.end_of(id).await;
        running.stop().await;
        view
    }
}

/// Dies at the commit behind `commits` others. Returns whether the run ended before.
fn dies_at(commits: usize, last_is_kept: bool, undisturbed: &TaskView) -> bool {
    let mut world = world();
    let store = MortalStore::new(&world.lab.store, commits, last_is_kept);
    world.lab = world.lab.writing_to(store.clone());
    let id = process(world.lab.submit(long_crew()));
    let survived = process(async {
        let running = world.lab.start();
        world.lab.presence.kill(running.id);
        tokio::select! {
            () = store.died.notified() => false,
            _ = world.lab.end_of(id) => true,
        }
    });
    if survived {
        return true;
    }
    world.lab.written_to = world.lab.store.clone();
    process(async {
        let before = world.acts();
        let finished = world.finished(id).await;
        let view = world.recover(id).await;
        let what = format!("{commits} commits, the last one kept: {last_is_kept}");
        assert_eq!(view.run.status, RunStatus::Succeeded, "{what}: {:?}", view.run.error);
        assert_eq!(view.run.output, undisturbed.run.output, "{what}");
        assert_eq!((view.run.usage, view.run.steps_done), (undisturbed.run.usage, undisturbed.run.steps_done), "{what}");
        for (key, times) in world.acts() {
            let earlier = before.get(&key).copied().unwrap_or_default();
            let expected = if finished.contains_key(&key) { earlier } else { earlier + 1 };
            assert_eq!(times, expected, "{what}: finished steps are not carried out again, all others once");
        }
        check_log(&world, id, &what).await;
    });
    false
}

async fn check_log(world: &World, id: TaskId, what: &str) {
    let log = world.lab.log(id).await;
    let mut structure = BTreeSet::new();
    let mut open: BTreeMap<String, u64> = BTreeMap::new();
    for event in &log {
        match event.kind {
            EventKind::LlmStarted | EventKind::ToolStarted => {
                let path = event.step.as_ref().unwrap().to_string();
                assert!(open.insert(path, event.seq).is_none(), "{what}: begun twice without step.restarted: {}", line(event));
            }
            EventKind::StepRestarted => {
                let restarted = data(event);
                let path = event.step.as_ref().unwrap().to_string();
                assert_eq!(restarted["step_path"], path, "{what}");
                assert_eq!(open.remove(&path).map(|seq| json!(seq)), Some(restarted["supersedes_from_seq"].clone()), "{what}");
                assert_eq!(restarted["attempt"], 2, "{what}");
            }
            EventKind::LlmCompleted | EventKind::ToolCompleted => {
                assert!(open.remove(event.step.as_ref().unwrap().as_str()).is_some(), "{what}: {}", line(event));
            }
            EventKind::LlmDelta => {}
            EventKind::TaskResumed => assert_eq!(data(event)["reason"], "worker_lost", "{what}"),
            _ => assert!(structure.insert(line(event)), "{what}: said twice: {}", line(event)),
        }
    }
    assert!(open.is_empty(), "{what}: {open:?}");
    assert!(log.last().is_some_and(|event| event.kind == EventKind::TaskSucceeded), "{what}");
    let mut published: Vec<u64> = world.lab.stream.published().iter().map(|event| event.seq).collect();
    published.sort_unstable();
    published.dedup();
    assert!(published.len() <= log.len(), "{what}: only what is in the log was published");
}

#[test]
fn a_worker_may_die_at_every_commit() {
    let undisturbed = process(async {
        let world = world();
        let id = world.lab.submit(long_crew()).await;
        world.recover(id).await
    });
    assert_eq!(undisturbed.run.steps_done, 8);
    for last_is_kept in [false, true] {
        let deaths = (0..).take_while(|commits| !dies_at(*commits, last_is_kept, &undisturbed)).count();
        assert!(deaths >= 7, "one commit a step at least: {deaths}");
        assert!(deaths <= 2 * 8 + 1, "and two a step at most: {deaths}");
    }
}

#[test]
fn too_many_deaths_of_workers_end_a_run_and_fewer_do_not() {
    for (deaths, expected) in [(MAX_CRASHES - 1, RunStatus::Succeeded), (MAX_CRASHES, RunStatus::Failed)] {
        let mut world = world();
        let id = process(world.lab.submit(long_crew()));
        for _ in 0..deaths {
            let store = MortalStore::new(&world.lab.store, 1, false);
            world.lab = world.lab.writing_to(store.clone());
            process(async {
                let running = world.lab.start();
                world.lab.presence.kill(running.id);
                store.died.notified().await;
                world.lab.recovery().sweep().await.unwrap();
            });
        }
        world.lab.written_to = world.lab.store.clone();
        let view = process(world.recover(id));
        assert_eq!((view.run.status, view.run.crash_count), (expected, MAX_CRASHES - 1));
        if expected == RunStatus::Failed {
            assert_eq!(view.run.error.unwrap().details["reason"], "worker_crash_loop");
        }
    }
}
