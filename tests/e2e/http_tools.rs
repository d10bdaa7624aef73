//! Tools that the operator declares: calls over HTTP, from the definition to the effect outside.

use std::time::Duration;

use crewd_tests::app::{App, command_line};
use crewd_tests::client::{Client, Task};
use crewd_tests::crews;
use crewd_tests::fake_llm::{Call, FakeLlm, Gate, Turn};
use crewd_tests::ledger::{Answer, Ledger};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::stage::{about, kinds, plan, whole_log};

const SECRET: &str = "planted-secret-4711";

/// An app whose crew `payers` may pay at the ledger.
struct Bench {
    app: App,
    model: FakeLlm,
    ledger: Ledger,
}

fn tools(ledger: &Ledger) -> String {
    let (pay, charge) = (ledger.url("/keyed/invoices/{invoice}/payments"), ledger.url("/charges"));
    format!(
        r#"
- name: pay_invoice
  description: Pays an invoice.
  risk: low
  effect: keyed
  parameters:
    type: object
    properties: {{ invoice: {{ type: string }}, amount: {{ type: integer }} }}
    required: [invoice]
  http:
    url: {pay}
    query: {{ dry: "no" }}
    secret_headers: {{ Authorization: APP_TOOL_SECRET_ERP }}
- name: charge
  description: Charges an amount, each time anew.
  risk: low
  parameters: {{ properties: {{ amount: {{ type: integer }} }} }}
  http: {{ url: "{charge}" }}
"#
    )
}

impl Bench {
    async fn start() -> Self {
        let (model, ledger) = (FakeLlm::start().await, Ledger::start().await);
        let app = plan()
            .model(&model)
            .crew(&crews::with_tools("payers", "[pay_invoice, charge]"))
            .tools(&tools(&ledger))
            .set("APP_TOOL_SECRET_ERP", format!("Bearer {SECRET}"))
            .set("APP_LOG_LEVEL", "DEBUG")
            .start()
            .await;
        Self { app, model, ledger }
    }

    /// The model calls a tool once, then answers.
    async fn call(&self, marker: &str, call: Call) -> (Task, Vec<Value>, Vec<String>) {
        let scenario = self.model.scenario(marker);
        scenario.then(Turn::calls([call])).always(Turn::text("Done."));
        let client = self.app.client();
        let task = client.run_crew("payers", &about(marker)).await;
        let log = whole_log(&client, task.id()).await;
        let results = scenario.requests().last().expect("a request").chat.tool_results();
        (task, log, results)
    }
}

async fn tool_list(client: &Client) -> Vec<Value> {
    let list = client.get("/api/v1/tools").await.expect(200).json();
    list["items"].as_array().expect("a list").clone()
}

#[test]
fn a_call_reaches_the_outside_with_its_key_and_the_secret_stays_there() {
    run(async {
        let bench = Bench::start().await;
        bench.ledger.script("/keyed/").always(Answer::status(201, &format!("paid with Bearer {SECRET}")));
        let call = Call::tool("pay_invoice", json!({ "invoice": "A/1", "amount": 7 }));
        let (task, log, results) = bench.call("heron-pay", call).await;
        let task = task.expect("succeeded");
        assert_eq!(results, ["paid with ********"], "the model reads the answer, without the secret");
        let entries = bench.ledger.entries("/keyed/");
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((entry.method.as_str(), entry.path.as_str()), ("POST", "/keyed/invoices/A%2F1/payments?dry=no"));
        assert_eq!(entry.json(), json!({ "amount": 7 }));
        assert_eq!(entry.header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
        assert_eq!(entry.header("x-crewd-task-id"), Some(task.id()));
        assert_eq!(entry.header("x-crewd-run-id"), log[0]["run_id"].as_str());
        assert!(entry.key.as_ref().is_some_and(|key| key.len() >= 16), "{:?}", entry.key);
        let everything = format!("{log:?}{}{:?}", task.0, bench.app.output().stdout()) + &bench.app.output().stderr().join("\n");
        assert!(!everything.contains(SECRET), "the secret is in no event and no log line");
        let steps = bench.app.client().get(&format!("/api/v1/tasks/{}/steps", task.id())).await.expect(200).text;
        assert!(!steps.contains(SECRET) && steps.contains("pay_invoice"), "{steps}");
    });
}

#[test]
fn a_failing_tool_is_told_to_the_model_and_tried_again_only_where_that_is_safe() {
    run(async {
        let bench = Bench::start().await;
        bench.ledger.script("/keyed/").then(Answer::status(503, "busy")).then(Answer::dropped());
        let (task, _, results) = bench.call("heron-keyed", Call::tool("pay_invoice", json!({ "invoice": "1" }))).await;
        task.expect("succeeded");
        assert_eq!(results, ["done"]);
        let keys: Vec<_> = bench.ledger.entries("/keyed/").into_iter().map(|entry| entry.key).collect();
        assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0] && key.is_some()), "one key for all: {keys:?}");

        bench.ledger.script("/charges").always(Answer::status(503, "busy"));
        let (task, log, results) = bench.call("heron-charge", Call::tool("charge", json!({ "amount": 1 }))).await;
        task.expect("succeeded");
        assert_eq!(results, ["HTTP 503: busy"]);
        assert!(kinds(&log).contains(&"tool.failed"), "{:?}", kinds(&log));
        bench.ledger.script("/charges").always(Answer::ok("charged").lost());
        let (_, _, results) = bench.call("heron-lost", Call::tool("charge", json!({ "amount": 1 }))).await;
        assert!(results[0].contains("may have had its effect"), "{results:?}");
        assert_eq!((bench.ledger.entries("/charges").len(), bench.ledger.effects("/charges").len()), (2, 1));
    });
}

