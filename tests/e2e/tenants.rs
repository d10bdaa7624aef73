//! Tenants see nothing of each other.

use std::time::Duration;

use crewd_tests::app::{SharedApp, command_line};
use crewd_tests::client::{Answer, Client, Submit};
use crewd_tests::errors::expect_error;
use crewd_tests::runtime::run;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::stage::{FIRST_KEY, SECOND_KEY, about, plan};

const RED: &str = "red-team-key-0123456789abcdef";

/// One process, two tenants: the first one has two keys.
async fn shared() -> SharedApp {
    static APP: OnceCell<crewd_tests::app::App> = OnceCell::const_new();
    let keys = format!("default:{FIRST_KEY},{SECOND_KEY},red_team:{RED}");
    SharedApp(APP.get_or_init(async || plan().set("APP_API_KEYS", keys).start().await).await)
}

fn clients(app: &SharedApp) -> (Client, Client) {
    (app.client().with_key(FIRST_KEY), app.client().with_key(RED))
}

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_str()).collect()
}

#[test]
fn a_stranger_finds_nothing() {
    run(async {
        let app = shared().await;
        let (owner, stranger) = clients(&app);
        let task = owner.run_crew("research", &about("lynx")).await.expect("succeeded");
        let path = format!("/api/v1/tasks/{}", task.id());
        for below in ["", "/events", "/steps", "/runs"] {
            owner.get(&format!("{path}{below}")).await.expect(200);
            expect_error(&stranger.get(&format!("{path}{below}")).await, 404, "not_found");
        }
        for below in ["/cancel", "/retry", "/replay", "/pause", "/resume"] {
            expect_error(&stranger.post(&format!("{path}{below}"), &json!({})).await, 404, "not_found");
        }
        let fork = json!({"from_step": "crew_task[0]"});
        expect_error(&stranger.post(&format!("{path}/fork"), &fork).await, 404, "not_found");
        expect_error(&stranger.get(&format!("{path}/ws")).await, 404, "not_found");
        let same_tenant = app.client().with_key(SECOND_KEY);
        same_tenant.get(&path).await.expect(200);
    });
}

#[test]
fn lists_and_keys_are_apart() {
    run(async {
        let app = shared().await;
        let (owner, stranger) = clients(&app);
        let more = Submit { headers: vec![("idempotency-key", "lynx-1".to_owned())], ..Submit::default() };
        let more = Submit { fields: vec![("dedup_key", json!("lynx")), ("metadata", json!({"who": "lynx"}))], ..more };
        let send = async |client: &Client| client.submit_answer("research", &about("lynx"), &more).await.expect(202);
        let (first, second) = (send(&owner).await, send(&stranger).await);
        assert_ne!(first.json()["id"], second.json()["id"]);
        let fresh = |answer: &Answer| answer.header("idempotent-replayed").is_none() && answer.header("deduplicated").is_none();
        assert!(fresh(&first) && fresh(&second), "keys are the tenant's own");
        for (client, mine) in [(&owner, first), (&stranger, second)] {
            let list = client.list("metadata.who=lynx").await;
            assert_eq!(ids(&list), [mine.json()["id"].as_str().unwrap_or_default()]);
        }
    });
}

#[test]
fn files_are_for_everybody_and_what_came_over_the_api_for_its_tenant() {
    run(async {
        let app = shared().await;
        let (owner, stranger) = clients(&app);
        stranger.run_crew("research", &about("lynx")).await.expect("succeeded");
        let definition = json!({"agents": {"a": {"role": "r", "goal": "g", "backstory": "b"}},
            "tasks": {"t": {"description": "say {topic}", "expected_output": "it", "agent": "a"}}});
        owner.send(owner.request("PUT", "/api/v1/crews/lynxes").json(&definition)).await.expect(201);
        owner.run_crew("lynxes", &about("lynx")).await.expect("succeeded");
        expect_error(&stranger.get("/api/v1/crews/lynxes").await, 404, "not_found");
        expect_error(&stranger.submit_answer("lynxes", &about("lynx"), &Submit::default()).await, 404, "not_found");
        let names = |list: &Value| list["items"].to_string().contains("\"lynxes\"");
        assert!(names(&owner.get("/api/v1/crews").await.json()) && !names(&stranger.get("/api/v1/crews").await.json()));
        stranger.send(stranger.request("PUT", "/api/v1/crews/lynxes").json(&definition)).await.expect(201);
        stranger.run_crew("lynxes", &about("lynx")).await.expect("succeeded");
    });
}

#[test]
fn definitions_of_every_tenant_are_there_after_a_restart() {
    run(async {
        let app = plan().set("APP_API_KEYS", format!("{FIRST_KEY},red_team:{RED}")).start().await;
        let stranger = app.client().with_key(RED);
        let definition = json!({"agents": {"a": {"role": "r", "goal": "g", "backstory": "b"}},
            "tasks": {"t": {"description": "say {topic}", "expected_output": "it", "agent": "a"}}});
        stranger.send(stranger.request("PUT", "/api/v1/crews/lynxes").json(&definition)).await.expect(201);
        app.sigterm();
        app.wait_exit(Duration::from_secs(20)).await;
        let app = app.restart().await;
        let stranger = app.client().with_key(RED);
        stranger.get("/api/v1/crews/lynxes").await.expect(200);
        stranger.run_crew("lynxes", &about("lynx")).await.expect("succeeded");
    });
}

#[test]
fn approvals_webhooks_and_schedules_are_apart() {
    run(async {
        let app = shared().await;
        let (owner, stranger) = clients(&app);
        let schedule = json!({"name": "lynx", "cron": "0 0 1 1 *", "task": {"crew": "research", "inputs": {"topic": "lynx"}}});
        let made = owner.post("/api/v1/schedules", &schedule).await.expect(201).json();
        let path = format!("/api/v1/schedules/{}", made["id"].as_str().unwrap_or_default());
        owner.get(&path).await.expect(200);
        expect_error(&stranger.get(&path).await, 404, "not_found");
        expect_error(&stranger.post(&format!("{path}/trigger"), &json!({})).await, 404, "not_found");
        for list in ["/api/v1/schedules", "/api/v1/approvals", "/api/v1/webhooks", "/api/v1/dead-letters"] {
            let answer = stranger.get(list).await.expect(200);
            assert_eq!(answer.json()["items"], json!([]), "{list}");
        }
        stranger.post("/api/v1/schedules", &schedule).await.expect(201);
    });
}

#[test]
fn a_tenant_without_a_good_name_keeps_the_process_from_starting() {
    for keys in ["Red:0123456789abcdef", "red team:0123456789abcdef", "red:", "red:same-key-1234,blue:same-key-1234"] {
        let output = command_line(&plan().set("APP_API_KEYS", keys), "").expect_code(78);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains("APP_API_KEYS") && !said.contains("0123456789abcdef") && !said.contains("same-key"), "{said}");
    }
}
