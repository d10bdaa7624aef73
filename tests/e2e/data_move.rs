//! An installation that moves to another database with its work under way.

use std::sync::Arc;
use std::time::Duration;

use crewd_test_services::{Engine, Service};
use crewd_tests::app::{App, AppBuilder, CommandOutput, Home, command_line};
use crewd_tests::client::{Client, Submit};
use crewd_tests::crews;
use crewd_tests::fake_llm::{Call, FakeLlm, Gate, Reply, Scenario, Turn};
use crewd_tests::ledger::Ledger;
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::stage::{about, plan, whole_log};

/// The leases of a killed process end by themselves.
const LEASES_END: Duration = Duration::from_secs(60);

/// An installation on SQLite, whatever the suite runs on.
fn on_sqlite(model: &FakeLlm, ledger: &Ledger) -> AppBuilder {
    let tools = format!(
        "- name: pay\n  description: Pays an amount.\n  risk: critical\n  parameters:\n    type: object\n    \
         properties: {{ amount: {{ type: integer }} }}\n  http: {{ url: \"{}\" }}\n",
        ledger.url("/payments")
    );
    plan()
        .home(&Home::on(Engine::Sqlite))
        .model(model)
        .set("APP_LLM_TIMEOUT", "120")
        .crew(&crews::single("single"))
        .crew(&crews::chain("chain", 4))
        .crew(&crews::with_tools("payers", "[pay]"))
        .tools(&tools)
}

fn file_of(plan: &AppBuilder) -> String {
    format!("sqlite://{}", plan.installation().data().join("crewd.db").display())
}

fn move_data(plan: &AppBuilder, to: &str) -> AppBuilder {
    plan.clone().arguments(["data", "move", "--from", &file_of(plan), "--to", to])
}

/// Moves as soon as nobody holds anything any more; until then it is refused.
async fn moved(plan: &AppBuilder, to: &str) -> CommandOutput {
    let command = move_data(plan, to);
    eventually("leases end", LEASES_END, async || {
        let output = command_line(&command, "");
        if output.code == Some(1) {
            assert!(output.stderr.contains("stop every crewd"), "{}", output.stderr);
            return None;
        }
        Some(output.expect_code(0))
    })
    .await
}

/// What the API says of a task.
async fn read(client: &Client, id: &str) -> (Value, Vec<Value>, Value) {
    (client.task(id).await.0, client.events(id, 0).await, client.steps(id).await)
}

/// A task of four steps whose third answer is held.
async fn held(client: &Client, model: &FakeLlm, marker: &str, gate: &Gate) -> (String, Arc<Scenario>) {
    let scenario = model.scenario(marker);
    let gate = gate.clone();
    scenario.when(move |request| {
        let turn = Turn::text("done");
        let is_third = request.last_user().contains("step number 3 of");
        Some(Reply::from(if is_third { turn.hold_first(&gate) } else { turn }))
    });
    let task = client.submit("chain", &about(marker)).await;
    eventually("the third step is held", SOON, async || (scenario.count() == 3).then_some(())).await;
    (task.id().to_owned(), scenario)
}

