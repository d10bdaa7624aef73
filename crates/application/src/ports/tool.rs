//! Tools that agents can call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crewd_domain::runs::StepPath;
use crewd_domain::shared::{RunId, TaskId, TenantId};
use crewd_domain::tools::ToolDescriptor;
use serde_json::{Map, Value};
use thiserror::Error;

/// On whose behalf a tool is called.
#[derive(Clone, Debug)]
pub struct ToolCallContext {
    /// Whose files and rows.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The run: the folder of its files is named after it.
    pub run_id: RunId,
    /// The step, for logs.
    pub step: StepPath,
    /// The same for every attempt of this step; a tool with effects outside passes it on.
    pub idempotency_key: String,
    /// How long the call may take; the engine drops the call after it.
    pub time_limit: Duration,
}

/// What a tool answers: text for the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutput {
    /// The text. The engine trims it, with a notice, before the model reads it.
    pub text: String,
}

/// Why a call did not give a result. The model reads the text and may try something else.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ToolError {
    /// The arguments make no sense.
    #[error("{0}")]
    InvalidArguments(String),
    /// Not allowed: a path outside of the root, for example.
    #[error("{0}")]
    Denied(String),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}

impl ToolError {
    /// A stable name for events and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::InvalidArguments(_) => "tool_arguments_invalid",
            Self::Denied(_) => "tool_denied",
            Self::Failed(_) => "tool_failed",
        }
    }
}

/// What a tool knows of a call whose result was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// It cannot tell, or cannot tell now.
    Unknown,
    /// The call had its effect; this is its result.
    Happened(ToolOutput),
    /// The call had no effect, so it may be made again.
    DidNotHappen,
}

/// A tool. Arguments have been checked against its schema before the call.
#[async_trait]
pub trait Tool: Send + Sync {
    /// What it is.
    fn descriptor(&self) -> &ToolDescriptor;

    /// Calls it. Dropping the future must stop the work.
    ///
    /// # Errors
    /// See [`ToolError`]; every error is told to the model.
    async fn call(&self, context: &ToolCallContext, arguments: &Map<String, Value>) -> Result<ToolOutput, ToolError>;

    /// Asks what became of an earlier call with this context and these arguments. It changes nothing. Worth asking only
    /// where the descriptor says `reconciles`; an answer that does not come is [`Reconciled::Unknown`].
    async fn reconcile(&self, _context: &ToolCallContext, _arguments: &Map<String, Value>) -> Reconciled {
        Reconciled::Unknown
    }

    /// How long a call may take, where the tool was given its own limit; else the engine's limit counts.
    fn time_limit(&self) -> Option<Duration> {
        None
    }
}

/// All tools of an installation.
pub trait ToolSet: Send + Sync {
    /// The tool with a name.
    fn get(&self, name: &str) -> Option<Arc<dyn Tool>>;

    /// What there is, by name.
    fn descriptors(&self) -> Vec<ToolDescriptor>;
}
