//! Tasks that are kept coming while something is done to what they need.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::Answer;
use crate::audit::{Entry, Figures, Known, audit, audit_rows};
use crate::fleet::{Fleet, Role};
use crate::marker::marker;
use crate::report::{Invariant, grouped};
use crate::stage::{Context, SIX_STEPS, Stage};
use crate::waiting::Waiting;

/// The least time for all tasks of a part, and what each one adds to it.
const LIMIT: (Duration, Duration) = (Duration::from_secs(180), Duration::from_millis(500));

/// What is done meanwhile.
pub(super) trait Trouble {
    /// Called some times a second; `done` of `all` tasks have ended.
    async fn look(&mut self, stage: &Stage, done: usize, all: usize);

    /// Called once all tasks have ended; gives the words of further tasks, submitted already or not.
    async fn after(&mut self, _stage: &Stage) -> Vec<String> {
        Vec::new()
    }
}

/// A server and two workers with as many tasks as asked for; all of them must succeed, whatever the trouble is.
pub(super) async fn under_load(context: &Context, part: &str, family: char, trouble: &mut impl Trouble) {
    let mut stage = Stage::new(context, part, &context.binary).await;
    stage.set("APP_WORKER_SLOTS", &context.sizes.slots.to_string());
    let mut fleet = Fleet::new(&stage);
    for role in [Role::Serve, Role::Worker, Role::Worker] {
        fleet.add(role).await;
    }
    let (mut entries, mut waiting) = (Vec::new(), Waiting::default());
    let tasks = context.sizes.tasks;
    let limit = LIMIT.0 + LIMIT.1 * u32::try_from(tasks).unwrap_or(1);
    let (started, mut open) = (Instant::now(), 0);
    while started.elapsed() < limit {
        while open < 4 * context.sizes.slots && entries.len() < tasks {
            entries.push(submit(&stage, marker(family, entries.len())).await);
            open += 1;
        }
        open = waiting.look(&stage, &entries, true).await;
        if open == 0 && entries.len() >= tasks {
            break;
        }
        trouble.look(&stage, entries.len() - open, tasks).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = started.elapsed();
    for late in trouble.after(&stage).await {
        entries.push(submit(&stage, late).await);
    }
    let left = waiting.all(&stage, &entries, Duration::from_secs(60)).await;
    context.report.check(Invariant::NoLoss, left == 0, || format!("{part}: {left} tasks did not end"));
    let died = fleet.ended();
    context.report.check(Invariant::Recovery, died == 0, || format!("{part}: {died} processes ended by themselves"));
    check(&stage, &fleet, &entries, (&waiting, took)).await;
    fleet.end();
}

async fn submit(stage: &Stage, marker: String) -> Entry {
    let id = stage.api.submit(SIX_STEPS, &marker).await;
    Entry { crew: SIX_STEPS, marker, id }
}

async fn check(stage: &Stage, fleet: &Fleet<'_>, entries: &[Entry], (waiting, took): (&Waiting, Duration)) {
    let mut figures = Figures::default();
    for entry in entries {
        audit(stage, entry, Known { seen: &[], history: &fleet.history, waiting }, &mut figures).await;
    }
    let (report, part, all) = (stage.report(), &stage.part, entries.len());
    report.check(Invariant::NoLoss, figures.succeeded() == all, || format!("{part}: {all} tasks ended as {:?}", figures.ends));
    audit_rows(stage, all).await;
    let count = |number: usize| grouped(u64::try_from(number).unwrap_or_default());
    let rate = f64::from(u32::try_from(all).unwrap_or(u32::MAX)) / took.as_secs_f64();
    for (what, value) in [
        ("tasks", format!("{} in {:.0} s ({rate:.1}/s): {:?}", count(all), took.as_secs_f64(), figures.ends)),
        ("steps finished, begun again", format!("{}, {}", count(figures.steps), count(figures.restarted))),
        ("calls of unknown outcome that a person decided", count(figures.reconciled)),
    ] {
        report.figure(part, what, value);
    }
}

/// One attempt to submit; it must be accepted, or refused with a code. Whether it was accepted.
pub(super) async fn submit_once(stage: &Stage, marker: &str) -> bool {
    let body = json!({ "crew": SIX_STEPS, "inputs": { "topic": marker } });
    let key = format!("key-{marker}");
    let answer = stage.api.once("POST", "/api/v1/tasks", &[("idempotency-key", &key)], Some(&body)).await;
    let is_honest = |answer: &Answer| answer.status == 202 || answer.status == 503 && answer.json()["code"].is_string();
    let part = &stage.part;
    stage.report().check(Invariant::Health, answer.as_ref().is_some_and(is_honest), || {
        format!("{part}: a submit meanwhile was answered {answer:?}")
    });
    answer.is_some_and(|answer| answer.status == 202)
}

/// The process must say that it lives, whatever is the matter around it.
pub(super) async fn is_alive(stage: &Stage) {
    let live = stage.api.once("GET", "/health/live", &[], None).await;
    let part = &stage.part;
    stage.report().check(Invariant::Health, live.as_ref().is_some_and(|live| live.status == 200), || {
        format!("{part}: not alive meanwhile: {live:?}")
    });
}
