//! Submit, read, list, wait.

use std::time::{Duration, Instant};

use crewd_tests::client::{Submit, Task};
use crewd_tests::errors::{expect_error, expect_reason};
use crewd_tests::fake_llm::{Gate, Turn};
use crewd_tests::runtime::run;
use serde_json::json;

use crate::stage::{about, kinds, stage, whole_log};

#[test]
fn a_submitted_task_runs_to_its_end() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("kestrel-submit");
        scenario.then(Turn::pieces(["All ", "done."]).usage(20, 4));
        let answer = client.submit_answer("single", &about("kestrel-submit"), &Submit::default()).await.expect(202);
        let task = Task(answer.json());
        let location = format!("/api/v1/tasks/{}", task.id());
        assert!(answer.header("location").is_some_and(|header| header.ends_with(&location)), "{:?}", answer.headers);
        assert!(["queued", "running"].contains(&task.status()), "{}", task.0);
        assert_eq!(task.id().len(), 36);
        assert_eq!(task.id().as_bytes()[14], b'7', "ids are UUIDv7");

        let done = client.wait_terminal(task.id()).await.expect("succeeded");
        assert_eq!(done.raw(), "All done.");
        assert_eq!(done.0["simulated"], false);
        assert_eq!(done.0["usage"]["input_tokens"], 20);
        assert_eq!(done.0["usage"]["output_tokens"], 4);
        assert_eq!(done.0["usage"]["total_tokens"], 24);
        assert_eq!(done.0["usage"]["llm_calls"], 1);
        assert_eq!(done.0["usage"]["tool_calls"], 0);
        let log = whole_log(&client, task.id()).await;
        let kinds = kinds(&log);
        assert_eq!(kinds.first(), Some(&"task.queued"));
        for expected in
            ["task.started", "crew_task.started", "agent.started", "llm.started", "llm.completed", "crew_task.completed"]
        {
            assert!(kinds.contains(&expected), "{expected} is missing in {kinds:?}");
        }
        assert_eq!(kinds.last(), Some(&"task.succeeded"));
    });
}

#[test]
fn the_task_object_has_every_field_of_the_contract() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("kestrel-fields").always(Turn::text("fine"));
        let more = Submit {
            fields: vec![
                ("metadata", json!({ "team": "red" })),
                ("priority", json!("interactive")),
                ("deadline_seconds", json!(60)),
            ],
            ..Submit::default()
        };
        let task = Task(client.submit_answer("reference", &about("kestrel-fields"), &more).await.expect(202).json());
        let done = client.wait_terminal(task.id()).await.expect("succeeded").0;
        for field in [
            "id",
            "status",
            "waiting_for",
            "kind",
            "name",
            "definition_version",
            "priority",
            "inputs",
            "run",
            "progress",
            "output",
            "error",
            "simulated",
            "usage",
            "links",
            "created_at",
            "started_at",
            "finished_at",
            "metadata",
        ] {
            assert!(done.get(field).is_some(), "`{field}` is missing: {done}");
        }
        assert_eq!((&done["kind"], &done["name"]), (&json!("crew"), &json!("reference")));
        assert_eq!(done["priority"], "interactive");
        assert_eq!(done["metadata"], json!({ "team": "red" }));
        assert_eq!(done["inputs"], about("kestrel-fields"));
        assert_eq!(done["error"], json!(null));
        assert_eq!(done["run"]["attempt"], 1);
        assert!(
            done["definition_version"].as_str().is_some_and(|version| version.starts_with("sha256:") && version.len() == 71),
            "{done}"
        );
        let outputs = done["output"]["tasks"].as_array().expect("outputs of the crew's tasks");
        assert_eq!(outputs.len(), 2);
        assert_eq!((&outputs[0]["name"], &outputs[1]["name"]), (&json!("collect"), &json!("write")));
        assert!(outputs.iter().all(|output| output["raw"] == "fine" && output["agent"].is_string()), "{outputs:?}");
        assert!(
            done["started_at"].as_str() >= done["created_at"].as_str()
                && done["finished_at"].as_str() >= done["started_at"].as_str()
        );
        for link in ["self", "events", "ws", "steps"] {
            assert!(done["links"][link].as_str().is_some_and(|target| target.contains(task.id())), "{done}");
        }
        assert!(done["progress"]["steps_done"].as_u64() >= Some(2), "{done}");
        assert_eq!(
            done["usage"]["cost_usd"].as_str().and_then(|cost| cost.split_once('.')).map(|(_, decimals)| decimals.len()),
            Some(6)
        );
    });
}

