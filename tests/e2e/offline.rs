//! What a newcomer meets: no key, no network, one command, one pasted line.

use std::collections::BTreeSet;
use std::process::Command;

use crewd_tests::crews;
use crewd_tests::runtime::run;
use serde_json::{Value, json};

use crate::stage::{about, kinds, plan, whole_log};

#[test]
fn the_banner_says_where_and_that_answers_are_simulated() {
    run(async {
        let app = plan().start().await;
        let banner = app.output().stdout().join("\n");
        assert!(banner.contains(app.url()), "{banner}");
        assert!(banner.contains("/docs"), "{banner}");
        assert!(banner.contains("curl"), "{banner}");
        let lower = banner.to_lowercase();
        assert!(lower.contains("offline") || lower.contains("simulated"), "{banner}");
    });
}

#[test]
fn the_banners_curl_streams_a_crew_to_its_end() {
    run(async {
        let app = plan().start().await;
        let banner = app.output().stdout().join("\n");
        let from = banner.find("curl").unwrap_or_else(|| panic!("no curl in the banner: {banner}"));
        let pasted = pasted_command(&banner[from..]);
        let output =
            tokio::task::spawn_blocking(move || Command::new("bash").args(["-c", &pasted]).output().expect("bash can be run"))
                .await
                .expect("the command is run");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("task.succeeded"), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(shown.matches("llm.delta").count() > 3, "it streams: {shown}");
    });
}

/// The command from its first word to the first line that does not go on.
fn pasted_command(text: &str) -> String {
    let mut command = String::new();
    for line in text.lines() {
        command.push_str(line.trim_end());
        command.push('\n');
        let goes_on = line.trim_end().ends_with(['\\', '|']) || command.matches('\'').count() % 2 == 1;
        if !goes_on {
            break;
        }
    }
    command
}

#[test]
fn every_shipped_crew_runs_offline_to_its_end() {
    run(async {
        let app = plan().start().await;
        let client = app.client();
        let list = client.get("/api/v1/crews").await.expect(200).json();
        let names: BTreeSet<&str> =
            list["items"].as_array().into_iter().flatten().filter_map(|crew| crew["name"].as_str()).collect();
        assert!(names.is_superset(&BTreeSet::from(["research", "support", "code_review"])), "{names:?}");
        for name in names {
            let crew = client.get(&format!("/api/v1/crews/{name}")).await.expect(200).json();
            let required = crew["inputs"]["required"].as_array().cloned().unwrap_or_default();
            let inputs: serde_json::Map<String, Value> =
                required.iter().filter_map(Value::as_str).map(|input| (input.to_owned(), json!("."))).collect();
            let task = client.run_crew(name, &Value::Object(inputs)).await.expect("succeeded");
            assert_eq!(task.0["simulated"], true, "{}", task.0);
            assert!(!task.raw().is_empty());
            whole_log(&client, task.id()).await;
        }
    });
}

#[test]
fn the_offline_model_is_deterministic_and_uses_every_tool() {
    run(async {
        let app = plan().crew(&crews::with_tools("curious", "[directory_read, file_write]")).start().await;
        let client = app.client();
        let first = client.run_crew("curious", &about("tides")).await.expect("succeeded");
        let second = client.run_crew("curious", &about("tides")).await.expect("succeeded");
        assert_eq!(first.raw(), second.raw());
        assert_eq!(first.0["usage"]["tool_calls"], 2, "{}", first.0);
        let log = whole_log(&client, first.id()).await;
        for tool in ["directory_read", "file_write"] {
            let called = log.iter().filter(|event| event["type"] == "tool.started" && event["data"]["tool"] == tool).count();
            assert_eq!(called, 1, "{tool}: {:?}", kinds(&log));
        }
        assert!(first.raw().contains("tides"), "about the task: {}", first.raw());
    });
}

#[test]
fn no_offline_answer_where_a_key_is_set_or_production_is_meant() {
    run(async {
        let app = plan()
            .set("APP_LLM_PROVIDER", "openai_compatible")
            .set("APP_LLM_BASE_URL", "http://127.0.0.1:9/v1")
            .set("APP_LLM_API_KEY", "sk-x")
            .start()
            .await;
        let task = app.client().run_crew("research", &about("tides")).await.expect_failed("provider_error");
        assert_eq!(task.0["simulated"], false, "{}", task.0);
    });
}
