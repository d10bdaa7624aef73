//! A model call as a journaled step.

use std::sync::PoisonError;

use crewd_application::ports::{ModelDelta, ModelError, ModelErrorKind, ModelRequest, ModelResponse};
use crewd_domain::crews::AgentDefinition;
use crewd_domain::runs::{EventDraft, EventKind, Step, StepKind, StepPath};
use crewd_domain::shared::Usage;
use crewd_domain::tools::EffectClass;
use futures::StreamExt;
use serde_json::json;
use tokio::time::Instant;

use super::deltas::DeltaBuffer;
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
        error: ModelError,
        /// The run's end.
        stop: Stop,
    },
}

impl<T: Into<Stop>> From<T> for CallFailure {
    fn from(stop: T) -> Self {
        Self::Stop(stop.into())
    }
}

/// Calls the model, unless the journal has its answer.
///
/// # Errors
/// [`CallFailure`]; a failed call is in the journal then.
pub(super) async fn call_model(context: &RunContext, agent: &AgentDefinition, path: &StepPath, request: ModelRequest) -> Result<ModelResponse, CallFailure> {
    let journal = &context.journal;
    let input_hash = hash(&request);
    if let Recorded::Finished(step) = journal.find(path) {
        return recorded(context, &step, &input_hash);
    }
    let model = request.model.clone().unwrap_or_else(|| context.engine.model.default_model().to_owned());
    let step = journal.intend(StepIntent {
        path: path.clone(),
        kind: StepKind::LlmCall,
        name: model.clone(),
        agent: agent.name.clone(),
        effect: EffectClass::Model,
        input_hash,
        announcement: EventDraft::of_step(EventKind::LlmStarted, path.clone(), json!({"model": model, "messages": request.messages.len()})),
    });
    journal.commit().await?;
    let started = Instant::now();
    let mut text = String::new();
    let answered = context.control.unless_stopped(listen(context, path, request, &mut text)).await;
    match answered {
        Err(stop) => {
            keep_partial(context, text);
            Err(CallFailure::Stop(stop))
        }
        Ok(Ok(response)) => {
            record_response(context, step, &response, started.elapsed().as_millis());
            Ok(response)
        }
        Ok(Err(CallFailure::Model { error, stop })) => {
            record_failure(context, step, &error, &text);
            keep_partial(context, text);
            Err(CallFailure::Model { error, stop })
        }
        Ok(Err(failure)) => Err(failure),
    }
}

/// Follows the stream; pieces go into the log as they come.
async fn listen(context: &RunContext, path: &StepPath, request: ModelRequest, text: &mut String) -> Result<ModelResponse, CallFailure> {
    let deadline = Instant::now() + request.time_limit;
    let limit = request.time_limit;
    let mut stream = context.engine.model.call(request);
    let mut buffer = DeltaBuffer::new(path.clone());
    let outcome = loop {
        let due = buffer.due().map_or(deadline, |due| due.min(deadline));
        let item = tokio::select! {
            biased;
            item = stream.next() => item,
            () = tokio::time::sleep_until(due) => {
                if Instant::now() >= deadline {
                    break Err(ModelError::new(ModelErrorKind::Timeout, format!("the model did not answer within {} s", limit.as_secs_f64())));
                }
                write(context, &mut buffer).await?;
                continue;
            }
        };
        match item {
            Some(Ok(ModelDelta::Finished(response))) => break Ok(*response),
            Some(Ok(delta)) => {
                if let ModelDelta::Text(more) = &delta {
                    text.push_str(more);
                }
                if buffer.push(delta, Instant::now()) {
                    write(context, &mut buffer).await?;
                }
            }
            Some(Err(error)) => break Err(error),
            None => break Err(ModelError::new(ModelErrorKind::Interrupted, "the model's answer ended before it was whole")),
        }
    };
    // The last pieces go with the result, in one commit.
    for event in buffer.drain(Instant::now()) {
        context.journal.say(event);
    }
    outcome.map_err(|error| {
        let stop = Stop::Failed(model_failure(&error));
        CallFailure::Model { error, stop }
    })
}

async fn write(context: &RunContext, buffer: &mut DeltaBuffer) -> Result<(), CallFailure> {
    for event in buffer.drain(Instant::now()) {
        context.journal.say(event);
    }
    Ok(context.journal.commit().await?)
}

/// What was said until a call was cut off belongs to the output.
fn keep_partial(context: &RunContext, text: String) {
    if !text.is_empty() {
        *context.partial.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

fn record_response(context: &RunContext, step: Step, response: &ModelResponse, duration_ms: u128) {
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
        "duration_ms": u64::try_from(duration_ms).unwrap_or(u64::MAX),
    });
    let announcement = EventDraft::of_step(EventKind::LlmCompleted, step.path.clone(), data);
    let output = serde_json::to_value(response).ok();
    context.journal.record(step, StepResult { output, error: None, usage: response.usage, announcement });
}

fn record_failure(context: &RunContext, step: Step, error: &ModelError, text: &str) {
    let failure = model_failure(error);
    tracing::warn!(step = %step.path, error.kind = error.kind.as_str(), error = %error, "the model call failed");
    let announcement = EventDraft::of_step(EventKind::LlmFailed, step.path.clone(), json!({"error": failure}));
    let output = (!text.is_empty()).then(|| json!({"partial_text": text}));
    let usage = Usage { llm_calls: 1, ..Usage::default() };
    context.journal.record(step, StepResult { output, error: Some(failure), usage, announcement });
}

/// The answer that the journal has.
fn recorded(context: &RunContext, step: &Step, input_hash: &str) -> Result<ModelResponse, CallFailure> {
    if step.input_hash != input_hash {
        return Err(Stop::journal_mismatch(format!("{} was journaled with another input", step.path)).into());
    }
    if let Some(failure) = &step.error {
        let kind = failure.details.get("kind").and_then(|kind| kind.as_str());
        let kind = if kind == Some("context_length") { ModelErrorKind::ContextLength } else { ModelErrorKind::InvalidRequest };
        return Err(CallFailure::Model { error: ModelError::new(kind, failure.message.clone()), stop: Stop::Failed(failure.clone()) });
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
fn hash(request: &ModelRequest) -> String {
    let tools: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    let format = request.response_format.as_ref().map(|format| &format.schema);
    let sampling = format!("{:?}", request.sampling);
    let input = json!([request.model, request.messages, tools, request.tool_choice == crewd_application::ports::ToolChoice::None, format, sampling]);
    crewd_application::sha256_hex(input.to_string())
}
