//! The task object, with names for what tests ask most.

use serde_json::Value;

/// A task as the API shows it.
#[derive(Clone, Debug)]
pub struct Task(pub Value);

impl Task {
    /// Its id.
    pub fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.0))
    }

    /// Its status.
    pub fn status(&self) -> &str {
        self.0["status"].as_str().unwrap_or_else(|| panic!("no status: {}", self.0))
    }

    /// Whether the status is one of the five terminal ones.
    pub fn is_terminal(&self) -> bool {
        ["succeeded", "incomplete", "failed", "cancelled", "rejected"].contains(&self.status())
    }

    /// The crew's final text; empty when there is none.
    pub fn raw(&self) -> &str {
        self.0["output"]["raw"].as_str().unwrap_or_default()
    }

    /// `error.code`; empty when there is no error.
    pub fn error_code(&self) -> &str {
        self.0["error"]["code"].as_str().unwrap_or_default()
    }

    /// `error.class`; empty when there is no error.
    pub fn error_class(&self) -> &str {
        self.0["error"]["class"].as_str().unwrap_or_default()
    }

    /// Panics with the task unless it has this status.
    pub fn expect(self, status: &str) -> Self {
        assert_eq!(self.status(), status, "task: {}", self.0);
        self
    }

    /// Panics unless it failed with a code, a class and a message.
    pub fn expect_failed(self, class: &str) -> Self {
        let task = self.expect("failed");
        assert!(!task.error_code().is_empty(), "no error.code: {}", task.0);
        assert_eq!(task.error_class(), class, "task: {}", task.0);
        assert!(!task.0["error"]["message"].as_str().unwrap_or_default().is_empty(), "no error.message: {}", task.0);
        task
    }
}
