//! Carries out what is due, on every node, once.

use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::schedules::{DuePlan, FireKind, FireOutcome, Schedule, ScheduleFire};
use crewd_domain::shared::ScheduleId;

use super::fire::{Fire, Fired, record};
use super::overlap::{Decision, settle, turns};
use super::rows::from_row;
use super::service::ScheduleServiceParts;
use crate::context::RequestContext;
use crate::error::{Error, Result};

/// Schedules that are read at once.
const BATCH: u32 = 100;
/// Batches of one tick at most, so that a tick ends.
const BATCHES: usize = 20;
/// Times of one schedule that a tick carries out. What is late beyond them is left to the next ticks, so that others get
/// their turn: other schedules, and whoever changes this one.
pub(super) const BURST: usize = 16;

/// What a tick has done.
#[derive(Debug, Default)]
pub struct Ticked {
    /// Tasks submitted.
    pub submitted: usize,
    /// Times recorded without a task.
    pub left_out: usize,
    /// Schedules that could not be carried out, and why; they are tried again.
    pub failures: Vec<(ScheduleId, Error)>,
}

/// Fires schedules whose time has come. Runs in any number of processes at once: the records decide who was first.
pub struct SchedulerService {
    parts: ScheduleServiceParts,
}

impl SchedulerService {
    /// A service over its parts.
    #[must_use]
    pub const fn new(parts: ScheduleServiceParts) -> Self {
        Self { parts }
    }

    /// Carries out everything that is due by the database's clock.
    ///
    /// # Errors
    /// Where the due schedules cannot be read. What goes wrong with one of them does not touch the others.
    pub async fn tick(&self) -> Result<Ticked> {
        let mut ticked = Ticked::default();
        for _ in 0..BATCHES {
            let (now, rows) = self.parts.store.due(BATCH).await?;
            let before = ticked.submitted + ticked.left_out;
            for row in &rows {
                let carried = match from_row(row) {
                    Ok(schedule) => self.carry_out(schedule, now, &mut ticked).await,
                    Err(error) => Err(error.into()),
                };
                if let Err(error) = carried {
                    ticked.failures.push((row.id, error));
                }
            }
            if rows.len() < BATCH as usize || ticked.submitted + ticked.left_out == before {
                break;
            }
        }
        Ok(ticked)
    }

    async fn carry_out(&self, schedule: Schedule, now: DateTime<Utc>, ticked: &mut Ticked) -> Result<()> {
        let plan = schedule.due(now);
        let Some(mut schedule) = self.record_missed(schedule, &plan, now, ticked).await? else { return Ok(()) };
        let context = context(&schedule);
        for (index, time) in plan.run.iter().enumerate().take(BURST) {
            let following = plan.run.get(index + 1).copied().or(plan.next_fire_at);
            let fire = Fire { schedule: &schedule, time: *time, kind: FireKind::Scheduled, at: now };
            let Some(after) = self.run(&context, &fire, following, ticked).await? else { return Ok(()) };
            schedule = after;
        }
        Ok(())
    }

    /// Records what is not run; gives the schedule after it, or nothing when another node was faster.
    async fn record_missed(
        &self,
        schedule: Schedule,
        plan: &DuePlan,
        now: DateTime<Utc>,
        ticked: &mut Ticked,
    ) -> Result<Option<Schedule>> {
        if plan.missed.is_empty() && plan.superseded.is_empty() {
            return Ok(Some(schedule));
        }
        let step = DuePlan { run: Vec::new(), next_fire_at: plan.run.first().copied().or(plan.next_fire_at), ..plan.clone() };
        let mut after = schedule.clone();
        after.settle(&step, 0, now);
        let mut records = records(&schedule, &step, now);
        for _ in 0..2 {
            match record(&self.parts, records.iter().cloned(), &after).await? {
                None => {
                    ticked.left_out += records.len();
                    return Ok(Some(after));
                }
                // A backfill was there before: its records stay.
                Some(Fired::Taken) => records = self.without_taken(&schedule, records).await?,
                Some(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Leaves out the times that have their record already.
    async fn without_taken(&self, schedule: &Schedule, records: Vec<ScheduleFire>) -> Result<Vec<ScheduleFire>> {
        let (Some(first), Some(last)) =
            (records.iter().map(|fire| fire.fire_time).min(), records.iter().map(|fire| fire.fire_time).max())
        else {
            return Ok(records);
        };
        let mut taken = Vec::new();
        let mut before = Some(last + TimeDelta::microseconds(1));
        while let Some(end) = before {
            let page = self.parts.store.fires(&schedule.tenant_id, schedule.id, Some(end), BATCH).await?;
            before = page.last().map(|fire| fire.fire_time).filter(|time| *time > first && page.len() == BATCH as usize);
            taken.extend(page.into_iter().map(|fire| fire.fire_time));
        }
        Ok(records.into_iter().filter(|fire| !taken.contains(&fire.fire_time)).collect())
    }

    /// Carries out one time; gives the schedule after it, or nothing when another node was faster.
    async fn run(
        &self,
        context: &RequestContext,
        fire: &Fire<'_>,
        following: Option<DateTime<Utc>>,
        ticked: &mut Ticked,
    ) -> Result<Option<Schedule>> {
        let stepped = |started| {
            let mut after = fire.schedule.clone();
            after.settle(&DuePlan { run: vec![fire.time], next_fire_at: following, ..DuePlan::default() }, started, fire.at);
            after
        };
        let left_out = match settle(&self.parts, context, fire.schedule).await? {
            Decision::Skip(reason) => Some(fire.record(FireOutcome::Skipped, reason)),
            Decision::Submit(outcome) => {
                let after = stepped(1);
                match fire.submit(&self.parts, context, outcome, turns(fire.schedule), Some(&after)).await? {
                    Fired::Done(_) => {
                        ticked.submitted += 1;
                        return Ok(Some(after));
                    }
                    Fired::Outrun => return Ok(None),
                    Fired::Taken => None,
                    Fired::Refused(error) => Some(fire.record(FireOutcome::Failed, error.to_string())),
                }
            }
        };
        let after = stepped(0);
        let count = usize::from(left_out.is_some());
        match record(&self.parts, left_out, &after).await? {
            None => {
                ticked.left_out += count;
                Ok(Some(after))
            }
            // A backfill was there between the look and the record: only the step is left to do.
            Some(Fired::Taken) => Ok(record(&self.parts, None, &after).await?.is_none().then_some(after)),
            Some(_) => Ok(None),
        }
    }
}

/// The schedule itself is who submits.
fn context(schedule: &Schedule) -> RequestContext {
    RequestContext {
        tenant: schedule.tenant_id.clone(),
        actor: format!("schedule:{}", schedule.id),
        request_id: format!("schedule:{}:{}", schedule.id, schedule.version),
        traceparent: None,
    }
}

/// The records of all times of a plan that are not run.
fn records(schedule: &Schedule, plan: &DuePlan, now: DateTime<Utc>) -> Vec<ScheduleFire> {
    let of = |time: &DateTime<Utc>, reason: String| {
        Fire { schedule, time: *time, kind: FireKind::Scheduled, at: now }.record(FireOutcome::Missed, reason)
    };
    let last = plan.missed.last();
    let missed = plan.missed.iter().map(|time| match plan.unlisted_until {
        Some(until) if Some(time) == last => {
            of(time, format!("too late, and so are the times after it before {}", until.to_rfc3339()))
        }
        _ => of(time, "too late: outside of the catch-up window".to_owned()),
    });
    let superseded = plan.superseded.iter().map(|time| of(time, "late, and a later time was run instead".to_owned()));
    missed.chain(superseded).collect()
}
