//! From which risk on a person decides.

use serde::{Deserialize, Serialize};

use crate::tools::RiskLevel;

/// The level from which on calls are asked about. Critical calls are asked about whatever is written here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalRule {
    /// Every call.
    Low,
    /// Calls that change anything.
    #[default]
    Medium,
    /// Calls that change something outside of the run.
    High,
    /// Only calls that cannot be undone or cost money.
    Critical,
}

impl ApprovalRule {
    /// Every rule.
    pub const ALL: &'static [Self] = &[Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name in definitions and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Whether a person decides about calls of this risk.
    #[must_use]
    pub fn asks(self, risk: RiskLevel) -> bool {
        let from = match self {
            Self::Low => RiskLevel::Low,
            Self::Medium => RiskLevel::Medium,
            Self::High => RiskLevel::High,
            Self::Critical => RiskLevel::Critical,
        };
        risk >= from
    }
}

/// The rules of installation, crew and agent. The nearest one to the call counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApprovalPolicy {
    /// For everything.
    pub installation: ApprovalRule,
    /// For the crew.
    pub crew: Option<ApprovalRule>,
    /// For the agent.
    pub agent: Option<ApprovalRule>,
}

impl ApprovalPolicy {
    /// The rule that asks about a call, as `agent:high`; `None` where nobody is asked.
    #[must_use]
    pub fn matching(&self, risk: RiskLevel) -> Option<String> {
        let (place, rule) = match (self.agent, self.crew) {
            (Some(rule), _) => ("agent", rule),
            (None, Some(rule)) => ("crew", rule),
            (None, None) => ("installation", self.installation),
        };
        rule.asks(risk).then(|| format!("{place}:{}", rule.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medium_and_above_ask_and_critical_always_does() {
        let policy = ApprovalPolicy::default();
        assert_eq!(policy.matching(RiskLevel::Low), None);
        assert_eq!(policy.matching(RiskLevel::Medium).as_deref(), Some("installation:medium"));
        for rule in ApprovalRule::ALL {
            assert!(rule.asks(RiskLevel::Critical), "{}", rule.as_str());
        }
    }

    #[test]
    fn the_nearest_rule_counts() {
        let policy = ApprovalPolicy { crew: Some(ApprovalRule::High), ..ApprovalPolicy::default() };
        assert_eq!(policy.matching(RiskLevel::Medium), None);
        assert_eq!(policy.matching(RiskLevel::High).as_deref(), Some("crew:high"));
        let policy = ApprovalPolicy { agent: Some(ApprovalRule::Low), ..policy };
        assert_eq!(policy.matching(RiskLevel::Low).as_deref(), Some("agent:low"));
    }
}
