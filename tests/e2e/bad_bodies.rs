//! Bodies that are wrong: each has its status, its code and, where it can be said, its place.

use crewd_tests::client::{Answer, Client};
use crewd_tests::errors::{expect_error, expect_field_error, expect_reason};
use crewd_tests::runtime::run;
use serde_json::{Value, json};

use crate::stage::{about, stage};

const TASKS: &str = "/api/v1/tasks";

async fn post_text(client: &Client, body: impl Into<reqwest::Body>) -> Answer {
    client.send_text("POST", TASKS, "application/json", body).await
}

#[test]
fn what_is_no_json_is_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for body in [
            "",
            "{",
            "{\"crew\": \"single\",}",
            "{'crew': 'single'}",
            "{\"crew\": NaN}",
            "{\"crew\": \"single\"} {}",
            "\u{feff}{}",
        ] {
            let answer = post_text(&client, body).await;
            expect_error(&answer, 400, "bad_request");
        }
        for body in ["null", "[]", "7", "\"text\""] {
            let answer = post_text(&client, body).await;
            assert!([400, 422].contains(&answer.status), "{body}: {} {}", answer.status, answer.text);
        }
    });
}

#[test]
fn content_types_are_exact() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let body = json!({ "crew": "single", "inputs": about("grebe-type") }).to_string();
        for kind in [
            "text/plain",
            "application/xml",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
            "application/jsonx",
        ] {
            let answer = client.send_text("POST", TASKS, kind, body.clone()).await;
            expect_error(&answer, 415, "unsupported_media_type");
        }
        let answer = client.send(client.request("POST", TASKS).body(body.clone())).await;
        expect_error(&answer, 415, "unsupported_media_type");
        client.send_text("POST", TASKS, "application/json; charset=utf-8", body.clone()).await.expect(202);
        let request = client.request("POST", TASKS).header("content-type", "application/json").header("content-encoding", "gzip");
        let answer = client.send(request.body(body)).await;
        expect_reason(&answer, 415, "unsupported_media_type", "encoding_not_supported");
    });
}

#[test]
fn a_body_of_one_mebibyte_and_one_byte_is_too_large() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let frame = r#"{"crew":"single","inputs":{"topic":""}}"#;
        let large = frame.replace(r#""topic":"""#, &format!(r#""topic":"{}""#, "x".repeat(1024 * 1024 + 1 - frame.len())));
        assert_eq!(large.len(), 1024 * 1024 + 1);
        expect_error(&post_text(&client, large.clone()).await, 413, "payload_too_large");
        let chunked = futures::stream::iter(
            large.as_bytes().chunks(65_536).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
        );
        expect_error(&post_text(&client, reqwest::Body::wrap_stream(chunked)).await, 413, "payload_too_large");
        let within = r#"{"crew":"single","inputs":{"topic":"grebe-large"},"metadata":{}}"#;
        let padded = format!("{within}{}", " ".repeat(1024 * 1024 - within.len()));
        post_text(&client, padded).await.expect(202);
    });
}

#[test]
fn deep_json_is_refused_before_it_is_built() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for depth in [65, 10_000, 200_000] {
            let body = format!(r#"{{"crew":"single","inputs":{{"topic":{}1{}}}}}"#, "[".repeat(depth), "]".repeat(depth));
            expect_reason(&post_text(&client, body).await, 400, "bad_request", "json_too_deep");
        }
        let fine = format!(r#"{{"crew":"single","inputs":{{"topic":{}1{}}}}}"#, "[".repeat(40), "]".repeat(40));
        post_text(&client, fine).await.expect(202);
    });
}

#[test]
fn text_that_is_no_text_is_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let broken = [br#"{"crew":"single","inputs":{"topic":""#.as_slice(), b"\xff\xfe\xc3(", br#""}}"#].concat();
        expect_reason(&post_text(&client, broken).await, 400, "bad_request", "invalid_encoding");
        let surrogate = r#"{"crew":"single","inputs":{"topic":"\ud800"}}"#;
        expect_reason(&post_text(&client, surrogate).await, 400, "bad_request", "invalid_encoding");
        let nul = r#"{"crew":"sin\u0000gle","inputs":{"topic":"x"}}"#;
        let answer = post_text(&client, nul).await;
        assert!([404, 422].contains(&answer.status), "{}", answer.text);
        let key = r#"{"crew":"single","inputs":{"topic":"x"},"metadata":{"a\u0000b":"c"}}"#;
        expect_reason(&post_text(&client, key).await, 422, "validation_failed", "invalid_characters");
    });
}

#[test]
fn numbers_outside_their_range_are_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for number in ["1e400", "-1", "0", "9223372036854775808", "1.5", "-0.0"] {
            let body = format!(r#"{{"crew":"single","inputs":{{"topic":"x"}},"deadline_seconds":{number}}}"#);
            let answer = post_text(&client, body).await;
            assert!([400, 422].contains(&answer.status), "{number}: {} {}", answer.status, answer.text);
        }
        let body = r#"{"crew":"single","inputs":{"topic":"x"},"budget":{"max_tokens":-5}}"#;
        expect_error(&post_text(&client, body).await, 422, "validation_failed");
        let body = r#"{"crew":"single","inputs":{"topic":"x"},"budget":{"max_cost_usd":"a lot"}}"#;
        expect_error(&post_text(&client, body).await, 422, "validation_failed");
    });
}

