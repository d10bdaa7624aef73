//! Tool calls as journaled steps.

use std::sync::Arc;

use crewd_application::ports::{Tool, ToolCall, ToolCallContext, ToolError, ToolOutput};
use crewd_domain::crews::AgentDefinition;
use crewd_domain::runs::{EventDraft, EventKind, Failure, FailureClass, Pause, Step, StepKind, StepPath};
use crewd_domain::shared::Usage;
use crewd_domain::tools::ToolDescriptor;
use futures::future::try_join_all;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tracing::Instrument;

use super::tool_plan::{Due, Planned, Prepared, Settled, plan};
use crate::journal::{StepIntent, StepResult};
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

/// Carries out the calls of a turn that the journal has no results of: all intents are committed together, then the
/// calls run at the same time. A single result may wait for the next intent; of several, each is committed as it comes.
/// Calls that a person must decide about are asked about; the others are made before the run waits.
///
/// # Errors
/// Orders to stop, a question that waits, and a store that refuses. A failing tool is no error here: the model reads
/// about it.
pub(super) async fn call_tools(
    context: &RunContext,
    agent: &AgentDefinition,
    tools: &[ToolDescriptor],
    turn: &StepPath,
    calls: &[ToolCall],
) -> Result<Vec<ToolAnswer>, Stop> {
    let mut planned = Vec::with_capacity(calls.len());
    for (index, call) in calls.iter().enumerate() {
        planned.push(plan(context, agent, tools, turn.tool(index), call).await?);
    }
    let due = planned.iter().filter(|planned| matches!(planned, Planned::Due(_))).count();
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
                Begun::Known(answer) => Ok(Ok(answer)),
                Begun::Blocked(pause) => Ok(Err(pause)),
                Begun::Step(step, prepared) => carry_out(context, step, prepared, call, due == 1).await.map(Ok),
            }
        })
    });
    let mut answers = Vec::with_capacity(calls.len());
    let mut waiting: Option<Stop> = None;
    for done in try_join_all(work).await? {
        match done {
            Ok(answer) => answers.push(answer),
            Err(pause) => {
                let stop = Stop::Waiting(pause);
                waiting = Some(match waiting {
                    Some(before) => before.join(stop),
                    None => stop,
                });
            }
        }
    }
    waiting.map_or(Ok(answers), Err)
}

/// A call whose intent is written, or which needs none.
enum Begun {
    Known(ToolAnswer),
    Blocked(Box<Pause>),
    Step(Arc<Step>, Prepared),
}

fn begin(context: &RunContext, agent: &AgentDefinition, call: &ToolCall, planned: Planned) -> Begun {
    let Due { path, input_hash, prepared, effect } = match planned {
        Planned::Known(answer) => return Begun::Known(answer),
        Planned::Blocked(pause) => return Begun::Blocked(pause),
        Planned::Settled(step, result) => {
            let text = record(context, Arc::from(step), call, result, None, Instant::now());
            return Begun::Known(ToolAnswer { text, invalid_call: false });
        }
        Planned::Due(due) => *due,
    };
    let shown = match &prepared {
        Prepared::Call(arguments) => Value::Object(arguments.clone()),
        _ => serde_json::from_str(&call.arguments).unwrap_or_else(|_| Value::String(call.arguments.clone())),
    };
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
    let (result, source, invalid_call) = match prepared {
        Prepared::Refused(kind, text) => (Err((kind, text)), None, is_invalid(kind)),
        Prepared::Answer { text, source } => (Ok(ToolOutput { text }), Some(source), false),
        Prepared::Call(arguments) => {
            context.control.still_mine()?;
            let span = crewd_telemetry::gen_ai::tool_span(&call.name, &call.id);
            let act = act(context, &step, call, &arguments).instrument(span);
            (context.control.unless_stopped(act).await?.map_err(|error| (error.kind(), error.to_string())), None, false)
        }
    };
    if let Err((kind, _)) = &result {
        context.engine.metrics.record_agent_error(&step.agent, kind);
    }
    let text = record(context, step, call, result, source, started);
    if !alone {
        context.journal.commit().await?;
    }
    Ok(ToolAnswer { text, invalid_call })
}

/// Whether a call could not even be made, for which the model alone is to blame.
fn is_invalid(kind: &str) -> bool {
    matches!(kind, "unknown_tool" | "tool_arguments_invalid")
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
    let call_context = call_context(context, step, &*tool);
    let time_limit = call_context.time_limit;
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
    result: Settled,
    source: Option<&'static str>,
    started: Instant,
) -> String {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let usage = Usage { tool_calls: 1, ..Usage::default() };
    let path = step.path.clone();
    let (text, result) = match result {
        Ok(output) => {
            let (text, truncated) = trim(output.text);
            let mut data = json!({"tool": call.name, "call_id": call.id, "output": text, "truncated": truncated, "duration_ms": duration_ms});
            if let (Some(source), Value::Object(data)) = (source, &mut data) {
                data.insert("source".to_owned(), source.into());
            }
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
pub(super) fn recorded(step: &Step, input_hash: &str) -> Result<ToolAnswer, Stop> {
    if !step.had_input(input_hash) {
        return Err(Stop::journal_mismatch(format!("{} was journaled with other arguments", step.path)));
    }
    let text = step.output.as_ref().and_then(|output| output.get("text")).and_then(Value::as_str);
    let text = text.ok_or_else(|| Stop::journal_mismatch(format!("the result of {} cannot be read", step.path)))?;
    let invalid_call = step.error.as_ref().is_some_and(|failure| is_invalid(&failure.code));
    Ok(ToolAnswer { text: text.to_owned(), invalid_call })
}

/// On whose behalf a step calls its tool.
pub(super) fn call_context(context: &RunContext, step: &Step, tool: &dyn Tool) -> ToolCallContext {
    ToolCallContext {
        tenant: context.task.tenant_id.clone(),
        task_id: context.task.id,
        run_id: context.run_id,
        step: step.path.clone(),
        idempotency_key: step.idempotency_key.clone(),
        time_limit: context.step_time(tool.time_limit().unwrap_or(context.engine.limits.tool_time)),
    }
}