#[test]
fn steps_show_the_journal_as_a_tree() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("kestrel-steps");
        let done = client.run_crew("reference", &about("kestrel-steps")).await.expect("succeeded");
        assert_eq!(done.0["usage"]["llm_calls"], 4, "two agents, one tool call each: {}", done.0);
        assert_eq!(done.0["usage"]["tool_calls"], 2);
        let steps = client.steps(done.id()).await;
        let text = steps.to_string();
        for path in [
            "crew_task[0].agent.turn[0]",
            "crew_task[0].agent.turn[0].tool[0]",
            "crew_task[0].agent.turn[1]",
            "crew_task[1].agent.turn[1]",
        ] {
            assert!(text.contains(&format!("\"path\":\"{path}\"")), "{path} is missing: {steps:#}");
        }
        assert_eq!(text.matches("\"kind\":\"llm_call\"").count(), 4, "{steps:#}");
        assert_eq!(text.matches("\"kind\":\"tool_call\"").count(), 2, "{steps:#}");
        assert!(text.contains("\"directory_read\""), "{steps:#}");
        assert!(!text.contains("\"status\":\"started\""), "every step of an ended task has a result: {steps:#}");
    });
}

#[test]
fn prefer_wait_answers_with_the_end_or_with_what_there_is() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("kestrel-quick").always(Turn::text("quick"));
        model.scenario("kestrel-slow").always(Turn::text("slow").hold_first(&gate));
        let wait = |seconds: &str| Submit { headers: vec![("prefer", format!("wait={seconds}"))], ..Submit::default() };
        let quick = client.submit_answer("single", &about("kestrel-quick"), &wait("20")).await.expect(200);
        assert_eq!(Task(quick.json()).expect("succeeded").raw(), "quick");
        let slow = client.submit_answer("single", &about("kestrel-slow"), &wait("1")).await.expect(202);
        let slow = Task(slow.json());
        assert!(!slow.is_terminal(), "{}", slow.0);
        gate.open();
        client.wait_terminal(slow.id()).await.expect("succeeded");
    });
}

#[test]
fn a_long_poll_returns_at_the_end_and_not_before_its_time() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("kestrel-poll").always(Turn::text("there").hold_first(&gate));
        let task = client.submit("single", &about("kestrel-poll")).await;
        let started = Instant::now();
        let early = Task(client.get(&format!("/api/v1/tasks/{}?wait=1", task.id())).await.expect(200).json());
        assert!(!early.is_terminal());
        assert!(started.elapsed() >= Duration::from_millis(900), "it waited: {:?}", started.elapsed());
        let path = format!("/api/v1/tasks/{}?wait=30", task.id());
        let (done, ()) = tokio::join!(client.get(&path), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            gate.open();
        });
        Task(done.expect(200).json()).expect("succeeded");
        assert!(started.elapsed() < Duration::from_secs(20), "woken at once: {:?}", started.elapsed());
    });
}

#[test]
fn waits_out_of_range_are_refused() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("kestrel-range");
        let task = client.submit("single", &about("kestrel-range")).await;
        for wait in ["-1", "61", "soon", "1.5"] {
            let answer = client.get(&format!("/api/v1/tasks/{}?wait={wait}", task.id())).await;
            expect_error(&answer, 422, "validation_failed");
        }
    });
}

#[test]
fn lists_page_by_cursor_newest_first() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("kestrel-pages");
        let mut ids = Vec::new();
        for _ in 0..5 {
            let more = Submit { fields: vec![("metadata", json!({ "suite": "pages" }))], ..Submit::default() };
            ids.push(
                Task(client.submit_answer("single", &about("kestrel-pages"), &more).await.expect(202).json()).id().to_owned(),
            );
        }
        ids.reverse();
        let mut seen = Vec::new();
        let mut cursor = String::new();
        let mut pages = 0;
        loop {
            let page = client.list(&format!("metadata.suite=pages&limit=2{cursor}")).await;
            let items = page["items"].as_array().expect("items").clone();
            assert!(items.len() <= 2);
            seen.extend(items.iter().map(|task| task["id"].as_str().unwrap_or_default().to_owned()));
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, ids, "all of them, newest first, none twice");
        assert_eq!(pages, 3);
    });
}

