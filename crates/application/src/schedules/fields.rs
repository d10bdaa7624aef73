//! What a client says about a schedule.

use chrono::{DateTime, Utc};
use crewd_domain::schedules::{CronExpression, OverlapPolicy, Schedule, ScheduleProblem, Timing, Zone};

use crate::runs::SubmitTask;

/// When a schedule is to fire, as asked.
#[derive(Clone, Debug, PartialEq)]
pub enum TimingFields {
    /// By the clock on the wall.
    Cron(CronExpression),
    /// At equal distances.
    Interval {
        /// The distance.
        seconds: u32,
        /// One of the times; the start of the schedule, else the present, if absent.
        anchor: Option<DateTime<Utc>>,
    },
}

/// Fields of a new schedule, or those of an old one that change. Absent ones have their defaults or stay.
///
/// Values have been read; limits and the task have not been checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScheduleFields {
    /// The name; a new schedule needs one.
    pub name: Option<String>,
    /// When; a new schedule needs it.
    pub timing: Option<TimingFields>,
    /// The task; a new schedule needs one.
    pub task: Option<SubmitTask>,
    /// Where the clock hangs.
    pub zone: Option<Zone>,
    /// See the domain.
    pub jitter_seconds: Option<u32>,
    /// `Some(None)` takes it away.
    pub start_at: Option<Option<DateTime<Utc>>>,
    /// `Some(None)` takes it away.
    pub end_at: Option<Option<DateTime<Utc>>>,
    /// `Some(None)` takes it away.
    pub max_runs: Option<Option<u32>>,
    /// Held or not.
    pub paused: Option<bool>,
    /// What happens during earlier tasks.
    pub overlap: Option<OverlapPolicy>,
    /// See the domain.
    pub catch_up_seconds: Option<u32>,
}

/// Which times of the past are to get a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackfillRequest {
    /// The first time that counts.
    pub from: DateTime<Utc>,
    /// The last time that counts; not in the future.
    pub to: DateTime<Utc>,
    /// At most so many tasks.
    pub max: u32,
}

impl ScheduleFields {
    /// Whether the times that are still to come are to be looked for anew.
    pub(super) const fn moves_times(&self) -> bool {
        self.timing.is_some()
            || self.zone.is_some()
            || self.start_at.is_some()
            || self.end_at.is_some()
            || self.max_runs.is_some()
            || self.paused.is_some()
    }

    /// Writes all but the task into a schedule.
    ///
    /// # Errors
    /// What is wrong with an interval.
    pub(super) fn write_to(&self, schedule: &mut Schedule, now: DateTime<Utc>) -> Result<(), Vec<ScheduleProblem>> {
        set(&mut schedule.name, self.name.as_ref());
        set(&mut schedule.zone, self.zone.as_ref());
        set(&mut schedule.jitter_seconds, self.jitter_seconds.as_ref());
        set(&mut schedule.start_at, self.start_at.as_ref());
        set(&mut schedule.end_at, self.end_at.as_ref());
        set(&mut schedule.max_runs, self.max_runs.as_ref());
        set(&mut schedule.paused, self.paused.as_ref());
        set(&mut schedule.overlap, self.overlap.as_ref());
        set(&mut schedule.catch_up_seconds, self.catch_up_seconds.as_ref());
        match &self.timing {
            None => {}
            Some(TimingFields::Cron(expression)) => schedule.timing = Timing::Cron { expression: expression.clone() },
            Some(TimingFields::Interval { seconds, anchor }) => {
                schedule.timing = Timing::interval(*seconds, anchor.or(schedule.start_at).unwrap_or(now))?;
            }
        }
        Ok(())
    }
}

fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}
