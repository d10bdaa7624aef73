//! When a schedule fires.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::cron::CronExpression;
use super::limits::MAX_INTERVAL_SECONDS;
use super::problem::ScheduleProblem;
use super::zone::Zone;

/// The rule that gives the times of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Timing {
    /// Times of the clock on the wall.
    Cron {
        /// Five fields, or six with seconds first.
        expression: CronExpression,
    },
    /// Equal distances on the time line; time zones and late runs do not move them.
    Interval {
        /// The distance, at least 1.
        seconds: u32,
        /// One of the times, in whole seconds; they go on in both directions from it.
        anchor: DateTime<Utc>,
    },
}

impl Timing {
    /// A timing by cron expression.
    ///
    /// # Errors
    /// Everything wrong with the expression, addressed to `cron`.
    pub fn cron(expression: &str) -> Result<Self, Vec<ScheduleProblem>> {
        CronExpression::parse(expression).map(|expression| Self::Cron { expression })
    }

    /// A timing by interval; fractions of a second of the anchor are dropped.
    ///
    /// # Errors
    /// An interval of nothing or of more than a year, addressed to `interval_seconds`.
    pub fn interval(seconds: u32, anchor: DateTime<Utc>) -> Result<Self, Vec<ScheduleProblem>> {
        if !(1..=MAX_INTERVAL_SECONDS).contains(&seconds) {
            let message = format!("an interval has 1 to {MAX_INTERVAL_SECONDS} seconds");
            return Err(vec![ScheduleProblem::new("interval_seconds", message)]);
        }
        Ok(Self::Interval { seconds, anchor: anchor.duration_trunc(TimeDelta::seconds(1)).unwrap_or(anchor) })
    }

    /// The first time after an instant; `None` when there is none any more.
    ///
    /// Of cron times, one that the clock skips is moved to the first instant after the skip, and one that comes twice is taken once,
    /// at its first coming. Times therefore always grow.
    #[must_use]
    pub fn next_fire(&self, after: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron { expression } => {
                // Later times on the wall are never earlier instants, so the first that is later than `after` is the next one.
                // Only in the second coming of an hour do matches lie behind.
                let mut wall = expression.next_on_the_wall(zone.wall_clock(after))?;
                loop {
                    let instant = zone.instant(wall)?;
                    if instant > after {
                        return Some(instant);
                    }
                    wall = expression.next_on_the_wall(wall)?;
                }
            }
            Self::Interval { seconds, anchor } => next_of_interval(i64::from(*seconds), *anchor, after),
        }
    }
}

fn next_of_interval(seconds: i64, anchor: DateTime<Utc>, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let passed = (after.timestamp() - anchor.timestamp()).div_euclid(seconds);
    anchor.checked_add_signed(TimeDelta::try_seconds((passed + 1).checked_mul(seconds)?)?)
}
