//! Tool calls as journaled steps.

use std::sync::Arc;

use crewd_application::error::ErrorCode;
use crewd_application::ports::{ToolCall, ToolCallContext, ToolError, ToolOutput};
use crewd_domain::crews::AgentDefinition;
use crewd_domain::runs::{EventDraft, EventKind, Failure, FailureClass, Step, StepKind, StepPath};
use crewd_domain::shared::Usage;
use crewd_domain::tools::{EffectClass, ToolDescriptor};
use futures::future::try_join_all;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tracing::Instrument;

use crate::journal::{Recorded, StepIntent, StepResult};
use crate::run::{RunContext, Stop};
use crate::tools::trim;

/// What the model reads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ToolAnswer {
    /// The result, or the error in words.
    pub(super) text: String,
    /// Whether the call could not even be made.
    pub(super) invalid_call: bool,
}

/// The arguments of a call that can be made, or the reason why it cannot.
type Prepared = Result<Map<String, Value>, (&'static str, String)>;

/// Where a call of a turn stands before anything is done.
enum Planned {
    /// The journal has its result.
    Known(ToolAnswer),
    /// It is to be made, or its refusal to be written.
    Due { path: StepPath, input_hash: String, prepared: Prepared, effect: EffectClass },
}

/// Carries out the calls of a turn that the journal has no results of: all intents are committed together, then the
/// calls run at the same time. A single result may wait for the next intent; of several, each is committed as it comes.
///
/// # Errors
/// Orders to stop, and a store that refuses. A failing tool is no error here: the model reads about it.
pub(super) async fn call_tools(
    context: &RunContext,
    agent: &AgentDefinition,
    tools: &[ToolDescriptor],
    turn: &StepPath,
    calls: &[ToolCall],
) -> Result<Vec<ToolAnswer>, Stop> {
    let plan = |(index, call)| plan(context, tools, turn.tool(index), call);
    let planned = calls.iter().enumerate().map(plan).collect::<Result<Vec<_>, _>>()?;
    let due = planned.iter().filter(|planned| matches!(planned, Planned::Due { .. })).count();
    if due > 0 {
        context.check()?;
    }
    let begun: Vec<_> = calls.iter().zip(planned).map(|(call, planned)| begin(context, agent, call, planned)).collect();
    if due > 0 {
        context.journal.commit().await?;
    }
    let work = calls.iter().zip(begun).map(|(call, begun)| {
        Box::pin(async move {
            match begun {
                Begun::Known(answer) => Ok(answer),
                Begun::Step(step, prepared) => carry_out(context, step, prepared, call, due == 1).await,
            }
        })
    });
    try_join_all(work).await
}

fn plan(context: &RunContext, tools: &[ToolDescriptor], path: StepPath, call: &ToolCall) -> Result<Planned, Stop> {
    let input_hash = crewd_application::sha256_hex(format!("{}\n{}", call.name, call.arguments));
    match context.journal.recorded().find(&path) {
        Recorded::Finished(step) => return recorded(&step, &input_hash).map(Planned::Known),
        Recorded::Interrupted(step) if !step.effect.is_repeatable() => return Err(outcome_unknown(&step)),
        Recorded::Interrupted(_) | Recorded::Nothing => {}
    }
    let descriptor = tools.iter().find(|tool| tool.name == call.name);
    let prepared = prepare(context, tools, descriptor, call);
    // A refused call has no effect at all.
    let effect = descriptor.filter(|_| prepared.is_ok()).map_or(EffectClass::ReadOnly, |tool| tool.effect);
    Ok(Planned::Due { path, input_hash, prepared, effect })
}

/// A call whose intent is written, or which needs none.
enum Begun {
    Known(ToolAnswer),
    Step(Arc<Step>, Prepared),
}

fn begin(context: &RunContext, agent: &AgentDefinition, call: &ToolCall, planned: Planned) -> Begun {
    let (path, input_hash, prepared, effect) = match planned {
        Planned::Known(answer) => return Begun::Known(answer),
        Planned::Due { path, input_hash, prepared, effect } => (path, input_hash, prepared, effect),
    };
    let shown =
        prepared.as_ref().map_or_else(|_| Value::String(call.arguments.clone()), |arguments| Value::Object(arguments.clone()));
    let data = json!({"tool": call.name, "call_id": call.id, "arguments": shown});
    let step = context.journal.intend(StepIntent {
        path: path.clone(),
        kind: StepKind::ToolCall,
        name: call.name.clone(),
        agent: agent.name.clone(),
        effect,
        input_hash,
        announcement: EventDraft::of_step(EventKind::ToolStarted, path, data),
    });
    Begun::Step(step, prepared)
}

async fn carry_out(
    context: &RunContext,
    step: Arc<Step>,
    prepared: Prepared,
    call: &ToolCall,
    alone: bool,
) -> Result<ToolAnswer, Stop> {
    let started = Instant::now();
    let (result, invalid_call) = match prepared {
        Err(refusal) => (Err(refusal), true),
        Ok(arguments) => {
            let span = crewd_telemetry::gen_ai::tool_span(&call.name, &call.id);
            let act = act(context, &step, call, &arguments).instrument(span);
            (context.control.unless_stopped(act).await?.map_err(|error| (error.kind(), error.to_string())), false)
        }
    };
    if let Err((kind, _)) = &result {
        context.engine.metrics.record_agent_error(&step.agent, kind);
    }
    let text = record(context, step, call, result, started);
    if !alone {
        context.journal.commit().await?;
    }
    Ok(ToolAnswer { text, invalid_call })
}

/// Whether the call can be made: a tool that is on offer, arguments that fit its schema.
fn prepare(context: &RunContext, tools: &[ToolDescriptor], descriptor: Option<&ToolDescriptor>, call: &ToolCall) -> Prepared {
    let Some(descriptor) = descriptor else {
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        return Err(("unknown_tool", format!("There is no tool named {}. The tools are: {}.", call.name, names.join(", "))));
    };
    let text = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
    let value: Value = serde_json::from_str(text)
        .map_err(|error| ("tool_arguments_invalid", format!("The arguments are not JSON: {error}.")))?;
    context.engine.schemas.check(&descriptor.name, &value).map_err(|problems| ("tool_arguments_invalid", problems))?;
    match value {
        Value::Object(arguments) => Ok(arguments),
        _ => Err(("tool_arguments_invalid", "The arguments must be a JSON object.".to_owned())),
    }
}

async fn act(
    context: &RunContext,
    step: &Step,
    call: &ToolCall,
    arguments: &Map<String, Value>,
) -> Result<ToolOutput, ToolError> {
    let Some(tool) = context.engine.tools.get(&call.name) else {
        return Err(ToolError::Failed(format!("The tool {} is gone.", call.name)));
    };
    let time_limit = tool.time_limit().unwrap_or(context.engine.limits.tool_time);
    let call_context = ToolCallContext {
        tenant: context.task.tenant_id.clone(),
        task_id: context.task.id,
        run_id: context.run_id,
        step: step.path.clone(),
        idempotency_key: step.idempotency_key.clone(),
        time_limit,
    };
    let outcome = tokio::time::timeout(time_limit, tool.call(&call_context, arguments)).await;
    crewd_application::fault::point(crewd_application::fault::Point::DuringAct);
    match outcome {
        Ok(result) => result,
        Err(_) => Err(ToolError::Failed(format!("The tool did not answer within {} s.", time_limit.as_secs()))),
    }
}

fn record(
    context: &RunContext,
    step: Arc<Step>,
    call: &ToolCall,
    result: Result<ToolOutput, (&'static str, String)>,
    started: Instant,
) -> String {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let usage = Usage { tool_calls: 1, ..Usage::default() };
    let path = step.path.clone();
    let (text, result) = match result {
        Ok(output) => {
            let (text, truncated) = trim(output.text);
            let data = json!({"tool": call.name, "call_id": call.id, "output": text, "truncated": truncated, "duration_ms": duration_ms});
            let announcement = EventDraft::of_step(EventKind::ToolCompleted, path, data);
            let output = Some(json!({"text": text}));
            (text, StepResult { output, error: None, usage, announcement })
        }
        Err((kind, message)) => {
            let (text, _) = trim(message);
            let error = json!({"kind": kind, "message": text});
            let data = json!({"tool": call.name, "call_id": call.id, "error": error, "duration_ms": duration_ms});
            let announcement = EventDraft::of_step(EventKind::ToolFailed, path, data);
            let failure = Failure::new(FailureClass::ToolError, kind, text.clone()).with_details(json!({"kind": kind}));
            let output = Some(json!({"text": text}));
            (text, StepResult { output, error: Some(failure), usage, announcement })
        }
    };
    context.journal.record(step, result);
    text
}

/// The result that the journal has; a recorded error is told to the model again.
fn recorded(step: &Step, input_hash: &str) -> Result<ToolAnswer, Stop> {
    if step.input_hash != input_hash {
        return Err(Stop::journal_mismatch(format!("{} was journaled with other arguments", step.path)));
    }
    let text = step.output.as_ref().and_then(|output| output.get("text")).and_then(Value::as_str);
    let text = text.ok_or_else(|| Stop::journal_mismatch(format!("the result of {} cannot be read", step.path)))?;
    let kind = step.error.as_ref().map(|failure| failure.code.as_str());
    let invalid_call = matches!(kind, Some("unknown_tool" | "tool_arguments_invalid"));
    Ok(ToolAnswer { text: text.to_owned(), invalid_call })
}

/// A call that may have had its effect and must not be repeated.
fn outcome_unknown(step: &Step) -> Stop {
    let message = format!("a worker was lost during {}; whether it happened is unknown, and it must not be repeated", step.name);
    let failure = Failure::new(FailureClass::ToolError, ErrorCode::InvalidState.as_str(), message);
    failure.with_details(json!({"reason": "outcome_unknown", "step": step.path})).into()
}
