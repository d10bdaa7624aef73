//! Another team's program: it has its own store and its own workers, and takes from crewd the rules of a run alone.
//!
//! `cargo run -p crewd-domain --example run_state_machine` lets a worker die, another one finish, and a third run be
//! cancelled, and prints the logs.

use std::error::Error;

use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::runs::{CancelMode, CancelRequest, Event, EventDraft, EventKind, Run, RunOutcome, RunStatus};
use crewd_domain::shared::{RunId, TaskId, TenantId, Usage, WorkerId};
use serde_json::json;
use uuid::Uuid;

/// How long a worker may be silent.
const LEASE: TimeDelta = TimeDelta::seconds(15);

fn main() -> Result<(), Box<dyn Error>> {
    survives_a_dead_worker()?;
    ends_only_once()?;
    Ok(())
}

/// A run and its log, as a store would keep them: each change with the event that belongs to it.
struct Stored {
    run: Run,
    log: Vec<Event>,
    now: DateTime<Utc>,
}

impl Stored {
    fn accept(number: u128) -> Self {
        let now = DateTime::UNIX_EPOCH;
        let (run_id, task_id) = (RunId::new(Uuid::from_u128(number)), TaskId::new(Uuid::from_u128(number)));
        let run = Run::queued(run_id, task_id, TenantId::default_tenant(), now);
        let mut stored = Self { run, log: Vec::new(), now };
        stored.append(EventDraft::of_run(EventKind::TaskQueued, json!({"crew": "newsletter"})));
        stored
    }

    /// Numbers have no gap: the place in the log is the number.
    fn append(&mut self, draft: EventDraft) {
        let seq = self.log.last().map_or(1, |event| event.seq.saturating_add(1));
        self.log.push(draft.number(seq, self.run.task_id, self.run.id, self.now));
    }

    /// A store checks this in the statement that writes: who holds an older lease writes nothing any more.
    fn is_held_under(&self, epoch: u64) -> bool {
        self.run.status.is_active() && self.run.epoch == epoch
    }

    fn print(&self) -> Result<(), serde_json::Error> {
        println!("{} after {} changes, lease number {}", self.run.status, self.run.version, self.run.epoch);
        for event in &self.log {
            println!("  {}", serde_json::to_string(event)?);
        }
        Ok(())
    }
}

fn survives_a_dead_worker() -> Result<(), Box<dyn Error>> {
    let [first, second] = [1, 2].map(|number| WorkerId::new(Uuid::from_u128(number)));
    let mut stored = Stored::accept(1);
    let lost = stored.run.claim(first, stored.now + LEASE, stored.now)?;
    stored.append(EventDraft::of_run(EventKind::TaskStarted, json!({"worker": first})));

    // The first worker is not heard of any more, and its lease runs out.
    stored.now += LEASE;
    stored.run.lose_worker()?;
    stored.run.claim(second, stored.now + LEASE, stored.now)?;
    stored.append(EventDraft::of_run(EventKind::TaskResumed, json!({"worker": second, "reason": "worker_lost"})));
    println!("may the first worker still write? {}", stored.is_held_under(lost.epoch));

    let outcome = RunOutcome::Succeeded { output: json!({"raw": "Five items."}) };
    let usage = Usage { input_tokens: 900, output_tokens: 120, llm_calls: 2, ..Usage::default() };
    let end = stored.run.finish(outcome, usage, 2, stored.now)?;
    stored.append(end);
    stored.print()?;
    Ok(())
}

fn ends_only_once() -> Result<(), Box<dyn Error>> {
    let mut stored = Stored::accept(2);
    let request =
        CancelRequest { mode: CancelMode::Graceful, reason: Some("not needed".into()), actor: "ada".into(), superseded: None };
    let end = stored.run.cancel_unstarted(request, stored.now)?;
    stored.append(end);
    let worker = WorkerId::new(Uuid::from_u128(3));
    if let Err(refused) = stored.run.claim(worker, stored.now + LEASE, stored.now) {
        println!("a worker that comes too late: {refused}");
    }
    stored.print()?;

    println!("what may follow what:");
    for from in RunStatus::ALL {
        let next: Vec<&str> = RunStatus::ALL.iter().filter(|to| from.can_become(**to)).map(|to| to.as_str()).collect();
        println!("  {from}: {}", if next.is_empty() { "nothing, this is the end".to_owned() } else { next.join(", ") });
    }
    Ok(())
}
