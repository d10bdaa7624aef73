//! Table `approvals`.

use crewd_application::ports::StoreError;
use crewd_domain::approvals::{Approval, ApprovalKind, ApprovalStatus, Decided, Decision, OnExpire};
use crewd_domain::runs::StepPath;
use crewd_domain::shared::{ApprovalId, RunId, TaskId};
use crewd_domain::tools::RiskLevel;

use super::cells::{CellReader, CellWriter};
use super::table::Table;

pub(in crate::persistence) const APPROVALS: Table = Table {
    name: "approvals",
    key_name: "approval_id",
    key: &["id"],
    columns: &[
        "id",
        "tenant_id",
        "task_id",
        "run_id",
        "step_path",
        "kind",
        "tool",
        "agent",
        "question",
        "args",
        "args_hash",
        "risk",
        "policy",
        "allowed_decisions",
        "response_schema",
        "requested_at",
        "expires_at",
        "on_expire",
        "quorum",
        "status",
        "decision",
        "decided_args",
        "response",
        "comment",
        "decided_by",
        "decided_at",
        "version",
    ],
};

/// The columns before this one never change.
const FIRST_CHANGING: usize = 19;
/// People whose answer is needed. One is enough, as yet.
const QUORUM: u64 = 1;

pub(in crate::persistence) fn write_approval(cells: &mut CellWriter, approval: &Approval) -> Result<(), StoreError> {
    cells.id(approval.id.as_uuid());
    cells.text(approval.tenant_id.as_str());
    cells.id(approval.task_id.as_uuid());
    cells.id(approval.run_id.as_uuid());
    cells.text(approval.step.as_str());
    cells.text(approval.kind.as_str());
    cells.text(&approval.tool);
    cells.text(&approval.agent);
    cells.optional_text(approval.question.as_deref());
    cells.json(&approval.arguments)?;
    cells.text(&approval.arguments_hash);
    cells.text(risk_name(approval.risk));
    cells.text(&approval.policy);
    cells.text(approval.allowed.iter().map(|decision| decision.as_str()).collect::<Vec<_>>().join(","));
    cells.optional_json(approval.response_schema.as_ref())?;
    cells.instant(approval.requested_at);
    cells.optional_instant(approval.expires_at);
    cells.text(approval.on_expire.as_str());
    cells.number(QUORUM);
    write_approval_changes(cells, approval)
}

/// All columns that an answer may change, in the order of [`update_approval_sql`].
pub(in crate::persistence) fn write_approval_changes(cells: &mut CellWriter, approval: &Approval) -> Result<(), StoreError> {
    let decided = approval.decided.as_ref();
    cells.text(approval.status.as_str());
    cells.optional_text(decided.map(|decided| decided.decision.as_str()));
    cells.optional_json(decided.and_then(|decided| decided.arguments.as_ref()))?;
    cells.optional_json(decided.and_then(|decided| decided.response.as_ref()))?;
    cells.optional_text(decided.and_then(|decided| decided.comment.as_deref()));
    cells.optional_text(decided.map(|decided| decided.by.as_str()));
    cells.optional_instant(decided.map(|decided| decided.at));
    cells.number(approval.version);
    Ok(())
}

/// The compare-and-swap of an answer; after the changed columns come id, tenant and version as they were.
pub(in crate::persistence) fn update_approval_sql() -> String {
    let columns: Vec<String> = APPROVALS.columns.iter().skip(FIRST_CHANGING).map(|column| format!("{column} = ?")).collect();
    format!("UPDATE approvals SET {} WHERE id = ? AND tenant_id = ? AND version = ?", columns.join(", "))
}

pub(in crate::persistence) fn read_approval(cells: &mut CellReader<'_>) -> Result<Approval, StoreError> {
    let id = ApprovalId::new(cells.id()?);
    let tenant_id = cells.tenant()?;
    let task_id = TaskId::new(cells.id()?);
    let run_id = RunId::new(cells.id()?);
    let step = StepPath::from_stored(cells.text()?);
    let kind = cells.name(ApprovalKind::parse)?;
    let (tool, agent, question) = (cells.text()?, cells.text()?, cells.optional_text()?);
    let (arguments, arguments_hash) = (cells.json()?, cells.text()?);
    let risk = cells.name(risk_named)?;
    let policy = cells.optional_text()?.unwrap_or_default();
    let allowed = read_allowed(&cells.text()?)?;
    let response_schema = cells.optional_json()?;
    let (requested_at, expires_at) = (cells.instant()?, cells.optional_instant()?);
    let on_expire = cells.name(OnExpire::parse)?;
    let _quorum = cells.number()?;
    let status = cells.name(ApprovalStatus::parse)?;
    let decided = read_decided(cells)?;
    let version = cells.number()?;
    Ok(Approval {
        id,
        tenant_id,
        task_id,
        run_id,
        step,
        kind,
        tool,
        agent,
        question,
        arguments,
        arguments_hash,
        risk,
        policy,
        allowed,
        response_schema,
        requested_at,
        expires_at,
        on_expire,
        status,
        decided,
        version,
    })
}

/// A withdrawn question has an instant and no decision.
fn read_decided(cells: &mut CellReader<'_>) -> Result<Option<Decided>, StoreError> {
    let decision = cells.optional_name(Decision::parse)?;
    let (arguments, response, comment) = (cells.optional_json()?, cells.optional_json()?, cells.optional_text()?);
    let (by, at) = (cells.optional_text()?, cells.optional_instant()?);
    let Some(decision) = decision else { return Ok(None) };
    let (Some(by), Some(at)) = (by, at) else { return Err(StoreError::Corrupt("a decision of nobody".to_owned())) };
    Ok(Some(Decided { decision, arguments, response, comment, by, at }))
}

fn read_allowed(names: &str) -> Result<Vec<Decision>, StoreError> {
    let parse = |name: &str| Decision::parse(name).ok_or_else(|| StoreError::Corrupt(format!("unknown name: {name}")));
    names.split(',').filter(|name| !name.is_empty()).map(parse).collect()
}

const fn risk_name(risk: RiskLevel) -> &'static str {
    match risk {
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium",
        RiskLevel::High => "high",
        RiskLevel::Critical => "critical",
    }
}

fn risk_named(name: &str) -> Option<RiskLevel> {
    [RiskLevel::Low, RiskLevel::Medium, RiskLevel::High, RiskLevel::Critical].into_iter().find(|risk| risk_name(*risk) == name)
}
