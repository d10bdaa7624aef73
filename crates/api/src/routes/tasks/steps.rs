//! The journal as a tree: crew task, agent, model calls, tool calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use crewd_application::error::Error;
use crewd_domain::runs::{Run, RunStatus, Step, StepKind, StepPath, StepStatus};
use crewd_domain::shared::{RunId, Usage};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::schemas::{FailureResponse, UsageResponse};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Caller, Query, TaskPath};
use crate::page::Page;
use crate::state::ApiState;
use crate::timestamp::Timestamp;

/// A node of the journal. Model and tool calls are journaled themselves; crew tasks and agents gather them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StepResponse {
    /// `crew_task`, `agent`, `llm_call` or `tool_call`.
    #[schema(example = "llm_call")]
    kind: String,
    /// Its stable address within the run.
    #[schema(example = "crew_task[0].agent.turn[1]")]
    path: String,
    /// Of a crew task: its name in the crew.
    name: Option<String>,
    /// `started`, `succeeded`, `failed`, `outcome_unknown`; of crew tasks and agents also the end of the run.
    #[schema(example = "succeeded")]
    status: &'static str,
    /// The agent's name in the crew.
    agent: Option<String>,
    /// The model that was called.
    model: Option<String>,
    /// The tool that was called.
    tool: Option<String>,
    /// From 1; grows when recovery runs the step again.
    attempt: u32,
    /// The run that did it, where this run took its result over: it is neither run nor paid again.
    reused_from: Option<Uuid>,
    /// When it began.
    started_at: Option<Timestamp>,
    /// When it ended.
    finished_at: Option<Timestamp>,
    /// What it used, the steps below it included.
    usage: UsageResponse,
    /// Why it failed.
    error: Option<FailureResponse>,
    /// The steps below it, in their order.
    #[schema(no_recursion)]
    children: Vec<StepResponse>,
}

/// Read a task's journal.
///
/// A tree of the current run, or of the one named: crew tasks, their agents, the agents' model calls, the tool calls these asked for.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/steps", tag = "tasks", operation_id = "get_task_steps",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The task"),
        ("run" = Option<uuid::Uuid>, Query, description = "Another run of the task than its current one"),
    ),
    responses(
        (status = 200, description = "The crew tasks that have begun", body = Page<StepResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn get_task_steps(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    mut query: Query,
) -> Result<Json<Page<StepResponse>>, ApiError> {
    let id = path.id()?;
    let named = query.text("run").map(|text| text.parse::<RunId>());
    query.finish()?;
    let named = named.transpose().map_err(|_| Error::not_found("run of this task"))?;
    let steps = state.tasks.steps(&context, id, named).await?;
    // Read after the steps: a run that has ended by then cannot have a step that goes on.
    let view = state.tasks.get(&context, id).await?;
    let other = match named.filter(|named| *named != view.run.id) {
        Some(named) => state.tasks.runs(&context, id).await?.into_iter().find(|run| run.id == named),
        None => None,
    };
    let run = other.as_ref().unwrap_or(&view.run);
    let definition = state.crews.resolve(&context, &view.task.crew, Some(&view.task.definition_version)).await.ok();
    let names = definition.iter().flat_map(|entry| &entry.definition.tasks).map(|task| task.name.as_str()).collect::<Vec<_>>();
    Ok(Json(Page { items: tree(steps, run, &names), next_cursor: None }))
}

/// A node before it is written down.
#[derive(Default)]
struct Node {
    path: String,
    step: Option<Step>,
    children: Vec<Node>,
}

impl Node {
    /// Puts a step where the way (paths from the top down) leads.
    fn place(&mut self, way: &[StepPath], step: Step) {
        let Some((next, rest)) = way.split_first() else {
            self.step = Some(step);
            return;
        };
        if !self.children.iter().any(|child| child.path == next.as_str()) {
            self.children.push(Self { path: next.as_str().to_owned(), ..Self::default() });
        }
        if let Some(child) = self.children.iter_mut().find(|child| child.path == next.as_str()) {
            child.place(rest, step);
        }
    }
}

fn tree(steps: Vec<Step>, run: &Run, names: &[&str]) -> Vec<StepResponse> {
    let mut root = Node::default();
    for step in steps {
        let mut way: Vec<StepPath> = std::iter::successors(Some(step.path.clone()), StepPath::parent).collect();
        way.reverse();
        root.place(&way, step);
    }
    let last = root.children.len().saturating_sub(1);
    root.children
        .into_iter()
        .enumerate()
        .map(|(index, node)| respond(node, Place { run, names, is_last: index == last }))
        .collect()
}

/// What a node must know of the whole.
#[derive(Clone, Copy)]
struct Place<'a> {
    run: &'a Run,
    names: &'a [&'a str],
    /// Whether it is in the crew task that was begun last.
    is_last: bool,
}

