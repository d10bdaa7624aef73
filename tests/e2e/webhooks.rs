//! Webhooks as a receiver sees them.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use crewd_tests::app::App;
use crewd_tests::client::{Answer as HttpAnswer, Client};
use crewd_tests::crews;
use crewd_tests::errors::{expect_error, expect_field_error, expect_reason};
use crewd_tests::fake_llm::{FakeLlm, Fault, Gate};
use crewd_tests::ledger::{Answer, Entry, Ledger};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::stage::{FIRST_KEY, about, keyed, plan};

const WEBHOOKS: &str = "/api/v1/webhooks";

/// An app that may call receivers on this machine, and such a receiver.
struct Post {
    app: App,
    model: FakeLlm,
    receiver: Ledger,
}

impl Post {
    async fn start() -> Self {
        let (model, receiver) = (FakeLlm::start().await, Ledger::start().await);
        let crew = crews::single("reviewed").task_lines("  human_input: true");
        let plan = plan().model(&model).crew(&crews::single("single")).crew(&crew).set("APP_EGRESS_ALLOW", "127.0.0.1");
        Self { app: plan.start().await, model, receiver }
    }

    /// An endpoint with these further fields: its path and its secret.
    async fn hook(&self, path: &str, more: Value) -> (String, String) {
        let mut body = json!({ "url": self.receiver.url(path) });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let made = self.app.client().post(WEBHOOKS, &body).await.expect(201).json();
        let id = made["id"].as_str().expect("an id");
        (format!("/api/v1/webhooks/{id}"), made["secret"].as_str().expect("a secret").to_owned())
    }

    async fn run_one(&self, marker: &str) -> String {
        self.app.client().run_crew("single", &about(marker)).await.expect("succeeded").id().to_owned()
    }

    /// What has arrived below a path, once there is so much.
    async fn arrived(&self, path: &str, count: usize) -> Vec<Entry> {
        eventually(&format!("{count} requests at {path}"), SOON, async || {
            let entries = self.receiver.entries(path);
            (entries.len() >= count).then_some(entries)
        })
        .await
    }

    async fn deliveries(&self, hook: &str, query: &str) -> Vec<Value> {
        let page = self.app.client().get(&format!("{hook}/deliveries?{query}")).await.expect(200).json();
        page["items"].as_array().expect("items").clone()
    }

    async fn delivery_is(&self, hook: &str, status: &str) -> Value {
        eventually(&format!("a delivery is {status}"), SOON, async || {
            self.deliveries(hook, "").await.into_iter().find(|delivery| delivery["status"] == status)
        })
        .await
    }
}

