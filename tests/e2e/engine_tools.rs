//! Tools: called side by side, checked, jailed, and their failures told to the model.

use std::time::Duration;

use crewd_tests::client::{Client, Task};
use crewd_tests::fake_llm::{Call, FakeLlm, Turn};
use crewd_tests::runtime::run;
use serde_json::{Value, json};

use crate::stage::{about, kinds, stage, whole_log};

/// Lets the model make these calls, then answer; gives the task, its log and the results that the model was told.
async fn call(client: &Client, model: &FakeLlm, marker: &str, crew: &str, turn: Turn) -> (Task, Vec<Value>, Vec<String>) {
    let scenario = model.scenario(marker);
    scenario.then(turn).always(Turn::text("Seen."));
    let task = client.run_crew(crew, &about(marker)).await;
    let log = whole_log(client, task.id()).await;
    let results = scenario.requests().get(1).map(|request| request.chat.tool_results()).unwrap_or_default();
    (task, log, results)
}

#[test]
fn several_calls_of_one_turn_each_get_their_result() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let turn = Turn::calls([
            Call::tool("file_read", json!({ "path": "facts.txt" })),
            Call::tool("directory_read", json!({})),
            Call::tool("file_read", json!({ "path": "missing.txt" })),
        ]);
        let (task, log, results) = call(&client, model, "dipper-several", "readers", turn).await;
        let task = task.expect("succeeded");
        assert_eq!(task.0["usage"]["tool_calls"], 3);
        assert_eq!(results.len(), 3, "{results:?}");
        assert!(results[0].contains("The moon is round."), "{results:?}");
        assert!(results[1].contains("facts.txt"), "{results:?}");
        let started: Vec<&str> =
            log.iter().filter(|event| event["type"] == "tool.started").filter_map(|event| event["step"].as_str()).collect();
        let expected: Vec<String> = (0..3).map(|index| format!("crew_task[0].agent.turn[0].tool[{index}]")).collect();
        assert_eq!(started, expected);
        let first_result =
            log.iter().position(|event| event["type"] == "tool.completed" || event["type"] == "tool.failed").expect("results");
        let last_intent = log.iter().rposition(|event| event["type"] == "tool.started").expect("intents");
        assert!(last_intent < first_result, "side by side: all are announced before any ends: {:?}", kinds(&log));
    });
}

#[test]
fn a_file_outside_of_the_root_cannot_be_read() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        for (index, path) in [
            "../secret.txt",
            "/etc/passwd",
            "a/../../secret.txt",
            "..\\secret.txt",
            "./../secret.txt",
            "facts.txt/../../secret.txt",
        ]
        .into_iter()
        .enumerate()
        {
            let marker = format!("dipper-read{index}");
            let turn = Turn::calls([Call::tool("file_read", json!({ "path": path }))]);
            let (task, log, results) = call(&client, model, &marker, "readers", turn).await;
            task.expect("succeeded");
            assert_eq!(results.len(), 1, "the model is told: {results:?}");
            let everything = format!("{results:?}{log:?}");
            assert!(!everything.contains("the-secret-outside") && !everything.contains("root:x:"), "{path} escaped: {results:?}");
            assert!(kinds(&log).contains(&"tool.failed"), "{path}: {:?}", kinds(&log));
        }
    });
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_root_is_not_followed() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let link = app.home().root().join("readable").join("way-out");
        std::os::unix::fs::symlink(app.home().root(), &link).ok();
        let turn = Turn::calls([
            Call::tool("file_read", json!({ "path": "way-out/secret.txt" })),
            Call::tool("directory_read", json!({ "path": "way-out" })),
        ]);
        let (_, log, results) = call(&client, model, "dipper-link", "readers", turn).await;
        let everything = format!("{results:?}{log:?}");
        assert!(!everything.contains("the-secret-outside") && !everything.contains("readable\\n"), "{results:?}");
    });
}