fn respond(node: Node, place: Place<'_>) -> StepResponse {
    match node.step {
        Some(step) => journaled(step, node.children, place),
        None => gathered(&node.path, node.children, place),
    }
}

fn journaled(step: Step, children: Vec<Node>, place: Place<'_>) -> StepResponse {
    let is_model = step.kind == StepKind::LlmCall;
    let mut usage = step.usage;
    add_below(&mut usage, &children);
    StepResponse {
        kind: step.kind.as_str().to_owned(),
        path: step.path.as_str().to_owned(),
        name: None,
        status: step.status.as_str(),
        agent: Some(step.agent),
        model: is_model.then(|| step.name.clone()),
        tool: (!is_model).then_some(step.name),
        attempt: step.attempt,
        reused_from: step.reused_from.map(|run| run.as_uuid()),
        started_at: Some(step.started_at.into()),
        finished_at: step.finished_at.map(Timestamp),
        usage: usage.into(),
        error: step.error.map(FailureResponse::from),
        children: children.into_iter().map(|child| respond(child, place)).collect(),
    }
}

/// A node that is not journaled itself: it began and ended with its children.
fn gathered(path: &str, children: Vec<Node>, place: Place<'_>) -> StepResponse {
    let steps = journal_below(&children);
    let mut usage = Usage::default();
    add_below(&mut usage, &children);
    let status = status_of(&steps, place);
    let started_at = steps.iter().map(|step| step.started_at).min();
    let ended_at = steps.iter().filter_map(|step| step.finished_at).max();
    let agent = steps.first().map(|step| step.agent.clone());
    let (kind, index) = kind_of(path);
    let name = index.filter(|_| kind == "crew_task").and_then(|index| place.names.get(index)).map(|name| (*name).to_owned());
    StepResponse {
        kind: kind.to_owned(),
        path: path.to_owned(),
        name,
        status,
        agent,
        model: None,
        tool: None,
        attempt: steps.iter().map(|step| step.attempt).max().unwrap_or(1),
        reused_from: None,
        started_at: started_at.map(Timestamp),
        finished_at: ended_at.filter(|_| status != StepStatus::Started.as_str()).map(Timestamp),
        usage: usage.into(),
        error: None,
        children: children.into_iter().map(|child| respond(child, place)).collect(),
    }
}

/// How far a crew task or agent is. The one begun last shares the fate of the run.
fn status_of(steps: &[&Step], place: Place<'_>) -> &'static str {
    let status = place.run.status;
    if steps.iter().any(|step| step.status == StepStatus::Started) && !status.is_terminal() {
        return StepStatus::Started.as_str();
    }
    match status {
        RunStatus::Succeeded => StepStatus::Succeeded.as_str(),
        _ if !place.is_last => StepStatus::Succeeded.as_str(),
        ended if ended.is_terminal() => ended.as_str(),
        _ => StepStatus::Started.as_str(),
    }
}

/// All journaled steps below, in their order.
fn journal_below(nodes: &[Node]) -> Vec<&Step> {
    nodes.iter().flat_map(|node| node.step.iter().chain(journal_below(&node.children))).collect()
}

fn add_below(usage: &mut Usage, nodes: &[Node]) {
    for step in journal_below(nodes) {
        *usage += step.usage;
    }
}

/// `crew_task[2]` is a `crew_task` with the index 2.
fn kind_of(path: &str) -> (&str, Option<usize>) {
    let segment = path.rsplit_once('.').map_or(path, |(_, last)| last);
    match segment.split_once('[') {
        Some((kind, index)) => (kind, index.trim_end_matches(']').parse().ok()),
        None => (segment, None),
    }
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
