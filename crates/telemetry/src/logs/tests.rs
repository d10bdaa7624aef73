//! Lines as an operator gets them.

use tracing::{Level, Span, debug, error, info, info_span, trace_span, warn};

use crate::config::LogFormat;
use crate::test_support::{Setup, config};
use crate::trace_context::{self, TraceContext};

#[test]
fn a_line_carries_time_ids_span_fields_and_its_own() {
    let captured = Setup::default().capture(|| {
        let request = info_span!("http", request_id = "r-1", tenant.id = "t-1", otel.name = "POST /tasks");
        let _request = request.enter();
        let run = info_span!("run", task.id = "task-1", run.id = tracing::field::Empty);
        run.record("run.id", "run-1");
        run.in_scope(|| info!(attempt = 2, ratio = 0.5, done = true, size = 7_u64, "step finished"));
    });
    let line = &captured.lines()[0];
    assert_eq!(line["timestamp"], "2026-11-20T08:00:00.123Z");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["target"], "crewd_telemetry::logs::tests");
    assert_eq!(line["message"], "step finished");
    for (name, value) in [("request_id", "r-1"), ("tenant.id", "t-1"), ("task.id", "task-1"), ("run.id", "run-1")] {
        assert_eq!(line[name], value, "{name}");
    }
    assert_eq!(line["trace_id"], "00000000000000010000000000000002");
    assert_eq!(line["span_id"], "0000000000000004");
    assert_eq!(
        (&line["attempt"], &line["ratio"], &line["done"], &line["size"]),
        (&2.into(), &0.5.into(), &true.into(), &7.into())
    );
    assert!(line.get("otel.name").is_none());
}

#[test]
fn a_line_outside_any_span_has_no_ids() {
    let captured = Setup::default().capture(|| info!("started"));
    let line = &captured.lines()[0];
    assert!(line.get("trace_id").is_none() && line.get("span_id").is_none());
}

#[test]
fn inner_fields_win_and_reserved_names_are_kept_apart() {
    let captured = Setup::default().capture(|| {
        let _outer = info_span!("outer", step = 1, agent = "outer").entered();
        let _inner = info_span!("inner", step = 2).entered();
        info!(step = 3, level = "mine", "x");
        info!("y");
    });
    let lines = captured.lines();
    assert_eq!((&lines[0]["step"], &lines[0]["level"], &lines[0]["field.level"]), (&3.into(), &"INFO".into(), &"mine".into()));
    assert_eq!((&lines[1]["step"], &lines[1]["agent"]), (&2.into(), &"outer".into()));
    assert_eq!(captured.text().lines().next().map(|line| line.matches("\"step\"").count()), Some(1));
}

#[test]
fn secrets_never_reach_a_line() {
    const SECRET: &str = "hunter2horse";
    let captured = Setup::default().capture(|| {
        let span = info_span!("call", api_key = SECRET, note = format!("Bearer {SECRET}"));
        let _span = span.enter();
        let payload = serde_json::json!({"headers": {"Authorization": SECRET}, "usage": {"input_tokens": 3}});
        info!(%payload, password = SECRET, token = 4711, input_tokens = 12, "sent api_key={SECRET}");
        let error = std::io::Error::other(format!("GET https://u:{SECRET}@host failed"));
        error!(error = &error as &dyn std::error::Error, cookie = ?vec![SECRET], "failed");
    });
    let text = captured.text();
    assert!(!text.contains(SECRET) && !text.contains("4711"), "{text}");
    assert_eq!(captured.lines()[0]["input_tokens"], 12);
    assert_eq!(captured.lines()[0]["payload"], r#"{"headers":{"Authorization":"[redacted]"},"usage":{"input_tokens":3}}"#);
}

#[test]
fn long_values_are_cut_and_lines_cannot_be_faked() {
    let captured = Setup::default().capture(|| {
        info!(agent = "x\n{\"level\":\"ERROR\"}\u{1b}[31m", body = "y".repeat(1_000_000), "a\r\nb");
    });
    assert_eq!(captured.text().lines().count(), 1);
    assert!(captured.text().len() < 5_000);
    assert!(captured.lines()[0]["body"].as_str().is_some_and(|body| body.ends_with("[cut, 1000000 bytes in all]")));
}

#[test]
fn the_level_holds_for_lines_but_not_for_ids() {
    let captured = Setup { level: Level::WARN, ..Setup::default() }.capture(|| {
        let _span = info_span!("request", request_id = "r-1").entered();
        info!("unheard");
        warn!("heard");
    });
    let lines = captured.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["request_id"], "r-1");
    assert!(lines[0]["trace_id"].is_string());
}

