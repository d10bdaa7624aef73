//! The check of a task that has ended: its log, its followers, its model, its ledger.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::is_terminal;
use crate::fleet::{Blow, History};
use crate::follow::Seen;
use crate::ledger::KINDS;
use crate::model::Asked;
use crate::report::Invariant;
use crate::stage::{SIX_STEPS, Stage};
use crate::waiting::Waiting;
use crate::wall;

/// A task of a part.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The crew.
    pub(crate) crew: &'static str,
    /// The word in its prompts.
    pub(crate) marker: String,
    /// Its id.
    pub(crate) id: String,
}

/// Figures that the check of many tasks gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// From a kill to the next holder.
    pub(crate) pickups: Vec<Duration>,
    /// From a stop to the next holder.
    pub(crate) pickups_after_stop: Vec<Duration>,
    /// Steps that were begun again.
    pub(crate) restarted: usize,
    /// Tasks by their end.
    pub(crate) ends: HashMap<String, usize>,
    /// Calls of continued workers before they noticed.
    pub(crate) late: usize,
    /// Events seen.
    pub(crate) events: usize,
    /// Steps finished.
    pub(crate) steps: usize,
    /// Decisions on calls of unknown outcome.
    pub(crate) reconciled: usize,
}

impl Figures {
    /// Tasks that succeeded.
    pub(crate) fn succeeded(&self) -> usize {
        self.ends.get("succeeded").copied().unwrap_or_default()
    }
}

/// What was seen of a task and done to its workers.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Its followers.
    pub(crate) seen: &'a [Seen],
    /// The blows.
    pub(crate) history: &'a History,
    /// Ends as they were seen first.
    pub(crate) waiting: &'a Waiting,
}

/// Checks one ended task and everything that is known of it.
pub(crate) async fn audit(stage: &Stage, entry: &Entry, known: Known<'_>, figures: &mut Figures) {
    let Known { seen, history, waiting } = known;
    let before = stage.report().violations();
    let task = stage.api.task(&entry.id).await;
    let log = stage.api.log(&entry.id).await;
    let events: Vec<Value> = log.iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect();
    figures.events += events.len();
    let status = task["status"].as_str().unwrap_or_default().to_owned();
    *figures.ends.entry(status.clone()).or_default() += 1;
    let report = stage.report();
    report.check(Invariant::NoLoss, is_terminal(&status), || format!("{} is {status}", entry.id));
    report.check(Invariant::OneEnd, waiting.agrees(&entry.id, &task), || format!("the end of {} has changed", entry.id));
    check_log(stage, entry, &events, &status);
    for one in seen {
        let same = one.faults.is_empty() && one.events == log;
        report.check(Invariant::Events, same, || {
            format!("a follower of {} saw {} of {} events; {:?}", entry.id, one.events.len(), log.len(), one.faults)
        });
    }
    check_steps(stage, entry, &events, history, figures);
    check_money(stage, entry, &task, &events);
    pickups(&events, history, figures);
    if report.violations() > before {
        let effects: Vec<String> =
            KINDS.iter().map(|kind| format!("{kind}: {:?}", stage.ledger.effects(kind, &entry.marker))).collect();
        let asked: Vec<String> = (0..4).map(|turn| format!("{:?}", stage.model.asked(&entry.marker, turn))).collect();
        let faults: Vec<&Vec<String>> = seen.iter().map(|one| &one.faults).collect();
        let dump = json!({ "marker": entry.marker, "task": task, "log": events, "ledger": effects, "model": asked, "followers": faults });
        let path = stage.keep(&format!("task-{}.json", entry.id), &format!("{dump:#}"));
        println!("  seed {}, details in {}", stage.context.seed, path.display());
    }
}

fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap_or_default()
}

fn check_log(stage: &Stage, entry: &Entry, events: &[Value], status: &str) {
    let report = stage.report();
    let numbered = events.iter().zip(1_u64..).all(|(event, seq)| event["seq"].as_u64() == Some(seq));
    report.check(Invariant::Events, numbered && !events.is_empty(), || format!("the numbers of {} have a gap", entry.id));
    let mut ends: HashMap<&str, usize> = HashMap::new();
    for event in events.iter().filter(|event| is_terminal(kind(event).trim_start_matches("task."))) {
        *ends.entry(event["run_id"].as_str().unwrap_or_default()).or_default() += 1;
    }
    let last = events.last().map(kind).unwrap_or_default();
    let one = ends.values().all(|count| *count == 1) && last == format!("task.{status}");
    report.check(Invariant::OneEnd, one, || format!("{} is {status}, its log ends with {last}, ends {ends:?}", entry.id));
}

