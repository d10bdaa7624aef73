//! What is wrong with the settings of an installation.

use std::fmt;

/// One thing that has to be mended before the program can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable's name (`APP_PORT`), or the key as written when it is not a known one.
    pub variable: String,
    /// What is wrong, without the value where it is a secret.
    pub message: String,
    /// How to mend it; empty where the message says it all.
    pub hint: String,
}

impl Problem {
    pub(crate) fn new(variable: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { variable: variable.into(), message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.variable, self.message)?;
        if !self.hint.is_empty() {
            write!(formatter, "\n    {}", self.hint)?;
        }
        Ok(())
    }
}

/// Every problem found in all sources at once, so that one round of mending is enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", describe(.problems))]
pub struct SettingsError {
    /// Never empty.
    pub problems: Vec<Problem>,
}

fn describe(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "1 setting needs mending:".to_owned(),
        count => format!("{count} settings need mending:"),
    };
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text
}
