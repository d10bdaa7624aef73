//! One connected trace for a task, from the HTTP request to the last model call, over both transports.

use crewd_tests::app::{App, AppBuilder};
use crewd_tests::client::{Submit, Task};
use crewd_tests::crews;
use crewd_tests::fake_llm::FakeLlm;
use crewd_tests::otlp::{OtlpReceiver, Span, Trace};
use crewd_tests::runtime::run;

use crate::stage::{about, plan};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

fn traced_plan(receiver: &OtlpReceiver, protocol: &str, model: &FakeLlm) -> AppBuilder {
    plan()
        .model(model)
        .crew(&crews::reference("reference"))
        .set("APP_OTLP_ENDPOINT", receiver.endpoint())
        .set("APP_OTLP_PROTOCOL", protocol)
        .set("APP_OTLP_HEADERS", "x-collector-key=abc")
}

async fn traced(receiver: &OtlpReceiver, protocol: &str, model: &FakeLlm) -> App {
    traced_plan(receiver, protocol, model).start().await
}

/// Submits within the caller's trace and gives the whole trace as the receiver saw it.
async fn trace_of_a_task(app: &App, receiver: &OtlpReceiver, topic: &str) -> (Task, Trace) {
    let client = app.client();
    let more = Submit { headers: vec![("traceparent", format!("00-{TRACE}-{CALLER}-01"))], ..Submit::default() };
    let task = Task(client.submit_answer("reference", &about(topic), &more).await.expect(202).json());
    let done = client.wait_terminal(task.id()).await.expect("succeeded");
    let trace = receiver
        .wait_trace(
            TRACE,
            &[
                "POST /api/v1/tasks",
                "invoke_workflow reference",
                "invoke_agent",
                "chat fake-model",
                "execute_tool directory_read",
            ],
        )
        .await;
    (done, trace)
}

fn check(trace: &Trace) {
    let roots: Vec<&Span> = trace.spans.iter().filter(|span| !trace.spans.iter().any(|other| other.id == span.parent)).collect();
    assert_eq!(roots.len(), 1, "one connected trace: {:?}", roots.iter().map(|span| &span.name).collect::<Vec<_>>());
    assert_eq!(roots[0].parent, CALLER, "continued from the caller");
    assert_eq!((roots[0].name.as_str(), roots[0].kind), ("POST /api/v1/tasks", SERVER));
    assert_eq!(roots[0].attribute("http.request.method"), "POST");
    assert_eq!(roots[0].attribute("http.route"), "/api/v1/tasks");
    assert_eq!(roots[0].attribute("http.response.status_code"), "202");

    let workflow = trace.named("invoke_workflow reference")[0];
    assert_eq!(workflow.kind, INTERNAL);
    assert_eq!(workflow.attribute("gen_ai.operation.name"), "invoke_workflow");
    assert_eq!(workflow.attribute("gen_ai.workflow.name"), "reference");
    let agents = trace.named("invoke_agent ");
    assert_eq!(agents.len(), 2, "{agents:?}");
    for agent in &agents {
        assert_eq!(agent.parent, workflow.id);
        assert_eq!(agent.attribute("gen_ai.operation.name"), "invoke_agent");
        assert_eq!(agent.name, format!("invoke_agent {}", agent.attribute("gen_ai.agent.name")));
    }
    let chats = trace.named("chat fake-model");
    assert_eq!(chats.len(), 4);
    for chat in &chats {
        let up = trace.ancestry(chat);
        assert!(
            up.iter().any(|name| name.starts_with("invoke_agent")) && up.last().is_some_and(|name| name == "POST /api/v1/tasks"),
            "{up:?}"
        );
        assert_eq!(chat.kind, CLIENT);
        for (name, value) in [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.request.model", "fake-model"),
            ("gen_ai.usage.input_tokens", "12"),
            ("gen_ai.usage.output_tokens", "5"),
        ] {
            assert_eq!(chat.attribute(name), value, "{name}: {chat:?}");
        }
        assert!(!chat.attribute("gen_ai.provider.name").is_empty(), "{chat:?}");
        assert!(!chat.attribute("gen_ai.response.finish_reasons").is_empty(), "{chat:?}");
    }
    let tools = trace.named("execute_tool directory_read");
    assert_eq!(tools.len(), 2);
    for tool in tools {
        assert!(trace.ancestry(tool).iter().any(|name| name.starts_with("invoke_agent")));
        assert_eq!(tool.attribute("gen_ai.tool.name"), "directory_read");
        assert!(!tool.attribute("gen_ai.tool.call.id").is_empty(), "{tool:?}");
    }
}

