//! Logs: JSON lines that tie a request to its task and its trace, and never a secret.

use crewd_tests::client::{Submit, Task};
use crewd_tests::crews;
use crewd_tests::fake_llm::{FakeLlm, Fault};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::Value;

use crate::stage::{about, plan};

#[test]
fn one_task_can_be_followed_by_request_trace_and_task_id() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan().model(&model).crew(&crews::single("single")).set("APP_LOG_LEVEL", "DEBUG").start().await;
        let client = app.client();
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let headers =
            vec![("x-request-id", "req-dotterel".to_owned()), ("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))];
        let task = Task(
            client.submit_answer("single", &about("dotterel"), &Submit { headers, ..Submit::default() }).await.expect(202).json(),
        );
        client.wait_terminal(task.id()).await.expect("succeeded");
        let lines = eventually("the log speaks of the task", SOON, async || {
            let lines: Vec<Value> = app.log_lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let about_task = lines.iter().filter(|line| line.to_string().contains(task.id())).count();
            (about_task >= 2).then_some(lines)
        })
        .await;
        for line in &lines {
            assert!(line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(), "{line}");
        }
        assert!(lines.iter().any(|line| line.to_string().contains("req-dotterel")), "the request id is there");
        let with_trace: Vec<&Value> = lines.iter().filter(|line| line["trace_id"] == trace).collect();
        assert!(
            with_trace.iter().any(|line| line.to_string().contains(task.id())),
            "the engine's lines carry the request's trace: {with_trace:#?}"
        );
    });
}

#[test]
fn no_secret_and_no_prompt_is_logged() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan().model(&model).crew(&crews::single("single")).set("APP_LOG_LEVEL", "DEBUG").start().await;
        let client = app.client();
        model.scenario("dotterel-fault").always(Fault::Status(
            401,
            "invalid_api_key",
            "Incorrect API key provided: sk-test-provider-key",
        ));
        let answer = client.run_crew("single", &about("dotterel-fault")).await.expect("failed");
        assert!(
            !answer.0.to_string().contains("sk-test-provider-key"),
            "a key that a provider repeats is not passed on: {}",
            answer.0
        );
        let printed = app.log_lines().join("\n");
        assert!(!printed.contains("sk-test-provider-key"), "{printed}");
        assert!(!printed.contains("You have read a lot."), "prompts are not logged by default");
    });
}

#[test]
fn files_are_written_where_a_folder_is_set() {
    run(async {
        let with_folder = plan();
        let folder = with_folder.installation().root().join("logs");
        let app = with_folder.set("APP_LOG_DIR", folder.to_string_lossy()).start().await;
        app.client().get("/health/ready").await.expect(200);
        app.sigterm();
        app.wait_exit(SOON).await;
        let files: Vec<_> = std::fs::read_dir(&folder).expect("the folder is there").flatten().collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let text = std::fs::read_to_string(files[0].path()).unwrap_or_default();
        assert!(text.lines().count() > 0 && text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
    });
}

#[test]
fn the_level_is_obeyed() {
    run(async {
        let app = plan().set("APP_LOG_LEVEL", "ERROR").start().await;
        app.client().get("/api/v1/tasks/none").await;
        app.sigterm();
        app.wait_exit(SOON).await;
        let noisy: Vec<String> =
            app.log_lines().into_iter().filter(|line| line.contains("\"INFO\"") || line.contains("\"DEBUG\"")).collect();
        assert!(noisy.is_empty(), "{noisy:?}");
    });
}
