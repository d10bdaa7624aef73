//! Taking an answer.

use std::sync::Arc;

use crewd_domain::approvals::{Approval, ApprovalStatus, Decision, DecisionRefused, DecisionRequest};
use crewd_domain::runs::{EventDraft, Run, RunStatus};
use crewd_domain::shared::ApprovalId;
use serde_json::Value;

use super::service::{ApprovalService, revision, waits_for_answer};
use crate::attempts::Attempts;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};
use crate::ports::{ApprovalUpdate, Change, ControlItem, ControlRequest, RunUpdate, StoreError, UnitOfWork};

/// An answer as a client gives it; types have been checked, values have not.
#[derive(Clone, Debug, PartialEq)]
pub struct DecideApproval {
    /// Which.
    pub decision: Decision,
    /// For `edit`: the arguments to use.
    pub arguments: Option<Value>,
    /// For `respond`.
    pub response: Option<Value>,
    /// Why.
    pub comment: Option<String>,
    /// The hash of the arguments that the person has seen.
    pub arguments_hash: Option<String>,
    /// Any of these revisions must be the present one ([`revision`]; `*` is every one); `None` for no condition.
    pub if_match: Option<Vec<String>>,
}

/// An answer that was taken, now or before.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionTaken {
    /// The question with its answer.
    pub approval: Approval,
    /// Number of the event that tells of it. `None` if whoever works on the run will write it, and for an answer that
    /// the same person has given before.
    pub applied_seq: Option<u64>,
}

/// A unit that takes an answer, and what is to be done after its commit.
struct Prepared {
    unit: UnitOfWork,
    applied_seq: Option<u64>,
    order: Option<ControlItem>,
}

impl ApprovalService {
    /// Takes an answer. The first valid one counts; the same one by the same person again changes nothing.
    ///
    /// # Errors
    /// `not_found`; `conflict` with `already_decided`, `stale` or `arguments_changed`; `invalid_state` with `expired` or
    /// `task_ended`; `validation_failed` with all places at once.
    pub async fn decide(&self, context: &RequestContext, id: ApprovalId, request: &DecideApproval) -> Result<DecisionTaken> {
        let mut attempts = Attempts::default();
        while attempts.next().await {
            let mut approval = self.get(context, id).await?;
            self.check(&approval, request)?;
            let run = self.parts.queries.run(&context.tenant, approval.run_id).await?;
            let run = run.ok_or_else(|| Error::not_found("approval"))?;
            if approval.status == ApprovalStatus::Pending && has_ended(&run) {
                return Err(refused(DecisionRefused::Withdrawn));
            }
            let expected_version = approval.version;
            let said = approval.decide(request_of(context, request), self.parts.clock.now()).map_err(refused)?;
            let Some(said) = said else { return Ok(DecisionTaken { approval, applied_seq: None }) };
            let update = ApprovalUpdate { approval: approval.clone(), expected_version };
            let prepared = self.prepare(update, run, said).await?;
            match self.parts.committer.commit(prepared.unit).await {
                Ok(()) => {
                    if let Some(order) = &prepared.order {
                        self.parts.orders.give(order);
                    }
                    self.parts.signal.notify();
                    return Ok(DecisionTaken { approval, applied_seq: prepared.applied_seq });
                }
                // Somebody else has answered, or a worker took or left the run meanwhile: look again.
                Err(StoreError::Conflict | StoreError::Duplicate(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(ErrorCode::Conflict, "the task changes too fast; try again"))
    }

    /// What an answer is written with: a run that waits for it goes on, one that waits for something else is told of it,
    /// one that is worked on is told by its worker.
    async fn prepare(&self, update: ApprovalUpdate, mut run: Run, said: EventDraft) -> Result<Prepared> {
        let (now, approval_id) = (self.parts.clock.now(), update.approval.id);
        let mut unit = UnitOfWork::new(run.tenant_id.clone());
        unit.push(Change::UpdateApproval(Box::new(update)));
        if run.status != RunStatus::Waiting {
            let request = ControlRequest::Decided { approval: approval_id };
            let order = ControlItem { id: self.parts.ids.next_id(), run_id: run.id, task_id: run.task_id, request };
            unit.push(Change::InsertControl(Box::new(order.clone())));
            return Ok(Prepared { unit, applied_seq: None, order: Some(order) });
        }
        let seq = self.parts.queries.last_seq(&run.tenant_id, run.task_id).await?.saturating_add(1);
        unit.push(Change::AppendEvent(Arc::new(said.number(seq, run.task_id, run.id, now))));
        let expected_version = run.version;
        if waits_for_answer(&run) {
            run.wake(now).map_err(|error| refused(DecisionRefused::Withdrawn).caused_by(error))?;
        } else {
            run.touch();
        }
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
        Ok(Prepared { unit, applied_seq: Some(seq), order: None })
    }

    /// What must hold before the rules of the question itself are asked.
    fn check(&self, approval: &Approval, request: &DecideApproval) -> Result<()> {
        if request.arguments_hash.as_ref().is_some_and(|seen| *seen != approval.arguments_hash) {
            let message = "these are not the arguments that the decision is about; read the approval again";
            return Err(Error::new(ErrorCode::Conflict, message).because("arguments_changed"));
        }
        if approval.status != ApprovalStatus::Pending {
            return Ok(());
        }
        let present = revision(approval);
        let is_match = |seen: &Vec<String>| seen.iter().any(|tag| *tag == present || tag == "*");
        if !request.if_match.as_ref().is_none_or(is_match) {
            let message = "the approval is not as it was when it was read (If-Match); read it again";
            return Err(Error::new(ErrorCode::Conflict, message).because("stale"));
        }
        if !approval.allowed.contains(&request.decision) {
            return Ok(());
        }
        let checked = match (request.decision, &request.arguments, &request.response) {
            (Decision::Edit, Some(arguments), _) if arguments.is_object() => {
                ("/arguments", self.parts.check.check_arguments(&approval.tool, arguments))
            }
            (Decision::Respond, _, Some(response)) => match &approval.response_schema {
                Some(schema) => ("/response", self.parts.check.check_response(schema, response)),
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        let (place, Err(problems)) = checked else { return Ok(()) };
        let below = |problem: FieldProblem| FieldProblem::new(format!("{place}{}", problem.pointer), problem.message);
        Err(Error::validation(problems.into_iter().map(below).collect()))
    }
}

fn request_of(context: &RequestContext, request: &DecideApproval) -> DecisionRequest {
    DecisionRequest {
        decision: request.decision,
        arguments: request.arguments.clone(),
        response: request.response.clone(),
        comment: request.comment.clone(),
        by: context.actor.clone(),
    }
}

/// Whether nobody will read an answer any more.
fn has_ended(run: &Run) -> bool {
    run.status.is_terminal() || run.status == RunStatus::Cancelling
}

fn refused(refusal: DecisionRefused) -> Error {
    match refusal {
        DecisionRefused::AlreadyDecided => {
            Error::new(ErrorCode::Conflict, "another decision was taken before; it stays").because("already_decided")
        }
        DecisionRefused::Expired => {
            Error::new(ErrorCode::InvalidState, "nobody has decided in time; the approval has expired").because("expired")
        }
        DecisionRefused::Withdrawn => {
            Error::new(ErrorCode::InvalidState, "the task has ended and needs no decision").because("task_ended")
        }
        DecisionRefused::NotAllowed(allowed) => {
            Error::validation(vec![FieldProblem::new("/decision", format!("this approval takes {allowed}"))])
        }
        DecisionRefused::Invalid(field, message) => Error::validation(vec![FieldProblem::new(format!("/{field}"), message)]),
    }
}
