//! Wiring of crews: tools by task, crew tasks side by side, calls a minute, order and inputs from `crew.yaml`.

use crewd_tests::app::App;
use crewd_tests::crews::{self, CrewFolder};
use crewd_tests::fake_llm::{FakeLlm, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::stage::{about, kinds, plan, whole_log};

struct Stage {
    app: App,
    model: FakeLlm,
}

const AGENT: &str = "clerk:\n  role: Clerk\n  goal: Answer\n  backstory: You are exact.\n  tools: [directory_read]\n";

fn task(name: &str, lines: &str) -> String {
    format!("{name}:\n  description: Do {name} of {{topic}}.\n  expected_output: A word.\n  agent: clerk\n{lines}")
}

fn crews() -> Vec<CrewFolder> {
    let side_by_side = [
        task("left", "  async_execution: true\n"),
        task("right", "  async_execution: true\n"),
        task("join", "  context: [left, right]\n"),
    ];
    let by_task = [task("plain", ""), task("replaced", "  tools: [file_read]\n"), task("none", "  tools: []\n")];
    let ordered = [task("second", ""), task("first", "")];
    vec![
        CrewFolder::new("side_by_side", AGENT, &side_by_side.concat()),
        CrewFolder::new("by_task", AGENT, &by_task.concat()),
        CrewFolder::new("ordered", AGENT, &ordered.concat())
            .wired("description: In another order.\ntasks: [first, second]\ninputs: {topic: a default}\n"),
        crews::chain("limited", 4).agent_lines("  max_rpm: 2"),
        crews::single("hierarchical").wired("process: hierarchical\n"),
    ]
}

async fn stage() -> &'static Stage {
    static STAGE: OnceCell<Stage> = OnceCell::const_new();
    let start = async || {
        let model = FakeLlm::start().await;
        let plan = crews().iter().fold(plan().model(&model), |plan, crew| plan.crew(crew));
        Stage { app: plan.start().await, model }
    };
    STAGE.get_or_init(start).await
}

#[test]
fn tools_of_a_task_replace_those_of_its_agent() {
    run(async {
        let Stage { app, model } = stage().await;
        let scenario = model.scenario("merlin-tools");
        scenario.always(Turn::text("done"));
        app.client().run_crew("by_task", &about("merlin-tools")).await.expect("succeeded");
        let offered: Vec<Vec<String>> =
            scenario.requests().iter().map(|request| request.chat.tools().into_iter().map(str::to_owned).collect()).collect();
        assert_eq!(offered[0], ["directory_read"]);
        assert_eq!(offered[1], ["file_read"]);
    });
}

#[test]
fn asynchronous_neighbours_run_side_by_side_and_are_joined() {
    run(async {
        let Stage { app, model } = stage().await;
        let client = app.client();
        let gate = Gate::new();
        let scenario = model.scenario("merlin-side");
        let held = gate.clone();
        scenario.when(move |request| {
            let asked = request.last_user();
            let answer = ["left", "right", "join"].into_iter().find(|name| asked.contains(&format!("Do {name} of")))?;
            let turn = Turn::text(&format!("ANSWER-{answer}"));
            Some(if answer == "join" { turn.into() } else { turn.hold_first(&held).into() })
        });
        let task = client.submit("side_by_side", &about("merlin-side")).await;
        eventually("both are asked at once", SOON, async || (scenario.count() == 2).then_some(())).await;
        gate.open();
        let done = client.wait_terminal(task.id()).await.expect("succeeded");
        assert_eq!(done.raw(), "ANSWER-join");
        let requests = scenario.requests();
        let right = requests.iter().find(|request| request.chat.last_user().contains("Do right of")).expect("asked");
        assert!(!right.chat.text().contains("ANSWER-left"), "an asynchronous task with unset context sees nothing");
        let join = requests.last().expect("asked").chat.last_user();
        assert!(join.contains("ANSWER-left") && join.contains("ANSWER-right"), "{join}");
        let log = whole_log(&client, task.id()).await;
        assert_eq!(kinds(&log).iter().filter(|kind| **kind == "crew_task.completed").count(), 3);
    });
}

#[test]
fn order_and_defaults_come_from_the_manifest() {
    run(async {
        let Stage { app, model } = stage().await;
        let client = app.client();
        let scenario = model.scenario("Do first of a default");
        let done = client.run_crew("ordered", &json!({})).await.expect("succeeded");
        let names: Vec<&Value> = done.0["output"]["tasks"].as_array().into_iter().flatten().map(|task| &task["name"]).collect();
        assert_eq!(names, ["first", "second"]);
        assert!(scenario.count() >= 1, "the default of the input is used");
        let crew = client.get("/api/v1/crews/ordered").await.expect(200).json();
        assert_eq!(crew["description"], "In another order.");
        assert!(crew["inputs"]["required"].as_array().is_none_or(Vec::is_empty), "{crew}");
    });
}

#[test]
fn calls_a_minute_are_limited_and_the_wait_can_be_cancelled() {
    run(async {
        let Stage { app, model } = stage().await;
        let client = app.client();
        let scenario = model.scenario("merlin-rate");
        let task = client.submit("limited", &about("merlin-rate")).await;
        eventually("two calls are made", SOON, async || (scenario.count() == 2).then_some(())).await;
        let waiting = client.get(&format!("/api/v1/tasks/{}?wait=2", task.id())).await.expect(200).json();
        assert!(["running", "waiting"].contains(&waiting["status"].as_str().unwrap_or_default()), "{waiting}");
        assert_eq!(scenario.count(), 2, "no third call in this minute");
        client.cancel(task.id(), "immediate").await.expect(202);
        client.wait_terminal(task.id()).await.expect("cancelled");
    });
}

#[test]
fn what_cannot_be_run_yet_says_so_before_any_call() {
    run(async {
        let Stage { app, model } = stage().await;
        let client = app.client();
        let scenario = model.scenario("merlin-manager");
        let answer = client.post("/api/v1/tasks", &json!({ "crew": "hierarchical", "inputs": about("merlin-manager") })).await;
        if answer.status == 202 {
            let task = client.wait_terminal(answer.json()["id"].as_str().unwrap_or_default()).await;
            assert_eq!((task.status(), task.error_class()), ("failed", "user_error"), "{}", task.0);
        } else {
            assert!((400..500).contains(&answer.status), "{}", answer.text);
        }
        assert_eq!(scenario.count(), 0);
    });
}
