//! Who may call, and when the process refuses to start.

use std::time::Duration;

use crewd_test_services::Engine;
use crewd_tests::app::{Home, command_line};
use crewd_tests::errors::{expect_error, expect_reason};
use crewd_tests::runtime::run;
use serde_json::json;

use crate::stage::{FIRST_KEY, SECOND_KEY, keyed, plan};

#[test]
fn a_key_is_needed_where_keys_are_configured() {
    run(async {
        let app = keyed().await;
        let client = app.client();
        expect_error(&client.get("/api/v1/crews").await, 401, "unauthenticated");
        let wrong = client.clone().with_key("wrong-key-wrong-key-wrong-key-wrong").get("/api/v1/crews").await;
        expect_reason(&wrong, 401, "unauthenticated", "invalid_api_key");
        for key in [FIRST_KEY, SECOND_KEY] {
            client.clone().with_key(key).get("/api/v1/crews").await.expect(200);
            let bearer = client.request("GET", "/api/v1/crews").header("authorization", format!("Bearer {key}"));
            client.send(bearer).await.expect(200);
        }
    });
}

#[test]
fn near_misses_of_a_key_are_wrong_keys() {
    run(async {
        let app = keyed().await;
        let client = app.client();
        let upper = FIRST_KEY.to_uppercase();
        let longer = format!("{FIRST_KEY}x");
        let both = format!("{FIRST_KEY},{SECOND_KEY}");
        for key in ["", " ", &FIRST_KEY[..FIRST_KEY.len() - 1], &FIRST_KEY[..20], &upper, &longer, &both] {
            let answer = client.send(client.request("GET", "/api/v1/crews").header("x-api-key", key)).await;
            expect_error(&answer, 401, "unauthenticated");
        }
        for value in [FIRST_KEY.to_owned(), format!("Basic {FIRST_KEY}"), "Bearer".to_owned(), "Bearer ".to_owned()] {
            let answer = client.send(client.request("GET", "/api/v1/crews").header("authorization", value)).await;
            expect_error(&answer, 401, "unauthenticated");
        }
        let wrong_first = client
            .request("GET", "/api/v1/crews")
            .header("x-api-key", "wrong")
            .header("authorization", format!("Bearer {FIRST_KEY}"));
        assert_eq!(client.send(wrong_first).await.status, 401, "a wrong key is not mended by a right one");
    });
}

#[test]
fn health_metrics_and_version_need_no_key() {
    run(async {
        let app = keyed().await;
        let client = app.client();
        for path in ["/health/live", "/health/ready", "/metrics", "/version"] {
            client.get(path).await.expect(200);
        }
    });
}

#[test]
fn keys_are_never_shown() {
    run(async {
        let app = keyed().await;
        let client = app.client().with_key(FIRST_KEY);
        client.run_crew("research", &json!({ "topic": "nothing secret" })).await.expect("succeeded");
        client.get("/api/v1/crews/nobody").await;
        let printed = [app.output().stdout(), app.output().stderr()].concat().join("\n");
        for key in [FIRST_KEY, SECOND_KEY] {
            assert!(!printed.contains(key), "a key stands in the output");
            assert!(!client.get("/metrics").await.text.contains(key));
        }
    });
}

#[test]
fn production_names_everything_that_is_missing_at_once() {
    let output = command_line(&plan().home(&Home::on(Engine::Sqlite)).set("APP_ENV", "production"), "").expect_code(78);
    let said = format!("{}{}", output.stdout, output.stderr);
    for name in ["APP_API_KEYS", "APP_SECRET_KEY", "APP_DATABASE_URL"] {
        assert!(said.contains(name), "{name} is not named: {said}");
    }
    assert!(output.took < Duration::from_secs(10), "{:?}", output.took);
}

#[test]
fn production_refuses_a_weak_secret_without_showing_it() {
    let output = command_line(
        &plan()
            .set("APP_ENV", "production")
            .set("APP_API_KEYS", FIRST_KEY)
            .set("APP_DATABASE_URL", "sqlite://data/crewd.db")
            .set("APP_SECRET_KEY", "weak-secret"),
        "",
    )
    .expect_code(78);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains("APP_SECRET_KEY"), "{said}");
    assert!(!said.contains("APP_API_KEYS is") && !said.contains("weak-secret") && !said.contains(FIRST_KEY), "{said}");
}

#[test]
fn a_public_address_needs_keys_as_production_does() {
    let output = command_line(&plan().set("APP_HOST", "0.0.0.0"), "").expect_code(78);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains("APP_API_KEYS"), "{said}");
}

#[test]
fn settings_out_of_range_are_all_named() {
    let output = command_line(&plan().set("APP_PORT", "70000").set("APP_WORKER_SLOTS", "many").set("APP_LOG_LEVEL", "LOUD"), "")
        .expect_code(78);
    let said = format!("{}{}", output.stdout, output.stderr);
    for name in ["APP_PORT", "APP_WORKER_SLOTS", "APP_LOG_LEVEL"] {
        assert!(said.contains(name), "{name} is not named: {said}");
    }
}
