//! Several processes over one database, restarted one after the other under requests.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crewd_tests::app::{App, AppBuilder};
use crewd_tests::client::{Client, Submit};
use crewd_tests::fake_llm::{FakeLlm, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::{count, plan, whole_log};

/// How long a server still answers after readiness was withdrawn: longer than the balancer needs to notice.
const GRACE: &str = "2";
/// How often the balancer asks.
const PROBE: Duration = Duration::from_millis(200);

/// What stands before several servers: it sends requests where readiness says 200, and a request whose connection is
/// refused or closed to the next one, as every load balancer does.
struct Balancer {
    servers: Mutex<Vec<Client>>,
    ready: Mutex<Vec<Client>>,
    turn: AtomicUsize,
}

impl Balancer {
    fn new(servers: &[&App]) -> Arc<Self> {
        let clients: Vec<Client> = servers.iter().map(|app| app.client()).collect();
        Arc::new(Self { servers: Mutex::new(clients.clone()), ready: Mutex::new(clients), turn: AtomicUsize::new(0) })
    }

    /// Another process has taken a server's place.
    fn replace(&self, place: usize, server: &App) {
        self.servers.lock().unwrap()[place] = server.client();
    }

    async fn probe(&self) {
        let servers = self.servers.lock().unwrap().clone();
        let mut ready = Vec::new();
        for server in servers {
            if server.try_status("/health/ready").await == Some(200) {
                ready.push(server);
            }
        }
        *self.ready.lock().unwrap() = ready;
    }

    /// Status and body of the first answer. Panics where no server answers.
    async fn send(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> (u16, Value) {
        let ready = self.ready.lock().unwrap().clone();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut failures = Vec::new();
        for place in 0..ready.len() {
            let server = &ready[(first + place) % ready.len()];
            let mut request = server.request(method, path).header("idempotency-key", key);
            if let Some(body) = body {
                request = request.json(body);
            }
            match request.send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    return (status, answer.json().await.expect("a whole answer"));
                }
                Err(error) => failures.push(error),
            }
        }
        panic!("{method} {path}: no server answered: {failures:?}");
    }
}

/// Submits and reads until it is told to stop; the ids of what was submitted.
async fn requests(balancer: Arc<Balancer>, client: usize, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let key = format!("rolling-{client}-{}", ids.len());
        let body = json!({ "crew": "chain", "inputs": { "topic": "knot-rolling" } });
        let (status, task) = balancer.send("POST", "/api/v1/tasks", &key, Some(&body)).await;
        assert_eq!(status, 202, "{task}");
        let id = task["id"].as_str().expect("an id").to_owned();
        let (status, read) = balancer.send("GET", &format!("/api/v1/tasks/{id}"), &key, None).await;
        assert_eq!((status, &read["id"]), (200, &json!(id)), "{read}");
        ids.push(id);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    ids
}

async fn restarted(app: App) -> App {
    app.sigterm();
    let exit = app.wait_exit(Duration::from_secs(60)).await;
    assert_eq!(exit.code, Some(0), "{}", app.output().report());
    app.restart().await
}

/// Two servers, two workers and a scheduler over one database.
struct Fleet {
    servers: Vec<App>,
    others: Vec<App>,
}

async fn fleet(plan: &AppBuilder) -> Fleet {
    let role = async |name: &'static str| plan.clone().arguments([name]).start().await;
    Fleet {
        servers: vec![role("serve").await, role("serve").await],
        others: vec![role("worker").await, role("worker").await, role("scheduler").await],
    }
}

#[test]
fn a_rolling_restart_fails_no_request_and_loses_or_repeats_no_run() {
    run(async {
        let model = FakeLlm::start().await;
        let scenario = model.scenario("knot-rolling");
        scenario.always(Turn::text("done"));
        let plan = plan(&model).set("APP_SHUTDOWN_GRACE", GRACE).set("APP_WORKER_SLOTS", "16");
        let Fleet { mut servers, others } = fleet(&plan).await;
        let balancer = Balancer::new(&servers.iter().collect::<Vec<_>>());
        let stop = Arc::new(AtomicBool::new(false));
        let probing = tokio::spawn({
            let (balancer, stop) = (balancer.clone(), stop.clone());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    balancer.probe().await;
                    tokio::time::sleep(PROBE).await;
                }
            }
        });
        let clients: Vec<_> = (0..3).map(|client| tokio::spawn(requests(balancer.clone(), client, stop.clone()))).collect();

        for place in 0..servers.len() {
            let server = restarted(servers.remove(place)).await;
            balancer.replace(place, &server);
            servers.insert(place, server);
            let ready = async || (balancer.ready.lock().unwrap().len() == 2).then_some(());
            eventually("the balancer has seen it", SOON, ready).await;
        }
        let mut kept = Vec::new();
        for other in others {
            kept.push(restarted(other).await);
        }
        stop.store(true, Ordering::Relaxed);
        let mut ids = Vec::new();
        for client in clients {
            ids.extend(client.await.expect("no request failed"));
        }
        probing.await.expect("the balancer works");

        assert!(ids.len() > 30, "there was something to lose: {}", ids.len());
        let client = servers[0].client();
        for id in &ids {
            client.wait_terminal(id).await.expect("succeeded");
            let log = whole_log(&client, id).await;
            assert_eq!((count(&log, "llm.completed"), count(&log, "step.restarted")), (4, 0), "{id}");
        }
        assert_eq!(scenario.count(), 4 * ids.len(), "every step of every run was done once");
        for app in kept.into_iter().chain(servers) {
            app.sigterm();
            assert_eq!(app.wait_exit(SOON).await.code, Some(0), "{}", app.output().report());
        }
    });
}

