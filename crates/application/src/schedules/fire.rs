//! One fire: its task and its record in one unit.

use chrono::{DateTime, Utc};
use crewd_domain::runs::Concurrency;
use crewd_domain::schedules::{FireKind, FireOutcome, Schedule, ScheduleFire};
use crewd_domain::shared::TaskId;

use super::rows::{fire_to_row, to_row};
use super::service::{ScheduleServiceParts, submission};
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{Change, SCHEDULE_FIRE, StoreError, UnitOfWork};

/// Characters of a refusal that a record keeps.
const LONGEST_REASON: usize = 500;

/// What came of storing a fire.
#[derive(Debug)]
pub(super) enum Fired {
    /// It is stored.
    Done(ScheduleFire),
    /// The fire time has its record already.
    Taken,
    /// The schedule was changed meanwhile, or is gone.
    Outrun,
    /// The task is not acceptable.
    Refused(Error),
}

/// A fire before its record.
pub(super) struct Fire<'s> {
    pub(super) schedule: &'s Schedule,
    pub(super) time: DateTime<Utc>,
    pub(super) kind: FireKind,
    pub(super) at: DateTime<Utc>,
}

impl Fire<'_> {
    /// Its record without a task.
    pub(super) fn record(&self, outcome: FireOutcome, reason: impl Into<String>) -> ScheduleFire {
        let reason: String = reason.into().chars().take(LONGEST_REASON).collect();
        ScheduleFire { outcome, reason: Some(reason), ..self.with_task(outcome, None) }
    }

    fn with_task(&self, outcome: FireOutcome, task_id: Option<TaskId>) -> ScheduleFire {
        ScheduleFire {
            schedule_id: self.schedule.id,
            tenant_id: self.schedule.tenant_id.clone(),
            fire_time: self.time,
            kind: self.kind,
            outcome,
            task_id,
            at: self.at,
            reason: None,
        }
    }

    /// Submits the task together with the record and, for times of the schedule itself, with its `step` to the next time.
    pub(super) async fn submit(
        &self,
        parts: &ScheduleServiceParts,
        context: &RequestContext,
        outcome: FireOutcome,
        turns: Option<Concurrency>,
        step: Option<&Schedule>,
    ) -> Result<Fired> {
        let mut request = submission(self.schedule)?;
        request.options.schedule = Some(self.schedule.id);
        if turns.is_some() {
            request.options.concurrency = turns;
        }
        let step = step.map(to_row).transpose()?;
        let accompany = |task_id| {
            let record = fire_to_row(self.with_task(outcome, Some(task_id)));
            let step = step.map(|row| Change::UpdateSchedule(Box::new(row)));
            std::iter::once(Change::InsertScheduleFire(Box::new(record))).chain(step).collect()
        };
        match parts.tasks.submit_with(context, request, accompany).await {
            Ok(Ok(view)) => Ok(Fired::Done(self.with_task(outcome, Some(view.task.id)))),
            Ok(Err(error)) => stored(error),
            Err(error) => refused(error),
        }
    }
}

/// Stores records without tasks together with the schedule's step.
pub(super) async fn record(
    parts: &ScheduleServiceParts,
    fires: impl IntoIterator<Item = ScheduleFire>,
    step: &Schedule,
) -> Result<Option<Fired>> {
    let mut unit = UnitOfWork::new(step.tenant_id.clone());
    for fire in fires {
        unit.push(Change::InsertScheduleFire(Box::new(fire_to_row(fire))));
    }
    unit.push(Change::UpdateSchedule(Box::new(to_row(step)?)));
    match parts.committer.commit(unit).await {
        Ok(()) => Ok(None),
        Err(error) => stored(error).map(Some),
    }
}

/// What a failed commit means for a fire.
fn stored(error: StoreError) -> Result<Fired> {
    match error {
        StoreError::Duplicate(key) if key == SCHEDULE_FIRE => Ok(Fired::Taken),
        StoreError::Conflict => Ok(Fired::Outrun),
        error => Err(error.into()),
    }
}

/// A task that will not be accepted however often it is tried is a refusal; anything else is tried again.
fn refused(error: Error) -> Result<Fired> {
    match error.code {
        ErrorCode::Unavailable | ErrorCode::Internal | ErrorCode::Timeout | ErrorCode::RateLimited | ErrorCode::QuotaExceeded => {
            Err(error)
        }
        _ => Ok(Fired::Refused(error)),
    }
}
