//! Schedules as clients see them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crewd_domain::schedules::{DEFAULT_CATCH_UP_SECONDS, OverlapPolicy, Schedule, ScheduleFire, Timing, Zone};
use crewd_domain::shared::ScheduleId;

use super::check::{check_change, check_new, pointed};
use super::fields::{ScheduleFields, TimingFields};
use super::rows::{fire_from_row, from_row, to_row};
use crate::attempts::Attempts;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};
use crate::ports::{Clock, IdGenerator, RunQueries, ScheduleStore, StoreError};
use crate::runs::{Committer, SubmitTask, TaskService};

/// What the services of this module work with.
#[derive(Clone)]
pub struct ScheduleServiceParts {
    /// Schedules and fires.
    pub store: Arc<dyn ScheduleStore>,
    /// Persist, then publish.
    pub committer: Committer,
    /// Tasks that go on.
    pub queries: Arc<dyn RunQueries>,
    /// Submits and cancels.
    pub tasks: Arc<TaskService>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// A page of schedules, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulePage {
    /// The schedules.
    pub items: Vec<Schedule>,
    /// Where the next page starts, if there is one.
    pub next_before: Option<ScheduleId>,
}

/// Creates, reads, changes, deletes, triggers and backfills schedules.
pub struct ScheduleService {
    pub(super) parts: ScheduleServiceParts,
}

impl ScheduleService {
    /// A service over its parts.
    #[must_use]
    pub const fn new(parts: ScheduleServiceParts) -> Self {
        Self { parts }
    }

    /// Creates a schedule.
    ///
    /// # Errors
    /// `validation_failed` with everything wrong at once; `conflict` with `name_taken`.
    pub async fn create(&self, context: &RequestContext, fields: ScheduleFields) -> Result<Schedule> {
        let now = self.parts.clock.now();
        let (Some(_), Some(timing), Some(task)) = (&fields.name, &fields.timing, &fields.task) else {
            return Err(missing(&fields));
        };
        let mut schedule = self.blank(context, timing, now);
        write(&fields, &mut schedule, now)?;
        schedule.template = template(task)?;
        schedule.plan_from(now);
        check_new(&self.parts, context, &schedule, task).await?;
        self.parts.store.insert(to_row(&schedule)?).await.map_err(named)?;
        Ok(schedule)
    }

    /// A schedule.
    ///
    /// # Errors
    /// `not_found`, for a foreign id as well.
    pub async fn get(&self, context: &RequestContext, id: ScheduleId) -> Result<Schedule> {
        let row = self.parts.store.schedule(&context.tenant, id).await?.ok_or_else(|| Error::not_found("schedule"))?;
        Ok(from_row(&row)?)
    }

