//! Tool calls that a person decides, and questions that a person answers.

use crewd_tests::app::App;
use crewd_tests::client::{Answer as HttpAnswer, Client};
use crewd_tests::crews;
use crewd_tests::errors::{expect_error, expect_field_error, expect_reason};
use crewd_tests::fake_llm::{Call, FakeLlm, Turn};
use crewd_tests::ledger::Ledger;
use crewd_tests::runtime::run;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::stage::{FIRST_KEY, SECOND_KEY, about, kinds, plan, whole_log};

/// An app whose crew `clerks` may pay at the ledger once a person says so.
struct Desk {
    app: App,
    model: FakeLlm,
    ledger: Ledger,
}

impl Desk {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let (model, ledger) = (FakeLlm::start().await, Ledger::start().await);
        let tools = format!(
            "- name: pay\n  description: Pays an amount to somebody.\n  risk: critical\n  parameters:\n    type: object\n    \
             properties: {{ to: {{ type: string }}, amount: {{ type: integer, maximum: 100 }} }}\n    required: [to, amount]\n  \
             http: {{ url: \"{}\" }}\n",
            ledger.url("/payments")
        );
        let mut plan = plan()
            .model(&model)
            .tools(&tools)
            .crew(&crews::with_tools("clerks", "[pay, file_write]"))
            .crew(&crews::single("writers").agent_lines("  tools: [file_write]"))
            .crew(&crews::single("askers").agent_lines("  tools: [ask_human]"))
            .crew(&crews::single("reviewed").task_lines("  human_input: true"));
        for (name, value) in settings {
            plan = plan.set(name, *value);
        }
        Self { app: plan.start().await, model, ledger }
    }

    /// The crew `clerks` wants to pay 7 to Ada; ids of the task and of the question.
    async fn asked(&self, client: &Client, marker: &str) -> (String, String) {
        let pay = Call::tool("pay", json!({ "to": "Ada", "amount": 7 }));
        self.model.scenario(marker).then(Turn::calls([pay])).always(Turn::text("Done."));
        self.waiting(client, "clerks", marker).await
    }

    async fn waiting(&self, client: &Client, crew: &str, marker: &str) -> (String, String) {
        let task = client.submit(crew, &about(marker)).await;
        let waiting = client.wait_status(task.id(), "waiting").await.0;
        let asked = waiting["approvals"][0]["id"].as_str().unwrap_or_else(|| panic!("no question: {waiting}"));
        (task.id().to_owned(), asked.to_owned())
    }

    fn payments(&self) -> Vec<Value> {
        self.ledger.effects("/payments").iter().map(|entry| entry.json()).collect()
    }
}

async fn approval(client: &Client, id: &str) -> Value {
    client.get(&format!("/api/v1/approvals/{id}")).await.expect(200).json()
}

async fn decide(client: &Client, id: &str, body: Value) -> HttpAnswer {
    client.post(&format!("/api/v1/approvals/{id}/decision"), &body).await
}

#[test]
fn what_is_approved_is_done_exactly_as_it_was_shown() {
    run(async {
        let desk = Desk::start(&[]).await;
        let client = desk.app.client();
        let (task, id) = desk.asked(&client, "egret-approve").await;
        let pending = client.get(&format!("/api/v1/approvals?status=pending&task={task}")).await.expect(200).json();
        assert_eq!(pending["items"].as_array().map(Vec::len), Some(1));
        let read = client.get(&format!("/api/v1/approvals/{id}")).await.expect(200);
        let shown = read.json();
        assert_eq!(shown, pending["items"][0]);
        assert_eq!((&shown["tool"], &shown["risk"], &shown["policy"]), (&json!("pay"), &json!("critical"), &json!("agent:high")));
        assert_eq!(shown["arguments"], json!({ "to": "Ada", "amount": 7 }));
        assert!(desk.payments().is_empty(), "nothing happens before");
        let hash = shown["arguments_hash"].as_str().expect("a hash");
        let decision = client
            .request("POST", &format!("/api/v1/approvals/{id}/decision"))
            .header("if-match", read.header("etag").expect("an entity tag"))
            .json(&json!({ "decision": "approve", "arguments_hash": hash, "comment": "fine" }));
        let taken = client.send(decision).await.expect(200).json();
        assert_eq!((&taken["status"], &taken["decision"]["by"]), (&json!("decided"), &json!("anonymous")));
        client.wait_terminal(&task).await.expect("succeeded");
        assert_eq!(desk.payments(), [json!({ "to": "Ada", "amount": 7 })]);
        let log = whole_log(&client, &task).await;
        let of_people: Vec<_> =
            kinds(&log).into_iter().filter(|kind| kind.starts_with("approval.") || kind.starts_with("tool.")).collect();
        assert_eq!(of_people, ["approval.requested", "approval.decided", "tool.started", "tool.completed"]);
        assert_eq!(desk.model.scenario("egret-approve").count(), 2, "no model call is made again");
        let decided = log.iter().find(|event| event["type"] == "approval.decided").expect("the event");
        assert_eq!(taken["applied_seq"], decided["seq"]);
    });
}