#[test]
fn a_written_file_stays_in_the_runs_own_folder() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let write = |path: &str, content: &str| Call::tool("file_write", json!({ "path": path, "content": content }));
        let (task, _, results) =
            call(&client, model, "dipper-write", "files", Turn::calls([write("notes/dipper-note.txt", "written by an agent")]))
                .await;
        let task = task.expect("succeeded");
        let found = app.home().find("dipper-note.txt");
        assert_eq!(found.len(), 1, "{results:?}");
        assert_eq!(std::fs::read_to_string(&found[0]).unwrap_or_default(), "written by an agent");
        assert!(found[0].starts_with(app.home().data()), "{found:?}");
        let run_id = task.0["run"]["id"].as_str().unwrap_or_default();
        assert!(
            found[0].to_string_lossy().contains(run_id) || found[0].to_string_lossy().contains(task.id()),
            "the run's own folder: {found:?}"
        );
    });
}

#[test]
fn a_file_outside_of_the_run_cannot_be_written() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let outside = app.home().root().join("dipper-evil.txt").to_string_lossy().into_owned();
        for (index, path) in
            ["../../../dipper-evil.txt", outside.as_str(), "a/../../../../dipper-evil.txt"].into_iter().enumerate()
        {
            let turn = Turn::calls([Call::tool("file_write", json!({ "path": path, "content": "evil" }))]);
            let (task, log, _) = call(&client, model, &format!("dipper-escape{index}"), "files", turn).await;
            task.expect("succeeded");
            assert!(kinds(&log).contains(&"tool.failed"), "{path}: {:?}", kinds(&log));
            assert_eq!(app.home().find("dipper-evil.txt"), Vec::<std::path::PathBuf>::new(), "{path} escaped");
        }
    });
}

#[test]
fn wrong_arguments_are_told_to_the_model() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        for (index, arguments) in
            ["{}", "{\"path\": 7}", "not json", "[]", "{\"path\": \"facts.txt\", \"mode\": \"w\"}", "{\"path\":"]
                .into_iter()
                .enumerate()
        {
            let turn = Turn::calls([Call::text("file_read", arguments)]);
            let (task, log, results) = call(&client, model, &format!("dipper-args{index}"), "readers", turn).await;
            let task = task.expect("succeeded");
            assert_eq!(task.raw(), "Seen.");
            assert_eq!(results.len(), 1, "{arguments}: {results:?}");
            assert!(!results[0].contains("The moon is round."), "{arguments} must not be run");
            assert!(kinds(&log).contains(&"tool.failed"), "{arguments}: {:?}", kinds(&log));
        }
    });
}

#[test]
fn an_unknown_tool_is_told_to_the_model_with_the_names_there_are() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let turn =
            Turn::calls([Call::text("launch_rocket", "{}"), Call::tool("file_write", json!({ "path": "x", "content": "y" }))]);
        let (task, _, results) = call(&client, model, "dipper-unknown", "readers", turn).await;
        task.expect("succeeded");
        assert!(results[0].contains("file_read"), "{results:?}");
        assert!(!results[1].is_empty(), "a tool the agent was not given is unknown to it, too: {results:?}");
        assert!(app.home().find("x").is_empty());
    });
}

#[test]
fn a_long_result_is_trimmed_with_a_notice() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let long = "0123456789".repeat(200_000);
        std::fs::write(app.home().root().join("readable").join("long.txt"), &long).expect("the file can be written");
        let turn = Turn::calls([Call::tool("file_read", json!({ "path": "long.txt" }))]);
        let (task, _, results) = call(&client, model, "dipper-long", "readers", turn).await;
        task.expect("succeeded");
        assert!(results[0].len() < long.len() / 2, "{} bytes", results[0].len());
        let end: String = results[0].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
        assert!(end.contains("of 2000000"), "the model is told how much there is: {end}");
    });
}

#[test]
fn the_offered_schema_is_a_real_one() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("dipper-schema");
        scenario.always(Turn::text("no tool needed").delay(Duration::from_millis(1)));
        client.run_crew("files", &about("dipper-schema")).await.expect("succeeded");
        let chat = &scenario.requests()[0].chat;
        assert_eq!(chat.tools(), ["file_write", "file_read"], "in the order of the definition");
        for tool in chat.tools() {
            let schema = chat.schema_of(tool).expect("a schema");
            assert_eq!(schema["type"], "object", "{schema}");
            assert_eq!(schema["additionalProperties"], false, "{schema}");
        }
    });
}
