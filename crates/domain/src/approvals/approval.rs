//! One question to a person and its answer.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use crate::runs::{EventDraft, EventKind, StepPath, named};
use crate::shared::{ApprovalId, RunId, TaskId, TenantId};
use crate::tools::RiskLevel;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// May this tool be called with these arguments?
    Tool,
    /// An agent's or a crew's own question.
    Question,
    /// A call was interrupted and must not be repeated blindly: did it happen? `approve` makes it (it did not happen),
    /// `respond` gives its result (it did), `reject` tells the model that it failed.
    Reconcile,
}

named!(ApprovalKind { Tool = "tool", Question = "question", Reconcile = "reconcile" });

/// What a person may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Do it, exactly as shown. For a question: it is fine as it is.
    Approve,
    /// Do it with other arguments.
    Edit,
    /// Do not do it; the model reads why.
    Reject,
    /// Here is the answer.
    Respond,
}

named!(Decision { Approve = "approve", Edit = "edit", Reject = "reject", Respond = "respond" });

/// What happens when nobody answers in time. It is never approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpire {
    /// As if it had been rejected.
    #[default]
    Deny,
    /// The run is cancelled.
    Cancel,
}

named!(OnExpire { Deny = "deny", Cancel = "cancel" });

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// It waits for a person.
    Pending,
    /// A person has answered.
    Decided,
    /// Nobody has answered in time.
    Expired,
    /// The run has ended, so that no answer is needed.
    Withdrawn,
}

named!(ApprovalStatus { Pending = "pending", Decided = "decided", Expired = "expired", Withdrawn = "withdrawn" });

/// A person's answer as it was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Which.
    pub decision: Decision,
    /// The arguments to use, where they were edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// The answer to a question, or the result of a call that happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
    /// Why, in the person's words. The model reads it where the call is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Who.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A person's answer as it comes in. Edited arguments have been checked against the tool's schema.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRequest {
    /// Which.
    pub decision: Decision,
    /// For `edit`: the arguments to use. For others they may repeat what was shown.
    pub arguments: Option<Value>,
    /// For `respond`.
    pub response: Option<Value>,
    /// Why.
    pub comment: Option<String>,
    /// Who.
    pub by: String,
}

/// Why an answer was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecisionRefused {
    /// Another answer was taken before.
    #[error("it was decided before")]
    AlreadyDecided,
    /// Nobody answered in time; that is final.
    #[error("it has expired")]
    Expired,
    /// The run has ended.
    #[error("the task does not wait for it any more")]
    Withdrawn,
    /// This question does not take this answer.
    #[error("this question takes {0}")]
    NotAllowed(String),
    /// What was given is not what this answer needs.
    #[error("{0}: {1}")]
    Invalid(&'static str, &'static str),
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Whose.
    pub tenant_id: TenantId,
    /// The task that waits.
    pub task_id: TaskId,
    /// The run that waits.
    pub run_id: RunId,
    /// The step it is about.
    pub step: StepPath,
    /// What is asked.
    pub kind: ApprovalKind,
    /// The tool, or the crew task whose answer is asked about.
    pub tool: String,
    /// The agent on whose behalf.
    pub agent: String,
    /// The question in words, if there is one.
    pub question: Option<String>,
    /// The whole arguments.
    pub arguments: Value,
    /// SHA-256 of tool name and arguments, hexadecimal: what is done is what was shown.
    pub arguments_hash: String,
    /// How much harm the call can do.
    pub risk: RiskLevel,
    /// The rule that asked, such as `crew:high`.
    pub policy: String,
    /// What may be answered.
    pub allowed: Vec<Decision>,
    /// JSON Schema of a response, if it must have a shape.
    pub response_schema: Option<Value>,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
    /// Until when an answer is taken; `None` for ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// What happens then.
    pub on_expire: OnExpire,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// The answer, once there is one.
    pub decided: Option<Decided>,
    /// From 1; counts changes.
    pub version: u64,
}

