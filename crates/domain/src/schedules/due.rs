//! What is to be done with the times that have come.

use chrono::{DateTime, TimeDelta, Utc};

use super::schedule::{OverlapPolicy, Schedule};

/// Fire times one plan lists at most; the rest comes with the next plan.
pub const MAX_FIRES_PER_PLAN: usize = 1_000;
/// A fire seen within so many seconds is on time and is run whatever the catch-up window says.
pub const ON_TIME_SECONDS: u32 = 30;

/// What is to be done with a schedule now.
///
/// Times that are on time are all to be run, each under the overlap policy. Of times that are late but within the catch-up window
/// `queue_all` runs every one; the other policies run the latest one alone, and only when nothing is on time: after an outage
/// one report is wanted, not sixty. Later than that is missed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePlan {
    /// To be run, oldest first.
    pub run: Vec<DateTime<Utc>>,
    /// To be recorded as missed, oldest first: outside the catch-up window.
    pub missed: Vec<DateTime<Utc>>,
    /// To be recorded as missed, oldest first: late, and a later time is run instead.
    pub superseded: Vec<DateTime<Utc>>,
    /// Times after the last missed one and before this one are missed as well; there are too many to list.
    pub unlisted_until: Option<DateTime<Utc>>,
    /// The following fire time; it may have come already.
    pub next_fire_at: Option<DateTime<Utc>>,
}

impl DuePlan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.run.is_empty() && self.missed.is_empty() && self.superseded.is_empty()
    }

    /// The latest time that is dealt with.
    #[must_use]
    pub fn last(&self) -> Option<DateTime<Utc>> {
        self.run.last().max(self.missed.last()).max(self.superseded.last()).copied()
    }
}

/// Fire times by how late they are.
#[derive(Default)]
struct Sorted {
    on_time: Vec<DateTime<Utc>>,
    late: Vec<DateTime<Utc>>,
    missed: Vec<DateTime<Utc>>,
}

impl Sorted {
    fn len(&self) -> usize {
        self.on_time.len() + self.late.len() + self.missed.len()
    }
}

impl Schedule {
    /// What is to be done at `now`; the schedule itself is not changed.
    #[must_use]
    pub fn due(&self, now: DateTime<Utc>) -> DuePlan {
        if self.paused || self.is_spent() {
            return DuePlan { next_fire_at: self.next_fire_at, ..DuePlan::default() };
        }
        let mut sorted = Sorted::default();
        let mut next = self.next_fire_at.filter(|fire| self.end_at.is_none_or(|end| *fire <= end));
        while let Some(fire) = next.filter(|fire| self.has_come(*fire, now) && sorted.len() < MAX_FIRES_PER_PLAN) {
            let age = now - (fire + self.jitter(fire));
            if age <= TimeDelta::seconds(i64::from(ON_TIME_SECONDS)) {
                sorted.on_time.push(fire);
            } else if age <= TimeDelta::seconds(i64::from(self.catch_up_seconds)) {
                sorted.late.push(fire);
            } else {
                sorted.missed.push(fire);
            }
            next = self.next_fire(fire);
        }
        let unlisted_until = self.jump(&sorted, &mut next, now);
        self.choose(sorted, unlisted_until, next, now)
    }

    fn has_come(&self, fire: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        // The jitter is only worth computing once the time itself has come.
        fire <= now && fire + self.jitter(fire) <= now
    }

    /// After a list full of missed times, leaves out the others that are too late: the schedule must get back to the present soon.
    fn jump(&self, sorted: &Sorted, next: &mut Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if sorted.missed.len() < MAX_FIRES_PER_PLAN {
            return None;
        }
        let window = i64::from(self.catch_up_seconds.max(ON_TIME_SECONDS)) + i64::from(self.jitter_seconds) + 1;
        let target = self.next_fire(now - TimeDelta::seconds(window));
        if target <= *next {
            return None;
        }
        *next = target;
        target
    }

    fn choose(
        &self,
        sorted: Sorted,
        unlisted_until: Option<DateTime<Utc>>,
        next: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> DuePlan {
        let Sorted { on_time, mut late, missed } = sorted;
        let mut plan = DuePlan { missed, unlisted_until, next_fire_at: next, ..DuePlan::default() };
        if self.overlap == OverlapPolicy::QueueAll {
            plan.run = late;
        } else {
            let more_has_come = next.is_some_and(|fire| self.has_come(fire, now));
            if on_time.is_empty() && !more_has_come {
                plan.run.extend(late.pop());
            }
            plan.superseded = late;
        }
        plan.run.extend(on_time);
        if let Some(most) = self.max_runs {
            let left = usize::try_from(most.saturating_sub(self.fired_count)).unwrap_or(usize::MAX);
            if plan.run.len() > left {
                plan.next_fire_at = plan.run.split_off(left).first().copied();
            }
        }
        plan
    }

    /// Takes over a plan that was carried out; `started` is how many tasks came of it.
    ///
    /// The caller stores the result only where `version` is still the one before.
    pub fn settle(&mut self, plan: &DuePlan, started: u32, now: DateTime<Utc>) {
        self.fired_count = self.fired_count.saturating_add(started);
        self.last_fire_at = self.last_fire_at.max(plan.last());
        self.next_fire_at = if self.is_spent() { None } else { plan.next_fire_at };
        self.updated_at = now;
        self.version += 1;
    }
}