#[test]
fn chatty_crates_and_foreign_spans_are_kept_out() {
    let captured = Setup { level: Level::DEBUG, ..Setup::default() }.capture(|| {
        let _foreign = info_span!(target: "hyper::proto", "connection", peer = "p").entered();
        debug!(target: "hyper::proto", "unheard");
        warn!(target: "sqlx::query", "slow");
        debug!(target: "some_library", "heard");
        debug!("own");
    });
    let lines = captured.lines();
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap_or_default()).collect();
    assert_eq!(messages, ["slow", "heard", "own"]);
    assert!(lines.iter().all(|line| line.get("peer").is_none()));
}

#[test]
fn console_lines_read_well() {
    let setup = || Setup { format: LogFormat::Console, ..Setup::default() };
    let captured = setup().capture(|| {
        let _span = info_span!("run", task.id = "t-1").entered();
        warn!(reason = "too slow", empty = "", count = 3, "retry\nnow");
    });
    assert_eq!(
        captured.text(),
        "2026-11-20T08:00:00.123Z  WARN crewd_telemetry::logs::tests retry\\nnow reason=\"too slow\" empty=\"\" count=3 \
         task.id=t-1 trace_id=00000000000000010000000000000002\n"
    );
    let coloured = Setup { is_coloured: true, ..setup() }.capture(|| error!("red"));
    assert!(coloured.text().contains("\u{1b}[31mERROR\u{1b}[0m"));
}

#[test]
fn a_trace_from_elsewhere_is_continued() {
    let parent = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").expect("a context");
    let captured = Setup::default().capture(|| {
        let span = info_span!("http");
        trace_context::set_parent(&span, &parent);
        let own = trace_context::context_of(&span).expect("a context");
        assert_eq!((own.trace_id, own.sampled), (parent.trace_id, true));
        assert_ne!(own.span_id, parent.span_id);
        let _span = span.enter();
        assert_eq!(trace_context::current(), Some(own));
        let detached = info_span!(parent: None, "own trace");
        assert_ne!(trace_context::context_of(&detached).map(|context| context.trace_id), Some(parent.trace_id));
        let child = info_span!(parent: &span, "child");
        assert_eq!(trace_context::context_of(&child).map(|context| context.trace_id), Some(parent.trace_id));
        assert_eq!(trace_context::context_of(&trace_span!("switched off")), None);
        assert_eq!(trace_context::context_of(&Span::none()), None);
        info!("inside");
    });
    assert_eq!(captured.lines()[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[test]
fn hourly_files_hold_json_lines() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut settings = config(None);
    settings.dir = Some(folder.path().join("logs"));
    let (layer, guard) = crate::start::build(&settings).expect("telemetry");
    let subscriber = tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), layer);
    tracing::subscriber::with_default(subscriber, || info!(request_id = "r-1", "kept"));
    assert_eq!(guard.dropped_lines(), 0);
    guard.shutdown();
    let files: Vec<_> = std::fs::read_dir(folder.path().join("logs")).expect("files").flatten().collect();
    assert_eq!(files.len(), 1);
    let name = files[0].file_name().into_string().expect("a name");
    assert!(name.starts_with("crewd.2") && name.ends_with(".log") && name.len() == "crewd.2026-11-20-08.log".len(), "{name}");
    let text = std::fs::read_to_string(files[0].path()).expect("lines");
    assert!(text.contains("\"request_id\":\"r-1\"") && text.ends_with("}\n"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut settings = config(None);
    settings.dir = Some(file.path().join("logs"));
    let error = crate::start::build(&settings).map(|_| ()).expect_err("refused").to_string();
    assert!(error.contains("logs") && error.starts_with("log files cannot be written to"), "{error}");
}