async fn work_goes_on_elsewhere(service: Service, marker: &str) {
    let Some(target) = service.database() else { return };
    let (model, ledger, gate) = (FakeLlm::start().await, Ledger::start().await, Gate::new());
    let plan = on_sqlite(&model, &ledger);
    let app = plan.clone().start().await;
    let client = app.client();
    let named = |word: &str| format!("{marker}-{word}");
    let once = Submit { headers: vec![("idempotency-key", named("key"))], ..Submit::default() };
    let finished = client.submit_answer("single", &about(&named("finished")), &once).await.expect(202).json();
    let finished = finished["id"].as_str().expect("an id").to_owned();
    client.wait_terminal(&finished).await.expect("succeeded");
    let pay = Turn::calls([Call::tool("pay", json!({ "amount": 7 }))]);
    model.scenario(&named("waiting")).then(pay).always(Turn::text("Paid."));
    let waiting = client.submit("payers", &about(&named("waiting"))).await.id().to_owned();
    client.wait_status(&waiting, "waiting").await;
    let created = client.task(&finished).await.0["created_at"].as_str().map(chrono::DateTime::parse_from_rfc3339);
    let in_days = created.expect("a time").expect("RFC 3339") + chrono::TimeDelta::days(2);
    let later = Submit { fields: vec![("not_before", json!(in_days.to_rfc3339()))], ..Submit::default() };
    let later = client.submit_answer("single", &about(&named("later")), &later).await.expect(202).json();
    let later = later["id"].as_str().expect("an id").to_owned();
    let (running, scenario) = held(&client, &model, &named("running"), &gate).await;

    let refused = command_line(&move_data(&plan, &target.url()), "").expect_code(1);
    assert!(refused.stderr.contains("source_in_use"), "{}", refused.stderr);
    let mut before = Vec::new();
    for id in [&finished, &waiting, &later] {
        before.push(read(&client, id).await);
    }
    app.kill9();
    drop(app);
    gate.open();
    let output = moved(&plan, &target.url()).await;
    for table in ["run_events", "approvals", "idempotency_keys"] {
        let line = output.stdout.lines().find(|line| line.starts_with(table)).unwrap_or_else(|| panic!("{}", output.stdout));
        assert!(line.split_whitespace().nth(1).is_some_and(|rows| rows != "0"), "{line}");
    }

    let app = plan.clone().set("APP_DATABASE_URL", target.url()).start().await;
    let client = app.client();
    for ((id, task), word) in [&finished, &waiting, &later].into_iter().zip(before).zip(["finished", "waiting", "later"]) {
        assert_eq!(read(&client, id).await, task, "{word}");
    }
    let replayed = client.submit_answer("single", &about(&named("finished")), &once).await.expect(202);
    assert_eq!((replayed.header("idempotent-replayed"), &replayed.json()["id"]), (Some("true"), &json!(finished)));
    let asked = client.task(&waiting).await.0["approvals"][0]["id"].as_str().expect("a question").to_owned();
    assert_eq!(ledger.effects("/payments").len(), 0);
    client.post(&format!("/api/v1/approvals/{asked}/decision"), &json!({ "decision": "approve" })).await.expect(200);
    client.wait_terminal(&waiting).await.expect("succeeded");
    client.wait_terminal(&running).await.expect("succeeded");
    assert_eq!(ledger.effects("/payments").len(), 1);
    assert_eq!(scenario.count(), 5, "the held step once more, no other");
    for id in [&finished, &waiting, &running] {
        whole_log(&client, id).await;
    }
    client.cancel(&later, "immediate").await.expect(202);
    is_not_moved_into(&plan, &target.url());
}

/// The target has a life of its own now.
fn is_not_moved_into(plan: &AppBuilder, to: &str) {
    let again = command_line(&move_data(plan, to), "").expect_code(1);
    assert!(again.stderr.contains("target_not_empty"), "{}", again.stderr);
}

#[test]
fn work_goes_on_in_oceanbase() {
    run(work_goes_on_elsewhere(Service::OceanBase, "curlew-oceanbase"));
}

#[test]
fn work_goes_on_in_postgresql() {
    run(work_goes_on_elsewhere(Service::Postgres, "curlew-postgresql"));
}

#[test]
fn work_goes_on_in_mariadb() {
    run(work_goes_on_elsewhere(Service::MariaDb, "curlew-mariadb"));
}

/// An installation that has ended in order, and its finished tasks.
async fn finished(plan: &AppBuilder, tasks: usize) -> Vec<Value> {
    let app = plan.clone().start().await;
    let client = app.client();
    let mut views = Vec::new();
    for number in 0..tasks {
        views.push(client.run_crew("chain", &about(&format!("curlew-{number}"))).await.0);
    }
    stopped(app).await;
    views
}

async fn stopped(app: App) {
    app.sigterm();
    assert_eq!(app.wait_exit(SOON).await.code, Some(0));
}