#[test]
fn arguments_can_be_edited_within_the_tools_schema() {
    run(async {
        let desk = Desk::start(&[]).await;
        let client = desk.app.client();
        let (task, id) = desk.asked(&client, "egret-edit").await;
        let edit = |arguments: Value| json!({ "decision": "edit", "arguments": arguments });
        let too_much = decide(&client, &id, edit(json!({ "to": "Ada", "amount": 101 }))).await;
        expect_field_error(&too_much, 422, "validation_failed", "/arguments/amount");
        expect_field_error(&decide(&client, &id, edit(json!({ "to": "Ada" }))).await, 422, "validation_failed", "/arguments");
        let more = decide(&client, &id, edit(json!({ "to": "Ada", "amount": 1, "iban": "x" }))).await;
        expect_field_error(&more, 422, "validation_failed", "/arguments");
        decide(&client, &id, edit(json!({ "to": "Bob", "amount": 3 }))).await.expect(200);
        client.wait_terminal(&task).await.expect("succeeded");
        assert_eq!(desk.payments(), [json!({ "to": "Bob", "amount": 3 })]);
    });
}

#[test]
fn a_refusal_is_told_to_the_model() {
    run(async {
        let desk = Desk::start(&[]).await;
        let client = desk.app.client();
        let (task, id) = desk.asked(&client, "egret-reject").await;
        decide(&client, &id, json!({ "decision": "reject", "comment": "Ada has left the company" })).await.expect(200);
        client.wait_terminal(&task).await.expect("succeeded");
        assert!(desk.payments().is_empty());
        let scenario = desk.model.scenario("egret-reject");
        let results = scenario.requests()[1].chat.tool_results();
        assert!(results[0].contains("Ada has left the company"), "{results:?}");
        assert_eq!(scenario.count(), 2);
    });
}

#[test]
fn rules_of_definitions_say_who_is_asked() {
    run(async {
        let desk = Desk::start(&[]).await;
        let client = desk.app.client();
        let write = || Turn::calls([Call::tool("file_write", json!({ "path": "egret.txt", "content": "text" }))]);
        desk.model.scenario("egret-high").then(write()).always(Turn::text("Done."));
        client.run_crew("clerks", &about("egret-high")).await.expect("succeeded");
        desk.model.scenario("egret-default").then(write()).always(Turn::text("Done."));
        let (task, id) = desk.waiting(&client, "writers", "egret-default").await;
        let shown = approval(&client, &id).await;
        assert_eq!((&shown["risk"], &shown["policy"]), (&json!("medium"), &json!("installation:medium")));
        decide(&client, &id, json!({ "decision": "approve" })).await.expect(200);
        client.wait_terminal(&task).await.expect("succeeded");
    });
}

