//! A question as clients see it.

use crewd_domain::approvals::{Approval, Decided};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::timestamp::Timestamp;

/// A question to a person, and the answer once there is one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalResponse {
    /// Its id.
    id: Uuid,
    /// The task that waits.
    task_id: Uuid,
    /// The run that waits.
    run_id: Uuid,
    /// The step it is about.
    #[schema(example = "crew_task[0].agent.turn[1].tool[0]")]
    step: String,
    /// What is asked: `tool` (may it be called), `question` (what is your answer) or `reconcile` (did it happen).
    #[schema(example = "tool")]
    kind: &'static str,
    /// `pending`, `decided`, `expired` or `withdrawn`. Only a pending one takes a decision.
    #[schema(example = "pending")]
    status: &'static str,
    /// The tool; of a question the crew task that asks.
    #[schema(example = "send_mail")]
    tool: String,
    /// The agent on whose behalf.
    agent: String,
    /// The question in words, if there is one.
    question: Option<String>,
    /// The whole arguments of the call. What is approved is exactly this.
    #[schema(value_type = Object)]
    arguments: Value,
    /// SHA-256 of tool and arguments, hexadecimal. Send it back with the decision.
    arguments_hash: String,
    /// How much harm the call can do: `low`, `medium`, `high` or `critical`.
    #[schema(value_type = String, example = "high")]
    risk: crewd_domain::tools::RiskLevel,
    /// The rule that asks, such as `crew:high`.
    #[schema(example = "installation:medium")]
    policy: String,
    /// Decisions that are possible.
    #[schema(example = json!(["approve", "edit", "reject"]))]
    allowed: Vec<&'static str>,
    /// JSON Schema that a response must fit, if there is one.
    #[schema(value_type = Option<Object>)]
    response_schema: Option<Value>,
    /// When it was asked.
    requested_at: Timestamp,
    /// Until when a decision is taken; `null` for ever.
    expires_at: Option<Timestamp>,
    /// What happens then: `deny` or `cancel`. Nothing is ever approved by time.
    #[schema(example = "deny")]
    on_expire: &'static str,
    /// The decision, once there is one.
    decision: Option<DecisionResponse>,
    /// Counts changes; part of the entity tag.
    version: u64,
}

/// A decision as it was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionResponse {
    /// `approve`, `edit`, `reject` or `respond`.
    #[schema(example = "approve")]
    decision: &'static str,
    /// The arguments to use, where they were edited.
    #[schema(value_type = Option<Object>)]
    arguments: Option<Value>,
    /// The answer, or the result of a call that happened.
    response: Option<Value>,
    /// Why.
    comment: Option<String>,
    /// Who.
    by: String,
    /// When.
    at: Timestamp,
}

/// The answer to a decision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionTakenResponse {
    /// The question with its answer.
    #[serde(flatten)]
    pub(super) approval: ApprovalResponse,
    /// Number of the event that tells of it. `null` if a worker will write that event, and for a repeated decision.
    pub(super) applied_seq: Option<u64>,
}

/// A question that a task waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PendingApproval {
    /// Its id.
    id: Uuid,
    /// `tool`, `question` or `reconcile`.
    #[schema(example = "tool")]
    kind: &'static str,
    /// The tool; of a question the crew task that asks.
    tool: String,
    /// Until when a decision is taken; `null` for ever.
    expires_at: Option<Timestamp>,
}

impl From<Approval> for PendingApproval {
    fn from(approval: Approval) -> Self {
        Self {
            id: approval.id.as_uuid(),
            kind: approval.kind.as_str(),
            tool: approval.tool,
            expires_at: approval.expires_at.map(Timestamp),
        }
    }
}

impl From<Decided> for DecisionResponse {
    fn from(decided: Decided) -> Self {
        let Decided { decision, arguments, response, comment, by, at } = decided;
        Self { decision: decision.as_str(), arguments, response, comment, by, at: at.into() }
    }
}

impl From<Approval> for ApprovalResponse {
    fn from(approval: Approval) -> Self {
        Self {
            id: approval.id.as_uuid(),
            task_id: approval.task_id.as_uuid(),
            run_id: approval.run_id.as_uuid(),
            step: approval.step.to_string(),
            kind: approval.kind.as_str(),
            status: approval.status.as_str(),
            tool: approval.tool,
            agent: approval.agent,
            question: approval.question,
            arguments: approval.arguments,
            arguments_hash: approval.arguments_hash,
            risk: approval.risk,
            policy: approval.policy,
            allowed: approval.allowed.into_iter().map(|decision| decision.as_str()).collect(),
            response_schema: approval.response_schema,
            requested_at: approval.requested_at.into(),
            expires_at: approval.expires_at.map(Timestamp),
            on_expire: approval.on_expire.as_str(),
            decision: approval.decided.map(DecisionResponse::from),
            version: approval.version,
        }
    }
}
