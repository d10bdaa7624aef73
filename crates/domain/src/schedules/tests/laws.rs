//! What must hold for any expression in any zone.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::TZ_VARIANTS;

use super::setup::{at, cron, schedule};
use crate::schedules::{CronExpression, OverlapPolicy, Timing, Zone};

/// A small generator with a fixed seed: the same cases in every run of the tests.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn field(&mut self, low: u64, high: u64) -> String {
        let width = high - low + 1;
        match self.below(5) {
            0 => "*".to_owned(),
            1 => format!("*/{}", 1 + self.below(width)),
            2 => {
                let start = low + self.below(width);
                format!("{start}-{}", start + self.below(high - start + 1))
            }
            _ => format!("{},{}", low + self.below(width), low + self.below(width)),
        }
    }

    fn timing(&mut self) -> Timing {
        if self.below(5) == 0 {
            let anchor = self.instant();
            return Timing::interval(1 + u32::try_from(self.below(100_000)).unwrap(), anchor).unwrap();
        }
        loop {
            let fields = [self.field(0, 59), self.field(0, 23), self.field(1, 31), self.field(1, 12), self.field(0, 6)];
            let second = if self.below(2) == 0 { String::new() } else { self.field(0, 59) + " " };
            // Dates such as 31 February are drawn, too.
            if let Ok(expression) = CronExpression::parse(&(second + &fields.join(" "))) {
                return Timing::Cron { expression };
            }
        }
    }

    fn zone(&mut self) -> Zone {
        let zone = TZ_VARIANTS[usize::try_from(self.below(TZ_VARIANTS.len() as u64)).unwrap()];
        Zone::parse(zone.name()).unwrap()
    }

    /// An instant between 2005 and 2045.
    fn instant(&mut self) -> DateTime<Utc> {
        at("2005-01-01T00:00:00Z") + TimeDelta::seconds(self.below(40 * 365 * 86_400).cast_signed())
    }
}

#[test]
fn times_grow_and_none_is_left_out() {
    let mut draw = Draw(1);
    for case in 0..400 {
        let (timing, zone, start) = (draw.timing(), draw.zone(), draw.instant());
        let Some(first) = timing.next_fire(start, zone) else { panic!("{case}: {timing:?} ends") };
        let mut last = start;
        let mut next = Some(first);
        for _ in 0..20 {
            let Some(fire) = next else { panic!("{case}: {timing:?} ends") };
            assert!(fire > last, "{case}: {timing:?} {zone}");
            // From anywhere between two times the answer is the same.
            let gap = (fire - last).num_seconds();
            let between = last + TimeDelta::seconds(draw.below(gap.unsigned_abs()).cast_signed());
            assert_eq!(timing.next_fire(between, zone), Some(fire), "{case}: {timing:?} {zone} {between}");
            last = fire;
            next = timing.next_fire(fire, zone);
        }
    }
}

#[test]
fn each_time_on_the_wall_is_an_instant_that_shows_it_unless_it_is_skipped() {
    let mut draw = Draw(2);
    for _ in 0..2_000 {
        let (zone, wall) = (draw.zone(), draw.instant().naive_utc());
        let instant = zone.instant(wall).unwrap();
        let shown = zone.wall_clock(instant);
        assert!(shown >= wall, "{zone} {wall}");
        if shown > wall {
            let before = zone.wall_clock(instant - TimeDelta::seconds(1));
            assert!(before < wall, "{zone} {wall}: the first instant after the skip");
        }
    }
}

#[test]
fn every_fire_is_dealt_with_exactly_once_however_often_one_looks() {
    let mut draw = Draw(3);
    for case in 0..60 {
        let mut schedule = schedule(draw.timing(), "2026-03-27T00:00:00Z");
        schedule.zone = draw.zone();
        schedule.overlap = OverlapPolicy::ALL[usize::try_from(draw.below(5)).unwrap()];
        schedule.jitter_seconds = u32::try_from(draw.below(120)).unwrap();
        schedule.catch_up_seconds = u32::try_from(draw.below(7_200)).unwrap();
        let mut now = at("2026-03-27T00:00:00Z");
        schedule.plan_from(now);
        let mut expected = schedule.next_fire_at;
        for _ in 0..40 {
            now += TimeDelta::seconds(draw.below(900).cast_signed());
            let plan = schedule.due(now);
            let mut seen: Vec<_> = [plan.run.clone(), plan.missed.clone(), plan.superseded.clone()].concat();
            seen.sort();
            for fire in seen {
                assert_eq!(Some(fire), expected, "{case}: {schedule:?}");
                expected = schedule.next_fire(fire);
            }
            assert_eq!(plan.next_fire_at, expected, "{case}: {schedule:?}");
            schedule.settle(&plan, 0, now);
        }
    }
}

#[test]
fn rare_dates_are_found() {
    let leap_monday = cron("0 0 29 2 +1");
    assert_eq!(leap_monday.next_fire(at("2026-01-01T00:00:00Z"), Zone::UTC), Some(at("2044-02-29T00:00:00Z")));
}