#[test]
fn unknown_fields_are_refused_by_name() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let with = |name: &str| {
            let mut body = json!({ "crew": "single", "inputs": about("x") });
            body[name] = json!("y");
            body
        };
        for name in ["bogus", "tenant_id", "llm_base_url", "role"] {
            expect_field_error(&client.post(TASKS, &with(name)).await, 422, "validation_failed", &format!("/{name}"));
        }
        let nested = json!({ "crew": "single", "inputs": about("x"), "budget": { "max_euro": 1 } });
        expect_field_error(&client.post(TASKS, &nested).await, 422, "validation_failed", "/budget/max_euro");
    });
}

#[test]
fn wrong_types_are_reported_where_they_stand() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let cases: [(Value, &str); 9] = [
            (json!({ "crew": 7, "inputs": {} }), "/crew"),
            (json!({ "crew": "single", "inputs": [] }), "/inputs"),
            (json!({ "crew": "single", "inputs": "x" }), "/inputs"),
            (json!({ "crew": "single", "inputs": about("x"), "deadline_seconds": "soon" }), "/deadline_seconds"),
            (json!({ "crew": "single", "inputs": about("x"), "priority": "highest" }), "/priority"),
            (json!({ "crew": "single", "inputs": about("x"), "metadata": [] }), "/metadata"),
            (json!({ "crew": "single", "inputs": about("x"), "budget": { "max_tokens": "many" } }), "/budget/max_tokens"),
            (json!({ "crew": "single", "inputs": about("x"), "not_before": "tomorrow" }), "/not_before"),
            (json!({ "crew": "single", "inputs": about("x"), "version": 3 }), "/version"),
        ];
        for (body, pointer) in cases {
            expect_field_error(&client.post(TASKS, &body).await, 422, "validation_failed", pointer);
        }
    });
}

#[test]
fn what_this_version_cannot_do_is_refused_by_name() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let later = [("conversation_id", json!("c")), ("budget", json!({ "max_cost_usd": "0.50" }))];
        for ((name, value), pointer) in later.into_iter().zip(["/conversation_id", "/budget/max_cost_usd"]) {
            let mut body = json!({ "crew": "single", "inputs": about("x") });
            body[name] = value;
            let answer = client.post(TASKS, &body).await;
            expect_field_error(&answer, 422, "validation_failed", pointer);
            expect_reason(&answer, 422, "validation_failed", "not_supported");
        }
    });
}

#[test]
fn exactly_one_thing_is_to_be_run() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        expect_error(&client.post(TASKS, &json!({ "inputs": {} })).await, 422, "validation_failed");
        expect_error(
            &client.post(TASKS, &json!({ "crew": "single", "flow": "x", "inputs": about("x") })).await,
            422,
            "validation_failed",
        );
    });
}

#[test]
fn an_unknown_crew_is_not_found_and_no_name_is_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for name in ["nobody", "../single", "SINGLE"] {
            let answer = client.post(TASKS, &json!({ "crew": name, "inputs": about("x") })).await;
            expect_error(&answer, 404, "not_found");
        }
        for name in ["", "sin\ngle"] {
            let answer = client.post(TASKS, &json!({ "crew": name, "inputs": about("x") })).await;
            expect_field_error(&answer, 422, "validation_failed", "/crew");
        }
    });
}

#[test]
fn every_missing_placeholder_is_named_before_any_model_call() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("grebe-missing");
        let answer = client.post(TASKS, &json!({ "crew": "to_file", "inputs": {} })).await;
        expect_field_error(&answer, 422, "validation_failed", "/inputs/topic");
        expect_field_error(&answer, 422, "validation_failed", "/inputs/name");
        let answer = client.post(TASKS, &json!({ "crew": "to_file" })).await;
        expect_field_error(&answer, 422, "validation_failed", "/inputs/topic");
        let answer = client.post(TASKS, &json!({ "crew": "to_file", "inputs": { "topic": "grebe-missing" } })).await;
        let body = expect_field_error(&answer, 422, "validation_failed", "/inputs/name");
        assert_eq!(body["details"]["fields"].as_array().map(Vec::len), Some(1), "{body}");
        assert_eq!(scenario.count(), 0);
    });
}

#[test]
fn several_problems_of_one_body_come_at_once() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let body = json!({ "crew": "single", "inputs": {}, "priority": "standard", "budget": { "max_tokens": 0 }, "deadline_seconds": 0 });
        let answer = client.post(TASKS, &body).await;
        let fields = expect_error(&answer, 422, "validation_failed")["details"]["fields"].as_array().map_or(0, Vec::len);
        assert!(fields >= 2, "{}", answer.text);
    });
}

#[test]
fn an_error_never_repeats_what_was_sent() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let secret = "sk-very-secret-value-0123456789";
        let answers = [
            client.post(TASKS, &json!({ "crew": "single", "inputs": about("x"), "deadline_seconds": secret })).await,
            client.post(TASKS, &json!({ "crew": "single", "inputs": about("x"), "api_key": secret })).await,
            post_text(&client, format!("{{\"crew\": \"{secret}")).await,
        ];
        for answer in answers {
            assert!((400..500).contains(&answer.status));
            assert!(!answer.text.contains(secret), "{}", answer.text);
        }
    });
}
