//! The database locked by somebody else, and everything killed at once and started again.

use std::time::{Duration, Instant};

use crewd_tests::runtime::runtime;
use serde_json::json;

use crate::audit::{Entry, Figures, Known, audit, audit_rows};
use crate::fleet::{Fleet, Role};
use crate::marker::marker;
use crate::report::Invariant;
use crate::stage::{Context, SIX_STEPS, Stage};
use crate::waiting::Waiting;

const TASKS: usize = 12;
/// Tasks submitted while the database is locked.
const LATE: usize = 8;

/// Runs the part.
pub(crate) async fn measure(context: &Context) {
    let stage = Stage::new(context, "database", &context.binary).await;
    let mut fleet = Fleet::new(&stage);
    for role in [Role::Serve, Role::Worker, Role::Worker] {
        fleet.add(role).await;
    }
    let mut entries = Vec::new();
    for number in 0..TASKS {
        let marker = marker('d', number);
        let id = stage.api.submit(SIX_STEPS, &marker).await;
        entries.push(Entry { crew: SIX_STEPS, marker, id });
    }
    if context.server.is_some() {
        context.report.skip("database, locked", "a lock on the whole database is a matter of SQLite's file");
    } else {
        let refused = locked(&stage, context.sizes.locked, &mut entries).await;
        context.report.figure(
            "database",
            "locked for, submits meanwhile, refused",
            format!("{:?}, {LATE}, {refused}", context.sizes.locked),
        );
    }
    everything_killed(&mut fleet).await;
    let mut waiting = Waiting::default();
    let left = waiting.all(&stage, &entries, Duration::from_secs(90)).await;
    context.report.check(Invariant::NoLoss, left == 0, || format!("database: {left} tasks did not end"));
    let mut figures = Figures::default();
    for entry in &entries {
        audit(&stage, entry, Known { seen: &[], history: &fleet.history, waiting: &waiting }, &mut figures).await;
    }
    let succeeded = figures.succeeded();
    context.report.check(Invariant::NoLoss, succeeded == entries.len(), || format!("database: ends {:?}", figures.ends));
    audit_rows(&stage, entries.len()).await;
    context.report.figure("database", "all 3 processes killed at once, tasks", format!("once, {}", entries.len()));
    fleet.end();
}

/// Another process has the file for itself: reads go on, a submit waits or is refused with a code, work goes on after it.
async fn locked(stage: &Stage, time: Duration, entries: &mut Vec<Entry>) -> usize {
    let mut rows = stage.rows().await;
    rows.lock().await;
    let started = Instant::now();
    let late: Vec<String> = (TASKS..TASKS + LATE).map(|number| marker('d', number)).collect();
    let submits = late.iter().map(|word| {
        let api = stage.api.clone();
        let body = json!({ "crew": SIX_STEPS, "inputs": { "topic": word } });
        let key = format!("key-{word}");
        runtime().spawn(async move { api.once("POST", "/api/v1/tasks", &[("idempotency-key", &key)], Some(&body)).await })
    });
    let submits: Vec<_> = submits.collect();
    while started.elapsed() < time {
        let read = stage.api.once("GET", &format!("/api/v1/tasks/{}", entries[0].id), &[], None).await;
        stage.report().check(Invariant::Health, read.as_ref().is_some_and(|read| read.status == 200), || {
            format!("a read while the database is locked for writing: {read:?}")
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    rows.unlock().await;
    rows.close().await;
    let mut refused = 0;
    for submit in submits {
        let answer = submit.await.expect("a submit ends");
        let honest = answer
            .as_ref()
            .is_some_and(|answer| answer.status == 202 || answer.status == 503 && answer.json()["code"].is_string());
        refused += usize::from(answer.as_ref().is_none_or(|answer| answer.status != 202));
        stage.report().check(Invariant::Health, honest, || format!("a submit to a locked database: {answer:?}"));
    }
    // The same keys again: whatever became of the first attempts, there is one task a key in the end.
    for marker in late {
        let id = stage.api.submit(SIX_STEPS, &marker).await;
        entries.push(Entry { crew: SIX_STEPS, marker, id });
    }
    refused
}

/// As a power cut ends all processes of a machine.
async fn everything_killed(fleet: &mut Fleet<'_>) {
    for number in [fleet.living(Role::Worker), fleet.living(Role::Serve)].concat() {
        fleet.kill(number);
    }
    for number in fleet.dead() {
        fleet.start(number, None).await;
    }
}
