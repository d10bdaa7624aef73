//! Too much is answered with when to come back, and nothing collapses.

use crewd_tests::client::{Answer, Client, Submit};
use crewd_tests::errors::{expect_error, expect_reason};
use crewd_tests::runtime::run;
use serde_json::json;

use crate::stage::{FIRST_KEY, SECOND_KEY, about, plan};

async fn send(client: &Client) -> Answer {
    client.submit_answer("research", &about("otter"), &Submit::default()).await
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").and_then(|seconds| seconds.parse().ok()).expect("Retry-After in seconds")
}

#[test]
fn a_full_queue_is_told_and_empties_again() {
    run(async {
        let keys = format!("{FIRST_KEY},other:{SECOND_KEY}");
        let settings = plan().set("APP_API_KEYS", keys).set("APP_MAX_QUEUED_PER_TENANT", "3").set("APP_MAX_QUEUED", "5");
        let app = settings.arguments(["serve"]).start().await;
        let (first, second) = (app.client().with_key(FIRST_KEY), app.client().with_key(SECOND_KEY));
        for _ in 0..3 {
            send(&first).await.expect(202);
        }
        let full = send(&first).await;
        expect_reason(&full, 429, "quota_exceeded", "queue_full");
        assert_eq!(retry_after(&full), 5);
        for _ in 0..2 {
            send(&second).await.expect(202);
        }
        let overloaded = send(&second).await;
        expect_reason(&overloaded, 503, "unavailable", "overloaded");
        assert!(retry_after(&overloaded) >= 1);
        let items = first.list("limit=50").await["items"].clone();
        assert_eq!(items.as_array().map(Vec::len), Some(3), "what was refused left nothing");
        let newest = items[0]["id"].as_str().unwrap_or_default();
        assert_eq!(first.task(newest).await.0["queue"], json!({"position": 5}), "two of the other tenant take turns with it");
        for item in items.as_array().into_iter().flatten() {
            first.cancel(item["id"].as_str().unwrap_or_default(), "graceful").await.expect(202);
        }
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        send(&first).await.expect(202);
    });
}

#[test]
fn a_key_that_comes_too_often_is_told_when_to_come_back() {
    run(async {
        let keys = format!("{FIRST_KEY},{SECOND_KEY}");
        let settings = plan().set("APP_API_KEYS", keys).set("APP_RATE_LIMIT_TASKS", "2 per minute,100 per hour");
        let app = settings.start().await;
        let (first, second) = (app.client().with_key(FIRST_KEY), app.client().with_key(SECOND_KEY));
        for left in [1, 0] {
            let answer = send(&first).await.expect(202);
            assert_eq!(answer.header("ratelimit-policy"), Some(r#""minute";q=2;w=60, "hour";q=100;w=3600"#));
            let told = answer.header("ratelimit").unwrap_or_default();
            assert!(told.starts_with(&format!(r#""minute";r={left};t="#)), "{told}");
        }
        let refused = send(&first).await;
        expect_error(&refused, 429, "rate_limited");
        assert!((1..=30).contains(&retry_after(&refused)), "{:?}", refused.headers);
        assert_eq!(refused.header("ratelimit-policy"), Some(r#""minute";q=2;w=60"#));
        assert!(refused.header("ratelimit").unwrap_or_default().starts_with(r#""minute";r=0;t="#));
        send(&second).await.expect(202);
        first.get("/api/v1/tasks").await.expect(200);
    });
}

#[test]
fn a_storm_is_answered_with_202_or_503_and_every_202_is_kept() {
    run(async {
        let app = plan().set("APP_MAX_SUBMISSIONS_IN_FLIGHT", "4").start().await;
        let client = app.client();
        let answers = futures::future::join_all((0..200).map(|_| send(&client))).await;
        let mut kept = 0;
        for answer in &answers {
            match answer.status {
                202 => kept += 1,
                _ => {
                    expect_reason(answer, 503, "unavailable", "overloaded");
                    assert_eq!(retry_after(answer), 1);
                }
            }
        }
        assert!(kept >= 4, "{kept} of 200");
        let mut listed = 0;
        let mut cursor = String::new();
        loop {
            let page = client.list(&format!("limit=200{cursor}")).await;
            listed += page["items"].as_array().map_or(0, Vec::len);
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(listed, kept, "every 202 is a task, and no refusal is one");
    });
}

#[test]
fn a_noisy_tenant_keeps_no_other_waiting() {
    run(async {
        let keys = format!("{FIRST_KEY},other:{SECOND_KEY}");
        let settings = plan().set("APP_API_KEYS", keys).set("APP_WORKER_SLOTS", "4").set("APP_MAX_ACTIVE_PER_TENANT", "2");
        let app = settings.set("APP_LLM_OFFLINE_PACE_MS", "20").start().await;
        let (noisy, quiet) = (app.client().with_key(FIRST_KEY), app.client().with_key(SECOND_KEY));
        futures::future::join_all((0..40).map(|_| send(&noisy))).await;
        let task = quiet.submit("research", &about("otter")).await;
        quiet.wait_terminal(task.id()).await.expect("succeeded");
        let waiting = noisy.list("status=queued,running&limit=200").await;
        assert!(waiting["items"].as_array().is_some_and(|items| !items.is_empty()), "the noisy tenant is still at it");
        let running = noisy.list("status=running&limit=200").await;
        assert!(running["items"].as_array().is_some_and(|items| items.len() <= 2), "{running}");
    });
}
