//! What is not a plain model call, taken up again after a kill.

use std::sync::Arc;

use crewd_tests::app::App;
use crewd_tests::client::Client;
use crewd_tests::crews::{self, CrewFolder};
use crewd_tests::fake_llm::{Call, FakeLlm, Gate, Scenario, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::{count, plan, whole_log};

/// Starts a crew whose model is held at its `held`-th call, kills the process there, starts it again and lets it end.
struct Interrupted {
    app: App,
    id: String,
    gate: Gate,
}

async fn interrupted(model: &FakeLlm, crew: &CrewFolder, scenario: &Arc<Scenario>, held: usize, gate: &Gate) -> Interrupted {
    let app = plan(model).crew(crew).start().await;
    let id = app.client().submit(&crew.name, &json!({ "topic": scenario.marker() })).await.id().to_owned();
    eventually("the model is held", SOON, async || (scenario.count() == held).then_some(())).await;
    app.kill9();
    Interrupted { app, id, gate: gate.clone() }
}

impl Interrupted {
    async fn go_on(self) -> (App, Client, Value, Vec<Value>) {
        self.gate.open();
        let app = self.app.restart().await;
        let client = app.client();
        let done = client.wait_terminal(&self.id).await.expect("succeeded").0;
        let log = whole_log(&client, &self.id).await;
        (app, client, done, log)
    }
}

#[test]
fn tools_that_were_called_are_not_called_again() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        let scenario = model.scenario("curlew-tools");
        let calls = [
            Call::tool("file_write", json!({ "path": "curlew.txt", "content": "once" })),
            Call::tool("directory_read", json!({})),
            Call::tool("file_read", json!({ "path": "not-there.txt" })),
        ];
        scenario.then(Turn::calls(calls)).then(Turn::text("seen").hold_first(&gate)).always(Turn::text("seen"));
        let crew = crews::with_tools("tools", "[file_write, directory_read, file_read]");
        let held = interrupted(&model, &crew, &scenario, 2, &gate).await;
        let written = held.app.home().find("curlew.txt");
        assert_eq!(written.len(), 1);
        std::fs::write(&written[0], "changed by hand").expect("the file can be written");
        let (app, _, done, log) = held.go_on().await;
        assert_eq!(std::fs::read_to_string(&app.home().find("curlew.txt")[0]).unwrap_or_default(), "changed by hand");
        assert_eq!(count(&log, "tool.started"), 3);
        assert_eq!(count(&log, "tool.completed") + count(&log, "tool.failed"), 3);
        assert_eq!(done["usage"]["tool_calls"], 3);
        assert_eq!(scenario.count(), 3, "the first turn is not asked again");
        let results = scenario.requests()[2].chat.tool_results();
        assert_eq!(results, scenario.requests()[1].chat.tool_results(), "the model is told the same again");
    });
}

#[test]
fn a_repair_of_json_goes_on_where_it_was() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        let scenario = model.scenario("curlew-json");
        let fine = "{\"title\": \"Moon\", \"count\": 1}";
        scenario.then(Turn::text("no json")).then(Turn::text(fine).hold_first(&gate)).always(Turn::text(fine));
        let (_app, _, done, _) = interrupted(&model, &crews::structured("structured"), &scenario, 2, &gate).await.go_on().await;
        assert_eq!(done["output"]["json"]["count"], 1);
        assert_eq!(scenario.count(), 3);
    });
}

#[test]
fn crew_tasks_side_by_side_are_taken_up_each_for_itself() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        let scenario = model.scenario("curlew-side");
        let held = gate.clone();
        scenario.when(move |request| {
            let slow = request.last_user().contains("Do right of");
            Some(if slow { Turn::text("right").hold_first(&held).into() } else { Turn::text("quick").into() })
        });
        let agent = "clerk:\n  role: Clerk\n  goal: Answer\n  backstory: You are exact.";
        let task = |name: &str, more: &str| {
            format!("{name}:\n  description: Do {name} of {{topic}}.\n  expected_output: A word.\n  agent: clerk\n{more}")
        };
        let tasks =
            [task("left", "  async_execution: true\n"), task("right", "  async_execution: true\n"), task("join", "")].concat();
        let crew = CrewFolder::new("side", agent, &tasks);
        let held = interrupted(&model, &crew, &scenario, 2, &gate).await;
        let (_app, _, done, log) = held.go_on().await;
        assert_eq!(done["output"]["tasks"].as_array().map(Vec::len), Some(3));
        let asked = |name: &str| {
            scenario.requests().iter().filter(|request| request.chat.last_user().contains(&format!("Do {name} of"))).count()
        };
        assert!(asked("left") <= 2 && asked("right") == 2 && asked("join") == 1);
        assert_eq!(count(&log, "llm.completed"), 3);
    });
}

#[test]
fn a_run_keeps_the_definition_it_began_with() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        let scenario = model.scenario("curlew-pinned");
        scenario.then(Turn::text("one")).then(Turn::text("two").hold_first(&gate)).always(Turn::text("more"));
        let crew = crews::chain("pinned", 3);
        let held = interrupted(&model, &crew, &scenario, 2, &gate).await;
        let mut changed = crew.clone();
        changed.tasks = changed.tasks.replace("Do step number", "Leave out step number");
        held.app.home().add_crew(&changed);
        let (_app, client, done, _) = held.go_on().await;
        assert_eq!(done["output"]["tasks"].as_array().map(Vec::len), Some(3));
        assert!(
            scenario.requests().iter().all(|request| request.chat.text().contains("Do step number")),
            "the old text to the end"
        );
        let now = client.get("/api/v1/crews/pinned").await.expect(200).json();
        assert_ne!(now["version"], done["definition_version"], "new tasks get the new text");
    });
}

#[test]
fn a_run_ends_though_its_definition_is_gone() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        let scenario = model.scenario("curlew-gone");
        scenario.then(Turn::text("one")).then(Turn::text("two").hold_first(&gate)).always(Turn::text("more"));
        let held = interrupted(&model, &crews::chain("gone", 3), &scenario, 2, &gate).await;
        std::fs::remove_dir_all(held.app.home().config().join("crews/gone")).expect("the folder can be removed");
        let (_app, client, done, _) = held.go_on().await;
        assert_eq!(done["status"], "succeeded");
        assert_eq!(client.get("/api/v1/crews/gone").await.status, 404);
    });
}
