//! Every way a provider of models can fail, once and always: each task ends, with success or with a code.

use std::time::Duration;

use crewd_tests::fake_llm::{FakeLlm, Fault, Reply, Turn};

use crate::api::is_terminal;
use crate::audit::{Entry, Figures, Known, audit, audit_rows};
use crate::fleet::{Fleet, Role};
use crate::marker::marker;
use crate::report::Invariant;
use crate::stage::{Context, ONE_CALL, Stage};
use crate::waiting::Waiting;

const SLOW: Duration = Duration::from_secs(2);

/// Name, and what the model does.
fn faults() -> Vec<(&'static str, Reply)> {
    let fault = |name, fault: Fault| (name, Reply::from(fault));
    vec![
        fault("429", Fault::TooManyRequests(None)),
        fault("429 with Retry-After", Fault::TooManyRequests(Some("1"))),
        fault("500", Fault::Status(500, "server_error", "oh")),
        fault("503", Fault::Status(503, "overloaded", "later")),
        fault("529", Fault::Status(529, "overloaded_error", "later")),
        fault("400", Fault::Status(400, "invalid_request_error", "no")),
        fault("401", Fault::Status(401, "invalid_api_key", "no")),
        fault("page of HTML", Fault::HtmlPage),
        fault("garbage", Fault::GarbageJson),
        fault("wrong content type", Fault::WrongContentType),
        fault("error in a 200", Fault::ErrorInOk),
        fault("empty body", Fault::EmptyBody),
        fault("reset", Fault::Cut("half ")),
        fault("half a stream", Fault::EndsEarly("half ")),
        fault("no headers", Fault::HangsBeforeHeaders),
        fault("silence in the middle", Fault::HangsMidStream("half ")),
        fault("no UTF-8", Fault::InvalidUtf8("half ")),
        fault("huge piece", Fault::HugeChunk(1_000_000)),
        fault("error in a stream", Fault::ErrorMidStream("half ")),
        fault("window exceeded", Fault::ContextLength),
        ("delay", Reply::from(Turn::text("slow").delay(SLOW))),
        ("drip", Reply::from(Turn::pieces(["a ", "b ", "c ", "d "]).drip(Duration::from_millis(300)))),
    ]
}

/// Runs the part.
pub(crate) async fn measure(context: &Context) {
    let model = FakeLlm::start().await;
    let mut stage = Stage::new(context, "provider", &context.binary).await;
    stage.set("APP_LLM_BASE_URL", &model.base_url());
    stage.set("APP_LLM_TIMEOUT", "6");
    let mut fleet = Fleet::new(&stage);
    fleet.add(Role::All).await;
    let mut entries: Vec<(String, Entry)> = Vec::new();
    for (name, reply) in faults() {
        for always in [false, true] {
            for _ in 0..context.sizes.per_fault {
                let marker = marker('p', entries.len());
                let scenario = model.scenario(&marker);
                if always {
                    scenario.always(reply.clone());
                } else {
                    scenario.then(reply.clone()).always(Turn::text("fine"));
                }
                let id = stage.api.submit(ONE_CALL, &marker).await;
                let what = format!("{name}, {}", if always { "always" } else { "once" });
                entries.push((what, Entry { crew: ONE_CALL, marker, id }));
            }
        }
    }
    let only: Vec<Entry> = entries.iter().map(|(_, entry)| entry.clone()).collect();
    let mut waiting = Waiting::default();
    let left = waiting.all(&stage, &only, Duration::from_secs(180)).await;
    let report = &context.report;
    report.check(Invariant::NoLoss, left == 0, || format!("provider: {left} tasks did not end"));
    let mut figures = Figures::default();
    let mut failed: Vec<String> = Vec::new();
    for (what, entry) in &entries {
        let task = stage.api.task(&entry.id).await;
        let (status, code) = (task["status"].as_str().unwrap_or_default(), task["error"]["code"].as_str().unwrap_or_default());
        let honest = status == "succeeded" || status == "failed" && !code.is_empty();
        report.check(Invariant::Recovery, honest && is_terminal(status), || format!("{what}: {} is {status} {code}", entry.id));
        if status != "succeeded" {
            failed.push(what.clone());
        }
        audit(&stage, entry, Known { seen: &[], history: &fleet.history, waiting: &waiting }, &mut figures).await;
    }
    audit_rows(&stage, entries.len()).await;
    failed.dedup();
    report.figure(
        "provider",
        "kinds of fault, tasks, ends",
        format!("{}, {}, {:?}", faults().len(), entries.len(), figures.ends),
    );
    report.figure("provider", "failed with a code after", failed.join("; "));
    fleet.end();
}
