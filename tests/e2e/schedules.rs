//! Tasks that are submitted again and again by themselves.

use crewd_tests::client::{Answer, Client};
use crewd_tests::crews;
use crewd_tests::errors::{expect_error, expect_field_error, expect_reason};
use crewd_tests::fake_llm::{FakeLlm, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::stage::{FIRST_KEY, about, keyed, plan, stage};

const SCHEDULES: &str = "/api/v1/schedules";

fn body(name: &str, timing: (&str, Value)) -> Value {
    let mut body = json!({"name": name, "task": {"crew": "single", "inputs": about(name)}});
    body[timing.0] = timing.1;
    body
}

async fn patch(client: &Client, path: &str, body: Value) -> Answer {
    client.send_text("PATCH", path, "application/json", body.to_string()).await
}

/// What became of the times of a schedule, the first one first.
async fn fires(client: &Client, path: &str) -> Vec<Value> {
    let page = client.get(&format!("{path}/fires?limit=200")).await.expect(200).json();
    page["items"].as_array().expect("items").iter().rev().cloned().collect()
}

#[test]
fn a_schedule_is_kept_changed_and_deleted() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let yearly = ("cron", json!("30 2 31 12 *"));
        let made = client.post(SCHEDULES, &body("plover-kept", yearly.clone())).await.expect(201);
        let schedule = made.json();
        let path = format!("/api/v1/schedules/{}", schedule["id"].as_str().expect("an id"));
        assert!(made.header("location").is_some_and(|location| location.ends_with(&path)), "{:?}", made.headers);
        assert_eq!((&schedule["time_zone"], &schedule["overlap"]), (&json!("UTC"), &json!("skip")));
        assert!(schedule["next_fire_at"].as_str().is_some_and(|time| time.ends_with("-12-31T02:30:00.000Z")), "{schedule}");
        assert_eq!(client.get(&path).await.expect(200).json(), schedule);
        let changed = patch(&client, &path, json!({"time_zone": "Asia/Shanghai", "max_runs": 2})).await.expect(200).json();
        assert!(changed["next_fire_at"].as_str().is_some_and(|time| time.ends_with("-12-30T18:30:00.000Z")), "{changed}");
        assert_eq!((&changed["max_runs"], &changed["task"]), (&json!(2), &schedule["task"]));
        expect_reason(&client.post(SCHEDULES, &body("plover-kept", yearly)).await, 409, "conflict", "name_taken");
        let other = client.post(SCHEDULES, &body("plover-other", ("interval_seconds", json!(86_400)))).await.expect(201).json();
        let other = format!("{SCHEDULES}/{}", other["id"].as_str().expect("an id"));
        expect_reason(&patch(&client, &other, json!({"name": "plover-kept"})).await, 409, "conflict", "name_taken");
        let first = client.get("/api/v1/schedules?limit=1").await.expect(200).json();
        let cursor = first["next_cursor"].as_str().expect("there are two");
        client.get(&format!("/api/v1/schedules?cursor={cursor}")).await.expect(200);
        for path in [&path, &other] {
            client.send(client.request("DELETE", path)).await.expect(204);
            expect_error(&client.get(path).await, 404, "not_found");
            expect_error(&client.send(client.request("DELETE", path)).await, 404, "not_found");
        }
    });
}

#[test]
fn cron_nonsense_and_zones_that_do_not_exist_are_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for cron in ["99 * * * *", "* * *", "", "@every 5m", "0 0 31 2 *", "nonsense"] {
            let answer = client.post(SCHEDULES, &body("dunlin-cron", ("cron", json!(cron)))).await;
            expect_field_error(&answer, 422, "validation_failed", "/cron");
        }
        for zone in ["Mars/Olympus_Mons", "Berlin", "../../etc/passwd", ""] {
            let mut request = body("dunlin-zone", ("cron", json!("0 0 * * *")));
            request["time_zone"] = json!(zone);
            expect_field_error(&client.post(SCHEDULES, &request).await, 422, "validation_failed", "/time_zone");
        }
        let mut request = body("dunlin-all", ("cron", json!("99 * * * *")));
        request["time_zone"] = json!("Nowhere");
        request["task"] = json!({"crew": "single", "deadline_seconds": 0});
        let refused = expect_error(&client.post(SCHEDULES, &request).await, 422, "validation_failed");
        assert_eq!(refused["details"]["fields"].as_array().map(Vec::len), Some(3), "{refused}");
        let mut request = body("dunlin-crew", ("cron", json!("0 0 * * *")));
        request["task"]["crew"] = json!("nobody");
        expect_field_error(&client.post(SCHEDULES, &request).await, 422, "validation_failed", "/task/crew");
        let names = client.get("/api/v1/schedules?limit=200").await.expect(200);
        assert!(!names.text.contains("dunlin"), "nothing is half done: {}", names.text);
    });
}

