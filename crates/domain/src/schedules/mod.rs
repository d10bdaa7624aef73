//! Schedules: when a crew runs by itself, and what becomes of each time it should have.
//!
//! Everything is computed from arguments: the same schedule and the same `now` give the same plan on every node.
//!
//! | module | holds |
//! |---|---|
//! | `cron` | cron expressions, checked field by field |
//! | `zone` | IANA time zones; from the clock on the wall to an instant, daylight saving included |
//! | `timing` | cron or interval, and the next time after an instant |
//! | `fire` | one time at which a schedule fired, and what became of it |
//! | `schedule`, `limits` | the schedule itself and what is wrong with one |
//! | `due` | which times are run now, which were missed, and when the next one is |
//! | `problem` | what is wrong, by field |

mod cron;
mod due;
mod fire;
mod limits;
mod problem;
mod schedule;
mod timing;
mod zone;

#[cfg(test)]
mod tests;

pub use cron::CronExpression;
pub use due::{DuePlan, MAX_FIRES_PER_PLAN, ON_TIME_SECONDS};
pub use fire::{FireKind, FireOutcome, ScheduleFire};
pub use limits::{DEFAULT_CATCH_UP_SECONDS, MAX_CATCH_UP_SECONDS, MAX_INTERVAL_SECONDS, MAX_JITTER_SECONDS, MAX_NAME_CHARACTERS};
pub use problem::ScheduleProblem;
pub use schedule::{OverlapPolicy, Schedule};
pub use timing::Timing;
pub use zone::Zone;