impl Approval {
    /// The event that asks.
    #[must_use]
    pub fn requested(&self) -> EventDraft {
        let data = json!({
            "approval_id": self.id, "kind": self.kind, "tool": self.tool, "agent": self.agent, "question": self.question,
            "arguments": self.arguments, "arguments_hash": self.arguments_hash, "risk": self.risk, "policy": self.policy,
            "allowed": self.allowed, "expires_at": self.expires_at.map(text_of),
        });
        EventDraft::of_step(EventKind::ApprovalRequested, self.step.clone(), data)
    }

    /// Takes an answer. `Ok(None)`: the same person has given the same answer before, nothing is changed.
    ///
    /// # Errors
    /// See [`DecisionRefused`]; nothing is changed then.
    pub fn decide(&mut self, request: DecisionRequest, now: DateTime<Utc>) -> Result<Option<EventDraft>, DecisionRefused> {
        match self.status {
            ApprovalStatus::Pending => {}
            ApprovalStatus::Decided if self.is_same(&request) => return Ok(None),
            ApprovalStatus::Decided => return Err(DecisionRefused::AlreadyDecided),
            ApprovalStatus::Expired => return Err(DecisionRefused::Expired),
            ApprovalStatus::Withdrawn => return Err(DecisionRefused::Withdrawn),
        }
        if self.is_overdue(now) {
            return Err(DecisionRefused::Expired);
        }
        self.check(&request)?;
        let DecisionRequest { decision, arguments, response, comment, by } = request;
        let arguments = arguments.filter(|_| decision == Decision::Edit);
        self.decided = Some(Decided { decision, arguments, response, comment, by, at: now });
        self.status = ApprovalStatus::Decided;
        self.version = self.version.saturating_add(1);
        Ok(self.said())
    }

    /// Nobody has answered in time.
    ///
    /// # Errors
    /// Refused unless it waits and its time is over.
    pub fn expire(&mut self, now: DateTime<Utc>) -> Result<EventDraft, DecisionRefused> {
        if self.status != ApprovalStatus::Pending || !self.is_overdue(now) {
            return Err(DecisionRefused::AlreadyDecided);
        }
        self.status = ApprovalStatus::Expired;
        self.version = self.version.saturating_add(1);
        let data = json!({"approval_id": self.id, "tool": self.tool, "on_expire": self.on_expire});
        Ok(EventDraft::of_step(EventKind::ApprovalExpired, self.step.clone(), data))
    }

