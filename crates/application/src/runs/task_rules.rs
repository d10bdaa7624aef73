//! What a submission may ask for.

use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::crews::CrewDefinition;
use crewd_domain::runs::ConcurrencyMode;
use serde_json::{Map, Value};

use super::submit::{MAX_INPUT_BYTES, SubmitTask, escape};
use crate::error::{Error, FieldProblem, Result};

/// Keys of metadata.
const MAX_METADATA_KEYS: usize = 50;
/// Characters of a metadata key or text.
const MAX_METADATA_TEXT: usize = 500;
/// A week, in seconds.
const MAX_SECONDS: u32 = 7 * 24 * 3600;
/// How far ahead a task may be submitted, in days.
const MAX_DAYS_AHEAD: i64 = 366;
/// Seconds a business key may be held: a year.
const MAX_HOLD_SECONDS: u32 = 366 * 24 * 3600;
/// Characters of a business key.
const MAX_DEDUP_KEY: usize = 255;
/// Characters of a concurrency key.
const MAX_CONCURRENCY_KEY: usize = 200;

/// Everything that is wrong with a submission, at once. Inputs that become a message need not be those of the crew.
pub(super) fn check(request: &SubmitTask, definition: &CrewDefinition, now: DateTime<Utc>, is_message: bool) -> Result<()> {
    let mut problems = Vec::new();
    if !is_message {
        check_inputs(request, definition, &mut problems);
    }
    let input_bytes = serde_json::to_vec(&request.inputs).map_or(usize::MAX, |bytes| bytes.len());
    if input_bytes > MAX_INPUT_BYTES {
        problems.push(FieldProblem::new("/inputs", format!("has {input_bytes} bytes of JSON; {MAX_INPUT_BYTES} are allowed")));
    }
    if request.budget.max_tokens == Some(0) {
        problems.push(FieldProblem::new("/budget/max_tokens", "must be at least 1"));
    }
    check_times(request, now, &mut problems);
    check_keys(request, &mut problems);
    check_stop(request, definition, &mut problems);
    check_metadata(&request.metadata, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(Error::validation(problems)) }
}

/// Whether the inputs would go to a task that goes on, if there is one.
pub(super) fn may_merge(request: &SubmitTask) -> bool {
    request.options.concurrency.as_ref().is_some_and(|concurrency| concurrency.mode == ConcurrencyMode::Merge)
}

fn check_inputs(request: &SubmitTask, definition: &CrewDefinition, problems: &mut Vec<FieldProblem>) {
    let missing = definition.missing_inputs(&request.inputs);
    problems.extend(missing.iter().map(|name| {
        FieldProblem::new(format!("/inputs/{}", escape(name)), format!("is required: the crew's texts use {{{name}}}"))
    }));
    if missing.is_empty()
        && let Err(error) = definition.render(&request.inputs)
    {
        let wrong = error.problems.iter().map(|problem| FieldProblem::new(problem.pointer(), problem.message.clone()));
        problems.extend(wrong);
    }
}

fn check_times(request: &SubmitTask, now: DateTime<Utc>, problems: &mut Vec<FieldProblem>) {
    let options = &request.options;
    let spans = [
        ("/deadline_seconds", request.deadline_seconds, MAX_SECONDS),
        ("/queue_timeout_seconds", options.queue_timeout_seconds, MAX_SECONDS),
        ("/step_timeout_seconds", options.step_timeout_seconds, MAX_SECONDS),
        ("/dedup/ttl_seconds", request.dedup.ttl_seconds, MAX_HOLD_SECONDS),
    ];
    for (pointer, seconds, most) in spans {
        if seconds.is_some_and(|seconds| !(1..=most).contains(&seconds)) {
            problems.push(FieldProblem::new(pointer, format!("must be between 1 and {most}")));
        }
    }
    if options.not_before.is_some_and(|at| at > now + TimeDelta::days(MAX_DAYS_AHEAD)) {
        problems.push(FieldProblem::new("/not_before", format!("lies more than {MAX_DAYS_AHEAD} days ahead")));
    }
}

fn check_keys(request: &SubmitTask, problems: &mut Vec<FieldProblem>) {
    let concurrency = request.options.concurrency.as_ref().map(|concurrency| concurrency.key.as_str());
    let keys = [
        ("/dedup_key", request.options.dedup_key.as_deref(), MAX_DEDUP_KEY),
        ("/concurrency/key", concurrency, MAX_CONCURRENCY_KEY),
    ];
    for (pointer, key, longest) in keys {
        let is_wrong = |key: &str| key.is_empty() || key.chars().count() > longest || key.chars().any(char::is_control);
        if key.is_some_and(is_wrong) {
            let message = format!("has 1 to {longest} characters, none of them a control character");
            problems.push(FieldProblem::new(pointer, message));
        }
    }
}

fn check_stop(request: &SubmitTask, definition: &CrewDefinition, problems: &mut Vec<FieldProblem>) {
    let Some(path) = &request.stop_after else { return };
    let tasks = definition.tasks.len();
    if path.crew_task_index().is_none_or(|index| index >= tasks) {
        let message = format!("the crew has no such task: its tasks are crew_task[0] to crew_task[{}]", tasks.saturating_sub(1));
        problems.push(FieldProblem::new("/stop_after", message));
    }
}

fn check_metadata(metadata: &Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    if metadata.len() > MAX_METADATA_KEYS {
        problems.push(FieldProblem::new("/metadata", format!("has {} keys; {MAX_METADATA_KEYS} are allowed", metadata.len())));
    }
    for (key, value) in metadata {
        let pointer = format!("/metadata/{}", escape(key));
        if key.is_empty() || key.chars().count() > 100 || key.chars().any(char::is_control) {
            problems.push(FieldProblem::new(pointer, "a key has 1 to 100 characters, none of them a control character"));
        } else if value.as_str().is_some_and(|text| text.chars().count() > MAX_METADATA_TEXT) {
            problems.push(FieldProblem::new(pointer, format!("is longer than {MAX_METADATA_TEXT} characters")));
        } else if value.is_object() || value.is_array() || value.is_null() {
            problems.push(FieldProblem::new(pointer, "must be a text, a number or a boolean"));
        }
    }
}
