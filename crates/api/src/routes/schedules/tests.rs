use serde_json::{Value, json};

use crate::testing::{OTHER_KEY, Stage};

const SCHEDULES: &str = "/api/v1/schedules";

fn nightly() -> Value {
    json!({"name": "nightly", "cron": "0 2 * * *", "time_zone": "Europe/Berlin",
        "task": {"crew": "tea", "inputs": {"topic": "green"}, "metadata": {"team": "red"}}})
}

/// The body with some fields changed; `null` takes one away.
fn with(mut body: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn create(stage: &Stage) -> String {
    let made = stage.post(SCHEDULES, &nightly()).await.expect(201);
    format!("{SCHEDULES}/{}", made.json()["id"].as_str().unwrap())
}

async fn patch(stage: &Stage, path: &str, body: Value) -> crate::testing::Answer {
    stage.send_text("PATCH", path, "application/merge-patch+json", body.to_string()).await
}

#[tokio::test]
async fn a_schedule_has_every_field_of_the_contract() {
    let stage = Stage::new();
    let made = stage.post(SCHEDULES, &nightly()).await.expect(201);
    let schedule = made.json();
    let id = schedule["id"].as_str().unwrap();
    assert_eq!(made.header("location"), format!("{SCHEDULES}/{id}"));
    let expected = json!({
        "id": id, "name": "nightly", "cron": "0 2 * * *", "interval_seconds": null, "anchor": null, "time_zone": "Europe/Berlin",
        "task": {"crew": "tea", "inputs": {"topic": "green"}, "priority": "standard", "metadata": {"team": "red"}},
        "overlap": "skip", "catch_up_seconds": 3600, "jitter_seconds": 0, "start_at": null, "end_at": null, "max_runs": null,
        "paused": false, "next_fire_at": "2026-01-01T01:00:00.000Z", "last_fire_at": null, "fired_count": 0,
        "created_at": "2026-01-01T00:00:00.000Z", "created_by": "anonymous", "updated_at": "2026-01-01T00:00:00.000Z",
        "links": {"self": format!("{SCHEDULES}/{id}"), "fires": format!("{SCHEDULES}/{id}/fires")},
    });
    assert_eq!(schedule, expected);
    assert_eq!(stage.get(&format!("{SCHEDULES}/{id}")).await.expect(200).json(), schedule);
    let again = json!({"name": "again", "cron": "0 2 * * *", "task": schedule["task"]});
    stage.post(SCHEDULES, &again).await.expect(201);
}

#[tokio::test]
async fn an_interval_is_shown_as_one() {
    let stage = Stage::new();
    let body = with(nightly(), json!({"cron": null, "interval_seconds": 60, "anchor": "2025-12-31T23:59:30+00:00"}));
    let schedule = stage.post(SCHEDULES, &body).await.expect(201).json();
    assert_eq!((&schedule["cron"], &schedule["interval_seconds"]), (&json!(null), &json!(60)));
    assert_eq!(schedule["anchor"], "2025-12-31T23:59:30.000Z");
    assert_eq!(schedule["next_fire_at"], "2026-01-01T00:00:30.000Z");
}

#[tokio::test]
async fn nonsense_is_refused_with_everything_that_is_wrong() {
    let stage = Stage::new();
    let refuse = async |changes: Value, pointers: &[&str]| {
        stage.post(SCHEDULES, &with(nightly(), changes)).await.expect_fields(422, "validation_failed", pointers);
    };
    for cron in ["99 * * * *", "* * *", "", "@every 5m", "0 0 31 2 *", "nonsense", "\u{0}"] {
        refuse(json!({"cron": cron}), &["/cron"]).await;
    }
    refuse(json!({"cron": "99 25 * * *"}), &["/cron", "/cron"]).await;
    for zone in ["Mars/Olympus_Mons", "", "+02:00", "europe/berlin"] {
        refuse(json!({"time_zone": zone}), &["/time_zone"]).await;
    }
    refuse(json!({"cron": null}), &["/cron"]).await;
    refuse(json!({"interval_seconds": 5}), &["/interval_seconds"]).await;
    refuse(json!({"cron": null, "interval_seconds": 0}), &["/interval_seconds"]).await;
    refuse(json!({"anchor": "2026-01-01T00:00:00Z"}), &["/anchor"]).await;
    refuse(json!({"start_at": "2026-02-01T00:00:00Z", "end_at": "2026-01-02T00:00:00Z"}), &["/end_at"]).await;
    refuse(json!({"end_at": "2025-01-01T00:00:00Z"}), &["/end_at"]).await;
    refuse(json!({"task": {"crew": "nobody"}}), &["/task/crew"]).await;
    refuse(json!({"task": {"crew": "tea"}}), &["/task/inputs/topic"]).await;
    refuse(json!({"task": []}), &["/task"]).await;
    refuse(json!({"task": {"crew": "tea", "webhook": {"url": "https://example.org"}}}), &["/task/webhook"]).await;
    let all = json!({"name": 7, "cron": "x", "time_zone": "Nowhere", "task": {"crew": "tea", "imputs": {}}, "overlap": "never",
        "catch_up_seconds": -1, "jitter_seconds": 100_000, "start_at": "soon", "max_runs": 0, "paused": "no", "crown": 1});
    let pointers = [
        "/name",
        "/task/imputs",
        "/overlap",
        "/catch_up_seconds",
        "/jitter_seconds",
        "/start_at",
        "/max_runs",
        "/paused",
        "/cron",
        "/time_zone",
        "/crown",
    ];
    refuse(all, &pointers).await;
    stage.post(SCHEDULES, &json!({})).await.expect_fields(422, "validation_failed", &["/name", "/cron", "/task"]);
    stage.post(SCHEDULES, &json!([])).await.expect_error(422, "validation_failed");
    assert_eq!(stage.get(SCHEDULES).await.expect(200).json()["items"], json!([]), "nothing is half done");
}

#[tokio::test]
async fn reasons_tell_what_kind_of_nonsense_it_is() {
    let stage = Stage::new();
    let post = async |changes| stage.post(SCHEDULES, &with(nightly(), changes)).await;
    post(json!({"cron": "99 * * * *"})).await.expect_reason(422, "validation_failed", "invalid_cron");
    let answer = post(json!({"time_zone": "Berlin"})).await;
    answer.expect_reason(422, "validation_failed", "unknown_time_zone");
    assert!(answer.text().contains("did you mean `Europe/Berlin`?"));
    post(json!({})).await.expect(201);
    post(json!({})).await.expect_reason(409, "conflict", "name_taken");
}

#[tokio::test]
async fn a_change_touches_what_it_names() {
    let stage = Stage::new();
    let path = create(&stage).await;
    let ended = patch(&stage, &path, json!({"end_at": "2026-03-01T00:00:00Z", "max_runs": 4, "overlap": "allow"}))
        .await
        .expect(200)
        .json();
    assert_eq!((&ended["max_runs"], &ended["overlap"], &ended["name"]), (&json!(4), &json!("allow"), &json!("nightly")));
    let cleared = patch(&stage, &path, json!({"end_at": null, "max_runs": null})).await.expect(200).json();
    assert_eq!((&cleared["end_at"], &cleared["max_runs"], &cleared["overlap"]), (&json!(null), &json!(null), &json!("allow")));
    let held = patch(&stage, &path, json!({"paused": true})).await.expect(200).json();
    assert_eq!((&held["paused"], &held["next_fire_at"]), (&json!(true), &json!(null)));
    let hourly = patch(&stage, &path, json!({"paused": false, "interval_seconds": 3600})).await.expect(200).json();
    assert_eq!((&hourly["cron"], &hourly["next_fire_at"]), (&json!(null), &json!("2026-01-01T01:00:00.000Z")));
    patch(&stage, &path, json!({"cron": "x", "interval_seconds": 5})).await.expect_fields(
        422,
        "validation_failed",
        &["/interval_seconds", "/cron"],
    );
    patch(&stage, &path, json!({"id": "x"})).await.expect_fields(422, "validation_failed", &["/id"]);
}

#[tokio::test]
async fn a_trigger_gives_a_task() {
    let stage = Stage::new();
    let path = create(&stage).await;
    let fire = stage.post(&format!("{path}/trigger"), &json!({})).await.expect(202).json();
    assert_eq!((&fire["kind"], &fire["outcome"], &fire["reason"]), (&json!("manual"), &json!("started"), &json!(null)));
    let task = stage.get(&format!("/api/v1/tasks/{}", fire["task_id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&task["name"], &task["metadata"]["team"]), (&json!("tea"), &json!("red")));
    let records = stage.get(&format!("{path}/fires")).await.expect(200).json();
    assert_eq!(records["items"], json!([fire]));
    let unknown = stage.post(&format!("{path}/trigger"), &json!({"now": true})).await;
    unknown.expect_fields(422, "validation_failed", &["/now"]);
}

#[tokio::test]
async fn a_backfill_goes_on_where_it_ended() {
    let stage = Stage::new();
    let path = format!("{}/backfill", create(&stage).await);
    let body = json!({"from": "2025-12-01T00:00:00Z", "to": "2025-12-10T12:00:00Z", "max": 6});
    let first = stage.post(&path, &body).await.expect(202).json();
    assert_eq!((first["items"].as_array().unwrap().len(), &first["next_from"]), (6, &json!("2025-12-07T01:00:00.000Z")));
    let second = stage.post(&path, &with(body.clone(), json!({"from": first["next_from"]}))).await.expect(202).json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["next_from"]), (4, &json!(null)));
    let fires = path.replace("backfill", "fires");
    let page = stage.get(&format!("{fires}?limit=3")).await.expect(200).json();
    let rest = stage.get(&format!("{fires}?cursor={}", page["next_cursor"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((page["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (3, 7));
    assert_eq!(page["items"][0]["fire_time"], "2025-12-10T01:00:00.000Z", "latest first");
    let refuse = async |body: Value, pointers: &[&str]| {
        stage.post(&path, &body).await.expect_fields(422, "validation_failed", pointers);
    };
    refuse(json!({}), &["/from", "/to"]).await;
    refuse(with(body.clone(), json!({"max": 1001, "until": 1})), &["/max", "/until"]).await;
    refuse(with(body.clone(), json!({"to": "2026-12-01T00:00:00Z"})), &["/to"]).await;
    refuse(with(body, json!({"from": "2025-12-31T00:00:00Z"})), &["/from"]).await;
    stage.get(&format!("{fires}?cursor=garbage")).await.expect_reason(400, "bad_request", "invalid_cursor");
}

#[tokio::test]
async fn what_is_foreign_or_gone_is_not_found() {
    let stage = Stage::with_keys();
    let path = create(&stage).await;
    let foreign = Stage { key: Some(OTHER_KEY), ..stage };
    let nobody = format!("{SCHEDULES}/019b7600-0000-7000-8000-000000000000");
    let range = json!({"from": "2025-12-01T00:00:00Z", "to": "2025-12-02T00:00:00Z"});
    for path in [path.as_str(), nobody.as_str(), "/api/v1/schedules/x"] {
        foreign.get(path).await.expect_error(404, "not_found");
        foreign.get(&format!("{path}/fires")).await.expect_error(404, "not_found");
        patch(&foreign, path, json!({"paused": true})).await.expect_error(404, "not_found");
        foreign.post(&format!("{path}/trigger"), &json!({})).await.expect_error(404, "not_found");
        foreign.post(&format!("{path}/backfill"), &range).await.expect_error(404, "not_found");
        foreign.send_text("DELETE", path, "application/json", "").await.expect_error(404, "not_found");
    }
    assert_eq!(foreign.get(SCHEDULES).await.expect(200).json()["items"], json!([]));
    let own = Stage { key: Some(crate::testing::KEY), ..foreign };
    own.send_text("DELETE", &path, "application/json", "").await.expect(204);
    own.get(&path).await.expect_error(404, "not_found");
}
