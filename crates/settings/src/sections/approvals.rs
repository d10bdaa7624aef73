//! From which risk on a person decides, and for how long a question waits.

use std::time::Duration;

use crate::reader::{Choice, Reader};
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("approvals.from", "APP_APPROVAL_FROM"),
    Variable::new("approvals.timeout", "APP_APPROVAL_TIMEOUT"),
    Variable::new("approvals.on_expire", "APP_APPROVAL_ON_EXPIRE"),
];

const ONE_YEAR_IN_SECONDS: f64 = 31_536_000.0;

/// The risk of tool calls from which on a person decides. Critical calls are always decided by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalFrom {
    /// Every call.
    Low,
    /// Calls that change anything.
    Medium,
    /// Calls that change something outside of the run.
    High,
    /// Only calls that cannot be undone or cost money.
    Critical,
}

impl Choice for ApprovalFrom {
    const WORDS: &'static [(&'static str, Self)] =
        &[("low", Self::Low), ("medium", Self::Medium), ("high", Self::High), ("critical", Self::Critical)];
}

/// What happens when nobody answers in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalOnExpire {
    /// As if it had been rejected.
    Deny,
    /// The run is cancelled.
    Cancel,
}

impl Choice for ApprovalOnExpire {
    const WORDS: &'static [(&'static str, Self)] = &[("deny", Self::Deny), ("cancel", Self::Cancel)];
}

/// The `approvals` section.
#[derive(Debug, Clone)]
pub struct ApprovalsSettings {
    /// The rule of crews and agents that have none of their own.
    pub from: ApprovalFrom,
    /// How long a question waits for an answer; `None` for ever.
    pub timeout: Option<Duration>,
    /// What happens then.
    pub on_expire: ApprovalOnExpire,
}

impl ApprovalsSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let has_timeout = reader.find("approvals.timeout").is_some();
        Self {
            from: reader.choice("approvals.from").unwrap_or(ApprovalFrom::Medium),
            timeout: has_timeout.then(|| reader.seconds("approvals.timeout", ONE_YEAR_IN_SECONDS)),
            on_expire: reader.choice("approvals.on_expire").unwrap_or(ApprovalOnExpire::Deny),
        }
    }
}