/// Neither prompts nor secrets leave by traces.
fn check_privacy(receiver: &OtlpReceiver) {
    let everything = format!("{:?}", receiver.spans());
    for text in ["You trust only what you have seen", "sk-test-provider-key", "The answer of the fake model"] {
        assert!(!everything.contains(text), "{text} stands in a span");
    }
}

#[test]
fn a_task_is_one_trace_over_http() {
    run(async {
        let receiver = OtlpReceiver::http().await;
        let model = FakeLlm::start().await;
        let app = traced(&receiver, "http/protobuf", &model).await;
        let (_, trace) = trace_of_a_task(&app, &receiver, "whimbrel-http").await;
        check(&trace);
        check_privacy(&receiver);
        let resource = &trace.spans[0].resource;
        assert_eq!(resource.get("service.name").map(String::as_str), Some("crewd"), "{resource:?}");
        assert!(receiver.headers().iter().all(|headers| headers.get("x-collector-key").is_some_and(|key| key == "abc")));
    });
}

#[test]
fn a_task_is_one_trace_over_grpc() {
    run(async {
        let receiver = OtlpReceiver::grpc().await;
        let model = FakeLlm::start().await;
        let app = traced(&receiver, "grpc", &model).await;
        let (_, trace) = trace_of_a_task(&app, &receiver, "whimbrel-grpc").await;
        check(&trace);
        assert!(receiver.headers().iter().all(|headers| headers.get("x-collector-key").is_some_and(|key| key == "abc")));
    });
}

#[test]
fn spans_are_sent_before_the_process_ends() {
    run(async {
        let receiver = OtlpReceiver::http().await;
        let model = FakeLlm::start().await;
        let app = traced(&receiver, "http/protobuf", &model).await;
        let client = app.client();
        let task = client.run_crew("reference", &about("whimbrel-end")).await.expect("succeeded");
        app.sigterm();
        assert_eq!(app.wait_exit(std::time::Duration::from_secs(20)).await.code, Some(0));
        let finished = receiver.spans().iter().filter(|span| span.name == "invoke_workflow reference").count();
        assert_eq!(finished, 1, "{}", task.0);
    });
}

#[test]
fn a_collector_that_is_away_does_no_harm() {
    run(async {
        let model = FakeLlm::start().await;
        let app =
            plan().model(&model).crew(&crews::single("single")).set("APP_OTLP_ENDPOINT", "http://127.0.0.1:9").start().await;
        app.client().run_crew("single", &about("whimbrel-away")).await.expect("succeeded");
        app.sigterm();
        assert_eq!(app.wait_exit(std::time::Duration::from_secs(20)).await.code, Some(0));
    });
}

#[test]
fn a_trace_crosses_from_the_api_process_to_the_worker_process() {
    run(async {
        let receiver = OtlpReceiver::http().await;
        let model = FakeLlm::start().await;
        let serve = traced_plan(&receiver, "http/protobuf", &model);
        let worker = serve.clone().arguments(["worker"]).spawn();
        let serve = serve.arguments(["serve"]).start().await;
        let (_, trace) = trace_of_a_task(&serve, &receiver, "whimbrel-split").await;
        check(&trace);
        worker.sigterm();
        worker.wait_exit(std::time::Duration::from_secs(30)).await;
    });
}