#[test]
fn readiness_goes_first_and_requests_are_still_answered() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).arguments(["serve"]).set("APP_SHUTDOWN_GRACE", GRACE).start().await;
        let client = app.client();
        app.sigterm();
        let told = Instant::now();
        let answer = eventually("readiness is withdrawn", SOON, async || {
            let answer = client.get("/health/ready").await;
            (answer.status == 503).then_some(answer)
        })
        .await;
        assert_eq!(answer.json()["details"]["reason"], "stopping");
        assert_eq!(answer.header("connection"), Some("close"), "clients come back over new connections");
        let accepted = client.submit_answer("single", &json!({ "topic": "knot-grace" }), &Submit::default()).await;
        assert_eq!(accepted.status, 202, "a balancer that has not noticed yet fails no request");
        assert_eq!(client.try_status("/health/live").await, Some(200));
        let exit = app.wait_exit(SOON).await;
        assert_eq!(exit.code, Some(0), "{}", app.output().report());
        assert!(told.elapsed() >= Duration::from_secs(2), "{:?}", told.elapsed());
    });
}

#[test]
fn a_second_signal_ends_the_grace() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).set("APP_SHUTDOWN_GRACE", "600").start().await;
        let client = app.client();
        app.sigterm();
        let withdrawn = async || (client.try_status("/health/ready").await == Some(503)).then_some(());
        eventually("readiness is withdrawn", SOON, withdrawn).await;
        app.sigterm();
        assert_eq!(app.wait_exit(Duration::from_secs(10)).await.code, Some(143), "{}", app.output().report());
    });
}

/// The value of a gauge in the metrics of a process.
async fn gauge(app: &App, line: &str) -> u64 {
    let text = app.client().get("/metrics").await.text;
    text.lines().find_map(|known| known.strip_prefix(line)?.trim().parse().ok()).unwrap_or_default()
}

/// Which of the processes has a duty; `None` unless exactly one has.
async fn leader(apps: &[App], duty: &str) -> Option<usize> {
    let mut leaders = Vec::new();
    for (place, app) in apps.iter().enumerate() {
        if gauge(app, &format!("crewd_duty_leader{{duty=\"{duty}\"}}")).await == 1 {
            leaders.push(place);
        }
    }
    if let [leader] = leaders[..] { Some(leader) } else { None }
}

#[test]
fn duties_move_on_when_their_holder_stops_or_dies() {
    run(async {
        let model = FakeLlm::start().await;
        let plan = plan(&model);
        let mut apps = Vec::new();
        for role in ["scheduler", "scheduler", "serve"] {
            apps.push(plan.clone().arguments([role]).start().await);
        }
        for duty in ["runs", "schedules"] {
            let first = eventually("somebody has it", SOON, async || leader(&apps, duty).await).await;
            assert_eq!(first, 0, "who came first has it");
        }
        // In order: given back at once.
        let stopped = apps.remove(0);
        stopped.sigterm();
        stopped.wait_exit(SOON).await;
        let gone = Instant::now();
        let second = eventually("it was given back", SOON, async || leader(&apps, "runs").await).await;
        assert!(gone.elapsed() < Duration::from_secs(5), "{:?}", gone.elapsed());
        // Killed: its lease expires.
        let killed = apps.remove(second);
        killed.kill9();
        for duty in ["runs", "schedules"] {
            eventually("it has expired", SOON, async || leader(&apps, duty).await).await;
        }
    });
}

