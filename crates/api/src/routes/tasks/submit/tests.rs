use serde_json::json;

use super::*;

fn pointers(body: Value) -> Vec<String> {
    let error = read_submission(body).unwrap_err();
    error.details().fields.iter().map(|field| field.pointer.clone()).collect()
}

#[test]
fn the_whole_body_of_the_contract_is_read() {
    let body = json!({"crew": "research", "inputs": {"topic": "tea"}, "version": null, "priority": "batch", "deadline_seconds": 600,
        "not_before": null, "webhook": null, "budget": {"max_tokens": 100_000, "max_cost_usd": null}, "conversation_id": null,
        "dedup_key": null, "metadata": {"team": "red"}});
    let submission = read_submission(body).unwrap().task;
    assert_eq!((submission.crew.as_str(), submission.priority), ("research", Priority::Batch));
    assert_eq!((submission.deadline_seconds, submission.budget.max_tokens), (Some(600), Some(100_000)));
    assert_eq!((&submission.inputs["topic"], &submission.metadata["team"]), (&json!("tea"), &json!("red")));
}

#[test]
fn a_crew_is_enough() {
    let submission = read_submission(json!({"crew": "research"})).unwrap();
    assert!(submission.webhook.is_none());
    assert_eq!(submission.task, SubmitTask { crew: "research".to_owned(), ..SubmitTask::default() });
}

#[test]
fn exactly_one_thing_is_run() {
    assert_eq!(pointers(json!({})), ["/crew"]);
    assert_eq!(pointers(json!({"crew": null})), ["/crew"]);
    assert_eq!(pointers(json!({"flow": "f"})), ["/flow"]);
    assert_eq!(pointers(json!({"agent": "a"})), ["/agent"]);
    assert_eq!(pointers(json!({"crew": "c", "flow": "f", "agent": "a"})), ["/flow", "/agent"]);
    assert_eq!(pointers(json!({"crew": 7})), ["/crew"], "one problem, not two");
}

#[test]
fn what_this_version_cannot_do_is_refused_and_not_ignored() {
    let error = read_submission(json!({"crew": "c", "conversation_id": "c-1"})).unwrap_err();
    assert_eq!(error.details().reason.as_deref(), Some("not_supported"));
    assert_eq!(error.details().fields[0].pointer, "/conversation_id");
    assert_eq!(pointers(json!({"crew": "c", "budget": {"max_cost_usd": "0.50"}})), ["/budget/max_cost_usd"]);
}

#[test]
fn keys_of_metadata_hold_no_control_characters() {
    let error = read_submission(json!({"crew": "c", "metadata": {"a\u{0}b": 1}})).unwrap_err();
    assert_eq!(error.details().reason.as_deref(), Some("invalid_characters"));
    assert_eq!(error.details().fields[0].pointer, "/metadata/a\u{0}b");
}

#[test]
fn all_wrong_types_are_told_at_once() {
    let body = json!({"crew": ["x"], "inputs": "x", "version": 1, "priority": "urgent", "deadline_seconds": 0, "not_before": "soon",
        "webhook": "x", "budget": {"max_tokens": -1, "max_money": 1}, "conversation_id": 1, "dedup_key": {}, "metadata": [], "imputs": {}});
    let expected = [
        "/crew",
        "/inputs",
        "/version",
        "/priority",
        "/deadline_seconds",
        "/not_before",
        "/webhook",
        "/budget/max_tokens",
        "/budget/max_money",
        "/conversation_id",
        "/dedup_key",
        "/metadata",
        "/imputs",
    ];
    assert_eq!(pointers(body), expected);
}

#[test]
fn all_that_goes_beyond_the_usual_is_read() {
    let body = json!({"crew": "c", "not_before": "2099-01-01T00:00:00Z", "queue_timeout_seconds": 5, "step_timeout_seconds": 6,
        "stop_after": "crew_task[1].agent.turn[2]", "dedup_key": "order-7",
        "dedup": {"mode": "ttl", "ttl_seconds": 60, "on_conflict": "reject"}, "concurrency": {"key": "user-1", "mode": "rollback"},
        "webhook": {"url": "https://example.org/x", "events": ["task.failed"], "secret": "whsec_x"}});
    let Submission { task, webhook } = read_submission(body).unwrap();
    assert_eq!(task.options.not_before.map(|at| at.to_rfc3339()).as_deref(), Some("2099-01-01T00:00:00+00:00"));
    assert_eq!((task.options.queue_timeout_seconds, task.options.step_timeout_seconds), (Some(5), Some(6)));
    assert_eq!(task.stop_after, StepPath::parse("crew_task[1].agent.turn[2]"));
    assert_eq!(task.options.dedup_key.as_deref(), Some("order-7"));
    assert_eq!(task.dedup, DedupRule { ttl_seconds: Some(60), on_conflict: DedupConflict::Reject });
    assert_eq!(task.options.concurrency, Some(Concurrency { key: "user-1".to_owned(), mode: ConcurrencyMode::Rollback }));
    let webhook = webhook.unwrap();
    assert_eq!((webhook.url.as_str(), webhook.secret.as_deref()), ("https://example.org/x", Some("whsec_x")));
    assert_eq!(webhook.events, [WebhookEvent::TaskFailed]);
}

#[test]
fn half_said_wishes_are_refused() {
    for (body, pointer) in [
        (json!({"dedup": {"mode": "while_active"}}), "/dedup_key"),
        (json!({"dedup_key": "k", "dedup": {"mode": "ttl"}}), "/dedup/ttl_seconds"),
        (json!({"dedup_key": "k", "dedup": {"ttl_seconds": 5}}), "/dedup/ttl_seconds"),
        (json!({"dedup_key": "k", "dedup": {"mode": "while_active", "ttl_seconds": 5}}), "/dedup/ttl_seconds"),
        (json!({"dedup_key": "k", "dedup": {"mode": "for_ever"}}), "/dedup/mode"),
        (json!({"dedup_key": "k", "dedup": {"on_conflict": "replace"}}), "/dedup/on_conflict"),
        (json!({"dedup_key": "k", "dedup": {"ttl": 5}}), "/dedup/ttl"),
        (json!({"dedup_key": "x".repeat(256)}), "/dedup_key"),
        (json!({"dedup_key": "a\u{1}b"}), "/dedup_key"),
        (json!({"concurrency": {"mode": "reject"}}), "/concurrency/key"),
        (json!({"concurrency": {"key": "k", "mode": "queue"}}), "/concurrency/mode"),
        (json!({"concurrency": {"key": ""}}), "/concurrency/key"),
        (json!({"concurrency": "k"}), "/concurrency"),
        (json!({"queue_timeout_seconds": 0}), "/queue_timeout_seconds"),
        (json!({"step_timeout_seconds": 604_801}), "/step_timeout_seconds"),
        (json!({"stop_after": "crew_task"}), "/stop_after"),
        (json!({"not_before": "tomorrow"}), "/not_before"),
        (json!({"webhook": {"events": []}}), "/webhook/url"),
    ] {
        let mut whole = json!({"crew": "c"});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        assert_eq!(pointers(whole), [pointer], "{body}");
    }
}
