//! A schedule.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::timing::Timing;
use super::zone::Zone;
use crate::runs::named;
use crate::shared::{ScheduleId, TenantId};

/// What to do with a fire while an earlier run of the schedule goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlapPolicy {
    /// Leave it out.
    #[default]
    Skip,
    /// Let one fire wait its turn; leave further ones out.
    QueueOne,
    /// Let every fire wait its turn.
    QueueAll,
    /// Cancel the earlier run and start.
    CancelPrevious,
    /// Start beside it.
    Allow,
}

named!(OverlapPolicy {
    Skip = "skip",
    QueueOne = "queue_one",
    QueueAll = "queue_all",
    CancelPrevious = "cancel_previous",
    Allow = "allow",
});

/// A task that is submitted again and again by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// Its owner.
    pub tenant_id: TenantId,
    /// For people; unique for the tenant.
    pub name: String,
    /// When it fires.
    pub timing: Timing,
    /// Where the clock of a cron expression hangs.
    pub zone: Zone,
    /// Each fire is late by up to so many seconds, so that many schedules do not start in the same second.
    pub jitter_seconds: u32,
    /// No fire time lies before it.
    pub start_at: Option<DateTime<Utc>>,
    /// No fire time lies after it.
    pub end_at: Option<DateTime<Utc>>,
    /// It ends when so many tasks were submitted at its times.
    pub max_runs: Option<u32>,
    /// Tasks submitted at its times; manual ones and backfills do not count.
    pub fired_count: u32,
    /// Whether it is held; times that pass meanwhile are left out.
    pub paused: bool,
    /// What happens when it fires during an earlier run.
    pub overlap: OverlapPolicy,
    /// How late a fire that nobody saw may still be run; 0 = not at all.
    pub catch_up_seconds: u32,
    /// The body of the task, as `POST /tasks` takes it.
    pub template: Value,
    /// The next fire time; `None` when there is none, or while it is paused.
    pub next_fire_at: Option<DateTime<Utc>>,
    /// The latest fire time that was dealt with.
    pub last_fire_at: Option<DateTime<Utc>>,
    /// Counts its changes. Of two writers that read the same version one wins.
    pub version: u64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was changed, by a person or by firing.
    pub updated_at: DateTime<Utc>,
    /// Who created it.
    pub created_by: String,
}

impl Schedule {
    /// The first fire time after an instant, between start and end; whether it is paused or spent does not matter.
    #[must_use]
    pub fn next_fire(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let after = match self.start_at {
            // The start itself may be a fire time.
            Some(start) => after.max(start.checked_sub_signed(TimeDelta::nanoseconds(1))?),
            None => after,
        };
        self.timing.next_fire(after, self.zone).filter(|fire| self.end_at.is_none_or(|end| *fire <= end))
    }

    /// Sets the next fire time anew, after it was created, changed or resumed: nothing before `now` is made good.
    pub fn plan_from(&mut self, now: DateTime<Utc>) {
        self.next_fire_at = if self.paused || self.is_spent() { None } else { self.next_fire(now) };
    }

    /// Whether it has submitted all the tasks it may.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.max_runs.is_some_and(|most| self.fired_count >= most)
    }

    /// Whole seconds a fire is late by, the same on every node.
    ///
    /// Always shorter than the way to the following fire time, so that fires keep their order.
    #[must_use]
    pub fn jitter(&self, fire_time: DateTime<Utc>) -> TimeDelta {
        if self.jitter_seconds == 0 {
            return TimeDelta::zero();
        }
        let gap = self.timing.next_fire(fire_time, self.zone).map_or(i64::MAX, |next| (next - fire_time).num_seconds());
        let most = i64::from(self.jitter_seconds).min(gap - 1).max(0);
        let drawn = scatter(self.id.as_uuid().as_u128(), fire_time.timestamp()) % (most.unsigned_abs() + 1);
        TimeDelta::seconds(i64::try_from(drawn).unwrap_or(0))
    }

    /// When the next fire is to be acted upon: its time and its jitter.
    #[must_use]
    pub fn next_due_at(&self) -> Option<DateTime<Utc>> {
        self.next_fire_at.map(|fire| fire + self.jitter(fire))
    }
}

/// A number that looks random and depends on both arguments alone (the finaliser of `SplitMix64`).
fn scatter(id: u128, second: i64) -> u64 {
    let mut mixed = second.cast_unsigned();
    for word in id.to_be_bytes().chunks(8).map(|bytes| bytes.iter().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte))) {
        mixed = (mixed ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    mixed
}
