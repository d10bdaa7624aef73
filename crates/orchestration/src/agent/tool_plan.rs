//! What is to become of a tool call, before anything is done.

use crewd_application::ports::{Reconciled, ToolCall, ToolOutput};
use crewd_domain::approvals::{ApprovalKind, Decision};
use crewd_domain::crews::AgentDefinition;
use crewd_domain::runs::{ForkEffects, Pause, Step, StepPath};
use crewd_domain::tools::{ASK_HUMAN, EffectClass, RiskLevel, ToolDescriptor};
use serde_json::{Map, Value};

use super::consent::{Consent, Question, answer_text, ask, did_happen, may_call};
use super::tool_step::{ToolAnswer, call_context};
use crate::journal::Recorded;
use crate::run::{RunContext, Stop};

/// The answer of a call that changes something in a task that must not.
const DRY_RUN: &str = "Dry run: the call was not carried out, because it would change something.";

/// What a call comes to.
pub(super) enum Prepared {
    /// It is made with these arguments.
    Call(Map<String, Value>),
    /// It is not made; this is its result, and where it comes from.
    Answer {
        /// The result.
        text: String,
        /// `person`, `mock`, `reused` or `dry_run`.
        source: &'static str,
    },
    /// It is not made; this is the error, by kind and in words.
    Refused(&'static str, String),
}

/// A call that the journal has no result of.
pub(super) struct Due {
    pub(super) path: StepPath,
    pub(super) input_hash: String,
    pub(super) prepared: Prepared,
    pub(super) effect: EffectClass,
}

/// What came of a call whose worker was lost.
pub(super) type Settled = Result<ToolOutput, (&'static str, String)>;

/// Where a call of a turn stands.
pub(super) enum Planned {
    /// The journal has its result.
    Known(ToolAnswer),
    /// It is to be made, or its answer to be written.
    Due(Box<Due>),
    /// It was interrupted, and somebody knows what came of it.
    Settled(Box<Step>, Settled),
    /// It waits for a person.
    Blocked(Box<Pause>),
}

/// Plans one call.
///
/// # Errors
/// Where the journal was written with another call.
pub(super) async fn plan(
    context: &RunContext,
    agent: &AgentDefinition,
    tools: &[ToolDescriptor],
    path: StepPath,
    call: &ToolCall,
) -> Result<Planned, Stop> {
    let input_hash = crewd_application::sha256_hex(format!("{}\n{}", call.name, call.arguments));
    let descriptor = tools.iter().find(|tool| tool.name == call.name);
    let mut is_agreed = false;
    match context.journal.recorded().find(&path) {
        Recorded::Finished(step) => return super::tool_step::recorded(&step, &input_hash).map(Planned::Known),
        Recorded::Interrupted(step) if step.effect.is_repeatable() => is_agreed = true,
        Recorded::Interrupted(step) => match after_loss(context, descriptor, call, *step).await? {
            Some(planned) => return Ok(planned),
            None => is_agreed = true,
        },
        Recorded::Nothing => {}
    }
    context.must_be_recorded(&path)?;
    let (prepared, effect) = match prepare(context, tools, descriptor, call) {
        (Some(descriptor), Prepared::Call(arguments)) => {
            let elsewhere = from_origin(context, descriptor, &input_hash);
            match elsewhere.map_or_else(|| consent(context, agent, descriptor, &path, arguments, is_agreed), Ok)? {
                Agreed::Prepared(prepared) => (prepared, descriptor.effect),
                Agreed::Wait(pause) => return Ok(Planned::Blocked(pause)),
            }
        }
        (_, prepared) => (prepared, EffectClass::ReadOnly),
    };
    // What is not called has no effect at all.
    let effect = if matches!(prepared, Prepared::Call(_)) { effect } else { EffectClass::ReadOnly };
    Ok(Planned::Due(Box::new(Due { path, input_hash, prepared, effect })))
}

/// Whether the call can be made: a tool that is on offer, arguments that fit its schema.
fn prepare<'tools>(
    context: &RunContext,
    tools: &'tools [ToolDescriptor],
    descriptor: Option<&'tools ToolDescriptor>,
    call: &ToolCall,
) -> (Option<&'tools ToolDescriptor>, Prepared) {
    let Some(descriptor) = descriptor else {
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        let text = format!("There is no tool named {}. The tools are: {}.", call.name, names.join(", "));
        return (None, Prepared::Refused("unknown_tool", text));
    };
    let checked = parse(&call.arguments).and_then(|arguments| check(context, descriptor, arguments));
    let refused = |text| Prepared::Refused("tool_arguments_invalid", text);
    (Some(descriptor), checked.map_or_else(refused, Prepared::Call))
}

fn parse(text: &str) -> Result<Value, String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| format!("The arguments are not JSON: {error}."))
}

fn check(context: &RunContext, descriptor: &ToolDescriptor, arguments: Value) -> Result<Map<String, Value>, String> {
    context.engine.schemas.check(&descriptor.name, &arguments)?;
    match arguments {
        Value::Object(arguments) => Ok(arguments),
        _ => Err("The arguments must be a JSON object.".to_owned()),
    }
}