#[test]
fn a_person_reads_the_answer_and_asks_for_changes() {
    run(async {
        let desk = Desk::start(&[]).await;
        let client = desk.app.client();
        let scenario = desk.model.scenario("egret-review");
        scenario.then(Turn::text("A long answer")).always(Turn::text("Short"));
        let (task, id) = desk.waiting(&client, "reviewed", "egret-review").await;
        let shown = approval(&client, &id).await;
        assert_eq!((&shown["kind"], &shown["arguments"]), (&json!("question"), &json!({ "answer": "A long answer" })));
        assert_eq!(client.task(&task).await.0["waiting_for"], "input");
        decide(&client, &id, json!({ "decision": "respond", "response": "please shorter" })).await.expect(200);
        let again = crewd_tests::runtime::eventually("the second question", crewd_tests::runtime::SOON, async || {
            let asked = client.task(&task).await.0["approvals"][0]["id"].as_str()?.to_owned();
            (asked != id).then_some(asked)
        })
        .await;
        assert_eq!(approval(&client, &again).await["arguments"], json!({ "answer": "Short" }));
        decide(&client, &again, json!({ "decision": "approve" })).await.expect(200);
        let done = client.wait_terminal(&task).await.expect("succeeded");
        assert_eq!(done.raw(), "Short");
        assert!(scenario.requests()[1].chat.text().contains("please shorter"));
        assert_eq!(scenario.count(), 2);
    });
}

#[test]
fn an_agent_asks_a_person() {
    run(async {
        let desk = Desk::start(&[]).await;
        let client = desk.app.client();
        let scenario = desk.model.scenario("egret-ask");
        let question = Call::tool("ask_human", json!({ "question": "Which colour?" }));
        scenario.then(Turn::calls([question])).always(Turn::text("Blue it is."));
        let (task, id) = desk.waiting(&client, "askers", "egret-ask").await;
        assert_eq!(approval(&client, &id).await["question"], "Which colour?");
        let refused = decide(&client, &id, json!({ "decision": "edit", "arguments": { "question": "x" } })).await;
        expect_field_error(&refused, 422, "validation_failed", "/decision");
        decide(&client, &id, json!({ "decision": "respond", "response": "blue" })).await.expect(200);
        client.wait_terminal(&task).await.expect("succeeded");
        assert_eq!(scenario.requests()[1].chat.tool_results(), ["blue"]);
    });
}

#[test]
fn silence_is_a_refusal() {
    run(async {
        let desk = Desk::start(&[("APP_APPROVAL_TIMEOUT", "0.3")]).await;
        let client = desk.app.client();
        let (task, id) = desk.asked(&client, "egret-silence").await;
        client.wait_terminal(&task).await.expect("succeeded");
        assert!(desk.payments().is_empty());
        let results = desk.model.scenario("egret-silence").requests()[1].chat.tool_results();
        assert!(results[0].contains("in time"), "{results:?}");
        assert!(kinds(&whole_log(&client, &task).await).contains(&"approval.expired"));
        assert_eq!(approval(&client, &id).await["status"], "expired");
        let late = decide(&client, &id, json!({ "decision": "approve" })).await;
        expect_reason(&late, 409, "invalid_state", "expired");

        let desk = Desk::start(&[("APP_APPROVAL_TIMEOUT", "0.3"), ("APP_APPROVAL_ON_EXPIRE", "cancel")]).await;
        let client = desk.app.client();
        let (task, _) = desk.asked(&client, "egret-cancel").await;
        client.wait_terminal(&task).await.expect("cancelled");
        assert_eq!(desk.model.scenario("egret-cancel").count(), 1);
    });
}

#[test]
fn of_two_decisions_at_once_one_counts() {
    run(async {
        let desk = Desk::start(&[("APP_API_KEYS", &format!("{FIRST_KEY},{SECOND_KEY}"))]).await;
        let (first, second) = (desk.app.client().with_key(FIRST_KEY), desk.app.client().with_key(SECOND_KEY));
        let (task, id) = desk.asked(&first, "egret-race").await;
        let decisions = (0..20).map(|number| {
            let (client, decision) = if number % 2 == 0 { (&first, "approve") } else { (&second, "reject") };
            decide(client, &id, json!({ "decision": decision }))
        });
        let answers = join_all(decisions).await;
        let winner = answers.iter().find(|answer| answer.status == 200).expect("one counts").json();
        let approved = winner["decision"]["decision"] == "approve";
        for (number, answer) in answers.iter().enumerate() {
            if (number % 2 == 0) == approved {
                assert_eq!(answer.clone().expect(200).json()["decision"], winner["decision"]);
            } else {
                expect_reason(answer, 409, "conflict", "already_decided");
            }
        }
        first.wait_terminal(&task).await.expect("succeeded");
        assert_eq!(desk.payments().len(), usize::from(approved));
        let log = whole_log(&first, &task).await;
        assert_eq!(kinds(&log).iter().filter(|kind| **kind == "approval.decided").count(), 1);
    });
}

