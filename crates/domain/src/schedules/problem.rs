//! What is wrong with a schedule.

use std::fmt;

/// One thing wrong with a schedule, addressed by the field that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleProblem {
    /// The field, such as `cron` or `time_zone`.
    pub field: &'static str,
    /// What is wrong with it, for people.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl ScheduleProblem {
    /// A problem without a suggestion.
    #[must_use]
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into(), suggestion: None }
    }

    /// The same with what was probably meant.
    #[must_use]
    pub fn with_suggestion(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

impl fmt::Display for ScheduleProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(formatter, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}
