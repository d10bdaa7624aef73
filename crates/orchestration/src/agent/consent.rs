//! Asking people: may a call be made, did an interrupted call happen, what do you say.
//!
//! A question is put once, bound to the hash of what was shown, and stays in the database. A run that comes to the same
//! place again finds it there with its answer, or waits on.

use chrono::TimeDelta;
use crewd_domain::approvals::{Approval, ApprovalKind, ApprovalPolicy, ApprovalStatus, Decided, Decision};
use crewd_domain::crews::AgentDefinition;
use crewd_domain::runs::{Pause, Step, StepPath, WaitReason};
use crewd_domain::shared::ApprovalId;
use crewd_domain::tools::{RiskLevel, ToolDescriptor};
use serde_json::{Map, Value, json};

use crate::run::{RunContext, Stop};

/// What came of a question.
#[derive(Debug)]
pub(crate) enum Consent {
    /// Nobody need be asked, or it was approved; the arguments to use where they were edited.
    Given(Option<Map<String, Value>>),
    /// It was rejected, or nobody answered in time; in words for the model.
    Refused(String),
    /// A person's answer.
    Answered(Value),
    /// It waits for a person.
    Wait(Box<Pause>),
}

/// What is to be asked.
pub(crate) struct Question<'a> {
    pub(crate) step: &'a StepPath,
    pub(crate) kind: ApprovalKind,
    /// The tool, or the crew task.
    pub(crate) tool: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) text: Option<String>,
    pub(crate) arguments: Value,
    pub(crate) risk: RiskLevel,
    pub(crate) policy: String,
    pub(crate) allowed: &'a [Decision],
}

/// Whether a tool may be called, by the rules of installation, crew and agent.
///
/// # Errors
/// Where an earlier question was about another call.
pub(super) fn may_call(
    context: &RunContext,
    agent: &AgentDefinition,
    descriptor: &ToolDescriptor,
    step: &StepPath,
    arguments: &Map<String, Value>,
) -> Result<Consent, Stop> {
    let policy = ApprovalPolicy {
        installation: context.engine.approvals.from,
        crew: context.crew.approval_from,
        agent: agent.approval_from,
    };
    let Some(policy) = policy.matching(descriptor.risk) else { return Ok(Consent::Given(None)) };
    ask(
        context,
        Question {
            step,
            kind: ApprovalKind::Tool,
            tool: &descriptor.name,
            agent: &agent.name,
            text: None,
            arguments: Value::Object(arguments.clone()),
            risk: descriptor.risk,
            policy,
            allowed: &[Decision::Approve, Decision::Edit, Decision::Reject],
        },
    )
}

/// Whether an interrupted call happened, which nobody but a person can tell.
///
/// # Errors
/// Where an earlier question was about another call.
pub(super) fn did_happen(context: &RunContext, step: &Step, risk: RiskLevel, arguments: Value) -> Result<Consent, Stop> {
    // Each attempt that is cut off is a question of its own: what was approved once is not repeated twice.
    let policy = format!("reconcile:attempt-{}", step.attempt);
    if context.journal.recorded().question(&step.path, ApprovalKind::Reconcile, Some(&policy)).is_none() {
        context.journal.mark_unknown(step);
    }
    let text = format!(
        "A worker was lost during this call of {}; whether it happened is unknown. Approve to make it (again), respond \
         with its result if it has happened, reject to tell the model that it failed.",
        step.name
    );
    ask(
        context,
        Question {
            step: &step.path,
            kind: ApprovalKind::Reconcile,
            tool: &step.name,
            agent: &step.agent,
            text: Some(text),
            arguments,
            risk,
            policy,
            allowed: &[Decision::Approve, Decision::Respond, Decision::Reject],
        },
    )
}

/// Puts a question, unless it was put before.
///
/// # Errors
/// Where an earlier question was about something else.
pub(crate) fn ask(context: &RunContext, question: Question<'_>) -> Result<Consent, Stop> {
    let hash = crewd_application::sha256_hex(format!("{}\n{}", question.tool, question.arguments));
    // The rule that asks may be another one by now; what was asked and answered stands. Only a lost call is asked
    // about anew for each attempt.
    let policy = (question.kind == ApprovalKind::Reconcile).then_some(question.policy.as_str());
    let Some(asked) = context.journal.recorded().question(question.step, question.kind, policy) else {
        let question = put(context, question, hash);
        let pause = waiting(&question);
        context.journal.ask(question);
        return Ok(Consent::Wait(Box::new(pause)));
    };
    if asked.arguments_hash != hash {
        return Err(Stop::journal_mismatch(format!("{} was asked about with other arguments", question.step)));
    }
    Ok(match (asked.status, &asked.decided) {
        (ApprovalStatus::Decided, Some(decided)) => consent(decided),
        (ApprovalStatus::Expired, _) => Consent::Refused("Nobody answered in time, so it is denied.".to_owned()),
        _ => Consent::Wait(Box::new(waiting(asked))),
    })
}

fn put(context: &RunContext, question: Question<'_>, arguments_hash: String) -> Approval {
    let now = context.engine.clock.now();
    let rules = &context.engine.approvals;
    let expires_after = rules.expires_after.and_then(|time| TimeDelta::from_std(time).ok());
    Approval {
        id: ApprovalId::new(context.engine.ids.next_id()),
        tenant_id: context.task.tenant_id.clone(),
        task_id: context.task.id,
        run_id: context.run_id,
        step: question.step.clone(),
        kind: question.kind,
        tool: question.tool.to_owned(),
        agent: question.agent.to_owned(),
        question: question.text,
        arguments: question.arguments,
        arguments_hash,
        risk: question.risk,
        policy: question.policy,
        allowed: question.allowed.to_vec(),
        response_schema: None,
        requested_at: now,
        expires_at: expires_after.and_then(|time| now.checked_add_signed(time)),
        on_expire: rules.on_expire,
        status: ApprovalStatus::Pending,
        decided: None,
        version: 1,
    }
}

fn waiting(asked: &Approval) -> Pause {
    let reason = match asked.kind {
        ApprovalKind::Tool => WaitReason::Approval,
        ApprovalKind::Question => WaitReason::Input,
        ApprovalKind::Reconcile => WaitReason::Reconcile,
    };
    let details = json!({"approvals": [asked.id], "step": asked.step});
    Pause { reason, until: asked.expires_at, details }
}

fn consent(decided: &Decided) -> Consent {
    match decided.decision {
        Decision::Approve => Consent::Given(None),
        Decision::Edit => Consent::Given(decided.arguments.as_ref().and_then(Value::as_object).cloned()),
        Decision::Respond => Consent::Answered(decided.response.clone().unwrap_or_default()),
        Decision::Reject => {
            let reason = decided.comment.as_deref().unwrap_or("no reason was given");
            Consent::Refused(format!("A person rejected it: {reason}"))
        }
    }
}

/// A person's answer as the model reads it.
pub(crate) fn answer_text(answer: &Value) -> String {
    answer.as_str().map_or_else(|| answer.to_string(), str::to_owned)
}
