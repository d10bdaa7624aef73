//! What was written is read, by its owner alone.

use std::sync::Arc;
use std::time::Duration;

use crewd_domain::runs::{
    Budget, CancelMode, CancelRequest, Event, EventDraft, EventKind, Failure, FailureClass, IncompleteReason, Priority,
    RunOutcome, StepKind, StepPath, StepStatus,
};
use crewd_domain::shared::{RunId, TaskId, Usage};
use crewd_domain::tools::EffectClass;
use serde_json::json;

use super::harness::{Harness, must, update};
use super::sample::{Sample, at, event, object, stranger};
use crate::ports::{Change, EventQuery, TaskFilter};

const LEASE: Duration = Duration::from_secs(3_600);

fn usage(times: u64) -> Usage {
    Usage {
        input_tokens: 100 * times,
        output_tokens: 10 * times,
        cached_input_tokens: 5 * times,
        llm_calls: times,
        tool_calls: 2 * times,
        cost_usd_micros: 7 * times,
    }
}

pub(super) async fn everything_is_read_back_as_written(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample
        .submit_with(harness, |task| {
            task.crew = "市场研究".to_owned();
            task.inputs = object(&json!({"z": "last first", "a": [1, 2.5, null], "quote": "it's \"?\" \u{0}"}));
            task.metadata = object(&json!({"team": "blue", "n": 3, "deep": {"a": []}}));
            task.deadline_seconds = Some(u32::MAX);
            task.budget = Budget { max_tokens: Some(1_000_000) };
            task.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
        })
        .await;
    let mut run =
        must(harness.queue.claim(sample.worker(), 1, LEASE).await).pop().map_or(submitted.run.clone(), |claimed| claimed.run);
    let held = run.version;
    let request = CancelRequest {
        mode: CancelMode::Graceful,
        reason: Some("zu teuer".to_owned()),
        actor: "ada".to_owned(),
        superseded: None,
    };
    assert!(run.begin_cancel(request).is_ok());
    run.simulated = true;
    let failure =
        Failure::new(FailureClass::Timeout, "timeout", "it took too long").retryable().with_details(json!({"seconds": 3}));
    let outcome = RunOutcome::Failed { failure: failure.clone(), output: json!({"raw": "half", "n": 1e300}) };
    assert!(run.finish(outcome, usage(3), 4, at(50)).is_ok());
    run.incomplete = Some(IncompleteReason::Tokens);

    let mut step = sample.step(&run, StepPath::crew_task(2).agent().turn(3).tool(1), 2);
    step.kind = StepKind::ToolCall;
    step.effect = EffectClass::Keyed;
    step.status = StepStatus::Failed;
    step.error = Some(failure);
    step.output = Some(json!(null));
    step.usage = usage(1);
    step.finished_at = Some(at(40));
    let draft = EventDraft::of_step(EventKind::ToolFailed, step.path.clone(), json!({"b": 1, "a": "?"}));
    let written = Arc::new(draft.number(2, run.task_id, run.id, at(41)));
    let changes = [update(&run, held), Change::SaveStep(Box::new(step.clone())), Change::AppendEvent(Arc::clone(&written))];
    must(harness.commit(tenant, changes).await);

    let view = harness.view(tenant, submitted.task.id).await;
    assert_eq!(view.task, submitted.task);
    assert_eq!(view.task.inputs.keys().collect::<Vec<_>>(), ["z", "a", "quote"], "the order of keys is kept");
    assert_eq!(view.run, run);
    assert_eq!(must(harness.queries.steps(tenant, run.id).await), [step]);
    let query = EventQuery { task_id: run.task_id, after: 1, kinds: Vec::new(), limit: 10 };
    let read = must(harness.queries.events(tenant, &query).await);
    assert_eq!(read.iter().map(text).collect::<Vec<_>>(), [text(&written)]);
}