#[test]
fn a_killed_worker_is_followed_within_seconds_whoever_died_with_it() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        let scenario = model.scenario("knot-dead");
        scenario.then(Turn::text("one")).then(Turn::text("two").hold_first(&gate)).always(Turn::text("more"));
        let plan = plan(&model);
        let first = plan.clone().arguments(["worker"]).start().await;
        let serve = plan.clone().arguments(["serve"]).start().await;
        let client = serve.client();
        let task = client.submit("chain", &json!({ "topic": "knot-dead" })).await;
        eventually("the second step is under way", SOON, async || (scenario.count() == 2).then_some(())).await;
        assert_eq!(gauge(&first, "crewd_duty_leader{duty=\"runs\"}").await, 1, "it has the duty as well");
        let second = plan.arguments(["worker"]).start().await;
        first.kill9();
        let killed = Instant::now();
        let resumed = async || (scenario.count() > 2).then_some(());
        eventually("another worker goes on", SOON, resumed).await;
        assert!(killed.elapsed() < Duration::from_secs(8), "long before the lease of 15 s is over: {:?}", killed.elapsed());
        gate.open();
        client.wait_terminal(task.id()).await.expect("succeeded");
        whole_log(&client, task.id()).await;
        drop(second);
    });
}

/// When a new task was made, as the server says.
async fn created_at(client: &Client, topic: &str) -> chrono::DateTime<chrono::FixedOffset> {
    let task = client.submit("single", &json!({ "topic": topic })).await;
    let text = task.0["created_at"].as_str().expect("a time").to_owned();
    chrono::DateTime::parse_from_rfc3339(&text).expect("RFC 3339")
}

#[test]
fn a_scheduler_does_what_the_others_may_not() {
    run(async {
        let model = FakeLlm::start().await;
        for topic in ["knot-now", "knot-later"] {
            model.scenario(topic).always(Turn::text("done"));
        }
        let plan = plan(&model).set("APP_DUTIES", "off");
        let serve = plan.clone().arguments(["serve"]).start().await;
        let worker = plan.clone().arguments(["worker"]).start().await;
        let client = serve.client();
        let soon = created_at(&client, "knot-now").await + chrono::TimeDelta::seconds(1);
        let more = Submit { fields: vec![("not_before", json!(soon.to_rfc3339()))], ..Submit::default() };
        let task = client.submit_answer("single", &json!({ "topic": "knot-later" }), &more).await.expect(202).json();
        let id = task["id"].as_str().expect("an id");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(client.task(id).await.status(), "scheduled", "nobody looks");
        let scheduler = plan.arguments(["scheduler"]).start().await;
        assert_eq!(scheduler.client().try_status("/api/v1/tasks").await, Some(404), "it has no API");
        client.wait_terminal(id).await.expect("succeeded");
        drop(worker);
    });
}

#[test]
fn a_node_an_hour_off_changes_nothing() {
    run(async {
        let model = FakeLlm::start().await;
        model.scenario("knot-now").always(Turn::text("now"));
        let gate = Gate::new();
        let scenario = model.scenario("knot-hour");
        scenario.then(Turn::text("one")).then(Turn::text("two").hold_first(&gate)).always(Turn::text("more"));
        let plan = plan(&model);
        let ahead = plan.clone().set("CREWD_CLOCK_ERROR", "3600");
        let behind = plan.clone().set("CREWD_CLOCK_ERROR", "-3600");
        let serve = ahead.clone().arguments(["serve"]).start().await;
        let workers = [behind.arguments(["worker"]).start().await, plan.clone().arguments(["worker"]).start().await];
        let scheduler = ahead.arguments(["scheduler"]).start().await;
        let client = serve.client();
        // A worker holds it all the time: nobody whose clock is ahead takes it away.
        let held = client.submit("chain", &json!({ "topic": "knot-hour" })).await;
        eventually("the second step is under way", SOON, async || (scenario.count() == 2).then_some(())).await;
        // Times that one node writes down and another one compares.
        model.scenario("knot-queue").always(Turn::text("in time"));
        let limited = Submit { fields: vec![("queue_timeout_seconds", json!(60))], ..Submit::default() };
        let queued = client.submit_answer("single", &json!({ "topic": "knot-queue" }), &limited).await.expect(202).json();
        client.wait_terminal(queued["id"].as_str().expect("an id")).await.expect("succeeded");
        let right = plan.arguments(["serve"]).start().await;
        let apart = created_at(&right.client(), "knot-now").await - created_at(&client, "knot-now").await;
        assert!(apart.abs() < chrono::TimeDelta::minutes(1), "all write the same time: {apart}");
        // Long enough for a sweep, a timer and a look at the clock.
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(client.task(held.id()).await.status(), "running");
        gate.open();
        client.wait_terminal(held.id()).await.expect("succeeded");
        let log = whole_log(&client, held.id()).await;
        assert_eq!((count(&log, "llm.completed"), count(&log, "task.resumed")), (4, 0));
        for app in workers.into_iter().chain([scheduler, serve, right]) {
            app.sigterm();
            assert_eq!(app.wait_exit(SOON).await.code, Some(0), "{}", app.output().report());
        }
    });
}
