//! What a schedule may ask for.

use serde_json::Value;

use super::problem::ScheduleProblem;
use super::schedule::Schedule;

/// Characters of a name.
pub const MAX_NAME_CHARACTERS: usize = 100;
/// A leap year, in seconds.
pub const MAX_INTERVAL_SECONDS: u32 = 366 * 24 * 3600;
/// A day, in seconds.
pub const MAX_JITTER_SECONDS: u32 = 24 * 3600;
/// A year, in seconds.
pub const MAX_CATCH_UP_SECONDS: u32 = 366 * 24 * 3600;
/// An hour: a restart or a short outage is made good, yesterday is not.
pub const DEFAULT_CATCH_UP_SECONDS: u32 = 3600;

impl Schedule {
    /// Everything wrong with its plain values; timing and zone cannot be wrong any more.
    #[must_use]
    pub fn problems(&self) -> Vec<ScheduleProblem> {
        let mut problems = Vec::new();
        let mut refuse = |wrong: bool, field: &'static str, message: String| {
            if wrong {
                problems.push(ScheduleProblem::new(field, message));
            }
        };
        let characters = self.name.chars().count();
        let named = !self.name.trim().is_empty() && characters <= MAX_NAME_CHARACTERS && !self.name.chars().any(char::is_control);
        refuse(!named, "name", format!("a name has 1 to {MAX_NAME_CHARACTERS} characters, none of them a control character"));
        refuse(self.jitter_seconds > MAX_JITTER_SECONDS, "jitter_seconds", format!("at most {MAX_JITTER_SECONDS}"));
        refuse(self.catch_up_seconds > MAX_CATCH_UP_SECONDS, "catch_up_seconds", format!("at most {MAX_CATCH_UP_SECONDS}"));
        refuse(self.max_runs == Some(0), "max_runs", "at least 1; to stop a schedule, pause it".to_owned());
        let reversed = self.start_at.zip(self.end_at).is_some_and(|(start, end)| end < start);
        refuse(reversed, "end_at", "it ends before it starts".to_owned());
        refuse(!matches!(self.template, Value::Object(_)), "task", "the body of a task, as an object".to_owned());
        problems
    }
}
