//! Several processes over PostgreSQL, which tells each of what the others did: without Redis.

use std::time::Duration;

use crewd_test_services::{Engine, Service, TestDatabase};
use crewd_tests::app::{App, AppBuilder, Home, command_line};
use crewd_tests::client::{Client, SseFrame};
use crewd_tests::crews;
use crewd_tests::fake_llm::{FakeLlm, Fault, Gate, Turn};
use crewd_tests::redis::TestRedis;
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::Value;

use crate::stage::{about, plan, whole_log};

const HEARD: &str = "notify_hints_total{outcome=\"heard\"}";
const UP: &str = "notify_up";

/// An installation on this database and without Redis, whatever the suite runs on.
fn on(database: &TestDatabase, model: &FakeLlm) -> AppBuilder {
    plan()
        .home(&Home::on(Engine::Sqlite))
        .set("APP_DATABASE_URL", database.url())
        .set("APP_REDIS_URL", "")
        .model(model)
        .crew(&crews::single("single"))
}

/// A sample of `/metrics`, if it is there.
async fn sample(client: &Client, name: &str) -> Option<u64> {
    let text = client.get("/metrics").await.expect(200).text;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

async fn grows(client: &Client, name: &str, before: u64) -> u64 {
    eventually(&format!("{name} grows"), SOON, async || sample(client, name).await.filter(|now| *now > before)).await
}

/// Server and worker over one installation that hear each other.
async fn pair(plan: AppBuilder) -> (App, App) {
    let serve = plan.clone().arguments(["serve"]).start().await;
    let worker = plan.arguments(["worker"]).start().await;
    for app in [&serve, &worker] {
        eventually("it hears", SOON, async || (sample(&app.client(), UP).await == Some(1)).then_some(())).await;
    }
    (serve, worker)
}

/// How long a task waited for a worker, by the times of its events in milliseconds.
fn waited(log: &[Value]) -> i64 {
    let time = |kind: &str| {
        let event = log.iter().find(|event| event["type"] == kind).unwrap_or_else(|| panic!("{kind} in {log:?}"));
        let text = event["ts"].as_str().expect("a time");
        chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
    };
    time("task.started") - time("task.queued")
}

#[test]
fn an_idle_worker_is_told_of_each_task() {
    run(async {
        let Some(database) = Service::Postgres.database() else { return };
        let model = FakeLlm::start().await;
        model.scenario("plover-told").always(Turn::text("done"));
        let (serve, worker) = pair(on(&database, &model)).await;
        let (client, told) = (serve.client(), worker.client());
        let mut waits = Vec::new();
        let mut heard = sample(&told, HEARD).await.unwrap_or(0);
        for _ in 0..25 {
            let task = client.run_crew("single", &about("plover-told")).await.expect("succeeded");
            heard = grows(&told, HEARD, heard).await;
            waits.push(waited(&whole_log(&client, task.id()).await));
        }
        println!("waits in ms: {waits:?}");
        waits.sort_unstable();
        // Who asks every 250 ms is as often later than half of that as he is earlier.
        assert!(waits[12] < 100, "{waits:?}");
    });
}

#[test]
fn streams_and_cancels_cross_between_processes() {
    run(async {
        let Some(database) = Service::Postgres.database() else { return };
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        model.scenario("plover-stream").then(Turn::text("one ").hold(&gate).and_text("two"));
        let hangs = model.scenario("plover-cancel");
        hangs.always(Fault::HangsBeforeHeaders);
        let (serve, worker) = pair(on(&database, &model)).await;
        let (client, told) = (serve.client(), worker.client());
        let heard = sample(&client, HEARD).await.unwrap_or(0);
        let task = client.submit("single", &about("plover-stream")).await;
        let mut stream = client.sse(task.id(), "", None).await;
        let before = stream.until(|frame| frame.event == "llm.delta").await;
        assert!(before.iter().any(|frame| frame.data.contains("one ")), "{before:?}");
        let heard = grows(&client, HEARD, heard).await;
        gate.open();
        let rest = stream.to_end().await;
        let seen: Vec<_> = before.iter().chain(&rest).filter(|frame| frame.id.is_some()).map(SseFrame::json).collect();
        assert_eq!(seen, whole_log(&client, task.id()).await);
        grows(&client, HEARD, heard).await;

        let task = client.submit("single", &about("plover-cancel")).await;
        eventually("the model is called", SOON, async || (hangs.count() > 0).then_some(())).await;
        let heard = sample(&told, HEARD).await.unwrap_or(0);
        client.cancel(task.id(), "immediate").await;
        client.wait_terminal(task.id()).await.expect("cancelled");
        grows(&told, HEARD, heard).await;
    });
}

#[test]
fn connections_that_are_cut_lose_nothing_and_come_back() {
    run(async {
        let Some(database) = Service::Postgres.database() else { return };
        let model = FakeLlm::start().await;
        let scenario = model.scenario("plover-cut");
        scenario.always(Turn::text("done").delay(Duration::from_millis(20)));
        let (serve, worker) = pair(on(&database, &model).set("APP_WORKER_SLOTS", "2")).await;
        let client = serve.client();
        let mut ids = Vec::new();
        for number in 0..40 {
            ids.push(client.submit("single", &about("plover-cut")).await.id().to_owned());
            if number % 8 == 0 {
                database.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE 'LISTEN \"crewd_hints\"%'",
                );
                let ready = client.get("/health/ready").await.expect(200).json();
                assert_eq!(ready["status"], "ready", "nobody depends on it: {ready}");
            }
        }
        for id in &ids {
            client.wait_terminal(id).await.expect("succeeded");
        }
        assert_eq!(scenario.count(), ids.len());
        for app in [&serve, &worker] {
            eventually("it hears again", SOON, async || (sample(&app.client(), UP).await == Some(1)).then_some(())).await;
        }
        let heard = sample(&worker.client(), HEARD).await.unwrap_or(0);
        client.run_crew("single", &about("plover-cut")).await.expect("succeeded");
        grows(&worker.client(), HEARD, heard).await;
        for app in [serve, worker] {
            app.sigterm();
            assert_eq!(app.wait_exit(SOON).await.code, Some(0));
        }
    });
}

