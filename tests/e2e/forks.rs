//! Child tasks: forks that differ, and replays that must not.

use crewd_tests::errors::{expect_error, expect_field_error};
use crewd_tests::fake_llm::{Call, Fault, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::control::{at, calls};
use crate::stage::{about, stage, whole_log};

const THIRD: &str = "crew_task[2].agent.turn[0]";

#[test]
fn a_fork_goes_on_from_a_step_and_leaves_its_origin_alone() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("bittern-fork");
        scenario.then(Turn::text("one")).then(Turn::text("two")).always(Turn::text("more"));
        let origin = client.run_crew("chain", &about("bittern-fork")).await.expect("succeeded");
        let answer = client.post(&at(origin.id(), "/fork"), &json!({ "from_step": THIRD })).await.expect(202);
        let child = answer.json();
        let id = child["id"].as_str().expect("an id");
        assert!(answer.header("location").is_some_and(|location| location.ends_with(id)), "{:?}", answer.headers);
        let expected = json!({"task_id": origin.id(), "run_id": origin.0["run"]["id"], "from_step": THIRD, "effects": "reuse", "replay": false});
        assert_eq!(child["origin"], expected);
        let done = client.wait_terminal(id).await.expect("succeeded");
        assert_eq!(scenario.count(), 6, "four of the origin, two of the child");
        assert_eq!(done.0["usage"]["llm_calls"], 2);
        let tasks = done.0["output"]["tasks"].as_array().expect("outputs");
        assert_eq!(
            tasks.iter().map(|task| task["raw"].as_str().unwrap_or_default()).collect::<Vec<_>>(),
            ["one", "two", "more", "more"]
        );
        let by: Vec<bool> = calls(&client, id).await.iter().map(|(_, by)| *by == origin.0["run"]["id"]).collect();
        assert_eq!(by, [true, true, false, false]);
        whole_log(&client, id).await;
        assert_eq!(client.task(origin.id()).await.0, origin.0);
    });
}

#[test]
fn a_fork_has_other_inputs_texts_and_models() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("bittern-other");
        scenario.always(Turn::text("word"));
        let origin = client.run_crew("chain", &about("bittern-other")).await.expect("succeeded");
        let body = json!({"from_step": THIRD, "overrides": {"inputs": about("bittern-other and more"), "model": "another-model",
            "prompt": {"agents": {"worker": {"goal": "Sing the steps"}}, "tasks": {"step_4": {"description": "Sing the last of {topic}."}}}}});
        let child = client.post(&at(origin.id(), "/fork"), &body).await.expect(202).json();
        let done = client.wait_terminal(child["id"].as_str().expect("an id")).await.expect("succeeded");
        assert_eq!(done.0["inputs"]["topic"], "bittern-other and more");
        let requests = scenario.requests();
        let (third, fourth) = (&requests[4].chat, &requests[5].chat);
        assert_eq!((requests.len(), third.model(), fourth.model()), (6, "another-model", "another-model"));
        assert!(third.text().contains("Sing the steps") && third.text().contains("step number 3 of bittern-other and more"));
        assert!(fourth.text().contains("Sing the last of bittern-other and more."), "{}", fourth.text());
    });
}

#[test]
fn a_fork_can_be_told_what_its_tools_say() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("bittern-tools");
        let read = Turn::calls([Call::tool("file_read", json!({ "path": "facts.txt" }))]);
        scenario.then(read).always(Turn::text("Seen."));
        let origin = client.run_crew("readers", &about("bittern-tools")).await.expect("succeeded");
        let tool = "crew_task[0].agent.turn[0].tool[0]";
        for (overrides, told) in
            [(json!({}), "The moon is round."), (json!({"tools": {"file_read": "The moon is flat."}}), "The moon is flat.")]
        {
            let before = scenario.count();
            let body = json!({ "from_step": tool, "overrides": overrides });
            let child = client.post(&at(origin.id(), "/fork"), &body).await.expect(202).json();
            client.wait_terminal(child["id"].as_str().expect("an id")).await.expect("succeeded");
            let results = scenario.requests()[before].chat.tool_results();
            assert!(results.len() == 1 && results[0].contains(told), "{results:?}");
        }
    });
}

#[test]
fn without_effects_nothing_is_written() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("bittern-dry");
        let write = Turn::calls([Call::tool("file_write", json!({ "path": "note.txt", "content": "x" }))]);
        scenario.then(write).always(Turn::text("Done."));
        let origin = client.run_crew("files", &about("bittern-dry")).await.expect("succeeded");
        let first = scenario.requests()[1].chat.tool_results();
        let body = json!({ "from_step": "crew_task[0].agent.turn[0].tool[0]", "effects": "dry_run" });
        let child = client.post(&at(origin.id(), "/fork"), &body).await.expect(202).json();
        client.wait_terminal(child["id"].as_str().expect("an id")).await.expect("succeeded");
        let told = scenario.requests()[2].chat.tool_results();
        assert_ne!(told, first, "the model is told that it was not carried out");
    });
}