/// Prepared, with whoever had to be asked.
enum Agreed {
    Prepared(Prepared),
    Wait(Box<Pause>),
}

fn consent(
    context: &RunContext,
    agent: &AgentDefinition,
    descriptor: &ToolDescriptor,
    path: &StepPath,
    arguments: Map<String, Value>,
    is_agreed: bool,
) -> Result<Agreed, Stop> {
    if descriptor.name == ASK_HUMAN {
        return question(context, agent, path, arguments);
    }
    // An intent is only written once everybody has agreed.
    if is_agreed && context.journal.recorded().question(path, ApprovalKind::Tool, None).is_none() {
        return Ok(Agreed::Prepared(Prepared::Call(arguments)));
    }
    let asked = may_call(context, agent, descriptor, path, &arguments)?;
    let prepared = match asked {
        Consent::Given(None) => Prepared::Call(arguments),
        // What a person wrote is checked as what a model wrote: the schema may have changed since.
        Consent::Given(Some(edited)) => check(context, descriptor, Value::Object(edited))
            .map_or_else(|text| Prepared::Refused("tool_arguments_invalid", text), Prepared::Call),
        Consent::Refused(text) => Prepared::Refused("tool_rejected", text),
        Consent::Answered(answer) => Prepared::Answer { text: answer_text(&answer), source: "person" },
        Consent::Wait(pause) => return Ok(Agreed::Wait(pause)),
    };
    Ok(Agreed::Prepared(prepared))
}

/// A question of the agent's own to a person.
fn question(
    context: &RunContext,
    agent: &AgentDefinition,
    path: &StepPath,
    arguments: Map<String, Value>,
) -> Result<Agreed, Stop> {
    let text = arguments.get("question").and_then(Value::as_str).map(str::to_owned);
    let asked = ask(
        context,
        Question {
            step: path,
            kind: ApprovalKind::Question,
            tool: ASK_HUMAN,
            agent: &agent.name,
            text,
            arguments: Value::Object(arguments),
            risk: RiskLevel::Low,
            policy: format!("tool:{ASK_HUMAN}"),
            allowed: &[Decision::Respond, Decision::Reject],
        },
    )?;
    Ok(match asked {
        Consent::Wait(pause) => Agreed::Wait(pause),
        Consent::Refused(text) => Agreed::Prepared(Prepared::Refused("not_answered", text)),
        Consent::Answered(answer) => Agreed::Prepared(Prepared::Answer { text: answer_text(&answer), source: "person" }),
        Consent::Given(_) => Agreed::Prepared(Prepared::Answer { text: String::new(), source: "person" }),
    })
}

/// In a fork: what the origin got, or a result that was given for the tool, or nothing where nothing may be changed.
fn from_origin(context: &RunContext, descriptor: &ToolDescriptor, input_hash: &str) -> Option<Agreed> {
    let origin = context.task.options.origin.as_ref()?;
    let answer = |text, source| Some(Agreed::Prepared(Prepared::Answer { text, source }));
    if let Some(result) = origin.overrides.tools.get(&descriptor.name) {
        return answer(answer_text(result), "mock");
    }
    let reads = descriptor.effect == EffectClass::ReadOnly;
    match origin.effects {
        ForkEffects::Execute => None,
        ForkEffects::Reuse => match context.origin.as_ref().and_then(|record| record.result(input_hash)) {
            Some(text) => answer(text.to_owned(), "reused"),
            None if reads => None,
            None => answer(DRY_RUN.to_owned(), "dry_run"),
        },
        ForkEffects::DryRun if reads => None,
        ForkEffects::DryRun => answer(DRY_RUN.to_owned(), "dry_run"),
    }
}

/// What becomes of a call that may have had its effect and must not be repeated blindly: its tool is asked, then a
/// person. `None`: it is to be made again.
async fn after_loss(
    context: &RunContext,
    descriptor: Option<&ToolDescriptor>,
    call: &ToolCall,
    step: Step,
) -> Result<Option<Planned>, Stop> {
    context.must_be_recorded(&step.path)?;
    let arguments = parse(&call.arguments).unwrap_or_else(|_| Value::String(call.arguments.clone()));
    if descriptor.is_some_and(|tool| tool.reconciles)
        && let Some(tool) = context.engine.tools.get(&call.name)
        && let Value::Object(arguments) = &arguments
    {
        let call_context = call_context(context, &step, &*tool);
        match context.control.unless_stopped(tool.reconcile(&call_context, arguments)).await? {
            Reconciled::Happened(output) => return Ok(Some(Planned::Settled(Box::new(step), Ok(output)))),
            Reconciled::DidNotHappen => return Ok(None),
            Reconciled::Unknown => {}
        }
    }
    let risk = descriptor.map_or(RiskLevel::Critical, |tool| tool.risk);
    Ok(match did_happen(context, &step, risk, arguments)? {
        Consent::Given(_) => None,
        Consent::Answered(answer) => Some(Planned::Settled(Box::new(step), Ok(ToolOutput { text: answer_text(&answer) }))),
        Consent::Refused(text) => Some(Planned::Settled(Box::new(step), Err(("outcome_unknown", text)))),
        Consent::Wait(pause) => Some(Planned::Blocked(pause)),
    })
}
