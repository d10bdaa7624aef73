//! Fires that somebody asked for.

use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::schedules::{FireKind, FireOutcome, Schedule, ScheduleFire};
use crewd_domain::shared::ScheduleId;

use super::fields::BackfillRequest;
use super::fire::{Fire, Fired};
use super::service::ScheduleService;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};

/// Tasks of a backfill unless the caller says otherwise.
pub const DEFAULT_BACKFILL: u32 = 100;
/// Tasks of a backfill at most.
pub const MAX_BACKFILL: u32 = 1_000;
/// Times a trigger looks for a free moment.
const TRIGGER_ATTEMPTS: i64 = 16;

/// What a backfill has done.
#[derive(Clone, Debug, PartialEq)]
pub struct Backfilled {
    /// The records of the tasks it submitted, oldest first.
    pub items: Vec<ScheduleFire>,
    /// Where the next backfill goes on; `None` when every time has its task.
    pub next_from: Option<DateTime<Utc>>,
}

impl ScheduleService {
    /// Submits the schedule's task now, whatever its state and its policies.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` if the task is not acceptable any more.
    pub async fn trigger(&self, context: &RequestContext, id: ScheduleId) -> Result<ScheduleFire> {
        let schedule = self.get(context, id).await?;
        let now = self.parts.clock.now();
        // Two triggers of the same microsecond are two fires.
        for microseconds in 0..TRIGGER_ATTEMPTS {
            let time = now + TimeDelta::microseconds(microseconds);
            if let Some(fire) = self.submit(context, &schedule, time, FireKind::Manual, now).await? {
                return Ok(fire);
            }
        }
        Err(Error::new(ErrorCode::Conflict, "the schedule is triggered too often; try again"))
    }

    /// Submits a task for each fire time of the past that has none.
    ///
    /// # Errors
    /// `not_found`; `validation_failed`; `invalid_state` if the task is not acceptable any more. What was submitted before an
    /// error stays, and asking again goes on behind it.
    pub async fn backfill(&self, context: &RequestContext, id: ScheduleId, request: BackfillRequest) -> Result<Backfilled> {
        let schedule = self.get(context, id).await?;
        let now = self.parts.clock.now();
        check(&request, now)?;
        let following = |after| schedule.timing.next_fire(after, schedule.zone).filter(|time| *time <= request.to);
        let mut items = Vec::new();
        let mut looked_at = 0;
        let mut next = request.from.checked_sub_signed(TimeDelta::nanoseconds(1)).and_then(following);
        while let Some(time) = next.filter(|_| items.len() < request.max as usize && looked_at < MAX_BACKFILL) {
            items.extend(self.submit(context, &schedule, time, FireKind::Backfill, now).await?);
            looked_at += 1;
            next = following(time);
        }
        Ok(Backfilled { items, next_from: next })
    }

    /// The record of the fire, or nothing when that time has its task already.
    async fn submit(
        &self,
        context: &RequestContext,
        schedule: &Schedule,
        time: DateTime<Utc>,
        kind: FireKind,
        at: DateTime<Utc>,
    ) -> Result<Option<ScheduleFire>> {
        let fire = Fire { schedule, time, kind, at };
        match fire.submit(&self.parts, context, FireOutcome::Started, None, None).await? {
            Fired::Done(record) => Ok(Some(record)),
            Fired::Taken => Ok(None),
            Fired::Outrun => Err(Error::not_found("schedule")),
            Fired::Refused(error) => {
                let message = format!("the task of the schedule is not acceptable any more: {}", error.message);
                Err(Error { fields: error.fields, ..Error::new(ErrorCode::InvalidState, message) })
            }
        }
    }
}

fn check(request: &BackfillRequest, now: DateTime<Utc>) -> Result<()> {
    let most = format!("must be an integer from 1 to {MAX_BACKFILL}");
    let wrong = [
        (request.to > now, "/to", "lies in the future: only times of the past can be made good"),
        (request.to < request.from, "/from", "lies after `to`"),
        (!(1..=MAX_BACKFILL).contains(&request.max), "/max", most.as_str()),
    ];
    let problems: Vec<FieldProblem> =
        wrong.into_iter().filter(|(is_wrong, _, _)| *is_wrong).map(|(_, at, why)| FieldProblem::new(at, why)).collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::validation(problems)) }
}
