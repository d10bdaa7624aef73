//! How people are asked.

use std::time::Duration;

use crewd_domain::approvals::{ApprovalRule, OnExpire};

/// The installation's rules for questions to people.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApprovalRules {
    /// From which risk on a person decides, where crew and agent say nothing.
    pub from: ApprovalRule,
    /// How long an answer is waited for; `None` for ever.
    pub expires_after: Option<Duration>,
    /// What happens then.
    pub on_expire: OnExpire,
}