/// Events tell milliseconds, cut off: what they tell of was up to so many microseconds later.
const CUT_OFF: i64 = 999;

/// When each step was finished at the latest, and how often it was begun, by its path.
fn finished<'a>(events: &'a [Value], done: &[&str], begun: &str) -> HashMap<&'a str, (usize, Vec<i64>)> {
    let mut steps: HashMap<&str, (usize, Vec<i64>)> = HashMap::new();
    for event in events {
        let step = steps.entry(event["step"].as_str().unwrap_or_default());
        if kind(event) == begun {
            step.or_default().0 += 1;
        } else if done.contains(&kind(event)) {
            step.or_default().1.push(wall::parse(event["ts"].as_str().unwrap_or_default()) + CUT_OFF);
        }
    }
    steps
}

fn check_steps(stage: &Stage, entry: &Entry, events: &[Value], history: &History, figures: &mut Figures) {
    let report = stage.report();
    figures.restarted += events.iter().filter(|event| kind(event) == "step.restarted").count();
    for (path, (begun, done)) in finished(events, &["llm.completed", "llm.failed"], "llm.started") {
        figures.steps += done.len();
        report.check(Invariant::StepOnce, done.len() <= 1, || format!("{path} of {} is finished {} times", entry.id, done.len()));
        let Some(turn) = turn_of(path).filter(|_| entry.crew == SIX_STEPS) else { continue };
        let asked = stage.model.asked(&entry.marker, turn);
        let is_late = |call: &Asked| history.has_just_continued(&call.by, call.at);
        let timely = asked.iter().filter(|call| !is_late(call)).count();
        let end = done.first().copied().unwrap_or(i64::MAX);
        figures.late += asked.iter().filter(|call| call.at > end && is_late(call)).count();
        let after = asked.iter().filter(|call| call.at > end && !is_late(call)).count();
        report.check(Invariant::StepOnce, after == 0 && timely <= begun, || {
            format!("{path} of {}: {begun} attempts, {} calls of the model, {after} of them after its end", entry.id, asked.len())
        });
    }
    check_effects(stage, entry, events, history, figures);
}

fn check_effects(stage: &Stage, entry: &Entry, events: &[Value], history: &History, figures: &mut Figures) {
    let report = stage.report();
    let mut tools: HashMap<&str, &str> = HashMap::new();
    for event in events.iter().filter(|event| kind(event) == "tool.started") {
        tools.insert(event["step"].as_str().unwrap_or_default(), event["data"]["tool"].as_str().unwrap_or_default());
    }
    figures.reconciled += events.iter().filter(|event| kind(event) == "approval.decided").count();
    for (path, (begun, done)) in finished(events, &["tool.completed", "tool.failed"], "tool.started") {
        figures.steps += done.len();
        report.check(Invariant::StepOnce, done.len() <= 1, || format!("{path} of {} is finished {} times", entry.id, done.len()));
        let Some(effect) = tools.get(path).and_then(|tool| tool.strip_prefix("ledger_")) else { continue };
        let calls = stage.ledger.effects(effect, &entry.marker);
        let is_late = |at: i64| history.was_just_continued(at);
        let after = done.first().map_or(0, |end| calls.iter().filter(|call| call.at > *end && !is_late(call.at)).count());
        figures.late += done.first().map_or(0, |end| calls.iter().filter(|call| call.at > *end && is_late(call.at)).count());
        report.check(Invariant::StepOnce, after == 0 && calls.len() <= begun, || {
            format!("{path} of {}: {begun} attempts, {} effects, {after} of them after its end", entry.id, calls.len())
        });
        let keys: std::collections::BTreeSet<&String> = calls.iter().map(|call| &call.key).collect();
        report.check(Invariant::NoSilentDouble, keys.len() <= 1 && keys.iter().all(|key| !key.is_empty()), || {
            format!("{path} of {} has the keys {keys:?}", entry.id)
        });
        if effect == "effectful" {
            let completed = events.iter().any(|event| kind(event) == "tool.completed" && event["step"] == path);
            report.check(Invariant::NoSilentDouble, calls.len() == 1 || calls.is_empty() && !completed, || {
                format!("{path} of {} happened {} times", entry.id, calls.len())
            });
        }
    }
}

/// The number in `….turn[3]`.
fn turn_of(path: &str) -> Option<usize> {
    let (_, rest) = path.rsplit_once("turn[")?;
    rest.strip_suffix(']')?.parse().ok()
}

