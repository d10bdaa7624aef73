//! Ends and new beginnings of the process: killed, drained, started again over the same data.

mod approvals;
mod drain;
mod kill;
mod resume;
mod rolling;
mod schedules;
mod split;

use crewd_tests::app::{App, AppBuilder};
use crewd_tests::client::Client;
use crewd_tests::crews;
use crewd_tests::fake_llm::FakeLlm;
use serde_json::Value;

/// The product with a scripted model, a crew of four steps and one of one.
pub(crate) fn plan(model: &FakeLlm) -> AppBuilder {
    App::builder(env!("CARGO_BIN_EXE_crewd-under-test"))
        .model(model)
        .set("APP_LLM_TIMEOUT", "120")
        .crew(&crews::chain("chain", 4))
        .crew(&crews::single("single"))
        .crew(&crews::reference("reference"))
}

/// The whole log of a task; panics unless it is gap-free and ends once.
pub(crate) async fn whole_log(client: &Client, task: &str) -> Vec<Value> {
    let events = client.events(task, 0).await;
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["seq"].as_u64(), Some(index as u64 + 1), "no gap, no repeat: {event}");
    }
    let ends = events.iter().filter(|event| is_end(event)).count();
    assert_eq!(ends, 1, "exactly one end in the log of {task}");
    assert!(events.last().is_some_and(is_end));
    events
}

/// Events of this type.
pub(crate) fn count(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|event| event["type"] == kind).count()
}

fn is_end(event: &Value) -> bool {
    ["task.succeeded", "task.incomplete", "task.failed", "task.cancelled", "task.rejected"]
        .contains(&event["type"].as_str().unwrap_or_default())
}
