use chrono::DateTime;
use crewd_domain::runs::RunOutcome;
use crewd_domain::shared::{RunId, TaskId, TenantId, WorkerId};
use crewd_domain::tools::EffectClass;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn at(milliseconds: i64) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap()
}

fn step(seq: u64, path: StepPath, kind: StepKind, status: StepStatus) -> Step {
    let is_model = kind == StepKind::LlmCall;
    let usage = if is_model {
        Usage { input_tokens: 10, output_tokens: 2, llm_calls: 1, ..Usage::default() }
    } else {
        Usage { tool_calls: 1, ..Usage::default() }
    };
    let begun = i64::try_from(seq).unwrap() * 1_000;
    Step {
        run_id: RunId::new(Uuid::nil()),
        task_id: TaskId::new(Uuid::nil()),
        path,
        attempt: 1,
        kind,
        name: if is_model { "qwen-plus" } else { "file_read" }.to_owned(),
        agent: "writer".to_owned(),
        effect: EffectClass::ReadOnly,
        status,
        input_hash: String::new(),
        idempotency_key: String::new(),
        reused_from: None,
        seq,
        output: None,
        error: None,
        usage,
        started_at: at(begun),
        finished_at: status.is_finished().then(|| at(begun + 500)),
    }
}

fn run() -> Run {
    let mut run = Run::queued(RunId::new(Uuid::nil()), TaskId::new(Uuid::nil()), TenantId::default_tenant(), at(0));
    run.claim(WorkerId::new(Uuid::nil()), at(0), at(0)).unwrap();
    run
}

fn json_of(steps: Vec<Step>, run: &Run) -> Value {
    serde_json::to_value(tree(steps, run, &["collect", "write"])).unwrap()
}

#[test]
fn a_flat_journal_becomes_a_tree() {
    let turn = StepPath::crew_task(0).agent().turn(0);
    let steps = vec![
        step(1, turn.clone(), StepKind::LlmCall, StepStatus::Succeeded),
        step(2, turn.tool(0), StepKind::ToolCall, StepStatus::Succeeded),
        step(3, turn.tool(1), StepKind::ToolCall, StepStatus::Failed),
        step(4, StepPath::crew_task(0).agent().turn(1), StepKind::LlmCall, StepStatus::Succeeded),
        step(5, StepPath::crew_task(1).agent().turn(0), StepKind::LlmCall, StepStatus::Started),
    ];
    let tree = json_of(steps, &run());
    assert_eq!(tree.as_array().map(Vec::len), Some(2));
    let first = &tree[0];
    assert_eq!((&first["kind"], &first["name"], &first["status"]), (&json!("crew_task"), &json!("collect"), &json!("succeeded")));
    assert_eq!(
        (&first["usage"]["llm_calls"], &first["usage"]["tool_calls"], &first["usage"]["total_tokens"]),
        (&json!(2), &json!(2), &json!(24))
    );
    assert_eq!(
        (&first["started_at"], &first["finished_at"]),
        (&json!("1970-01-01T00:00:01.000Z"), &json!("1970-01-01T00:00:04.500Z"))
    );
    let agent = &first["children"][0];
    assert_eq!(
        (&agent["kind"], &agent["agent"], &agent["path"]),
        (&json!("agent"), &json!("writer"), &json!("crew_task[0].agent"))
    );
    let turns = agent["children"].as_array().unwrap();
    assert_eq!((turns.len(), &turns[0]["model"], &turns[0]["tool"]), (2, &json!("qwen-plus"), &Value::Null));
    let tools = turns[0]["children"].as_array().unwrap();
    assert_eq!(
        (tools.len(), &tools[1]["tool"], &tools[1]["status"], &tools[1]["path"]),
        (2, &json!("file_read"), &json!("failed"), &json!("crew_task[0].agent.turn[0].tool[1]"))
    );
    assert_eq!((&tree[1]["status"], &tree[1]["finished_at"]), (&json!("started"), &Value::Null));
}

#[test]
fn turns_keep_the_order_of_the_journal() {
    let agent = StepPath::crew_task(0).agent();
    let steps =
        (0..12).map(|index| step(index as u64 + 1, agent.turn(index), StepKind::LlmCall, StepStatus::Succeeded)).collect();
    let tree = json_of(steps, &run());
    let paths: Vec<_> = tree[0]["children"][0]["children"].as_array().unwrap().iter().map(|turn| turn["path"].clone()).collect();
    assert_eq!((&paths[2], &paths[10]), (&json!("crew_task[0].agent.turn[2]"), &json!("crew_task[0].agent.turn[10]")));
}

#[test]
fn the_task_begun_last_shares_the_fate_of_the_run() {
    let steps = || vec![step(1, StepPath::crew_task(0).agent().turn(0), StepKind::LlmCall, StepStatus::Succeeded)];
    let mut ended = run();
    assert_eq!(json_of(steps(), &ended)[0]["status"], "started", "between two turns it still goes on");
    ended.finish(RunOutcome::Succeeded { output: json!({}) }, Usage::default(), 1, at(9)).unwrap();
    assert_eq!(json_of(steps(), &ended)[0]["status"], "succeeded");
    let mut failed = run();
    let failure = crewd_domain::runs::Failure::new(crewd_domain::runs::FailureClass::ProviderError, "provider_failed", "no");
    failed.finish(RunOutcome::Failed { failure, output: Value::Null }, Usage::default(), 1, at(9)).unwrap();
    assert_eq!(json_of(steps(), &failed)[0]["status"], "failed");
    assert_eq!(json_of(Vec::new(), &failed), json!([]));
}
