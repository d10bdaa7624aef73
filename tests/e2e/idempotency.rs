//! One key, one task.

use crewd_tests::client::Submit;
use crewd_tests::errors::{expect_error, expect_reason};
use crewd_tests::runtime::run;
use serde_json::json;

use crate::stage::{about, stage};

fn with_key(key: &str) -> Submit {
    Submit { headers: vec![("idempotency-key", key.to_owned())], ..Submit::default() }
}

#[test]
fn a_repeated_key_gives_the_first_answer_again() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("heron-replay");
        let first = client.submit_answer("single", &about("heron-replay"), &with_key("heron-1")).await.expect(202);
        assert!(first.header("idempotent-replayed").is_none(), "{:?}", first.headers);
        client.wait_terminal(first.json()["id"].as_str().unwrap_or_default()).await.expect("succeeded");
        let again = client.submit_answer("single", &about("heron-replay"), &with_key("heron-1")).await.expect(202);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.json()["id"], first.json()["id"]);
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(client.list("metadata.none=x&limit=1").await["items"], json!([]));
    });
}

#[test]
fn the_order_of_fields_does_not_matter_but_their_values_do() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("heron-order");
        let send = async |body: &str| {
            let request = client
                .request("POST", "/api/v1/tasks")
                .header("content-type", "application/json")
                .header("idempotency-key", "heron-2");
            client.send(request.body(body.to_owned())).await
        };
        let first = send(r#"{"crew":"single","inputs":{"topic":"heron-order"}}"#).await.expect(202);
        let swapped = send(r#"{ "inputs": {"topic":"heron-order"}, "crew": "single" }"#).await.expect(202);
        assert_eq!(first.json()["id"], swapped.json()["id"]);
        let other = send(r#"{"crew":"single","inputs":{"topic":"heron-order, but different"}}"#).await;
        expect_error(&other, 422, "idempotency_key_reused");
    });
}

#[test]
fn concurrent_duplicates_make_one_task() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("heron-storm");
        let key = with_key("heron-3");
        let inputs = about("heron-storm");
        let answers = futures::future::join_all((0..40).map(|_| client.submit_answer("single", &inputs, &key))).await;
        let mut ids: Vec<String> = answers.iter().map(|answer| answer.clone().expect(202).json()["id"].to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 1, "one task: {ids:?}");
        let first = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
        assert_eq!(first, 1, "all but one are replays");
        client.wait_terminal(ids[0].trim_matches('"')).await.expect("succeeded");
        assert_eq!(scenario.count(), 1, "it ran once");
    });
}

#[test]
fn refused_requests_do_not_use_the_key_up() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("heron-second");
        let refused = client.submit_answer("single", &json!({}), &with_key("heron-4")).await;
        assert_eq!(refused.status, 422);
        client.submit_answer("single", &about("heron-second"), &with_key("heron-4")).await.expect(202);
    });
}

#[test]
fn keys_out_of_shape_are_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for key in [String::new(), "k".repeat(256)] {
            let answer = client.submit_answer("single", &about("heron-shape"), &with_key(&key)).await;
            expect_reason(&answer, 400, "bad_request", "idempotency_key_invalid");
        }
        let body = r#"{"crew":"single","inputs":{"topic":"heron-shape"}}"#;
        let head = format!(
            "POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for headers in ["idempotency-key: caf\u{e9}\r\n", "idempotency-key: a\r\nidempotency-key: b\r\n"] {
            let answer = client.raw(format!("{head}{headers}\r\n{body}").as_bytes()).await.expect("an answer");
            expect_reason(&answer, 400, "bad_request", "idempotency_key_invalid");
        }
        client.submit_answer("single", &about("heron-shape"), &with_key(&"k".repeat(255))).await.expect(202);
    });
}
