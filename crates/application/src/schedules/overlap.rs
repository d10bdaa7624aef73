//! What becomes of a fire while earlier tasks of the schedule go on.

use crewd_domain::runs::{CancelMode, Concurrency, ConcurrencyMode};
use crewd_domain::schedules::{FireOutcome, OverlapPolicy, Schedule};
use crewd_domain::shared::ScheduleId;

use super::service::ScheduleServiceParts;
use crate::context::RequestContext;
use crate::error::{ErrorCode, Result};
use crate::ports::TaskView;

/// What to do with a fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Submit its task; the outcome says whether it waits for its turn.
    Submit(FireOutcome),
    /// Leave it out.
    Skip(&'static str),
}

/// The concurrency key by which tasks of a schedule take turns.
pub(super) fn turns(schedule: &Schedule) -> Option<Concurrency> {
    (schedule.overlap != OverlapPolicy::Allow).then(|| Concurrency { key: key(schedule.id), mode: ConcurrencyMode::Enqueue })
}

fn key(id: ScheduleId) -> String {
    format!("schedule:{id}")
}

/// Decides by the tasks that have not ended.
pub(super) fn decide(policy: OverlapPolicy, going_on: usize) -> Decision {
    let submit = if going_on == 0 { FireOutcome::Started } else { FireOutcome::Queued };
    match policy {
        OverlapPolicy::Skip if going_on > 0 => Decision::Skip("an earlier task has not ended"),
        OverlapPolicy::QueueOne if going_on > 1 => Decision::Skip("a task waits for its turn already"),
        OverlapPolicy::Allow => Decision::Submit(FireOutcome::Started),
        _ => Decision::Submit(submit),
    }
}

/// Looks at the tasks that have not ended, decides, and cancels them where the policy says so.
pub(super) async fn settle(parts: &ScheduleServiceParts, context: &RequestContext, schedule: &Schedule) -> Result<Decision> {
    if schedule.overlap == OverlapPolicy::Allow {
        return Ok(decide(schedule.overlap, 0));
    }
    let going_on = parts.queries.tasks_with_key(&schedule.tenant_id, &key(schedule.id)).await?;
    if schedule.overlap == OverlapPolicy::CancelPrevious {
        for view in &going_on {
            cancel(parts, context, view).await?;
        }
    }
    Ok(decide(schedule.overlap, going_on.len()))
}

async fn cancel(parts: &ScheduleServiceParts, context: &RequestContext, view: &TaskView) -> Result<()> {
    // A cancel that is under way needs no second one.
    if view.run.cancel.is_some() {
        return Ok(());
    }
    let reason = Some("the schedule fired again".to_owned());
    match parts.tasks.cancel(context, view.task.id, CancelMode::Graceful, reason).await {
        Ok(_) => Ok(()),
        // It ended meanwhile, or changes too fast: the new task waits for its turn anyway.
        Err(error) if matches!(error.code, ErrorCode::Conflict | ErrorCode::InvalidState | ErrorCode::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}
