//! Child tasks: forks and replays.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use crewd_application::runs::ForkTask;
use crewd_domain::runs::{ForkEffects, ForkOverrides, StepPath};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::retry::{accepted, read_step};
use super::schemas::TaskResponse;
use crate::error::{ApiError, ErrorBody, Problems};
use crate::extract::{Body, Caller, ObjectReader, Query, TaskPath, idempotency_key, parse_json};
use crate::state::ApiState;

/// Characters of the name of a model or a version.
const NAME: usize = 255;

/// A child task that goes on from a step of this one.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body in the document; the body itself is read field by field")]
pub(super) struct ForkTaskRequest {
    /// The first step that is done anew: a model or tool call, or a crew task or agent as a whole.
    #[schema(example = "crew_task[0].agent.turn[1]")]
    from_step: String,
    /// What is different in the child.
    overrides: Option<OverridesRequest>,
    /// What tools may do from there on. `reuse` (the default): calls that the origin made with the same arguments give
    /// the recorded results; of the others only those that change nothing are made. `dry_run`: only calls that change
    /// nothing are made. `execute`: calls are made as in any task.
    #[schema(example = "reuse")]
    effects: Option<String>,
}

/// What is different in a child task.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body in the document; the body itself is read field by field")]
struct OverridesRequest {
    /// Values that replace inputs of the same names.
    #[schema(value_type = Option<Object>)]
    inputs: Option<Value>,
    /// The model of all agents.
    model: Option<String>,
    /// Texts that replace those of the definition.
    prompt: Option<PromptRequest>,
    /// Another version of the crew.
    definition_version: Option<String>,
    /// Results of tools by tool name: such a tool is not called.
    #[schema(value_type = Option<Object>)]
    tools: Option<Value>,
}

/// Texts that replace those of the definition; placeholders in them are filled in.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes the body in the document; the body itself is read field by field")]
struct PromptRequest {
    /// `role`, `goal` and `backstory` by agent name.
    #[schema(value_type = Option<Object>, example = json!({"writer": {"goal": "Write about {topic} in verse"}}))]
    agents: Option<Value>,
    /// `description` and `expected_output` by crew task name.
    #[schema(value_type = Option<Object>)]
    tasks: Option<Value>,
}

/// Fork a task.
///
/// A child task of its own that takes over everything before `from_step` and goes on from there. The task itself is not
/// touched, whatever its state.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/fork", tag = "tasks", operation_id = "fork_task",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The task"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body makes one child, for 24 hours."),
    ),
    request_body = ForkTaskRequest,
    responses(
        (status = 202, description = "The child", body = TaskResponse,
            headers(("Location" = String), ("Idempotent-Replayed" = String))),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn fork_task(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    query.finish()?;
    let json = parse_json(body.json()?, state.limits.json_depth)?;
    let key = idempotency_key(body.headers(), &json)?;
    Ok(accepted(state.tasks.fork(&context, id, read_fork(json)?, key).await?))
}

/// Replay a task.
///
/// A child task of an ended one in which every result comes from the journal: no model and no tool is called. It must reach
/// the same state, else it fails with the class `journal_mismatch`.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/replay", tag = "tasks", operation_id = "replay_task",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The task"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key makes one child, for 24 hours."),
    ),
    responses(
        (status = 202, description = "The child", body = TaskResponse,
            headers(("Location" = String), ("Idempotent-Replayed" = String))),
        (status = "default", description = "Any error; 409 `invalid_state` with `not_ended`", body = ErrorBody),
    ),
)]
pub(super) async fn replay_task(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    query.finish()?;
    let json = body.optional_json()?.map_or_else(|| Ok(json!({})), |text| parse_json(text, state.limits.json_depth))?;
    let key = idempotency_key(body.headers(), &json)?;
    let mut problems = Problems::default();
    ObjectReader::of_body(json, &mut problems)?.finish();
    problems.check()?;
    Ok(accepted(state.tasks.replay_task(&context, id, key).await?))
}

fn read_fork(body: Value) -> Result<ForkTask, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    if !reader.has("from_step") {
        reader.add("required", "from_step", "is required: the first step that is done anew");
    }
    // A missing or wrong step has been told; its stand-in is never used.
    let from_step = read_step(&mut reader, "from_step").unwrap_or_else(|| StepPath::crew_task(0));
    let choices: Vec<_> = ForkEffects::ALL.iter().map(|effects| (effects.as_str(), *effects)).collect();
    let effects = reader.choice("effects", &choices).unwrap_or_default();
    let (overrides, definition_version) = match reader.nested("overrides") {
        None => (ForkOverrides::default(), None),
        Some(mut overrides) => {
            let read = read_overrides(&mut overrides);
            overrides.finish();
            read
        }
    };
    reader.finish();
    problems.check()?;
    Ok(ForkTask { from_step, overrides, definition_version, effects })
}

fn read_overrides(reader: &mut ObjectReader<'_>) -> (ForkOverrides, Option<String>) {
    let inputs = reader.object("inputs").unwrap_or_default();
    let model = reader.name("model", NAME);
    let tools = reader.object("tools").unwrap_or_default();
    let definition_version = reader.name("definition_version", NAME);
    let (mut agents, mut tasks) = Default::default();
    if let Some(mut prompt) = reader.nested("prompt") {
        agents = prompt.object("agents").unwrap_or_default();
        tasks = prompt.object("tasks").unwrap_or_default();
        prompt.finish();
    }
    (ForkOverrides { inputs, model, agents, tasks, tools }, definition_version)
}
