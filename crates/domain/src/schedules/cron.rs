//! Cron expressions, checked field by field.

use std::fmt;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};

use super::problem::ScheduleProblem;
use crate::crews::excerpt;

/// The field all problems of an expression are addressed to.
const FIELD: &str = "cron";
/// Longer texts are refused unread.
const MAX_CHARACTERS: usize = 256;
const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A field of an expression: its name, what may stand in it, the names it knows.
struct Field {
    name: &'static str,
    allowed: &'static str,
    names: &'static [&'static str],
    /// Capital letters with a meaning of their own.
    letters: &'static [&'static str],
}

const FIELDS: &[Field] = &[
    Field { name: "second", allowed: "0 to 59", names: &[], letters: &[] },
    Field { name: "minute", allowed: "0 to 59", names: &[], letters: &[] },
    Field { name: "hour", allowed: "0 to 23", names: &[], letters: &[] },
    Field {
        name: "day of the month",
        allowed: "1 to 31, `L` (last), `15W` (nearest working day)",
        names: &[],
        letters: &["L", "W", "LW"],
    },
    Field { name: "month", allowed: "1 to 12 or JAN to DEC", names: MONTHS, letters: &[] },
    Field { name: "day of the week", allowed: "0 to 7 or SUN to SAT, `5L` (last), `5#2` (second)", names: DAYS, letters: &["L"] },
];

/// A cron expression with five fields, or six with seconds first, that fires at least once.
///
/// Days of month and of week are joined by "or" when both are given, as cron always did; a `+` before the day of the week joins
/// them by "and".
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronExpression {
    text: String,
    cron: Arc<Cron>,
}

impl CronExpression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Everything that is wrong with it: the number of fields, or each field with a wrong value, or that it never fires.
    pub fn parse(text: &str) -> Result<Self, Vec<ScheduleProblem>> {
        let one = |message: String| Err(vec![ScheduleProblem::new(FIELD, message)]);
        if text.chars().count() > MAX_CHARACTERS {
            return one(format!("an expression has at most {MAX_CHARACTERS} characters"));
        }
        if text.contains('@') {
            let message = format!("`{}` is not known: write the fields, such as `0 0 * * *` for daily", excerpt(text));
            let suggestion = nickname(text.trim()).map(str::to_owned);
            return Err(vec![ScheduleProblem::new(FIELD, message).with_suggestion(suggestion)]);
        }
        let parts: Vec<&str> = text.split_ascii_whitespace().collect();
        let skipped = match parts.len() {
            5 => 1,
            6 => 0,
            count => {
                return one(format!(
                    "an expression has 5 fields (minute hour day month weekday) or 6 (second first), this one has {count}"
                ));
            }
        };
        let problems: Vec<ScheduleProblem> = FIELDS
            .iter()
            .enumerate()
            .skip(skipped)
            .zip(&parts)
            .filter(|((position, field), part)| !field.accepts(part) || !parses_alone(*position, part))
            .map(|((_, field), part)| field.problem(part))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let text = parts.join(" ");
        match parser().parse(&text) {
            Ok(cron) => {
                let expression = Self { text, cron: Arc::new(cron) };
                let fires = epoch().and_then(|epoch| expression.next_on_the_wall(epoch)).is_some();
                if fires { Ok(expression) } else { one(format!("`{}` never fires: no such date exists", expression.text)) }
            }
            Err(error) => one(error.to_string()),
        }
    }

    /// The expression with single blanks between its fields.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first match after a time of the clock on the wall, whatever zone it hangs in.
    pub(super) fn next_on_the_wall(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        self.cron.find_next_occurrence(&after, false).ok()
    }
}

/// The start of a leap year: whatever fires at all fires after it, without asking a clock.
fn epoch() -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(2000, 1, 1)?.and_hms_opt(0, 0, 0)
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

/// Whether a field is right when all the others are `*`.
fn parses_alone(position: usize, part: &str) -> bool {
    let fields: Vec<&str> = (0..FIELDS.len()).map(|other| if other == position { part } else { "*" }).collect();
    parser().parse(&fields.join(" ")).is_ok()
}

fn nickname(text: &str) -> Option<&'static str> {
    match text {
        "@yearly" | "@annually" => Some("0 0 1 1 *"),
        "@monthly" => Some("0 0 1 * *"),
        "@weekly" => Some("0 0 * * 0"),
        "@daily" | "@midnight" => Some("0 0 * * *"),
        "@hourly" => Some("0 * * * *"),
        _ => None,
    }
}

impl Field {
    /// Characters and names; ranges and numbers are left to the parser, which would take `JANFEB` for 12.
    fn accepts(&self, part: &str) -> bool {
        let known = |character: char| character.is_ascii_alphanumeric() || "*,-/#?+".contains(character);
        part.chars().all(known)
            && part.split(',').all(|item| !item.is_empty())
            && part.split([',', '-', '/', '#', '+']).all(|word| self.knows(&word.to_ascii_uppercase()))
    }

    fn knows(&self, word: &str) -> bool {
        if !word.contains(|character: char| character.is_ascii_alphabetic()) {
            return true;
        }
        let digits = word.trim_start_matches(|character: char| character.is_ascii_digit());
        let named = |text: &str| self.names.contains(&text);
        let marked = self.letters.contains(&"L") && word.strip_suffix('L').is_some_and(named);
        named(word) || marked || self.letters.contains(&digits)
    }

    fn problem(&self, part: &str) -> ScheduleProblem {
        let (part, name, allowed) = (excerpt(part), self.name, self.allowed);
        ScheduleProblem::new(FIELD, format!("`{part}` is not a {name}: {allowed}; `*`, `a-b`, `a,b` and `*/n` combine them"))
    }
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronExpression {}

impl fmt::Display for CronExpression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl TryFrom<String> for CronExpression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }
}

impl From<CronExpression> for String {
    fn from(expression: CronExpression) -> Self {
        expression.text
    }
}