#[test]
fn two_servers_fire_each_time_once() {
    run(async {
        let model = FakeLlm::start().await;
        let scenario = model.scenario("knot-twice");
        scenario.always(Turn::text("again"));
        let serve = plan().model(&model).crew(&crews::single("single")).arguments(["serve"]);
        let worker = serve.clone().arguments(["worker"]);
        let first = serve.clone().start().await;
        let (second, worker) = (serve.start().await, worker.spawn());
        let mut request = body("knot-twice", ("cron", json!("* * * * * *")));
        request["overlap"] = json!("allow");
        request["max_runs"] = json!(5);
        let made = first.client().post(SCHEDULES, &request).await.expect(201).json();
        let path = format!("{SCHEDULES}/{}", made["id"].as_str().expect("an id"));
        eventually("five times have come", SOON, async || {
            let now = second.client().get(&path).await.expect(200).json();
            (now["fired_count"] == 5 && now["next_fire_at"].is_null()).then_some(())
        })
        .await;
        let fires = fires(&first.client(), &path).await;
        let times: std::collections::BTreeSet<_> = fires.iter().filter_map(|fire| fire["fire_time"].as_str()).collect();
        let tasks: std::collections::BTreeSet<_> = fires.iter().filter_map(|fire| fire["task_id"].as_str()).collect();
        assert_eq!((times.len(), tasks.len()), (fires.len(), 5), "{fires:?}");
        for task in tasks {
            second.client().wait_terminal(task).await.expect("succeeded");
        }
        assert_eq!(scenario.count(), 5, "no time has two tasks");
        let list = first.client().list("limit=200").await;
        assert_eq!(list["items"].as_array().map(Vec::len), Some(5), "{list}");
        worker.sigterm();
        worker.wait_exit(SOON).await;
    });
}

#[test]
fn a_time_is_left_out_while_an_earlier_task_goes_on() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        let scenario = model.scenario("sanderling-skip");
        scenario.always(Turn::text("slow").hold(&gate));
        let made = client.post(SCHEDULES, &body("sanderling-skip", ("interval_seconds", json!(1)))).await.expect(201).json();
        let path = format!("{SCHEDULES}/{}", made["id"].as_str().expect("an id"));
        eventually("a time is left out", SOON, async || {
            fires(&client, &path).await.iter().any(|fire| fire["outcome"] == "skipped").then_some(())
        })
        .await;
        assert_eq!(fires(&client, &path).await.iter().filter(|fire| fire["outcome"] == "started").count(), 1);
        patch(&client, &path, json!({"paused": true})).await.expect(200);
        gate.open();
        let started = fires(&client, &path).await.into_iter().find(|fire| fire["outcome"] == "started").expect("the first one");
        client.wait_terminal(started["task_id"].as_str().expect("a task")).await.expect("succeeded");
        client.send(client.request("DELETE", &path)).await.expect(204);
    });
}

#[test]
fn a_trigger_and_a_backfill_give_tasks() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("whimbrel-ask").always(Turn::text("done"));
        let made = client.post(SCHEDULES, &body("whimbrel-ask", ("cron", json!("0 3 * * *")))).await.expect(201).json();
        let path = format!("{SCHEDULES}/{}", made["id"].as_str().expect("an id"));
        let trigger = format!("{path}/trigger");
        let fire = client.post(&trigger, &json!({})).await.expect(202).json();
        assert_eq!((&fire["kind"], &fire["outcome"]), (&json!("manual"), &json!("started")));
        client.wait_terminal(fire["task_id"].as_str().expect("a task")).await.expect("succeeded");
        let range = json!({"from": "2025-03-01T00:00:00Z", "to": "2025-03-03T12:00:00Z"});
        let backfill = format!("{path}/backfill");
        let done = client.post(&backfill, &range).await.expect(202).json();
        let times: Vec<_> = done["items"].as_array().expect("items").iter().map(|fire| fire["fire_time"].clone()).collect();
        assert_eq!(times, ["2025-03-01T03:00:00.000Z", "2025-03-02T03:00:00.000Z", "2025-03-03T03:00:00.000Z"]);
        let again = client.post(&backfill, &range).await.expect(202).json();
        assert_eq!((&again["items"], &again["next_from"]), (&json!([]), &json!(null)), "asking twice does nothing twice");
        let future = json!({"from": "2025-03-01T00:00:00Z", "to": "2999-01-01T00:00:00Z"});
        expect_field_error(&client.post(&backfill, &future).await, 422, "validation_failed", "/to");
        assert_eq!(fires(&client, &path).await.len(), 4);
        client.send(client.request("DELETE", &path)).await.expect(204);
    });
}

#[test]
fn unknown_schedules_are_not_found() {
    run(async {
        let app = keyed().await;
        let client = app.client().with_key(FIRST_KEY);
        for id in ["01890000-0000-7000-8000-000000000000", "x"] {
            let path = format!("{SCHEDULES}/{id}");
            expect_error(&client.get(&path).await, 404, "not_found");
            expect_error(&client.get(&format!("{path}/fires")).await, 404, "not_found");
            expect_error(&patch(&client, &path, json!({})).await, 404, "not_found");
            expect_error(&client.post(&format!("{path}/trigger"), &json!({})).await, 404, "not_found");
            expect_error(&client.send(client.request("DELETE", &path)).await, 404, "not_found");
        }
    });
}