#[test]
fn forks_from_nowhere_and_of_names_that_do_not_exist_are_refused() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("bittern-wrong").always(Turn::text("word"));
        let origin = client.run_crew("chain", &about("bittern-wrong")).await.expect("succeeded");
        let path = at(origin.id(), "/fork");
        expect_field_error(
            &client.post(&path, &json!({ "from_step": "crew_task[9]" })).await,
            422,
            "validation_failed",
            "/from_step",
        );
        let body = json!({"from_step": "crew_task[0].agent.turn[4]", "overrides": {"inputs": {"tpoic": 1}, "tools": {"hammer": "x"},
            "definition_version": "sha256:0", "prompt": {"agents": {"nobody": {"goal": "x"}}}}});
        let refused = expect_error(&client.post(&path, &body).await, 422, "validation_failed");
        let fields = refused["details"]["fields"].as_array().cloned().unwrap_or_default();
        assert!(fields.len() >= 2, "all at once: {refused}");
        expect_field_error(
            &client.post(&path, &json!({ "from_step": "crew_task[1]", "effects": "some" })).await,
            422,
            "validation_failed",
            "/effects",
        );
        let listed = client.list("limit=200").await;
        let children =
            listed["items"].as_array().expect("items").iter().filter(|task| task["origin"]["task_id"] == origin.id()).count();
        assert_eq!(children, 0, "nothing is half done");
    });
}

#[test]
fn a_replay_reaches_the_same_state_and_calls_nothing() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("bittern-replay");
        let turn = Turn::calls([
            Call::tool("file_read", json!({ "path": "facts.txt" })),
            Call::tool("file_read", json!({ "path": "no" })),
        ]);
        scenario.then(turn).always(Turn::text("Seen."));
        let origin = client.run_crew("readers", &about("bittern-replay")).await.expect("succeeded");
        let asked = scenario.count();
        let hash = &origin.0["run"]["state_hash"];
        assert!(hash.is_string(), "{}", origin.0);
        let child = client.post(&at(origin.id(), "/replay"), &json!({})).await.expect(202).json();
        assert_eq!((&child["origin"]["replay"], &child["origin"]["from_step"]), (&json!(true), &Value::Null));
        let done = client.wait_terminal(child["id"].as_str().expect("an id")).await.expect("succeeded");
        assert_eq!((&done.0["run"]["state_hash"], &done.0["output"]), (hash, &origin.0["output"]));
        assert_eq!((scenario.count(), &done.0["usage"]["total_tokens"]), (asked, &json!(0)));
    });
}

#[test]
fn a_replay_of_a_failure_fails_the_same_and_waits_for_nobody() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("bittern-fails");
        scenario.then(Turn::text("one")).always(Fault::Status(400, "invalid_request_error", "this is refused"));
        let origin = client.run_crew("chain", &about("bittern-fails")).await.expect("failed");
        let child = client.post(&at(origin.id(), "/replay"), &json!({})).await.expect(202).json();
        let done = client.wait_terminal(child["id"].as_str().expect("an id")).await.expect("failed");
        assert_eq!(
            (&done.0["error"]["class"], &done.0["error"]["message"]),
            (&origin.0["error"]["class"], &origin.0["error"]["message"])
        );
        assert_eq!(done.0["run"]["state_hash"], origin.0["run"]["state_hash"]);
        assert_eq!((&origin.0["dead_letter"], &done.0["dead_letter"]), (&json!("open"), &Value::Null));
        assert_eq!(scenario.count(), 2);
    });
}

#[test]
fn a_running_task_can_be_forked() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("bittern-live");
        let gate = crewd_tests::fake_llm::Gate::new();
        scenario.then(Turn::text("one")).then(Turn::text("two").hold_first(&gate)).always(Turn::text("more"));
        let origin = client.submit("chain", &about("bittern-live")).await;
        eventually("the second call is made", SOON, async || (scenario.count() == 2).then_some(())).await;
        let body = json!({ "from_step": "crew_task[1].agent.turn[0]" });
        let child = client.post(&at(origin.id(), "/fork"), &body).await.expect(202).json();
        client.wait_terminal(child["id"].as_str().expect("an id")).await.expect("succeeded");
        gate.open();
        client.wait_terminal(origin.id()).await.expect("succeeded");
    });
}