#[test]
fn arguments_cannot_leave_their_place_in_the_address() {
    run(async {
        let bench = Bench::start().await;
        for (index, invoice) in ["..", ".", ""].into_iter().enumerate() {
            let call = Call::tool("pay_invoice", json!({ "invoice": invoice }));
            let (task, log, _) = bench.call(&format!("heron-path{index}"), call).await;
            task.expect("succeeded");
            assert!(kinds(&log).contains(&"tool.failed"), "{invoice}: {:?}", kinds(&log));
        }
        let (_, log, results) = bench.call("heron-more", Call::text("charge", "{\"to\": \"me\"}")).await;
        assert!(kinds(&log).contains(&"tool.failed"), "arguments nobody declared are refused: {results:?}");
        assert!(bench.ledger.entries("/").is_empty(), "nothing was sent: {:?}", bench.ledger.entries("/"));
    });
}

#[test]
fn an_immediate_cancel_closes_the_connection() {
    run(async {
        let bench = Bench::start().await;
        let gate = Gate::new();
        bench.ledger.script("/charges").always(Answer::ok("late").hold_first(&gate));
        let turn = Turn::calls([Call::tool("charge", json!({ "amount": 1 }))]);
        bench.model.scenario("heron-cancel").then(turn).always(Turn::text("never"));
        let client = bench.app.client();
        let task = client.submit("payers", &about("heron-cancel")).await;
        eventually("the tool is called", SOON, async || (bench.ledger.entries("/charges").len() == 1).then_some(())).await;
        client.cancel(task.id(), "immediate").await.expect(202);
        let closed = async || bench.ledger.entries("/charges")[0].closed_early().then_some(());
        eventually("the connection is closed", Duration::from_secs(5), closed).await;
        client.wait_terminal(task.id()).await.expect("cancelled");
        assert!(bench.ledger.effects("/charges").is_empty());
    });
}

#[test]
fn the_list_of_tools_shows_risk_and_effect() {
    run(async {
        let bench = Bench::start().await;
        let list = tool_list(&bench.app.client()).await;
        let seen: Vec<_> =
            list.iter().map(|tool| (tool["name"].as_str(), tool["risk"].as_str(), tool["effect"].as_str())).collect();
        let row = |name, risk, effect| (Some(name), Some(risk), Some(effect));
        assert!(seen.contains(&row("pay_invoice", "low", "keyed")), "{seen:?}");
        assert!(seen.contains(&row("charge", "low", "effectful")), "{seen:?}");
        assert!(seen.contains(&row("file_read", "low", "read_only")), "{seen:?}");
    });
}

#[test]
fn wrong_declarations_are_refused_before_anything_is_served() {
    let wrong = "- name: file_read\n  description: d\n  http: {url: 'http://h/'}\n\
                 - name: t\n  description: d\n  http:\n    url: http://h/{x}\n    secret_headers: {A: APP_TOOL_SECRET_NONE}\n";
    let plan = plan().crew(&crews::with_tools("payers", "[t]")).tools(wrong);
    let refused = command_line(&plan.clone().arguments(["serve"]), "");
    assert!(refused.code.is_some_and(|code| code != 0), "{refused:?}");
    for part in ["tools.yaml:1:", "name_taken", "tools.yaml:7:", "unknown_placeholder", "tools.yaml:8:", "APP_TOOL_SECRET_NONE"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    let validated = command_line(&plan.clone().arguments(["validate"]), "").expect_code(1);
    assert!(validated.stdout.contains("name_taken") && validated.stdout.contains("2 errors"), "{}", validated.stdout);
    let doctor = command_line(&plan.arguments(["doctor"]), "").expect_code(1);
    assert!(doctor.stdout.contains("✗ tools:") && doctor.stdout.contains("unknown_secret"), "{}", doctor.stdout);
}