    /// Schedules, newest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn list(&self, context: &RequestContext, before: Option<ScheduleId>, limit: u32) -> Result<SchedulePage> {
        let rows = self.parts.store.schedules(&context.tenant, before, limit.saturating_add(1)).await?;
        let mut items = rows.iter().map(from_row).collect::<std::result::Result<Vec<_>, _>>()?;
        let has_more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_before = if has_more { items.last().map(|schedule| schedule.id) } else { None };
        Ok(SchedulePage { items, next_before })
    }

    /// Changes a schedule.
    ///
    /// # Errors
    /// `not_found`; `validation_failed`; `conflict` with `name_taken`, or if it changes faster than it can be read.
    pub async fn change(&self, context: &RequestContext, id: ScheduleId, fields: &ScheduleFields) -> Result<Schedule> {
        let mut attempts = Attempts::default();
        while attempts.next().await {
            let now = self.parts.clock.now();
            let mut schedule = self.get(context, id).await?;
            write(fields, &mut schedule, now)?;
            let task = match &fields.task {
                Some(task) => task.clone(),
                None => submission(&schedule)?,
            };
            schedule.template = template(&task)?;
            if fields.moves_times() {
                schedule.plan_from(now);
            }
            check_change(&self.parts, context, &schedule, &task, fields).await?;
            schedule.version += 1;
            schedule.updated_at = now;
            match self.parts.store.update(to_row(&schedule)?).await {
                Ok(()) => return Ok(schedule),
                // It fired meanwhile: look again.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(named(error)),
            }
        }
        Err(Error::new(ErrorCode::Conflict, "the schedule changes too fast; try again"))
    }

    /// Deletes a schedule with its records. Its tasks stay.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn delete(&self, context: &RequestContext, id: ScheduleId) -> Result<()> {
        if self.parts.store.delete(&context.tenant, id).await? { Ok(()) } else { Err(Error::not_found("schedule")) }
    }

    /// What became of the schedule's times, latest first. The last value says where the next page starts.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn fires(
        &self,
        context: &RequestContext,
        id: ScheduleId,
        before: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<(Vec<ScheduleFire>, Option<DateTime<Utc>>)> {
        self.get(context, id).await?;
        let rows = self.parts.store.fires(&context.tenant, id, before, limit.saturating_add(1)).await?;
        let mut items = rows.into_iter().map(fire_from_row).collect::<std::result::Result<Vec<_>, _>>()?;
        let has_more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_before = if has_more { items.last().map(|fire| fire.fire_time) } else { None };
        Ok((items, next_before))
    }

    /// A new schedule with the defaults.
    fn blank(&self, context: &RequestContext, timing: &TimingFields, now: DateTime<Utc>) -> Schedule {
        Schedule {
            id: ScheduleId::new(self.parts.ids.next_id()),
            tenant_id: context.tenant.clone(),
            name: String::new(),
            timing: match timing {
                TimingFields::Cron(expression) => Timing::Cron { expression: expression.clone() },
                TimingFields::Interval { seconds, .. } => Timing::Interval { seconds: *seconds, anchor: now },
            },
            zone: Zone::UTC,
            jitter_seconds: 0,
            start_at: None,
            end_at: None,
            max_runs: None,
            fired_count: 0,
            paused: false,
            overlap: OverlapPolicy::Skip,
            catch_up_seconds: DEFAULT_CATCH_UP_SECONDS,
            template: serde_json::Value::Null,
            next_fire_at: None,
            last_fire_at: None,
            version: 1,
            created_at: now,
            updated_at: now,
            created_by: context.actor.clone(),
        }
    }
}

/// The task that a schedule submits.
pub(super) fn submission(schedule: &Schedule) -> Result<SubmitTask> {
    serde_json::from_value(schedule.template.clone())
        .map_err(|error| StoreError::Corrupt(format!("task of schedule {}: {error}", schedule.id)).into())
}

fn template(task: &SubmitTask) -> Result<serde_json::Value> {
    serde_json::to_value(task).map_err(|error| StoreError::Corrupt(error.to_string()).into())
}

fn write(fields: &ScheduleFields, schedule: &mut Schedule, now: DateTime<Utc>) -> Result<()> {
    fields.write_to(schedule, now).map_err(|problems| Error::validation(problems.iter().map(pointed).collect()))
}

fn missing(fields: &ScheduleFields) -> Error {
    let needed = [
        (fields.name.is_none(), "/name", "is required"),
        (fields.timing.is_none(), "/cron", "is required, or `interval_seconds`: the schedule must know when"),
        (fields.task.is_none(), "/task", "is required: the body of a task"),
    ];
    let absent = needed.into_iter().filter(|(is_absent, _, _)| *is_absent);
    Error::validation(absent.map(|(_, at, why)| FieldProblem::new(at, why)).collect())
}

/// A taken name is the caller's matter.
fn named(error: StoreError) -> Error {
    match error {
        StoreError::Duplicate(_) => {
            Error::new(ErrorCode::Conflict, "there is a schedule of this name already").because("name_taken")
        }
        error => error.into(),
    }
}
