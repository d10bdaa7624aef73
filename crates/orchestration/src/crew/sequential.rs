//! Crew tasks in order; asynchronous neighbours together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use crewd_application::ports::FileError;
use crewd_domain::crews::{AgentDefinition, CrewTaskDefinition};
use crewd_domain::runs::{EventDraft, EventKind, StepPath};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use tracing::Instrument;

use super::context_text::context_text;
use super::output::{CrewOutput, CrewTaskOutput};
use super::review::reviewed;
use super::structured::structured_output;
use crate::agent::{AgentTask, AgentWork};
use crate::run::{RunContext, Stop};

/// Runs all crew tasks. `output` always holds what is done so far, so that nothing is lost when the future is dropped.
///
/// # Errors
/// The first [`Stop`] of any crew task ends the crew.
pub async fn run_sequential(context: Arc<RunContext>, output: Arc<Mutex<CrewOutput>>) -> Result<(), Stop> {
    let tasks = &context.crew.tasks;
    let mut index = 0;
    while index < tasks.len() {
        let end = batch_end(tasks, index);
        let mut batch = Vec::with_capacity(end - index);
        for place in index..end {
            let seen = context_text(tasks, place, &output.lock().unwrap_or_else(PoisonError::into_inner).tasks);
            batch.push(Box::pin(run_crew_task(context.clone(), output.clone(), place, seen)));
        }
        join(batch).await?;
        index = end;
    }
    Ok(())
}

/// Waits for all. An order to stop, heard by one of them, lets the others go on to the end of their steps, where they
/// hear it, too; anything else ends the others at once.
async fn join(batch: Vec<impl Future<Output = Result<(), Stop>> + Unpin>) -> Result<(), Stop> {
    let mut batch: FuturesUnordered<_> = batch.into_iter().collect();
    let mut order = None;
    while let Some(done) = batch.next().await {
        match done {
            Err(stop @ (Stop::Cancelled | Stop::Drained | Stop::Waiting(_))) => {
                order = Some(match order {
                    Some(before) => Stop::join(before, stop),
                    None => stop,
                });
            }
            done => done?,
        }
    }
    order.map_or(Ok(()), Err)
}

/// Asynchronous crew tasks that follow each other start together and are joined before the next synchronous one.
fn batch_end(tasks: &[CrewTaskDefinition], start: usize) -> usize {
    let asynchronous = tasks.iter().skip(start).take_while(|task| task.async_execution).count();
    start.saturating_add(asynchronous.max(1))
}

async fn run_crew_task(context: Arc<RunContext>, output: Arc<Mutex<CrewOutput>>, index: usize, seen: String) -> Result<(), Stop> {
    let missing = || Stop::journal_mismatch(format!("the crew has no runnable task at place {index}"));
    let task = context.crew.tasks.get(index).ok_or_else(missing)?;
    let agent = context.crew.agent(&task.agent).ok_or_else(missing)?;
    let path = StepPath::crew_task(index);
    let journal = &context.journal;
    if !journal.recorded().has_said(EventKind::CrewTaskStarted, Some(&path)) {
        context.check()?;
    }
    let started = json!({"name": task.name, "index": index, "agent": agent.name});
    journal.say(EventDraft::of_step(EventKind::CrewTaskStarted, path.clone(), started));
    let agent_path = path.agent();
    let model = agent.llm.as_ref().map_or_else(|| context.engine.model.default_model(), |llm| llm.model.as_str());
    let started = json!({"agent": agent.name, "role": agent.role.trim(), "model": model});
    journal.say(EventDraft::of_step(EventKind::AgentStarted, agent_path.clone(), started));

    let span = crewd_telemetry::gen_ai::agent_span(agent.role.trim(), &agent.name);
    let answer = work(&context, task, agent, agent_path.clone(), seen).instrument(span).await;
    let answer = answer.inspect_err(|stop| count_failure(&context, agent, stop))?;
    // The file of a crew task that was done before stands; tools may have changed it since.
    if !journal.recorded().has_said(EventKind::CrewTaskCompleted, Some(&path)) {
        let written = Box::pin(write_output_file(&context, task, &answer)).await;
        written.inspect_err(|_| context.set_partial(answer.raw.clone()))?;
    }

    journal.say(EventDraft::of_step(EventKind::AgentCompleted, agent_path, json!({"agent": agent.name})));
    let completed = json!({"name": task.name, "agent": agent.name, "output": {"raw": answer.raw, "json": answer.json}});
    journal.say(EventDraft::of_step(EventKind::CrewTaskCompleted, path, completed));
    output.lock().unwrap_or_else(PoisonError::into_inner).tasks.insert(index, answer);
    Ok(())
}

fn count_failure(context: &RunContext, agent: &AgentDefinition, stop: &Stop) {
    if let Stop::Failed(failure) | Stop::Incomplete(_, failure) = stop {
        let kind = failure.details.get("kind").and_then(serde_json::Value::as_str).unwrap_or(failure.class.as_str());
        context.engine.metrics.record_agent_error(&agent.name, kind);
    }
}

async fn work(
    context: &RunContext,
    task: &CrewTaskDefinition,
    agent: &AgentDefinition,
    path: StepPath,
    seen: String,
) -> Result<CrewTaskOutput, Stop> {
    let mut agent_work = AgentWork::new(context, agent, AgentTask { definition: task, context: seen }, path.clone())?;
    let answer = Box::pin(answer(&mut agent_work, task));
    let (mut raw, mut json) = match agent.max_execution_time {
        None => answer.await?,
        Some(seconds) => {
            let late =
                |_| Stop::timeout(format!("the agent {} took longer than its max_execution_time of {seconds} s", agent.name));
            tokio::time::timeout(Duration::from_secs(seconds.into()), answer).await.map_err(late)??
        }
    };
    if task.human_input {
        (raw, json) = Box::pin(reviewed(context, &mut agent_work, task, agent, &path, (raw, json))).await?;
    }
    Ok(CrewTaskOutput { name: task.name.clone(), agent: agent.name.clone(), raw, json })
}

/// The agent's answer, in the shape that the crew task asks for.
pub(super) async fn answer(agent_work: &mut AgentWork<'_>, task: &CrewTaskDefinition) -> Result<(String, Option<Value>), Stop> {
    let raw = agent_work.answer().await?;
    match &task.output_json {
        None => Ok((raw, None)),
        Some(schema) => Box::pin(structured_output(agent_work, schema, raw)).await.map(|(raw, json)| (raw, Some(json))),
    }
}

async fn write_output_file(context: &RunContext, task: &CrewTaskDefinition, answer: &CrewTaskOutput) -> Result<(), Stop> {
    let Some(path) = task.output_file.as_ref().filter(|_| !context.is_replay()) else { return Ok(()) };
    let content = match &answer.json {
        Some(json) => serde_json::to_string_pretty(json).unwrap_or_else(|_| answer.raw.clone()),
        None => answer.raw.clone(),
    };
    let files = &context.engine.files;
    let written =
        files.write(&context.task.tenant_id, context.run_id, path.trim(), Bytes::from(content), task.create_directory).await;
    written.map_err(|error| match error {
        FileError::NotAllowed(_) | FileError::NotFound(_) => Stop::user_error(format!("output_file of {}: {error}", task.name)),
        FileError::Io(cause) => {
            tracing::error!(error = %cause, "the output file could not be written");
            Stop::internal("the output file could not be written; the cause is in the log")
        }
    })
}
