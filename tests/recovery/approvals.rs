//! Questions outlive every process.

use std::collections::BTreeSet;

use crewd_tests::crews;
use crewd_tests::fake_llm::{Call, FakeLlm, Gate, Turn};
use crewd_tests::ledger::{Answer, Ledger};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::{count, plan, whole_log};

fn tools(ledger: &Ledger) -> String {
    format!(
        "- name: pay\n  description: Pays an amount.\n  risk: critical\n  parameters:\n    type: object\n    \
         properties: {{ amount: {{ type: integer }} }}\n  http: {{ url: \"{}\" }}\n",
        ledger.url("/payments")
    )
}

#[test]
fn an_approval_outlives_restarts_and_goes_on_at_exactly_that_call() {
    run(async {
        let (model, ledger) = (FakeLlm::start().await, Ledger::start().await);
        let scenario = model.scenario("godwit-restart");
        let look = Turn::calls([Call::tool("directory_read", json!({}))]);
        let pay = Turn::calls([Call::tool("directory_read", json!({})), Call::tool("pay", json!({ "amount": 7 }))]);
        scenario.then(look).then(pay).always(Turn::text("Paid."));
        let crew = crews::with_tools("payers", "[directory_read, pay]");
        let app = plan(&model).crew(&crew).tools(&tools(&ledger)).start().await;
        let id = app.client().submit("payers", &json!({ "topic": "godwit-restart" })).await.id().to_owned();
        let waiting = app.client().wait_status(&id, "waiting").await.0;
        let asked = waiting["approvals"][0]["id"].as_str().expect("a question").to_owned();
        let log_before = app.client().events(&id, 0).await;
        // Stopped in order, then killed: nobody works on the run, and nothing of it changes.
        app.sigterm();
        app.wait_exit(SOON).await;
        let app = app.restart().await;
        assert_eq!(app.client().task(&id).await.0, waiting);
        app.kill9();
        let app = app.restart().await;
        let client = app.client();
        assert_eq!(client.task(&id).await.0, waiting);
        assert_eq!(client.events(&id, 0).await.len(), log_before.len());
        assert_eq!((scenario.count(), ledger.effects("/payments").len()), (2, 0));
        let decided =
            client.post(&format!("/api/v1/approvals/{asked}/decision"), &json!({ "decision": "approve" })).await.expect(200);
        assert_eq!(decided.json()["applied_seq"].as_u64(), Some(log_before.len() as u64 + 1));
        client.wait_terminal(&id).await.expect("succeeded");
        assert_eq!((scenario.count(), ledger.effects("/payments").len()), (3, 1), "no extra call, one payment");
        let log = whole_log(&client, &id).await;
        assert_eq!((count(&log, "tool.started"), count(&log, "llm.started")), (3, 3));
        let started: Vec<&Value> =
            log.iter().filter(|event| event["type"].as_str().is_some_and(|kind| kind.ends_with(".started"))).collect();
        let steps: BTreeSet<_> = started.iter().filter_map(|event| event["step"].as_str()).map(str::to_owned).collect();
        let with_step = started.iter().filter(|event| event["step"].is_string()).count();
        assert!(steps.len() >= 6 && with_step - steps.len() <= 2, "no step twice: {started:?}");
        let results = scenario.requests()[2].chat.tool_results();
        assert_eq!(results.len(), 3, "{results:?}");
    });
}

/// A worker is killed during a call that must not be made twice; a person then decides. How often the call was made,
/// and what the model read.
async fn decided_after_a_kill(marker: &str, decision: Value) -> (usize, String) {
    let (model, ledger) = (FakeLlm::start().await, Ledger::start().await);
    let gate = Gate::new();
    ledger.script("/payments").then(Answer::ok("paid").hold(&gate)).always(Answer::ok("paid again"));
    let scenario = model.scenario(marker);
    scenario.then(Turn::calls([Call::tool("pay", json!({ "amount": 7 }))])).always(Turn::text("Done."));
    let tools = tools(&ledger).replace("critical", "low");
    let app = plan(&model).crew(&crews::with_tools("payers", "[pay]")).tools(&tools).start().await;
    let id = app.client().submit("payers", &json!({ "topic": marker })).await.id().to_owned();
    eventually("the call has its effect", SOON, async || (ledger.effects("/payments").len() == 1).then_some(())).await;
    app.kill9();
    gate.open();
    let app = app.restart().await;
    let client = app.client();
    let waiting = client.wait_status(&id, "waiting").await.0;
    assert_eq!((&waiting["waiting_for"], &waiting["approvals"][0]["kind"]), (&json!("reconcile"), &json!("reconcile")));
    assert!(client.steps(&id).await.to_string().contains("outcome_unknown"));
    let asked = waiting["approvals"][0]["id"].as_str().expect("a question");
    client.post(&format!("/api/v1/approvals/{asked}/decision"), &decision).await.expect(200);
    client.wait_terminal(&id).await.expect("succeeded");
    whole_log(&client, &id).await;
    assert_eq!(scenario.count(), 2, "no extra call of the model");
    (ledger.effects("/payments").len(), scenario.requests()[1].chat.tool_results().concat())
}

#[test]
fn a_person_says_whether_an_interrupted_call_happened() {
    run(async {
        let happened = json!({ "decision": "respond", "response": "paid, says the bank" });
        assert_eq!(decided_after_a_kill("godwit-happened", happened).await, (1, "paid, says the bank".to_owned()));
        let (payments, read) = decided_after_a_kill("godwit-lost", json!({ "decision": "approve" })).await;
        assert_eq!((payments, read.as_str()), (2, "paid again"));
        let (payments, read) =
            decided_after_a_kill("godwit-failed", json!({ "decision": "reject", "comment": "leave it" })).await;
        assert!(payments == 1 && read.contains("leave it"), "{payments} {read}");
    });
}
