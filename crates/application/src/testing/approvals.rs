//! A question to answer, and a check that knows no schema.

use crewd_domain::approvals::{Approval, ApprovalKind, ApprovalStatus, Decision, OnExpire};
use crewd_domain::runs::{Run, StepPath};
use crewd_domain::shared::ApprovalId;
use crewd_domain::tools::RiskLevel;
use serde_json::{Value, json};

use crate::error::FieldProblem;
use crate::ports::ArgumentCheck;
use crate::sha256_hex;

/// Accepts every value that has no key `wrong`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeCheck;

impl ArgumentCheck for FakeCheck {
    fn check_arguments(&self, _: &str, arguments: &Value) -> Result<(), Vec<FieldProblem>> {
        self.check_response(&Value::Null, arguments)
    }

    fn check_response(&self, _: &Value, response: &Value) -> Result<(), Vec<FieldProblem>> {
        match response.get("wrong") {
            Some(_) => Err(vec![FieldProblem::new("/wrong", "is wrong")]),
            None => Ok(()),
        }
    }
}

/// A pending question of a run: may `pay` be called with an amount of 7?
#[must_use]
pub fn question(id: ApprovalId, run: &Run) -> Approval {
    Approval {
        id,
        tenant_id: run.tenant_id.clone(),
        task_id: run.task_id,
        run_id: run.id,
        step: StepPath::crew_task(0).agent().turn(0).tool(0),
        kind: ApprovalKind::Tool,
        tool: "pay".to_owned(),
        agent: "clerk".to_owned(),
        question: None,
        arguments: json!({"amount": 7}),
        arguments_hash: sha256_hex(r#"pay {"amount":7}"#),
        risk: RiskLevel::Critical,
        policy: "installation:medium".to_owned(),
        allowed: vec![Decision::Approve, Decision::Edit, Decision::Reject],
        response_schema: None,
        requested_at: run.created_at,
        expires_at: None,
        on_expire: OnExpire::Deny,
        status: ApprovalStatus::Pending,
        decided: None,
        version: 1,
    }
}
