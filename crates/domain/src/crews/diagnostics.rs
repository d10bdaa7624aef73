//! What is wrong with a definition, as people and programs read it.

use serde::{Deserialize, Serialize};

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The crew cannot run.
    Error,
    /// The crew runs, but probably not as its author thinks.
    Warning,
}

/// A broken rule, addressed by the element that breaks it. It knows nothing of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the element, as in `tasks.write.context[0]`.
    pub element: String,
    /// Stable id of the rule; see [`super::rule`].
    pub rule: &'static str,
    /// Whether the crew can still run.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it, where that is known.
    pub suggestion: Option<String>,
}

impl Problem {
    /// A problem that keeps the crew from running.
    pub fn error(element: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self { element: element.into(), rule, severity: Severity::Error, message: message.into(), suggestion: None }
    }

    /// A problem the crew can run with.
    pub fn warning(element: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(element, rule, message) }
    }

    /// The same problem with advice.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// A problem at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file; for a definition that came without files, the element.
    pub path: String,
    /// Line in the file, from 1.
    pub line: Option<u32>,
    /// Column in the line in characters, from 1.
    pub column: Option<u32>,
    /// The element, as in `tasks.write.context[0]`; empty for a problem of the file as a whole.
    pub element: String,
    /// Stable id of the rule.
    pub rule: String,
    /// Whether the crew can still run.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it, where that is known.
    pub suggestion: Option<String>,
}

impl From<Problem> for Diagnostic {
    fn from(problem: Problem) -> Self {
        Self {
            path: problem.element.clone(),
            line: None,
            column: None,
            element: problem.element,
            rule: problem.rule.to_owned(),
            severity: problem.severity,
            message: problem.message,
            suggestion: problem.suggestion,
        }
    }
}

/// Everything that was found, in reading order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ValidationReport {
    /// The problems, by file, line and column.
    pub diagnostics: Vec<Diagnostic>,
}

impl ValidationReport {
    /// Whether the definition must be refused; when `strict`, warnings count as well.
    #[must_use]
    pub fn has_errors(&self, strict: bool) -> bool {
        self.diagnostics.iter().any(|diagnostic| strict || diagnostic.severity == Severity::Error)
    }

    /// Number of problems that keep the crew from running.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// Number of problems the crew can run with.
    #[must_use]
    pub fn warning_count(&self) -> usize {
        self.diagnostics.len() - self.error_count()
    }
}

impl FromIterator<Problem> for ValidationReport {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self { diagnostics: problems.into_iter().map(Diagnostic::from).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_counts_warnings() {
        let report: ValidationReport = [Problem::warning("agents.a", "unused_agent", "unused")].into_iter().collect();
        assert!(!report.has_errors(false));
        assert!(report.has_errors(true));
        assert!(!ValidationReport::default().has_errors(true));
    }

    #[test]
    fn json_has_the_documented_names() {
        let diagnostic = Diagnostic::from(Problem::error("tasks.t.agent", "unknown_agent", "no").suggest("a"));
        let json = serde_json::to_value(diagnostic).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["path", "line", "column", "element", "rule", "severity", "message", "suggestion"]);
        assert_eq!(json["severity"], "error");
    }
}
