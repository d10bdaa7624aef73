//! What everything inside a run shares.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crewd_application::error::ErrorCode;
use crewd_application::ports::{Clock, IdGenerator, LanguageModel, RunFiles, ToolSet};
use crewd_domain::crews::CrewDefinition;
use crewd_domain::runs::{Failure, FailureClass, IncompleteReason, Pause, StepPath, Task, WaitReason};
use crewd_domain::shared::RunId;
use crewd_telemetry::metrics::Metrics;
use serde_json::json;
use tokio::time::Instant;

use super::control::RunControl;
use super::limits::RunRates;
use super::origin::OriginRecord;
use super::rules::ApprovalRules;
use super::stop::Stop;
use crate::journal::RunJournal;
use crate::tools::ToolSchemas;

/// What the engine works with, the same for all runs.
pub struct EngineParts {
    /// The models.
    pub model: Arc<dyn LanguageModel>,
    /// The tools.
    pub tools: Arc<dyn ToolSet>,
    /// Compiled argument schemas of the tools.
    pub schemas: ToolSchemas,
    /// Folders of runs.
    pub files: Arc<dyn RunFiles>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Ids of questions to people.
    pub ids: Arc<dyn IdGenerator>,
    /// How people are asked.
    pub approvals: ApprovalRules,
    /// Containment.
    pub limits: RunLimits,
}

/// What one run may use unless its task says otherwise.
#[derive(Clone, Debug)]
pub struct RunLimits {
    /// Seconds of one run.
    pub run_time: Duration,
    /// Model calls of one crew task, whatever its agent's `max_iter`.
    pub max_iterations: u32,
    /// Input plus output tokens of one run.
    pub max_tokens: u64,
    /// Time of one model call.
    pub model_time: Duration,
    /// Time of one tool call.
    pub tool_time: Duration,
}

/// One run while it is worked on.
pub struct RunContext {
    /// What the engine works with.
    pub engine: Arc<EngineParts>,
    /// What was submitted.
    pub task: Arc<Task>,
    /// The run.
    pub run_id: RunId,
    /// The crew, with its placeholders filled in.
    pub crew: Arc<CrewDefinition>,
    /// Where it is written down.
    pub journal: Arc<RunJournal>,
    /// Orders from outside.
    pub control: Arc<RunControl>,
    /// The run that a fork or a replay comes from.
    pub origin: Option<Arc<OriginRecord>>,
    /// Limits of model calls a minute.
    pub rates: RunRates,
    /// Text of a call that was cut off: kept for the task's output.
    pub partial: Mutex<String>,
}

impl RunContext {
    /// To be asked at each step boundary: orders and budgets.
    ///
    /// # Errors
    /// [`Stop::Cancelled`], [`Stop::Drained`], [`Stop::Waiting`] where it is to stop here, or [`Stop::Incomplete`] where
    /// the tokens are used up.
    pub fn check(&self) -> Result<(), Stop> {
        self.control.check()?;
        if let Some(step) = self.journal.stop_reached() {
            let details = json!({"stopped_after": step});
            return Err(Stop::Waiting(Box::new(Pause { reason: WaitReason::Operator, until: None, details })));
        }
        let used = self.journal.usage().total_tokens();
        let allowed = self.task.budget.max_tokens.unwrap_or(self.engine.limits.max_tokens);
        if used >= allowed {
            let message = format!("the token budget is used up: {used} of {allowed}");
            let failure = Failure::new(FailureClass::UserError, ErrorCode::BudgetExceeded.as_str(), message);
            let details = json!({"limit": allowed, "used": used, "scope": "run"});
            return Err(Stop::Incomplete(IncompleteReason::Tokens, Box::new(failure.with_details(details))));
        }
        Ok(())
    }

    /// To be asked before each model call: waits for a place in the windows of the crew and of the agent. Everything
    /// said so far is committed first, so that a waiting run shows how far it is.
    ///
    /// # Errors
    /// As for [`RunContext::check`]; orders also end the wait.
    pub async fn may_call_model(&self, agent: &str) -> Result<(), Stop> {
        self.check()?;
        for window in self.rates.of_agent(agent) {
            while let Err(wait) = window.take(Instant::now()) {
                self.journal.commit().await?;
                self.control.pause(tokio::time::sleep(wait)).await?;
            }
        }
        Ok(())
    }

    /// To be asked before anything that is not in the journal yet: a replay does nothing of its own.
    ///
    /// # Errors
    /// [`Stop::ReplayEnded`] in a replay.
    pub fn must_be_recorded(&self, step: &StepPath) -> Result<(), Stop> {
        if self.is_replay() { Err(Stop::ReplayEnded(step.clone())) } else { Ok(()) }
    }

    /// Whether everything comes from the journal.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.task.options.origin.as_ref().is_some_and(|origin| origin.replay)
    }

    /// How long one call may take, where the installation allows `limit`.
    #[must_use]
    pub fn step_time(&self, limit: Duration) -> Duration {
        self.task.options.step_timeout_seconds.map_or(limit, |seconds| limit.min(Duration::from_secs(seconds.into())))
    }

    /// Keeps, or forgets, the text of a call that was cut off.
    pub fn set_partial(&self, text: String) {
        *self.partial.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}
