//! A model call as a journaled step.

use std::sync::Arc;

use crewd_application::ports::{ModelDelta, ModelError, ModelErrorKind, ModelRequest, ModelResponse, StoreError, ToolChoice};
use crewd_domain::crews::AgentDefinition;
use crewd_domain::runs::{EventDraft, EventKind, Step, StepKind, StepPath};
use crewd_domain::shared::Usage;
use crewd_domain::tools::EffectClass;
use futures::StreamExt;
use serde_json::json;
use tokio::time::Instant;

use super::spoken::Spoken;
use crate::journal::{Recorded, StepIntent, StepResult};
use crate::run::{RunContext, Stop, model_failure};

/// Why a call gave no response.
#[derive(Debug)]
pub(super) enum CallFailure {
    /// Nothing can be done about it here.
    Stop(Stop),
    /// The model failed; `stop` is what that means unless the caller knows a way round.
    Model {
        /// What the model said.
        error: Box<ModelError>,
        /// The run's end.
        stop: Stop,
    },
}

impl<T: Into<Stop>> From<T> for CallFailure {
    fn from(stop: T) -> Self {
        Self::Stop(stop.into())
    }
}

/// Calls the model, unless the journal has its answer. Asks before whether the run may go on.
///
/// # Errors
/// [`CallFailure`]; a failed call is in the journal then.
pub(super) async fn call_model(
    context: &RunContext,
    agent: &AgentDefinition,
    path: &StepPath,
    request: Box<ModelRequest>,
) -> Result<ModelResponse, CallFailure> {
    let journal = &context.journal;
    let input_hash = hash(context, &request);
    if let Recorded::Finished(step) = journal.recorded().find(path) {
        return recorded(context, &step, &input_hash);
    }
    context.must_be_recorded(path)?;
    context.may_call_model(&agent.name).await?;
    let model = request.model.clone().unwrap_or_else(|| context.engine.model.default_model().to_owned());
    let step = journal.intend(StepIntent {
        path: path.clone(),
        kind: StepKind::LlmCall,
        name: model.clone(),
        agent: agent.name.clone(),
        effect: EffectClass::Model,
        input_hash,
        announcement: EventDraft::of_step(
            EventKind::LlmStarted,
            path.clone(),
            json!({"model": model, "messages": request.messages.len()}),
        ),
    });
    journal.commit().await?;
    context.control.still_mine()?;
    let started = Instant::now();
    let mut spoken = Spoken::new(context, path.clone());
    let answered = context.control.unless_stopped(Box::pin(listen(context, request, &mut spoken))).await?;
    // The last pieces go with the result, in one commit.
    spoken.say();
    match answered? {
        Ok(response) => {
            spoken.finish();
            record_response(context, step, &response, started.elapsed().as_millis());
            Ok(response)
        }
        Err(error) => {
            record_failure(context, step, &error, spoken.text());
            let stop = model_failure(&error).into();
            Err(CallFailure::Model { error: Box::new(error), stop })
        }
    }
}

/// Follows the stream; pieces go into the log as they come.
async fn listen(
    context: &RunContext,
    request: Box<ModelRequest>,
    spoken: &mut Spoken<'_>,
) -> Result<Result<ModelResponse, ModelError>, StoreError> {
    let limit = request.time_limit;
    let deadline = Instant::now() + limit;
    let mut stream = context.engine.model.call(*request);
    loop {
        let due = spoken.due().map_or(deadline, |due| due.min(deadline));
        let item = tokio::select! {
            biased;
            item = stream.next() => Some(item),
            () = tokio::time::sleep_until(due) => None,
        };
        crewd_application::fault::point(crewd_application::fault::Point::DuringAct);
        let now = Instant::now();
        let write = match item {
            Some(Some(Ok(ModelDelta::Finished(response)))) => return Ok(Ok(*response)),
            Some(Some(Err(error))) => return Ok(Err(error)),
            Some(None) => {
                return Ok(Err(ModelError::new(ModelErrorKind::Interrupted, "the model's answer ended before it was whole")));
            }
            _ if now >= deadline => {
                return Ok(Err(ModelError::new(
                    ModelErrorKind::Timeout,
                    format!("the model did not answer within {} s", limit.as_secs_f64()),
                )));
            }
            Some(Some(Ok(delta))) => spoken.hear(delta, now),
            None => true,
        };
        if write {
            spoken.say();
            context.journal.commit().await?;
        }
    }
}

fn record_response(context: &RunContext, step: Arc<Step>, response: &ModelResponse, duration_ms: u128) {
    if response.simulated {
        context.journal.mark_simulated();
    }
    let data = json!({
        "model": response.model,
        "text": response.text,
        "tool_calls": response.tool_calls,
        "finish_reason": response.finish_reason,
        "usage": response.usage,
        "usage_estimated": response.usage_estimated,
        "cached": response.cached,
        "duration_ms": u64::try_from(duration_ms).unwrap_or(u64::MAX),
    });
    let announcement = EventDraft::of_step(EventKind::LlmCompleted, step.path.clone(), data);
    let output = serde_json::to_value(response).ok();
    context.journal.record(step, StepResult { output, error: None, usage: response.usage, announcement });
}

fn record_failure(context: &RunContext, step: Arc<Step>, error: &ModelError, text: &str) {
    let failure = model_failure(error);
    tracing::warn!(step = %step.path, error.kind = error.kind.as_str(), error = %error, "the model call failed");
    let announcement = EventDraft::of_step(EventKind::LlmFailed, step.path.clone(), json!({"error": failure}));
    let output = (!text.is_empty()).then(|| json!({"partial_text": text}));
    let usage = Usage { llm_calls: 1, ..Usage::default() };
    context.journal.record(step, StepResult { output, error: Some(failure), usage, announcement });
}

/// The answer that the journal has.
fn recorded(context: &RunContext, step: &Step, input_hash: &str) -> Result<ModelResponse, CallFailure> {
    if !step.had_input(input_hash) {
        return Err(Stop::journal_mismatch(format!("{} was journaled with another input", step.path)).into());
    }
    if let Some(failure) = &step.error {
        let kind = failure.details.get("kind").and_then(|kind| kind.as_str());
        let kind = if kind == Some("context_length") { ModelErrorKind::ContextLength } else { ModelErrorKind::InvalidRequest };
        return Err(CallFailure::Model {
            error: Box::new(ModelError::new(kind, failure.message.clone())),
            stop: failure.clone().into(),
        });
    }
    let output = step.output.clone().unwrap_or_default();
    let response: ModelResponse = serde_json::from_value(output)
        .map_err(|_| CallFailure::Stop(Stop::journal_mismatch(format!("the result of {} cannot be read", step.path))))?;
    if response.simulated {
        context.journal.mark_simulated();
    }
    Ok(response)
}

/// What the answer depends on: model, conversation, tools, shape, sampling.
fn hash(context: &RunContext, request: &ModelRequest) -> String {
    let tools: Vec<&str> = request.tools.iter().map(|tool| context.engine.schemas.digest(tool)).collect();
    let format = request.response_format.as_ref().map(|format| &format.schema);
    let sampling = format!("{:?}", request.sampling);
    let input = (&request.model, &request.messages, tools, request.tool_choice == ToolChoice::None, format, sampling);
    crewd_application::sha256_hex(serde_json::to_vec(&input).unwrap_or_default())
}
