//! Schedules over the death of the process: no fire time is lost, and none has two tasks.

use std::collections::BTreeSet;

use crewd_tests::app::App;
use crewd_tests::client::Client;
use crewd_tests::fake_llm::{FakeLlm, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::plan;

const DEATHS: usize = 3;

async fn fires(client: &Client, path: &str) -> Vec<Value> {
    let page = client.get(&format!("{path}/fires?limit=200")).await.expect(200).json();
    page["items"].as_array().expect("items").iter().rev().cloned().collect()
}

/// The fire time, of which `HH:MM:SS` begins at the twelfth character.
fn second_of_day(fire: &Value) -> i64 {
    let time = &fire["fire_time"].as_str().expect("a time")[11..19];
    time.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().expect("a number"))
}

/// Waits until so many times were run.
async fn fired(app: &App, path: &str, count: u64) {
    eventually("the schedule fires", SOON, async || {
        let schedule = app.client().get(path).await.expect(200).json();
        (schedule["fired_count"].as_u64() >= Some(count)).then_some(())
    })
    .await;
}

#[test]
fn every_second_has_its_task_over_kills() {
    run(async {
        let model = FakeLlm::start().await;
        let scenario = model.scenario("ruff-seconds");
        scenario.always(Turn::text("done"));
        let mut app = plan(&model).start().await;
        let request = json!({"name": "ruff", "interval_seconds": 1, "overlap": "queue_all",
            "task": {"crew": "single", "inputs": {"topic": "ruff-seconds"}}});
        let made = app.client().post("/api/v1/schedules", &request).await.expect(201).json();
        let path = format!("/api/v1/schedules/{}", made["id"].as_str().expect("an id"));
        for death in 1..=DEATHS {
            fired(&app, &path, 2 * death as u64).await;
            app.kill9();
            app = app.restart().await;
        }
        fired(&app, &path, 2 * DEATHS as u64 + 2).await;
        let client = app.client();
        client.send_text("PATCH", &path, "application/json", json!({"paused": true}).to_string()).await.expect(200);
        let fires = fires(&client, &path).await;
        for pair in fires.windows(2) {
            let step = second_of_day(&pair[1]) - second_of_day(&pair[0]);
            assert_eq!(step.rem_euclid(24 * 3600), 1, "no second is left out: {pair:?}");
        }
        let tasks: BTreeSet<_> = fires.iter().map(|fire| fire["task_id"].as_str().expect("every time has a task")).collect();
        assert_eq!(tasks.len(), fires.len());
        for task in &tasks {
            client.wait_terminal(task).await.expect("succeeded");
        }
        let list = client.list("limit=200").await;
        assert_eq!(list["items"].as_array().map(Vec::len), Some(tasks.len()), "no task without its time");
        let schedule = client.get(&path).await.expect(200).json();
        assert_eq!(schedule["fired_count"], fires.len());
    });
}
