//! What debug builds do at the places.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crewd_domain::runs::StepStatus;

use super::Point;
use crate::ports::{Change, UnitOfWork};

/// Where this process is to die.
struct Order {
    point: Point,
    /// Passings that are still to come, the last one included.
    left: AtomicU64,
}

static ORDER: OnceLock<Order> = OnceLock::new();

pub(super) fn install(order: &str) -> Result<(), String> {
    let (point, passings) = parse(order)?;
    ORDER.set(Order { point, left: AtomicU64::new(passings) }).map_err(|_| "an order is installed already".to_owned())
}

/// The place and at which passing of it.
fn parse(order: &str) -> Result<(Point, u64), String> {
    let (name, passing) = order.split_once(':').unwrap_or((order, "1"));
    let point = Point::ALL.into_iter().find(|point| point.as_str() == name.trim());
    let point = point.ok_or_else(|| format!("there is no place {name:?} on the write path"))?;
    let passing: u64 = passing.trim().parse().map_err(|_| format!("{passing:?} is not a number of passings"))?;
    if passing == 0 { Err("passings are counted from 1".to_owned()) } else { Ok((point, passing)) }
}

pub(super) fn pass(point: Point) {
    let Some(order) = ORDER.get().filter(|order| order.point == point) else { return };
    let before = order.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if before == Ok(1) {
        std::process::abort();
    }
}

/// What a unit holds, as far as places are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    intent: bool,
    result: bool,
    transition: bool,
    submission: bool,
    events: bool,
}

impl Kinds {
    pub(super) fn of(unit: &UnitOfWork) -> Self {
        let mut kinds = Self::default();
        for change in &unit.changes {
            match change {
                Change::SaveStep(step) if step.status == StepStatus::Started => kinds.intent = true,
                Change::SaveStep(_) => kinds.result = true,
                Change::UpdateRun(_) => kinds.transition = true,
                Change::InsertTask(_) => kinds.submission = true,
                Change::AppendEvent(_) => kinds.events = true,
                _ => {}
            }
        }
        kinds
    }

    pub(super) fn before(self) {
        for (is_there, point) in [
            (self.submission, Point::BeforeSubmit),
            (self.result, Point::BeforeResult),
            (self.intent, Point::BeforeIntent),
            (self.transition, Point::BeforeTransition),
        ] {
            if is_there {
                pass(point);
            }
        }
    }

    pub(super) fn after(self) {
        for (is_there, point) in [
            (self.submission, Point::AfterSubmit),
            (self.result, Point::AfterResult),
            (self.intent, Point::AfterIntent),
            (self.transition, Point::AfterTransition),
            (self.events, Point::BeforePublish),
        ] {
            if is_there {
                pass(point);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_name_a_place_and_a_passing() {
        assert_eq!(parse("after_intent:7"), Ok((Point::AfterIntent, 7)));
        assert_eq!(parse("before_publish"), Ok((Point::BeforePublish, 1)));
        for wrong in ["", "nowhere:1", "after_intent:", "after_intent:0", "after_intent:-1", "after_intent:x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_nobody_asked_for_is_passed() {
        for point in Point::ALL {
            pass(point);
            assert_eq!(parse(point.as_str()), Ok((point, 1)), "its name is understood");
        }
    }
}
