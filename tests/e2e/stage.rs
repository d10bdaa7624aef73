//! The apps that tests share. Each test brings its own marker, so that they do not see each other's requests.

use crewd_tests::app::{App, AppBuilder, SharedApp};
use crewd_tests::client::Client;
use crewd_tests::crews::{self, CrewFolder};
use crewd_tests::fake_llm::FakeLlm;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// The product.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_crewd-under-test");

/// A plan for an app of a test's own.
pub(crate) fn plan() -> AppBuilder {
    App::builder(BINARY)
}

/// Every crew the shared app knows.
fn crews() -> Vec<CrewFolder> {
    vec![
        crews::single("single"),
        crews::single("unary").agent_lines("  llm: {model: fake-model, stream: false}"),
        crews::single("named_model").agent_lines("  llm: another-model"),
        crews::with_tools("readers", "[file_read, directory_read]"),
        crews::with_tools("files", "[file_write, file_read]"),
        crews::with_tools("short", "[directory_read]").agent_lines("  max_iter: 2"),
        crews::single("timed").agent_lines("  max_execution_time: 1"),
        crews::reference("reference"),
        crews::contexts("contexts"),
        crews::chain("chain", 4),
        crews::text_only("text_only"),
        crews::structured("structured"),
        crews::to_file("to_file", "reports/{name}.md"),
    ]
}

struct Stage {
    app: App,
    model: FakeLlm,
}

static STAGE: OnceCell<Stage> = OnceCell::const_new();

/// The app that most tests share, and the model it calls. Files below `readable/` can be read by its tools.
pub(crate) async fn stage() -> (SharedApp, &'static FakeLlm) {
    let stage = STAGE
        .get_or_init(async || {
            let model = FakeLlm::start().await;
            let mut plan = plan().model(&model);
            for crew in crews() {
                plan = plan.crew(&crew);
            }
            let readable = plan.installation().root().join("readable");
            std::fs::create_dir_all(&readable).expect("the folder can be made");
            std::fs::write(readable.join("facts.txt"), "The moon is round.").expect("the file can be written");
            std::fs::write(plan.installation().root().join("secret.txt"), "the-secret-outside").expect("the file can be written");
            let root = readable.to_string_lossy().into_owned();
            let plan = plan.set("APP_TOOLS_DIRECTORY_READ_ROOT", root).set("APP_LLM_TIMEOUT", "3");
            Stage { app: plan.start().await, model }
        })
        .await;
    (SharedApp(&stage.app), &stage.model)
}

/// An app with keys, an offline model and the crews it ships with.
pub(crate) async fn keyed() -> SharedApp {
    static KEYED: OnceCell<App> = OnceCell::const_new();
    let keys = format!("{FIRST_KEY},{SECOND_KEY}");
    let app = KEYED.get_or_init(async || plan().set("APP_API_KEYS", keys).start().await).await;
    SharedApp(app)
}

/// Accepted by [`keyed`].
pub(crate) const FIRST_KEY: &str = "first-key-0123456789abcdef0123456789";
/// Accepted by [`keyed`], too.
pub(crate) const SECOND_KEY: &str = "second-key-0123456789abcdef012345678";

/// Inputs with this topic.
pub(crate) fn about(topic: &str) -> Value {
    json!({ "topic": topic })
}

/// Types of events, in order, deltas left out.
pub(crate) fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).filter(|kind| *kind != "llm.delta").collect()
}

/// Panics unless `seq` is 1, 2, 3 … without a gap and every envelope is complete.
pub(crate) fn check_log(task: &str, events: &[Value]) {
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["seq"].as_u64(), Some(index as u64 + 1), "no gap, no repeat: {event}");
        assert_eq!(event["task_id"], task);
        assert!(event["run_id"].is_string() && event["type"].is_string() && event["data"].is_object(), "{event}");
        let time = event["ts"].as_str().unwrap_or_default();
        assert!(time.len() == 24 && time.ends_with('Z'), "milliseconds in UTC: {event}");
    }
    let ends = events.iter().filter(|event| is_terminal(event)).count();
    assert_eq!(ends, 1, "exactly one end: {:?}", kinds(events));
    assert!(events.last().is_some_and(is_terminal), "nothing after the end: {:?}", kinds(events));
}

fn is_terminal(event: &Value) -> bool {
    ["task.succeeded", "task.incomplete", "task.failed", "task.cancelled", "task.rejected"]
        .contains(&event["type"].as_str().unwrap_or_default())
}

/// The log of a finished task, checked.
pub(crate) async fn whole_log(client: &Client, task: &str) -> Vec<Value> {
    let events = client.events(task, 0).await;
    check_log(task, &events);
    events
}
