//! Everything wrong with a schedule and with its task, at once.

use crewd_domain::runs::ConcurrencyMode;
use crewd_domain::schedules::{OverlapPolicy, Schedule, ScheduleProblem};

use super::fields::ScheduleFields;
use super::service::ScheduleServiceParts;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};
use crate::runs::SubmitTask;

/// Checks a schedule as it would be: its values, its next time, and its task as if it were submitted now.
///
/// # Errors
/// `validation_failed` with everything; others where a crew cannot be read.
pub(super) async fn check_new(
    parts: &ScheduleServiceParts,
    context: &RequestContext,
    schedule: &Schedule,
    task: &SubmitTask,
) -> Result<()> {
    let mut problems = of_values(schedule, task);
    if let Err(error) = parts.tasks.check(context, task).await {
        problems.extend(below_task(error)?);
    }
    if problems.is_empty() {
        problems.extend(of_times(schedule));
    }
    finish(problems)
}

/// Checks what a change touches: a schedule whose crew is gone can still be held.
///
/// # Errors
/// As [`check_new`].
pub(super) async fn check_change(
    parts: &ScheduleServiceParts,
    context: &RequestContext,
    schedule: &Schedule,
    task: &SubmitTask,
    fields: &ScheduleFields,
) -> Result<()> {
    let mut problems = of_values(schedule, task);
    if fields.task.is_some()
        && let Err(error) = parts.tasks.check(context, task).await
    {
        problems.extend(below_task(error)?);
    }
    if problems.is_empty() && fields.moves_times() {
        problems.extend(of_times(schedule));
    }
    finish(problems)
}

fn of_values(schedule: &Schedule, task: &SubmitTask) -> Vec<FieldProblem> {
    schedule.problems().iter().map(pointed).chain(of_task(schedule, task)).collect()
}

fn of_times(schedule: &Schedule) -> Option<FieldProblem> {
    let is_over = !schedule.paused && !schedule.is_spent() && schedule.next_fire_at.is_none();
    is_over.then(|| FieldProblem::new("/end_at", "no time comes any more before it"))
}

fn finish(problems: Vec<FieldProblem>) -> Result<()> {
    if problems.is_empty() { Ok(()) } else { Err(Error::validation(problems)) }
}

/// A problem of the domain at its place in the body.
pub(super) fn pointed(problem: &ScheduleProblem) -> FieldProblem {
    FieldProblem::new(format!("/{}", problem.field), problem.to_string())
}

/// What a task may ask for only when it is submitted by hand.
fn of_task(schedule: &Schedule, task: &SubmitTask) -> Vec<FieldProblem> {
    let turns = task.options.concurrency.is_some() && schedule.overlap != OverlapPolicy::Allow;
    let merges = task.options.concurrency.as_ref().is_some_and(|concurrency| concurrency.mode == ConcurrencyMode::Merge);
    let wrong = [
        (merges, "/task/concurrency/mode", "every fire time has its own task"),
        (task.options.not_before.is_some(), "/task/not_before", "the schedule says when"),
        (task.options.dedup_key.is_some(), "/task/dedup_key", "every fire time has its own task"),
        (turns, "/task/concurrency", "the schedule keeps the turns, unless `overlap` is `allow`"),
    ];
    wrong.into_iter().filter(|(is_wrong, _, _)| *is_wrong).map(|(_, at, why)| FieldProblem::new(at, why)).collect()
}

/// The problems of a submission at their places below `/task`; any other error stays what it is.
fn below_task(error: Error) -> Result<Vec<FieldProblem>> {
    match error.code {
        ErrorCode::NotFound => Ok(vec![FieldProblem::new("/task/crew", error.message)]),
        ErrorCode::ValidationFailed => Ok(error
            .fields
            .into_iter()
            .map(|field| FieldProblem::new(format!("/task{}", field.pointer), field.message))
            .collect()),
        _ => Err(error),
    }
}