#[test]
fn one_process_alone_tells_nobody() {
    run(async {
        let Some(database) = Service::Postgres.database() else { return };
        let model = FakeLlm::start().await;
        model.scenario("plover-alone").always(Turn::text("done"));
        let app = on(&database, &model).start().await;
        let client = app.client();
        eventually("it hears", SOON, async || (sample(&client, UP).await == Some(1)).then_some(())).await;
        client.run_crew("single", &about("plover-alone")).await.expect("succeeded");
        for outcome in ["sent", "heard", "dropped"] {
            assert_eq!(sample(&client, &format!("notify_hints_total{{outcome=\"{outcome}\"}}")).await, None, "{outcome}");
        }
    });
}

#[test]
fn it_can_be_switched_off_and_redis_goes_before_it() {
    run(async {
        let Some(database) = Service::Postgres.database() else { return };
        let model = FakeLlm::start().await;
        model.scenario("plover-off").always(Turn::text("done"));
        let auto = on(&database, &model);
        let off = auto.clone().set("APP_DATABASE_NOTIFY", "off");
        let line = "NOTIFY: idle workers are told of work";
        let mut plans = vec![off.clone()];
        let redis = TestRedis::open("notify").await;
        plans.extend(
            redis.as_ref().map(|redis| auto.clone().set("APP_REDIS_URL", redis.url()).set("APP_REDIS_PREFIX", redis.prefix())),
        );
        for plan in plans {
            let (serve, worker) =
                (plan.clone().arguments(["serve"]).start().await, plan.clone().arguments(["worker"]).start().await);
            serve.client().run_crew("single", &about("plover-off")).await.expect("succeeded");
            for app in [&serve, &worker] {
                assert_eq!(sample(&app.client(), UP).await, None);
            }
        }
        assert!(command_line(&auto.arguments(["doctor"]), "").expect_code(0).stdout.contains(line));
        assert!(!command_line(&off.arguments(["doctor"]), "").expect_code(0).stdout.contains("NOTIFY"));
    });
}