fn check_money(stage: &Stage, entry: &Entry, task: &Value, events: &[Value]) {
    let sum = |name: &str| -> u64 {
        let completed = events.iter().filter(|event| kind(event) == "llm.completed");
        completed.map(|event| event["data"]["usage"][name].as_u64().unwrap_or_default()).sum()
    };
    let used = (task["usage"]["input_tokens"].as_u64(), task["usage"]["output_tokens"].as_u64());
    let journaled = (Some(sum("input_tokens")), Some(sum("output_tokens")));
    stage.report().check(Invariant::Money, used == journaled || task["status"] != "succeeded", || {
        format!("{} used {used:?}, its journal says {journaled:?}", entry.id)
    });
}

/// How long runs of struck workers waited for the next one.
fn pickups(events: &[Value], history: &History, figures: &mut Figures) {
    let mut holder = "";
    for event in events.iter().filter(|event| ["task.started", "task.resumed", "task.waiting"].contains(&kind(event))) {
        // A run that waits was given back by its worker, whatever happened to that one later.
        let next = event["data"]["worker"].as_str().unwrap_or_default();
        let taken = wall::parse(event["ts"].as_str().unwrap_or_default());
        if event["data"]["reason"] == "worker_lost"
            && let Some((blow, at)) = history.blow(holder, taken)
        {
            let waited = Duration::from_micros(u64::try_from(taken - at).unwrap_or_default());
            match blow {
                Blow::Killed => figures.pickups.push(waited),
                Blow::Stopped => figures.pickups_after_stop.push(waited),
            }
        }
        holder = next;
    }
}

/// The database at the end of a part: whole, nothing open, nothing stale; `submitted` tasks in it.
pub(crate) async fn audit_rows(stage: &Stage, submitted: usize) {
    let report = stage.report();
    let mut rows = stage.rows().await;
    let (integrity, stale, open, tasks) =
        (rows.integrity().await, rows.stale_writes().await, rows.open_runs().await, rows.tasks().await);
    let orphans = rows.orphans().await;
    rows.close().await;
    let part = &stage.part;
    report.check(Invariant::NoLoss, integrity == "ok", || format!("{part}: the database is damaged: {integrity}"));
    report.check(Invariant::Fencing, stale == 0, || format!("{part}: {stale} rows by holders of an old epoch"));
    report.check(Invariant::NoOrphan, open == 0 && orphans == 0, || {
        format!("{part}: {open} runs without an end, {orphans} orphans")
    });
    let expected = i64::try_from(submitted).unwrap_or(i64::MAX);
    report.check(Invariant::Idempotency, tasks == expected, || format!("{part}: {submitted} submits made {tasks} tasks"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attempts_and_ends_are_counted_by_step() {
        let event = |kind: &str, step: &str, ts: &str| json!({ "type": kind, "step": step, "ts": ts });
        let events = [
            event("llm.started", "a.turn[0]", "2026-01-01T00:00:00.000Z"),
            event("llm.started", "a.turn[0]", "2026-01-01T00:00:01.000Z"),
            event("llm.completed", "a.turn[0]", "2026-01-01T00:00:02.000Z"),
            event("llm.started", "a.turn[1]", "2026-01-01T00:00:03.000Z"),
        ];
        let steps = finished(&events, &["llm.completed"], "llm.started");
        assert_eq!(steps["a.turn[0]"], (2, vec![1_767_225_602_000_999]), "a call within the same millisecond was before the end");
        assert_eq!(steps["a.turn[1]"], (1, Vec::new()));
        assert_eq!(turn_of("crew_task[0].agent.turn[12]"), Some(12));
        assert_eq!(turn_of("crew_task[0].agent.turn[1].tool[0]"), None);
    }

    #[test]
    fn a_pick_up_counts_from_the_last_blow_to_the_holder() {
        let event = |kind: &str, worker: &str, ts: &str| json!({ "type": kind, "ts": ts, "data": { "worker": worker, "reason": "worker_lost" } });
        let events = [
            event("task.started", "one", "2026-01-01T00:00:00.000Z"),
            event("task.resumed", "two", "2026-01-01T00:00:05.000Z"),
            event("task.resumed", "three", "2026-01-01T00:00:09.000Z"),
        ];
        let mut history = History::default();
        let second = |second: i64| 1_767_225_600_000_000 + second * 1_000_000;
        history
            .blows
            .insert("one".to_owned(), vec![(Blow::Stopped, second(1)), (Blow::Killed, second(3)), (Blow::Killed, second(8))]);
        history.blows.insert("two".to_owned(), vec![(Blow::Stopped, second(6))]);
        let mut figures = Figures::default();
        pickups(&events, &history, &mut figures);
        assert_eq!(figures.pickups, [Duration::from_secs(2)]);
        assert_eq!(figures.pickups_after_stop, [Duration::from_secs(3)]);
    }
}