#[test]
fn decisions_that_do_not_fit_change_nothing() {
    run(async {
        let desk = Desk::start(&[]).await;
        let client = desk.app.client();
        let (task, id) = desk.asked(&client, "egret-wrong").await;
        let other = json!({ "decision": "approve", "arguments_hash": "0".repeat(64) });
        expect_reason(&decide(&client, &id, other).await, 409, "conflict", "arguments_changed");
        let changed = json!({ "decision": "approve", "arguments": { "to": "Eve", "amount": 7 } });
        expect_field_error(&decide(&client, &id, changed).await, 422, "validation_failed", "/arguments");
        let stale = client
            .request("POST", &format!("/api/v1/approvals/{id}/decision"))
            .header("if-match", "\"0-0000000000000000\"")
            .json(&json!({ "decision": "approve" }));
        expect_reason(&client.send(stale).await, 409, "conflict", "stale");
        for nobody in ["00000000-0000-7000-8000-000000000000", "x", "..%2F..%2Fetc"] {
            expect_error(&decide(&client, nobody, json!({ "decision": "approve" })).await, 404, "not_found");
        }
        for body in [json!({}), json!({ "decision": "yes" }), json!({ "decision": "approve", "sure": true }), json!([])] {
            expect_error(&decide(&client, &id, body).await, 422, "validation_failed");
        }
        assert_eq!(approval(&client, &id).await["version"], 1);
        client.cancel(&task, "graceful").await.expect(202);
        assert_eq!(approval(&client, &id).await["status"], "withdrawn");
        let late = decide(&client, &id, json!({ "decision": "approve" })).await;
        expect_reason(&late, 409, "invalid_state", "task_ended");
        assert!(desk.payments().is_empty());
    });
}

#[test]
fn a_socket_takes_decisions_about_its_own_task() {
    run(async {
        let desk = Desk::start(&[]).await;
        let client = desk.app.client();
        let (task, id) = desk.asked(&client, "egret-socket").await;
        let (other, _) = desk.asked(&client, "egret-other").await;
        let mut stranger = client.ws(&other, "after=0").await;
        stranger.send(&json!({ "op": "decide", "id": 1, "approval": id, "decision": "approve" })).await;
        let said = stranger.until(|message| message["type"] == "result").await;
        assert_eq!(said.last().expect("an answer")["error"]["code"], "not_found");
        let mut socket = client.ws(&task, "after=0").await;
        socket.send(&json!({ "op": "decide", "id": 2, "approval": id, "decision": "approve" })).await;
        let said = socket.until(|message| message["type"] == "stream.end").await;
        let results: Vec<_> = said.iter().filter(|message| message["type"] == "result").collect();
        assert_eq!(results, [&json!({ "type": "result", "op": "decide", "id": 2, "ok": true })]);
        assert_eq!(desk.payments().len(), 1);
    });
}

#[test]
fn a_stranger_finds_neither_question_nor_list() {
    run(async {
        let desk = Desk::start(&[("APP_API_KEYS", &format!("{FIRST_KEY},elsewhere:{SECOND_KEY}"))]).await;
        let (owner, stranger) = (desk.app.client().with_key(FIRST_KEY), desk.app.client().with_key(SECOND_KEY));
        let (task, id) = desk.asked(&owner, "egret-stranger").await;
        let path = format!("/api/v1/approvals/{id}");
        expect_error(&stranger.get(&path).await, 404, "not_found");
        expect_error(&decide(&stranger, &id, json!({ "decision": "approve" })).await, 404, "not_found");
        expect_error(&desk.app.client().get(&path).await, 401, "unauthenticated");
        for query in ["", "?status=pending", &format!("?task={task}")] {
            assert_eq!(stranger.get(&format!("/api/v1/approvals{query}")).await.expect(200).json()["items"], json!([]));
        }
        assert_eq!(approval(&owner, &id).await["status"], "pending");
        assert!(desk.payments().is_empty());
    });
}