fn types(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.json()["type"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn patch(client: &Client, path: &str, body: Value) -> HttpAnswer {
    client.send_text("PATCH", path, "application/json", body.to_string()).await
}

/// What a receiver hands to the library that verifies it.
fn presented(entry: &Entry, secret: &str) -> Value {
    let header = |name: &str| entry.header(name).unwrap_or_default().to_owned();
    json!({ "secret": secret, "body": entry.body, "headers": {
        "webhook-id": header("webhook-id"), "webhook-timestamp": header("webhook-timestamp"),
        "webhook-signature": header("webhook-signature"),
    } })
}

/// Prints for each delivery whether the published library accepts it, whether it still does with a changed body, and
/// with another secret.
const VERIFY: &str = r#"
import json, sys
from standardwebhooks import Webhook
def accepts(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except Exception:
        return False
other = "whsec_" + "A" * 44
for one in json.load(sys.stdin):
    print(accepts(one["secret"], one["body"], one["headers"]), accepts(one["secret"], one["body"] + " ", one["headers"]),
          accepts(other, one["body"], one["headers"]))
"#;

/// The lines that the library's program prints; `None` where Python or the library is missing.
#[expect(clippy::disallowed_methods, reason = "these two variables belong to the tests, not to the product")]
fn verified(deliveries: &[Value]) -> Option<Vec<String>> {
    let python = std::env::var("CREWD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_library = Command::new(&python).args(["-c", "import standardwebhooks"]).stderr(Stdio::null()).status();
    if !has_library.is_ok_and(|status| status.success()) {
        let is_required = std::env::var("CREWD_TEST_REQUIRE").is_ok();
        assert!(!is_required, "{python} has no package standardwebhooks");
        return None;
    }
    let mut program =
        Command::new(&python).args(["-c", VERIFY]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
    let input = serde_json::to_vec(deliveries).expect("JSON");
    program.stdin.take().expect("stdin is piped").write_all(&input).expect("python reads");
    let output = program.wait_with_output().expect("python ends");
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[test]
fn a_published_library_accepts_what_is_delivered() {
    run(async {
        let post = Post::start().await;
        let (hook, secret) = post.hook("/verified", json!({ "payload": "full" })).await;
        post.run_one("sanderling-verify-Größe-é").await;
        let first = post.arrived("/verified", 2).await;
        let rotated = post.app.client().post(&format!("{hook}/rotate"), &json!({})).await.expect(200).json();
        let fresh = rotated["secret"].as_str().expect("a secret");
        post.run_one("sanderling-rotated").await;
        let all = post.arrived("/verified", 4).await;
        let mut presented_all: Vec<Value> = first.iter().map(|entry| presented(entry, &secret)).collect();
        // While secrets rotate, who knows either one accepts.
        presented_all.extend(all.iter().skip(2).flat_map(|entry| [presented(entry, &secret), presented(entry, fresh)]));
        match verified(&presented_all) {
            Some(lines) => assert_eq!(lines, vec!["True False False"; 6]),
            None => println!("skipped: python3 with the package standardwebhooks is not here"),
        }
    });
}

#[test]
fn endpoints_are_told_what_they_want_once() {
    run(async {
        let post = Post::start().await;
        let (thin, _) = post.hook("/thin", json!({ "events": ["task.succeeded", "task.failed", "deadletter.added"] })).await;
        let (_, _) = post.hook("/full", json!({ "payload": "full" })).await;
        let task = post.run_one("sanderling-told").await;
        post.model.scenario("sanderling-fails").always(Fault::Status(401, "invalid_api_key", "no"));
        let failed = post.app.client().run_crew("single", &about("sanderling-fails")).await.expect("failed").id().to_owned();
        let entries = post.arrived("/full", 4).await;
        let queued = entries.iter().map(Entry::json).find(|body| body["type"] == "task.queued").expect("it was told");
        assert_eq!(queued["data"]["event"]["crew"], "single");
        let of_task = |id: &str, entries: &[Entry]| -> BTreeSet<String> {
            types(&entries.iter().filter(|entry| entry.json()["data"]["task_id"] == id).cloned().collect::<Vec<_>>())
                .into_iter()
                .collect()
        };
        assert_eq!(of_task(&task, &entries), BTreeSet::from(["task.queued".into(), "task.succeeded".into()]));
        let entries = post.arrived("/thin", 2).await;
        assert!(of_task(&failed, &entries).contains("task.failed"));
        let done = entries.iter().find(|entry| entry.json()["type"] == "task.succeeded").expect("it was told");
        let data = done.json()["data"].clone();
        assert_eq!((&data["task_id"], &data["crew"], &data["status"]), (&json!(task), &json!("single"), &json!("succeeded")));
        assert_eq!((data.get("event"), &data["links"]["task"]), (None, &json!(format!("/api/v1/tasks/{task}"))));
        assert_eq!((done.method.as_str(), done.header("content-type")), ("POST", Some("application/json")));
        assert!(done.body.len() < 20_000);
        let ids: BTreeSet<_> = entries.iter().map(|entry| entry.header("webhook-id").expect("an id").to_owned()).collect();
        assert_eq!(ids.len(), entries.len(), "each message came once");
        let delivered = post.delivery_is(&thin, "delivered").await;
        assert_eq!(
            (&delivered["attempts"], &delivered["response_status"], &delivered["error"]),
            (&json!(1), &json!(200), &Value::Null)
        );
        let metrics = post.app.client().get("/metrics").await.expect(200).text;
        assert!(metrics.contains("crewd_webhook_deliveries_total{outcome=\"delivered\"}"), "{metrics}");
    });
}

#[test]
fn questions_are_told_with_their_place() {
    run(async {
        let post = Post::start().await;
        post.hook("/asked", json!({ "events": ["approval.requested", "task.waiting"] })).await;
        let task = post.app.client().submit("reviewed", &about("sanderling-asked")).await;
        let entries = post.arrived("/asked", 2).await;
        let asked = entries.iter().map(Entry::json).find(|body| body["type"] == "approval.requested").expect("it was told");
        let link = asked["data"]["links"]["approval"].as_str().expect("a link");
        let approval = post.app.client().get(link).await.expect(200).json();
        assert_eq!((&approval["id"], &approval["task_id"]), (&asked["data"]["approval_id"], &json!(task.id())));
        let waits = entries.iter().map(Entry::json).find(|body| body["type"] == "task.waiting").expect("it was told");
        assert_eq!(waits["data"]["waiting_for"], "input");
    });
}

#[test]
fn a_failing_receiver_is_tried_again_and_by_hand() {
    run(async {
        let post = Post::start().await;
        post.receiver.script("/flaky").then(Answer::status(500, "inner words")).always(Answer::ok("thanks"));
        let (hook, secret) = post.hook("/flaky", json!({ "events": ["task.succeeded"] })).await;
        post.run_one("sanderling-flaky").await;
        let waiting = post.delivery_is(&hook, "pending").await;
        let entries = post.arrived("/flaky", 2).await;
        assert!(entries[1].at - entries[0].at >= Duration::from_secs(5), "the schedule's first pause");
        assert_eq!(entries[0].header("webhook-id"), entries[1].header("webhook-id"));
        assert_eq!(entries[0].body, entries[1].body);
        assert_ne!(entries[0].header("webhook-timestamp"), entries[1].header("webhook-timestamp"));
        let done = post.delivery_is(&hook, "delivered").await;
        assert_eq!((&done["id"], &done["attempts"]), (&waiting["id"], &json!(2)));
        assert!(!post.deliveries(&hook, "").await.iter().any(|one| one.to_string().contains("inner words")));
        let again = format!("{hook}/deliveries/{}/redeliver", done["id"].as_str().expect("an id"));
        post.app.client().post(&again, &json!({})).await.expect(202);
        let entries = post.arrived("/flaky", 3).await;
        assert_eq!(entries[2].header("webhook-id"), entries[0].header("webhook-id"));
        if let Some(lines) = verified(&[presented(&entries[2], &secret)]) {
            assert_eq!(lines, ["True False False"]);
        }
        let nobody = format!("{hook}/deliveries/00000000-0000-7000-8000-000000000000/redeliver");
        expect_error(&post.app.client().post(&nobody, &json!({})).await, 404, "not_found");
    });
}

#[test]
fn the_receivers_wish_is_heeded_and_gone_is_gone() {
    run(async {
        let post = Post::start().await;
        post.receiver.script("/busy").always(Answer::status(429, "").header("retry-after", "3600"));
        post.receiver.script("/gone").always(Answer::status(410, ""));
        let (busy, _) = post.hook("/busy", json!({ "events": ["task.succeeded"] })).await;
        let (gone, _) = post.hook("/gone", json!({ "events": ["task.succeeded"] })).await;
        post.run_one("sanderling-busy").await;
        let waiting = eventually("the first attempt is over", SOON, async || {
            post.deliveries(&busy, "").await.into_iter().find(|one| one["response_status"] == 429)
        })
        .await;
        let time = |field: &str| {
            let text = waiting[field].as_str().unwrap_or_default().to_owned();
            text.get(11..13).and_then(|hour| hour.parse::<i32>().ok()).expect("an hour")
        };
        assert_eq!((time("next_attempt_at") - time("attempted_at")).rem_euclid(24), 1, "an hour later: {waiting}");
        let client = post.app.client();
        let endpoint = eventually("the endpoint is disabled", SOON, async || {
            let endpoint = client.get(&gone).await.expect(200).json();
            (endpoint["disabled"] == true).then_some(endpoint)
        })
        .await;
        assert_eq!(endpoint["disabled_reason"], "the receiver answered 410 Gone");
        let failed = post.delivery_is(&gone, "failed").await;
        let again = format!("{gone}/deliveries/{}/redeliver", failed["id"].as_str().expect("an id"));
        expect_reason(&client.post(&again, &json!({})).await, 409, "invalid_state", "webhook_disabled");
        patch(&client, &gone, json!({ "disabled": false })).await.expect(200);
        post.receiver.script("/gone").always(Answer::ok("back"));
        let bulk =
            client.post(&format!("{gone}/redeliver"), &json!({ "since": "2020-01-01T00:00:00Z" })).await.expect(202).json();
        assert_eq!(bulk["redelivered"], 1);
        post.delivery_is(&gone, "delivered").await;
    });
}

#[test]
fn redirects_are_not_followed_and_slow_receivers_hold_up_nobody() {
    run(async {
        let post = Post::start().await;
        let gate = Gate::new();
        post.receiver.script("/moved").always(Answer::status(307, "").header("location", &post.receiver.url("/inside")));
        post.receiver.script("/slow").always(Answer::ok("late").hold(&gate));
        let (moved, _) = post.hook("/moved", json!({ "events": ["task.succeeded"] })).await;
        let (slow, _) = post.hook("/slow", json!({ "events": ["task.succeeded"], "timeout_seconds": 1 })).await;
        let (quick, _) = post.hook("/quick", json!({ "events": ["task.succeeded"] })).await;
        post.run_one("sanderling-moved").await;
        post.delivery_is(&quick, "delivered").await;
        let of = async |hook: &str, text: &str| {
            eventually(text, SOON, async || {
                let log = post.deliveries(hook, "").await;
                log.into_iter().find(|one| one["error"].as_str().is_some_and(|error| error.contains(text)))
            })
            .await
        };
        assert_eq!(of(&moved, "redirects are not followed").await["response_status"], 307);
        assert_eq!(of(&slow, "egress_timeout").await["response_status"], Value::Null);
        assert!(post.receiver.entries("/inside").is_empty());
        gate.open();
    });
}

#[test]
fn addresses_inside_are_refused_however_they_are_written() {
    run(async {
        let app = keyed().await;
        let client = app.client().with_key(FIRST_KEY);
        for url in [
            "http://example.org/plain",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://localhost/",
            "https://a.localhost/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://100.100.100.200/",
            "https://10.0.0.1/",
            "https://192.168.0.1/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "https://user@example.org/",
            "https://user:word@example.org/",
            "https://example.org:22/",
            "https://example.org:8443/",
            "ftp://example.org/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "//example.org/",
            "example.org",
            "https://",
            "",
        ] {
            let answer = client.post(WEBHOOKS, &json!({ "url": url })).await;
            expect_field_error(&answer, 422, "validation_failed", "/url");
        }
        assert_eq!(client.get(WEBHOOKS).await.expect(200).json()["items"], json!([]));
        let made = client.post(WEBHOOKS, &json!({ "url": "https://example.org/hook" })).await.expect(201).json();
        let path = format!("/api/v1/webhooks/{}", made["id"].as_str().expect("an id"));
        expect_field_error(&patch(&client, &path, json!({ "url": "https://[::1]/" })).await, 422, "validation_failed", "/url");
        assert_eq!(client.get(&path).await.expect(200).json()["url"], "https://example.org/hook");
        client.send(client.request("DELETE", &path)).await.expect(204);
        expect_error(&client.get(&path).await, 404, "not_found");
    });
}

#[test]
fn a_webhook_is_made_once_and_says_its_secret_once() {
    run(async {
        let post = Post::start().await;
        let client = post.app.client();
        let body = json!({ "url": post.receiver.url("/once"), "description": "ours" });
        let create = async |body: &Value| {
            client.send(client.request("POST", WEBHOOKS).header("idempotency-key", "sanderling-once").json(body)).await
        };
        let first = create(&body).await.expect(201);
        let again = create(&body).await.expect(201);
        assert_eq!((first.json(), again.header("idempotent-replayed")), (again.json(), Some("true")));
        expect_error(&create(&json!({ "url": post.receiver.url("/twice") })).await, 422, "idempotency_key_reused");
        let list = client.get(WEBHOOKS).await.expect(200);
        assert_eq!(list.json()["items"].as_array().map(Vec::len), Some(1));
        let secret = first.json()["secret"].as_str().expect("a secret").to_owned();
        assert!(!list.text.contains(&secret) && !list.text.contains("secret\""), "{}", list.text);
        // What lies in the database is the same on every engine; only a file can be read from here.
        if post.app.home().database_url().is_none() {
            let database = std::fs::read(post.app.home().data().join("crewd.db")).expect("the database is a file");
            let kept = secret.trim_start_matches("whsec_").as_bytes();
            assert!(!database.windows(kept.len()).any(|bytes| bytes == kept), "the secret lies sealed");
        }
    });
}

#[test]
fn a_task_has_a_webhook_of_its_own() {
    run(async {
        let post = Post::start().await;
        let client = post.app.client();
        let submit = async |marker: &str, webhook: Value| {
            client.post("/api/v1/tasks", &json!({ "crew": "single", "inputs": about(marker), "webhook": webhook })).await
        };
        let url = post.receiver.url("/own");
        let task = submit("sanderling-own", json!({ "url": url, "events": ["task.succeeded"] })).await.expect(202).json();
        let secret = task["webhook"]["secret"].as_str().unwrap_or_else(|| panic!("no secret: {task}")).to_owned();
        post.run_one("sanderling-not-told").await;
        let entries = post.arrived("/own", 1).await;
        assert_eq!(entries[0].json()["data"]["task_id"], task["id"]);
        if let Some(lines) = verified(&[presented(&entries[0], &secret)]) {
            assert_eq!(lines, ["True False False"]);
        }
        let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let task =
            submit("sanderling-given", json!({ "url": post.receiver.url("/given"), "secret": own })).await.expect(202).json();
        let entries = post.arrived("/given", 2).await;
        assert!(entries.iter().all(|entry| entry.json()["data"]["task_id"] == task["id"]));
        assert!(types(&entries).contains(&"task.queued".to_owned()), "from the very first event on");
        if let Some(lines) = verified(&[presented(&entries[0], own)]) {
            assert_eq!(lines, ["True False False"]);
        }
        let shown = client.get(&format!("/api/v1/tasks/{}", task["id"].as_str().expect("an id"))).await.expect(200);
        assert!(!shown.text.contains("whsec_"), "{}", shown.text);
        assert_eq!(client.get(WEBHOOKS).await.expect(200).json()["items"], json!([]), "those of single tasks are not listed");
        assert_eq!(post.receiver.entries("/own").len(), 1);
        let short = submit("sanderling-short", json!({ "url": url, "secret": "whsec_short" })).await;
        expect_field_error(&short, 422, "validation_failed", "/webhook/secret");
        let inside = submit("sanderling-inside", json!({ "url": "https://169.254.169.254/" })).await;
        expect_field_error(&inside, 422, "validation_failed", "/webhook/url");
    });
}
