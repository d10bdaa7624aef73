//! Time zones, and the two hours a year that are not what they seem.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Serialize};

use super::problem::ScheduleProblem;
use crate::crews::{closest, excerpt};

/// Further from UTC than any clock ever was, in seconds.
const FAR: i64 = 16 * 3600;

/// An IANA time zone, such as `Europe/Berlin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(Tz);

impl Zone {
    /// The zone without rules.
    pub const UTC: Self = Self(Tz::UTC);

    /// Reads a name of the IANA database.
    ///
    /// # Errors
    /// That there is no such zone, with the one that was probably meant.
    pub fn parse(name: &str) -> Result<Self, ScheduleProblem> {
        Tz::from_str(name).map(Self).map_err(|_| {
            let message = format!("there is no time zone `{}`; names are like `Europe/Berlin` and `UTC`", excerpt(name));
            ScheduleProblem::new("time_zone", message).with_suggestion(suggestion(name))
        })
    }

    /// The name in the IANA database.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What the clock on the wall shows at an instant.
    #[must_use]
    pub fn wall_clock(self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.0).naive_local()
    }

    /// The one instant for a time of the clock on the wall.
    ///
    /// A time that comes twice means its first coming. A time that is skipped means the first instant after the skip. `None` only
    /// at the ends of the calendar.
    #[must_use]
    pub fn instant(self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self.0.from_local_datetime(&wall) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.to_utc()),
            LocalResult::None => self.end_of_skip(wall),
        }
    }

    /// The first instant at which the clock on the wall is past a skipped time.
    fn end_of_skip(self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let middle = wall.and_utc();
        let mut before = middle.checked_sub_signed(TimeDelta::seconds(2 * FAR))?;
        let mut after = middle.checked_add_signed(TimeDelta::seconds(2 * FAR))?;
        while after - before > TimeDelta::seconds(1) {
            let between = before + TimeDelta::seconds((after - before).num_seconds() / 2);
            if self.wall_clock(between) >= wall {
                after = between;
            } else {
                before = between;
            }
        }
        Some(after)
    }
}

/// The zone with a similar name, or the one whose city was given alone.
fn suggestion(name: &str) -> Option<String> {
    let city = name.trim().replace(' ', "_");
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    let by_city = names().find(|zone| zone.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city)));
    by_city.or_else(|| closest(name, names())).map(str::to_owned)
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name).map_err(|problem| problem.to_string())
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}