#[test]
fn a_move_that_is_killed_goes_on() {
    run(async {
        let (model, ledger) = (FakeLlm::start().await, Ledger::start().await);
        let plan = on_sqlite(&model, &ledger);
        let views = finished(&plan, 20).await;
        let file = plan.installation().data().join("target.db");
        let target = format!("sqlite://{}", file.display());
        let first = move_data(&plan, &target).spawn();
        eventually("a table has been moved", SOON, async || (!first.output().stderr().is_empty()).then_some(())).await;
        first.kill9();
        let was_done = first.output().stdout().iter().any(|line| line.starts_with("Next"));
        if was_done {
            // The machine was quicker than the signal.
            is_not_moved_into(&plan, &target);
        } else {
            let early = plan.clone().set("APP_DATABASE_URL", &target).spawn();
            assert_eq!(early.wait_exit(SOON).await.code, Some(78), "nobody works on half of an installation");
            assert!(early.output().report().contains("has not ended"), "{}", early.output().report());
            moved(&plan, &target).await;
        }
        let app = plan.set("APP_DATABASE_URL", target).start().await;
        for view in &views {
            let id = view["id"].as_str().expect("an id");
            assert_eq!(app.client().task(id).await.0, *view);
            whole_log(&app.client(), id).await;
        }
        assert_eq!(app.client().list("limit=100").await["items"].as_array().map(Vec::len), Some(views.len()));
        stopped(app).await;
    });
}

#[test]
fn what_cannot_be_moved_is_refused_in_words() {
    run(async {
        let (model, ledger) = (FakeLlm::start().await, Ledger::start().await);
        let plan = on_sqlite(&model, &ledger);
        let target = format!("sqlite://{}", plan.installation().data().join("target.db").display());
        let none = command_line(&move_data(&plan, &target), "");
        assert!(none.code != Some(0) && none.stderr.contains("no file"), "{none:?}");
        assert!(!plan.installation().data().join("crewd.db").exists(), "nothing was made");
        // A server that has nothing to do is at work all the same.
        let app = plan.clone().start().await;
        app.client().run_crew("single", &about("curlew-refused")).await.expect("succeeded");
        let busy = command_line(&move_data(&plan, &target), "").expect_code(1);
        assert!(busy.stderr.contains("stop every crewd"), "{}", busy.stderr);
        stopped(app).await;
        let same = command_line(&move_data(&plan, &file_of(&plan)), "").expect_code(1);
        assert!(same.stderr.contains("same database"), "{}", same.stderr);
        let away = command_line(&move_data(&plan, "postgres://crewd:geheim@127.0.0.1:1/crewd"), "").expect_code(69);
        assert!(!away.stderr.contains("geheim") && !away.stdout.contains("geheim"), "{away:?}");
        assert!(away.stderr.contains("127.0.0.1:1 cannot be reached"), "{}", away.stderr);
        let json = move_data(&plan, &target).arguments(["data", "move", "--from", &file_of(&plan), "--to", &target, "--json"]);
        let said = command_line(&json, "").expect_code(0);
        let said: Value = serde_json::from_str(&said.stdout).expect("JSON alone on standard output");
        assert!(said["tables"].as_array().is_some_and(|tables| tables.len() >= 14), "{said}");
        let refused = command_line(&json, "").expect_code(1);
        let refused: Value = serde_json::from_str(&refused.stdout).expect("JSON alone on standard output");
        assert_eq!(refused["error"]["code"], "target_not_empty", "{refused}");
    });
}

#[test]
fn a_plan_names_what_is_missing_and_changes_nothing() {
    run(async {
        let (model, ledger) = (FakeLlm::start().await, Ledger::start().await);
        let plan = on_sqlite(&model, &ledger);
        let missing = command_line(&plan.clone().arguments(["migrate", "plan"]), "").expect_code(0).stdout;
        assert!(missing.contains("-- m20261120_000001_tasks") && missing.contains("CREATE TABLE"), "{missing}");
        assert!(!plan.installation().data().join("crewd.db").exists(), "nothing was made");
        command_line(&plan.clone().arguments(["migrate", "up"]), "").expect_code(0);
        let nothing = command_line(&plan.arguments(["migrate", "plan"]), "").expect_code(0);
        assert_eq!(nothing.stdout.trim(), "");
        assert!(nothing.stderr.contains("nothing is missing"), "{}", nothing.stderr);
    });
}