#[test]
fn lists_filter_by_status_crew_time_and_metadata() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("kestrel-filter").always(Turn::text("ok"));
        let more = Submit { fields: vec![("metadata", json!({ "suite": "filter", "n": "1" }))], ..Submit::default() };
        let first = Task(client.submit_answer("single", &about("kestrel-filter"), &more).await.expect(202).json());
        client.wait_terminal(first.id()).await.expect("succeeded");
        let count = async |query: &str| client.list(query).await["items"].as_array().map_or(0, Vec::len);
        let base = "metadata.suite=filter";
        assert_eq!(count(base).await, 1);
        assert_eq!(count(&format!("{base}&status=succeeded")).await, 1);
        assert_eq!(count(&format!("{base}&status=failed")).await, 0);
        assert_eq!(count(&format!("{base}&crew=single")).await, 1);
        assert_eq!(count(&format!("{base}&crew=reference")).await, 0);
        assert_eq!(count(&format!("{base}&metadata.n=1")).await, 1);
        assert_eq!(count(&format!("{base}&metadata.n=2")).await, 0);
        assert_eq!(count(&format!("{base}&created_after=2020-01-01T00:00:00Z")).await, 1);
        assert_eq!(count(&format!("{base}&created_before=2020-01-01T00:00:00Z")).await, 0);
        let created = first.0["created_at"].as_str().unwrap_or_default();
        assert_eq!(count(&format!("{base}&created_after={created}")).await, 1, "from that instant on");
    });
}

#[test]
fn lists_refuse_what_they_do_not_understand() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for limit in ["0", "-1", "201", "1000000", "ten", ""] {
            let answer = client.get(&format!("/api/v1/tasks?limit={limit}")).await;
            expect_error(&answer, 422, "validation_failed");
        }
        for cursor in ["garbage", "AAAA", "%00", "eyJ4IjoxfQ", "../../etc"] {
            let answer = client.get(&format!("/api/v1/tasks?cursor={cursor}")).await;
            expect_reason(&answer, 400, "bad_request", "invalid_cursor");
        }
        for query in ["colour=red", "order=desc", "status%5B%24ne%5D=failed", "metadata=x"] {
            let answer = client.get(&format!("/api/v1/tasks?{query}")).await;
            expect_reason(&answer, 422, "validation_failed", "unknown_filter");
        }
        for query in ["status=done", "created_after=yesterday", "created_before=1"] {
            let answer = client.get(&format!("/api/v1/tasks?{query}")).await;
            expect_error(&answer, 422, "validation_failed");
        }
    });
}

#[test]
fn missing_foreign_and_malformed_ids_look_the_same() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let mut bodies = Vec::new();
        for id in
            ["01890000-0000-7000-8000-000000000000", "not-an-id", "1", "%2e%2e%2fetc", "00000000-0000-0000-0000-000000000000"]
        {
            for tail in ["", "/steps", "/events"] {
                let answer = client.get(&format!("/api/v1/tasks/{id}{tail}")).await;
                let mut body = expect_error(&answer, 404, "not_found");
                body["request_id"] = json!(null);
                bodies.push(body);
            }
            let answer = client.cancel(id, "graceful").await;
            expect_error(&answer, 404, "not_found");
        }
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "one body for all: {bodies:#?}");
    });
}

#[test]
fn many_tasks_at_once_all_end() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("kestrel-many");
        let submitted = futures::future::join_all((0..60).map(|_| async {
            let topic = about("kestrel-many");
            client.submit("reference", &topic).await.id().to_owned()
        }))
        .await;
        for id in submitted {
            let done = client.wait_terminal(&id).await.expect("succeeded");
            assert_eq!(done.0["usage"]["llm_calls"], 4);
        }
    });
}
