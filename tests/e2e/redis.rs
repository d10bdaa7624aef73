//! Several processes with Redis beside the database, and with a Redis that is away.

use std::time::Duration;

use crewd_tests::app::{App, AppBuilder};
use crewd_tests::client::{Client, Submit};
use crewd_tests::crews;
use crewd_tests::fake_llm::{FakeLlm, Fault, Turn};
use crewd_tests::passage::Way;
use crewd_tests::redis::TestRedis;
use crewd_tests::runtime::{SOON, eventually, run};

use crate::stage::{about, plan, whole_log};

fn with(redis: &TestRedis, model: &FakeLlm) -> AppBuilder {
    plan()
        .model(model)
        .crew(&crews::single("single"))
        .set("APP_REDIS_URL", redis.url())
        .set("APP_REDIS_PREFIX", redis.prefix())
        .set("APP_REDIS_TIMEOUT", "0.3")
}

/// Server and worker over one installation, both with Redis up.
async fn pair(plan: AppBuilder) -> (App, App) {
    let serve = plan.clone().arguments(["serve"]).start().await;
    let worker = plan.arguments(["worker"]).start().await;
    for app in [&serve, &worker] {
        becomes(&app.client(), "up").await;
    }
    (serve, worker)
}

/// Waits until readiness says so of Redis, and that it stays ready all the time.
async fn becomes(client: &Client, status: &str) -> String {
    eventually(&format!("redis is {status}"), SOON, async || {
        let checks = client.get("/health/ready").await.expect(200).json()["checks"].clone();
        let line = checks.as_array()?.iter().find(|line| line["name"] == "redis")?.clone();
        (line["status"] == status).then(|| line["message"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

/// A sample of `/metrics`; 0 if it is not there.
async fn sample(client: &Client, name: &str) -> u64 {
    let text = client.get("/metrics").await.expect(200).text;
    let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
    value.trim().parse().unwrap_or_default()
}

const HEARD: &str = "redis_hints_total{outcome=\"heard\"}";

#[test]
fn work_events_and_orders_are_told_between_processes() {
    run(async {
        let Some(redis) = TestRedis::open("told").await else { return };
        let model = FakeLlm::start().await;
        model.scenario("heron-told").always(Turn::text("one two"));
        let hangs = model.scenario("heron-cancel");
        hangs.always(Fault::HangsBeforeHeaders);
        let (serve, worker) = pair(with(&redis, &model)).await;
        let client = serve.client();
        let task = client.submit("single", &about("heron-told")).await;
        let frames = client.sse(task.id(), "", None).await.to_end().await;
        assert_eq!(frames.last().map(|frame| frame.event.as_str()), Some("end"));
        whole_log(&client, task.id()).await;
        assert!(sample(&worker.client(), HEARD).await >= 1, "the worker was told of the work");
        eventually("the server was told of events", SOON, async || (sample(&client, HEARD).await >= 1).then_some(())).await;

        let task = client.submit("single", &about("heron-cancel")).await;
        eventually("the model is called", SOON, async || (hangs.count() > 0).then_some(())).await;
        let before = sample(&worker.client(), HEARD).await;
        client.cancel(task.id(), "immediate").await;
        client.wait_terminal(task.id()).await.expect("cancelled");
        eventually("the worker was told", SOON, async || (sample(&worker.client(), HEARD).await > before).then_some(())).await;
        assert_eq!(sample(&client, "redis_up").await, 1);
    });
}

#[test]
fn an_emptied_redis_loses_and_repeats_nothing() {
    run(async {
        let Some(redis) = TestRedis::open("emptied").await else { return };
        let model = FakeLlm::start().await;
        let scenario = model.scenario("heron-emptied");
        scenario.always(Turn::text("done").delay(Duration::from_millis(20)));
        let (serve, _worker) = pair(with(&redis, &model).set("APP_WORKER_SLOTS", "4")).await;
        let client = serve.client();
        let mut ids = Vec::new();
        for number in 0..60 {
            ids.push(client.submit("single", &about("heron-emptied")).await.id().to_owned());
            if number % 5 == 0 {
                redis.empty().await;
            }
        }
        for id in &ids {
            client.wait_terminal(id).await.expect("succeeded");
        }
        assert_eq!(scenario.count(), ids.len());
        becomes(&client, "up").await;
    });
}

#[test]
fn a_redis_that_is_away_is_degraded_and_comes_back() {
    run(async {
        let Some(redis) = TestRedis::open("away").await else { return };
        let model = FakeLlm::start().await;
        model.scenario("heron-away").always(Turn::text("done"));
        let (serve, worker) = pair(with(&redis, &model)).await;
        let client = serve.client();
        for way in [Way::Closed, Way::Silent] {
            let running = client.submit("single", &about("heron-away")).await;
            redis.set(way);
            let queued = client.submit("single", &about("heron-away")).await;
            for task in [running, queued] {
                client.wait_terminal(task.id()).await.expect("succeeded");
            }
            for app in [&serve, &worker] {
                let message = becomes(&app.client(), "degraded").await;
                assert!(!message.is_empty() && !message.contains("127.0.0.1"), "{message}");
            }
            assert_eq!(sample(&client, "redis_up").await, 0);
            client.run_crew("single", &about("heron-away")).await.expect("succeeded");
            redis.set(Way::Open);
            for app in [&serve, &worker] {
                becomes(&app.client(), "up").await;
            }
            let before = sample(&worker.client(), HEARD).await;
            client.run_crew("single", &about("heron-away")).await.expect("succeeded");
            eventually("hints go again", SOON, async || (sample(&worker.client(), HEARD).await > before).then_some(())).await;
        }
        for app in [serve, worker] {
            app.sigterm();
            assert_eq!(app.wait_exit(SOON).await.code, Some(0));
        }
    });
}

#[test]
fn a_wrong_password_is_told_once_and_does_no_harm() {
    run(async {
        let Some(redis) = TestRedis::open("password").await else { return };
        let model = FakeLlm::start().await;
        model.scenario("heron-password").always(Turn::text("done"));
        let app = with(&redis, &model).set("APP_REDIS_URL", redis.url_with_password("planted-secret-4711")).start().await;
        let client = app.client();
        assert_eq!(becomes(&client, "degraded").await, "it does not accept the user or the password (APP_REDIS_URL)");
        client.run_crew("single", &about("heron-password")).await.expect("succeeded");
        let lines = app.log_lines();
        assert_eq!(lines.iter().filter(|line| line.contains("Redis is away")).count(), 1, "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains("planted-secret-4711")));
    });
}

#[test]
fn an_address_of_something_else_refuses_the_start() {
    run(async {
        let app = plan().set("APP_REDIS_URL", "redis://somewhere:port/planted-secret").spawn();
        let exit = app.wait_exit(SOON).await;
        assert_ne!(exit.code, Some(0));
        let said = app.output().report();
        assert!(said.contains("APP_REDIS_URL") && !said.contains("planted-secret"), "{said}");
    });
}

#[test]
fn rates_are_counted_for_all_processes_together() {
    run(async {
        let Some(redis) = TestRedis::open("rates").await else { return };
        let model = FakeLlm::start().await;
        model.scenario("heron-rates").always(Turn::text("done"));
        let plan = with(&redis, &model).set("APP_RATE_LIMIT_TASKS", "3 per hour");
        let servers = [plan.clone().arguments(["serve"]).start().await, plan.arguments(["serve"]).start().await];
        for server in &servers {
            becomes(&server.client(), "up").await;
        }
        for (server, status) in [(0, 202), (1, 202), (0, 202), (0, 429), (1, 429)] {
            let client = servers[server].client();
            let answer = client.submit_answer("single", &about("heron-rates"), &Submit::default()).await.expect(status);
            assert!(answer.header("ratelimit").is_some_and(|limit| limit.starts_with("\"hour\";r=")), "{:?}", answer.headers);
        }
    });
}

#[test]
fn model_calls_are_counted_for_all_processes_together() {
    run(async {
        let Some(redis) = TestRedis::open("places").await else { return };
        let model = FakeLlm::start().await;
        model.scenario("heron-places").always(Turn::text("done").delay(Duration::from_millis(50)));
        let plan = with(&redis, &model).set("APP_LLM_MAX_CONCURRENT_SHARED", "1").set("APP_WORKER_SLOTS", "3");
        let (serve, _worker) = pair(plan.clone()).await;
        let other = plan.arguments(["worker"]).start().await;
        becomes(&other.client(), "up").await;
        let client = serve.client();
        let mut ids = Vec::new();
        for _ in 0..8 {
            ids.push(client.submit("single", &about("heron-places")).await.id().to_owned());
        }
        for id in &ids {
            client.wait_terminal(id).await.expect("succeeded");
        }
        assert_eq!(model.most_in_flight(), 1);
    });
}

/// Answers are kept in Redis for all processes, and without Redis in the process.
#[test]
fn the_same_question_is_answered_from_the_cache() {
    run(async {
        let redis = TestRedis::open("cache").await;
        let model = FakeLlm::start().await;
        let scenario = model.scenario("heron-cache");
        scenario.always(Turn::text("a long answer").usage(70, 30));
        let alone = plan().model(&model).crew(&crews::single("single"));
        let mut plans = vec![alone];
        plans.extend(redis.as_ref().map(|redis| with(redis, &model)));
        for (place, plan) in plans.into_iter().enumerate() {
            let app = plan.set("APP_LLM_CACHE_TTL", "600").start().await;
            let client = app.client();
            if place == 1 {
                becomes(&client, "up").await;
            }
            let first = client.run_crew("single", &about("heron-cache")).await.expect("succeeded");
            let again = client.run_crew("single", &about("heron-cache")).await.expect("succeeded");
            assert_eq!(scenario.count(), place + 1, "the model was asked once");
            assert_eq!(first.0["output"], again.0["output"]);
            assert_eq!(first.0["usage"]["input_tokens"], 70);
            assert_eq!((&again.0["usage"]["input_tokens"], &again.0["usage"]["llm_calls"]), (&0.into(), &0.into()));
            for (task, is_cached) in [(&first, false), (&again, true)] {
                let log = whole_log(&client, task.id()).await;
                let completed = log.iter().find(|event| event["type"] == "llm.completed").expect("there was an answer");
                assert_eq!(completed["data"]["cached"], is_cached);
                assert!(log.iter().any(|event| event["type"] == "llm.delta"), "both are streams");
            }
        }
    });
}