    /// The event that tells of the answer or of the expiry, for whoever writes the log; `None` while nothing is decided.
    #[must_use]
    pub fn said(&self) -> Option<EventDraft> {
        if self.status == ApprovalStatus::Expired {
            let data = json!({"approval_id": self.id, "tool": self.tool, "on_expire": self.on_expire});
            return Some(EventDraft::of_step(EventKind::ApprovalExpired, self.step.clone(), data));
        }
        let decided = self.decided.as_ref()?;
        let data = json!({
            "approval_id": self.id, "kind": self.kind, "tool": self.tool, "decision": decided.decision,
            "arguments": decided.arguments, "response": decided.response, "comment": decided.comment, "by": decided.by,
        });
        Some(EventDraft::of_step(EventKind::ApprovalDecided, self.step.clone(), data))
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    fn is_same(&self, request: &DecisionRequest) -> bool {
        self.decided.as_ref().is_some_and(|decided| {
            decided.by == request.by
                && decided.decision == request.decision
                && decided.response == request.response
                && (request.decision != Decision::Edit || decided.arguments == request.arguments)
        })
    }

    fn check(&self, request: &DecisionRequest) -> Result<(), DecisionRefused> {
        if !self.allowed.contains(&request.decision) {
            let allowed: Vec<&str> = self.allowed.iter().map(|decision| decision.as_str()).collect();
            return Err(DecisionRefused::NotAllowed(allowed.join(", ")));
        }
        match (request.decision, &request.arguments, &request.response) {
            (Decision::Edit, None, _) => Err(DecisionRefused::Invalid("arguments", "an edit names the arguments to use")),
            (Decision::Edit, Some(arguments), _) if !arguments.is_object() => {
                Err(DecisionRefused::Invalid("arguments", "must be an object"))
            }
            (Decision::Approve | Decision::Reject | Decision::Respond, Some(arguments), _) if *arguments != self.arguments => {
                Err(DecisionRefused::Invalid("arguments", "are not those that were shown; decide `edit` to change them"))
            }
            (Decision::Respond, _, None) => Err(DecisionRefused::Invalid("response", "an answer needs a response")),
            (Decision::Approve | Decision::Edit | Decision::Reject, _, Some(_)) => {
                Err(DecisionRefused::Invalid("response", "belongs to the decision `respond` alone"))
            }
            _ => Ok(()),
        }
    }
}

fn text_of(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000).unwrap()
    }

    fn approval() -> Approval {
        Approval {
            id: ApprovalId::new(Uuid::from_u128(1)),
            tenant_id: TenantId::default_tenant(),
            task_id: TaskId::new(Uuid::from_u128(2)),
            run_id: RunId::new(Uuid::from_u128(3)),
            step: StepPath::crew_task(0).agent().turn(0).tool(0),
            kind: ApprovalKind::Tool,
            tool: "pay".into(),
            agent: "clerk".into(),
            question: None,
            arguments: json!({"amount": 7}),
            arguments_hash: "abc".into(),
            risk: RiskLevel::Critical,
            policy: "installation:medium".into(),
            allowed: vec![Decision::Approve, Decision::Edit, Decision::Reject],
            response_schema: None,
            requested_at: now(),
            expires_at: Some(now() + TimeDelta::hours(1)),
            on_expire: OnExpire::Deny,
            status: ApprovalStatus::Pending,
            decided: None,
            version: 1,
        }
    }

    fn request(decision: Decision) -> DecisionRequest {
        DecisionRequest { decision, arguments: None, response: None, comment: None, by: "ada".into() }
    }

    #[test]
    fn the_first_valid_decision_wins() {
        let mut approval = approval();
        assert!(approval.decide(request(Decision::Approve), now()).unwrap().is_some());
        assert_eq!((approval.status, approval.version), (ApprovalStatus::Decided, 2));
        assert_eq!(approval.decide(request(Decision::Approve), now()), Ok(None), "again by the same person");
        assert_eq!(approval.decide(request(Decision::Reject), now()), Err(DecisionRefused::AlreadyDecided));
        let stranger = DecisionRequest { by: "eve".into(), ..request(Decision::Approve) };
        assert_eq!(approval.decide(stranger, now()), Err(DecisionRefused::AlreadyDecided));
        assert_eq!(approval.version, 2);
    }

    #[test]
    fn nothing_is_approved_but_what_was_shown() {
        let mut changed = request(Decision::Approve);
        changed.arguments = Some(json!({"amount": 7000}));
        assert!(matches!(approval().decide(changed, now()), Err(DecisionRefused::Invalid("arguments", _))));
        let mut same = request(Decision::Approve);
        same.arguments = Some(json!({"amount": 7}));
        assert!(approval().decide(same, now()).is_ok());
        assert!(matches!(approval().decide(request(Decision::Edit), now()), Err(DecisionRefused::Invalid("arguments", _))));
        assert!(matches!(approval().decide(request(Decision::Respond), now()), Err(DecisionRefused::NotAllowed(_))));
    }

    #[test]
    fn late_is_too_late_and_never_an_approval() {
        let mut late = approval();
        let after = now() + TimeDelta::hours(2);
        assert_eq!(late.decide(request(Decision::Approve), after), Err(DecisionRefused::Expired));
        assert_eq!(late.status, ApprovalStatus::Pending, "a refused decision changes nothing");
        assert!(late.expire(now()).is_err());
        assert_eq!(late.expire(after).unwrap().kind, EventKind::ApprovalExpired);
        assert_eq!(late.decide(request(Decision::Approve), after), Err(DecisionRefused::Expired));
    }
}
