//! Waiting for tasks, and deciding on calls of unknown outcome as a person with the books would.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::is_terminal;
use crate::audit::Entry;
use crate::stage::Stage;

/// Looks at all tasks that are not at an end yet.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// How each ended task looked when its end was seen first.
    ended: HashMap<String, Value>,
}

impl Waiting {
    /// One look by the list of unfinished tasks; how many of these have no end yet. Calls of unknown outcome are decided on
    /// where `decide` says that nobody can still be on the way to the ledger.
    pub(crate) async fn look(&mut self, stage: &Stage, entries: &[Entry], decide: bool) -> usize {
        let open: Vec<&Entry> = entries.iter().filter(|entry| !self.ended.contains_key(&entry.id)).collect();
        if open.is_empty() {
            return 0;
        }
        let unfinished = unfinished(stage).await;
        let mut left = 0;
        for entry in open {
            match unfinished.iter().find(|task| task["id"] == entry.id.as_str()) {
                Some(task) => {
                    left += 1;
                    if decide && task["status"] == "waiting" {
                        reconcile(stage, entry).await;
                    }
                }
                // Not on the list: it has ended, or it was submitted after the list was made, or it is lost.
                None => {
                    let task = stage.api.task(&entry.id).await;
                    if is_terminal(task["status"].as_str().unwrap_or_default()) {
                        self.ended.insert(entry.id.clone(), task);
                    } else {
                        left += 1;
                    }
                }
            }
        }
        left
    }

    /// Whether an ended task is still what it was when its end was seen first.
    pub(crate) fn agrees(&self, id: &str, task: &Value) -> bool {
        self.ended.get(id).is_none_or(|first| first == task)
    }

    /// Looks until all have ended or the time is over; how many have not.
    pub(crate) async fn all(&mut self, stage: &Stage, entries: &[Entry], limit: Duration) -> usize {
        let started = Instant::now();
        loop {
            let left = self.look(stage, entries, true).await;
            if left == 0 || started.elapsed() > limit {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}

/// All tasks without an end, over all pages.
async fn unfinished(stage: &Stage) -> Vec<Value> {
    let mut tasks: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/tasks?status=scheduled,queued,running,waiting,cancelling&limit=200{cursor}");
        let page = stage.api.get(&path).await;
        tasks.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return tasks,
        }
    }
}

/// Asks the ledger whether the call happened: if it did, its answer is given to the run; if not, it is run.
async fn reconcile(stage: &Stage, entry: &Entry) {
    let path = format!("/api/v1/approvals?task={}&status=pending", entry.id);
    let pending = stage.api.get(&path).await;
    for approval in pending["items"].as_array().cloned().unwrap_or_default() {
        let happened = !stage.ledger.effects("effectful", &entry.marker).is_empty();
        let body = if happened {
            json!({ "decision": "respond", "response": "The ledger says that it happened." })
        } else {
            json!({ "decision": "approve" })
        };
        let id = approval["id"].as_str().unwrap_or_default();
        let answer = stage.api.call("POST", &format!("/api/v1/approvals/{id}/decision"), &[], Some(&body)).await;
        assert!(answer.status < 300 || answer.status == 409, "decision on {id}: {} {}", answer.status, answer.text);
    }
}
