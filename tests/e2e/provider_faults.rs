//! Everything a provider does wrong: the task says so, keeps what had come, nothing hangs, and the next task runs.

use std::time::Duration;

use crewd_tests::client::{Client, Task};
use crewd_tests::fake_llm::{FakeLlm, Fault, Reply, Scenario, Turn};
use crewd_tests::runtime::{run, within};
use serde_json::Value;

use crate::stage::{about, kinds, stage, whole_log};

/// Much longer than the time limit of three seconds a call.
const NO_HANG: Duration = Duration::from_secs(45);

async fn run_with(
    client: &Client,
    model: &FakeLlm,
    crew: &str,
    marker: &str,
    reply: impl Into<Reply>,
) -> (Task, Vec<Value>, std::sync::Arc<Scenario>) {
    let scenario = model.scenario(marker);
    scenario.always(reply);
    let task = within("the task ends", NO_HANG, client.run_crew(crew, &about(marker))).await;
    let log = whole_log(client, task.id()).await;
    (task, log, scenario)
}

/// The fault ends the task as the provider's failure, streamed and not; the process lives and serves the next task.
async fn fails(marker: &str, fault: Fault) -> Vec<Task> {
    let (app, model) = stage().await;
    let client = app.client();
    let mut tasks = Vec::new();
    for crew in ["single", "unary"] {
        let marker = format!("{marker}-{crew}");
        let (task, log, _) = run_with(&client, model, crew, &marker, fault.clone()).await;
        let task = task.expect_failed("provider_error");
        assert_eq!(task.error_code(), "provider_failed", "{}", task.0);
        assert!(kinds(&log).contains(&"llm.failed"), "{:?}", kinds(&log));
        let shown = task.0["error"].to_string();
        assert!(!shown.contains("sk-test-provider-key"), "no key in errors: {shown}");
        tasks.push(task);
    }
    let after = format!("{marker}-after");
    model.scenario(&after).always(Turn::text("still here"));
    assert_eq!(client.run_crew("single", &about(&after)).await.expect("succeeded").raw(), "still here");
    tasks
}

#[test]
fn a_refused_key() {
    run(async {
        for task in fails("siskin-401", Fault::Status(401, "invalid_api_key", "Incorrect API key provided")).await {
            assert_eq!(task.0["error"]["retryable"], false, "{}", task.0);
        }
        let (_, model) = stage().await;
        assert_eq!(model.scenario("siskin-401-single").count(), 1, "a dead key is not tried again");
    });
}

#[test]
fn a_server_error() {
    run(async {
        for task in fails("siskin-500", Fault::Status(500, "server_error", "boom")).await {
            assert_eq!(task.0["error"]["retryable"], true, "{}", task.0);
        }
    });
}

#[test]
fn an_overloaded_server() {
    run(async {
        fails("siskin-503", Fault::Status(503, "overloaded", "later")).await;
    });
}

#[test]
fn a_rate_limit_without_and_with_a_time() {
    run(async {
        fails("siskin-429", Fault::TooManyRequests(None)).await;
        fails("siskin-429s", Fault::TooManyRequests(Some("1"))).await;
        fails("siskin-429g", Fault::TooManyRequests(Some("-3 bananas"))).await;
    });
}

#[test]
fn a_page_of_html() {
    run(async {
        fails("siskin-html", Fault::HtmlPage).await;
        fails("siskin-type", Fault::WrongContentType).await;
    });
}

#[test]
fn garbage_and_nothing() {
    run(async {
        fails("siskin-garbage", Fault::GarbageJson).await;
        fails("siskin-empty", Fault::EmptyBody).await;
        fails("siskin-in-ok", Fault::ErrorInOk).await;
    });
}

#[test]
fn half_an_answer_is_kept() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        for (marker, fault) in [
            ("siskin-cut", Fault::Cut("the first half")),
            ("siskin-ends", Fault::EndsEarly("the first half")),
            ("siskin-utf8", Fault::InvalidUtf8("the first half")),
            ("siskin-event", Fault::ErrorMidStream("the first half")),
            ("siskin-stall", Fault::HangsMidStream("the first half")),
        ] {
            let (task, log, _) = run_with(&client, model, "single", marker, fault.clone()).await;
            assert_eq!(task.status(), "failed", "{fault:?}: {}", task.0);
            assert!(["provider_error", "timeout"].contains(&task.error_class()), "{fault:?}: {}", task.0);
            let kept: String = log
                .iter()
                .filter(|event| event["type"] == "llm.delta")
                .filter_map(|event| event["data"]["text"].as_str())
                .collect();
            assert!(kept.contains("the first half"), "{fault:?}: the log keeps the partial text: {:?}", kinds(&log));
            assert!(
                task.0["output"].to_string().contains("the first half"),
                "{fault:?}: the task keeps the partial output: {}",
                task.0
            );
        }
    });
}

#[test]
fn half_an_answer_without_a_stream() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        for (marker, fault) in [
            ("siskin-ucut", Fault::Cut("half")),
            ("siskin-uends", Fault::EndsEarly("half")),
            ("siskin-ustall", Fault::HangsMidStream("half")),
        ] {
            let (task, _, _) = run_with(&client, model, "unary", marker, fault.clone()).await;
            assert_eq!(task.status(), "failed", "{fault:?}: {}", task.0);
        }
    });
}

#[test]
fn silence_before_the_headers_ends_by_the_time_limit() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (task, _, scenario) = run_with(&client, model, "single", "siskin-silent", Fault::HangsBeforeHeaders).await;
        assert_eq!(task.status(), "failed", "{}", task.0);
        assert!(["provider_failed", "timeout"].contains(&task.error_code()), "{}", task.0);
        let open = scenario.requests().iter().filter(|request| !request.closed_early()).count();
        assert_eq!(open, 0, "every connection was closed");
    });
}

#[test]
fn an_endless_answer_is_cut_off() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let before = app.resident_kib();
        let (task, _, scenario) = run_with(&client, model, "single", "siskin-endless", Fault::EndlessStream).await;
        assert!(["failed", "incomplete"].contains(&task.status()), "{}", task.0);
        assert!(scenario.requests().iter().all(crewd_tests::fake_llm::Recorded::closed_early), "the connection was closed");
        assert!(app.resident_kib() < before + 300_000, "memory: {before} -> {} KiB", app.resident_kib());
    });
}

#[test]
fn a_huge_piece_is_taken_or_refused_but_never_fatal() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (task, _, _) = run_with(&client, model, "single", "siskin-huge", Fault::HugeChunk(1024 * 1024)).await;
        assert!(task.is_terminal());
        let (task, _, _) = run_with(&client, model, "single", "siskin-monster", Fault::HugeChunk(40 * 1024 * 1024)).await;
        task.expect_failed("provider_error");
        client.get("/health/live").await.expect(200);
    });
}

#[test]
fn a_conversation_that_is_too_long_says_so() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (task, log, scenario) = run_with(&client, model, "single", "siskin-window", Fault::ContextLength).await;
        assert_eq!(task.status(), "failed", "{}", task.0);
        assert!(kinds(&log).contains(&"llm.failed"));
        assert!(scenario.count() <= 4, "no storm of retries: {}", scenario.count());
    });
}
