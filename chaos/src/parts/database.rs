//! The database locked by somebody else, and everything killed at once and started again.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::audit::{Entry, Figures, audit, audit_rows};
use crate::fleet::{Fleet, Role};
use crate::marker::marker;
use crate::report::Invariant;
use crate::rows::Rows;
use crate::stage::{Context, SIX_STEPS, Stage};
use crate::waiting::Waiting;

const TASKS: usize = 12;

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
    let refused = locked(&stage, context.sizes.locked, &mut entries).await;
    everything_killed(&mut fleet).await;
    let left = Waiting::default().all(&stage, &entries, Duration::from_secs(90)).await;
    context.report.check(Invariant::NoLoss, left == 0, || format!("database: {left} tasks did not end"));
    let mut figures = Figures::default();
    for entry in &entries {
        audit(&stage, entry, &[], &fleet.history, &mut figures).await;
    }
    let succeeded = figures.ends.get("succeeded").copied().unwrap_or_default();
    context.report.check(Invariant::NoLoss, succeeded == entries.len(), || format!("database: ends {:?}", figures.ends));
    audit_rows(&stage, entries.len()).await;
    context.report.figure("database", "locked for, submits refused meanwhile", format!("{:?}, {refused}", context.sizes.locked));
    context.report.figure("database", "all 3 processes killed at once, tasks", format!("once, {}", entries.len()));
    fleet.end();
}

/// Another process has the file for itself: submits are refused with a code or wait, reads go on, work goes on after it.
async fn locked(stage: &Stage, time: Duration, entries: &mut Vec<Entry>) -> usize {
    let mut rows = Rows::open(&stage.database()).await;
    rows.lock().await;
    let started = Instant::now();
    let mut refused = 0;
    let mut number = TASKS;
    while started.elapsed() < time {
        let word = marker('d', number);
        let body = json!({ "crew": SIX_STEPS, "inputs": { "topic": word } });
        let key = format!("key-{word}");
        let headers = [("idempotency-key", key.as_str())];
        let submit = stage.api.once("POST", "/api/v1/tasks", &headers, Some(&body));
        // The lock ends below, so that nobody waits for ever for an answer that waits for the lock.
        let answer = tokio::time::timeout(time.saturating_sub(started.elapsed()), submit).await;
        if let Ok(Some(answer)) = &answer {
            let honest = answer.status == 503 && answer.json()["code"].is_string();
            stage.report().check(Invariant::Health, honest, || format!("locked: {} {}", answer.status, answer.text));
            refused += 1;
        }
        let read = stage.api.once("GET", &format!("/api/v1/tasks/{}", entries[0].id), &[], None).await;
        stage.report().check(Invariant::Health, read.as_ref().is_some_and(|read| read.status == 200), || {
            format!("a read while the database is locked for writing: {read:?}")
        });
        entries.push(Entry { crew: SIX_STEPS, marker: word, id: String::new() });
        number += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    rows.unlock().await;
    rows.close().await;
    // The same key again: whatever became of the first attempt, there is one task in the end.
    for entry in entries.iter_mut().filter(|entry| entry.id.is_empty()) {
        entry.id = stage.api.submit(entry.crew, &entry.marker).await;
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