/// The envelope with the payload as it was written.
fn text(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

pub(super) async fn progress_is_that_of_the_journal_then_of_the_run(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let before = harness.view(tenant, submitted.task.id).await.progress;
    assert_eq!((before.steps_done, before.current, before.usage), (0, None, Usage::default()));

    let claimed = must(harness.queue.claim(sample.worker(), 1, LEASE).await);
    let Some(run) = claimed.first().map(|one| one.run.clone()) else { return assert!(!claimed.is_empty()) };
    let agent = StepPath::crew_task(0).agent();
    let mut steps: Vec<_> =
        (0..4).map(|turn| sample.step(&run, agent.turn(turn), 2 + u64::try_from(turn).unwrap_or(0))).collect();
    for (step, status) in steps.iter_mut().zip([StepStatus::Succeeded, StepStatus::Failed]) {
        step.status = status;
        step.usage = usage(1);
    }
    must(harness.commit(tenant, steps.into_iter().map(|step| Change::SaveStep(Box::new(step)))).await);
    let during = harness.view(tenant, submitted.task.id).await.progress;
    assert_eq!((during.steps_done, during.usage), (2, usage(2)));
    assert_eq!(during.current.as_deref(), Some(agent.turn(3).as_str()), "the one announced last");
    let page = must(harness.queries.tasks(tenant, &TaskFilter::default(), None, 5).await);
    assert_eq!(page.items.first().map(|view| &view.progress), Some(&during), "a list says the same");

    let mut finished = run.clone();
    assert!(finished.finish(RunOutcome::Succeeded { output: json!("x") }, usage(9), 9, at(1)).is_ok());
    must(harness.commit(tenant, [update(&finished, run.version)]).await);
    let after = harness.view(tenant, submitted.task.id).await.progress;
    assert_eq!((after.steps_done, after.current, after.usage), (9, None, usage(9)));
}

pub(super) async fn events_come_by_number(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let other = sample.submit(harness, Priority::Standard, 0).await;
    let kind = |seq: u64| if seq.is_multiple_of(2) { EventKind::Log } else { EventKind::LlmDelta };
    let backwards = (2..=200).rev().map(|seq| event(&submitted.run, kind(seq), seq));
    must(harness.commit(tenant, backwards).await);
    let read = async |after, kinds: &[EventKind], limit| -> Vec<u64> {
        let query = EventQuery { task_id: submitted.task.id, after, kinds: kinds.to_vec(), limit };
        must(harness.queries.events(tenant, &query).await).iter().map(|event| event.seq).collect()
    };
    assert_eq!(read(0, &[], 1_000).await, (1..=200).collect::<Vec<_>>());
    assert_eq!(read(197, &[], 2).await, [198, 199]);
    assert_eq!(read(0, &[EventKind::Log], 3).await, [2, 4, 6]);
    assert_eq!(read(4, &[EventKind::TaskQueued, EventKind::LlmDelta, EventKind::Log], 2).await, [5, 6]);
    assert_eq!(read(0, &[EventKind::TaskQueued], 9).await, [1]);
    assert!(read(200, &[], 9).await.is_empty());
    assert!(read(u64::MAX, &[], 9).await.is_empty());
    assert!(read(0, &[], 0).await.is_empty());
    assert_eq!(must(harness.queries.last_seq(tenant, submitted.task.id).await), 200);
    assert_eq!(must(harness.queries.last_seq(tenant, other.task.id).await), 1);

    let unknown = TaskId::new(sample.id());
    let mut tails = must(harness.tail.last_seqs(&[other.task.id, unknown, submitted.task.id]).await);
    tails.retain(|(_, seq)| *seq > 0);
    tails.sort();
    assert_eq!(tails, [(submitted.task.id, 200), (other.task.id, 1)]);
    assert!(must(harness.tail.last_seqs(&[]).await).is_empty());
}

pub(super) async fn other_tenants_see_nothing(harness: &Harness) {
    let sample = Sample::default();
    let submitted = sample.submit_with(harness, |task| task.metadata = object(&json!({"team": "blue"}))).await;
    let step = sample.step(&submitted.run, StepPath::crew_task(0).agent().turn(0), 1);
    let key = sample.key("k", submitted.task.id, 0);
    let changes = [
        Change::SaveStep(Box::new(step)),
        Change::SaveCrew(Box::new(sample.crew("research", "sha256:00", 0))),
        Change::InsertIdempotencyKey(Box::new(key.clone())),
    ];
    must(harness.commit(sample.tenant(), changes).await);
    let (queries, stranger) = (&harness.queries, stranger());
    assert_eq!(must(queries.task(&stranger, submitted.task.id).await), None);
    for metadata in [vec![], vec![("team".to_owned(), "blue".to_owned())]] {
        let filter = TaskFilter { metadata, ..TaskFilter::default() };
        assert_eq!(must(queries.tasks(&stranger, &filter, None, 10).await).items, []);
        let filter = TaskFilter { statuses: vec![submitted.run.status], ..filter };
        assert_eq!(must(queries.tasks(&stranger, &filter, None, 10).await).items, []);
        assert_eq!(must(queries.tasks(sample.tenant(), &filter, None, 10).await).items.len(), 1);
    }
    assert_eq!(must(queries.steps(&stranger, submitted.run.id).await), []);
    let query = EventQuery { task_id: submitted.task.id, after: 0, kinds: Vec::new(), limit: 10 };
    assert!(must(queries.events(&stranger, &query).await).is_empty());
    assert_eq!(must(queries.last_seq(&stranger, submitted.task.id).await), 0);
    assert_eq!(must(queries.crew(&stranger, "research", "sha256:00").await), None);
    assert_eq!(must(queries.api_crew(&stranger, "research").await), None);
    assert_eq!(must(queries.api_crews(&stranger).await), []);
    assert_eq!(must(queries.crew_versions(&stranger, "research").await), []);
    assert_eq!(must(queries.idempotency(&stranger, &key.route, &key.key, at(1)).await), None);
    assert_eq!(must(queries.steps(sample.tenant(), RunId::new(sample.id())).await), []);
}
