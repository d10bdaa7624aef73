//! What a fork or a replay knows of the run it comes from.

use std::collections::HashMap;
use std::sync::Arc;

use crewd_application::ports::{RunQueries, StoreError};
use crewd_domain::runs::{ForkEffects, Run, StepKind, StepStatus, Task};
use serde_json::Value;

/// The run a child task comes from.
#[derive(Debug)]
pub struct OriginRecord {
    /// The run as it ended, or as it stands.
    pub run: Run,
    /// Results of its tool calls by the hash of tool and arguments.
    results: HashMap<String, String>,
}

impl OriginRecord {
    /// Reads what a child task needs of its origin; `None` for a task that has none.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn read(queries: &dyn RunQueries, task: &Task) -> Result<Option<Arc<Self>>, StoreError> {
        let Some(origin) = &task.options.origin else { return Ok(None) };
        let Some(run) = queries.run(&task.tenant_id, origin.run_id).await? else { return Ok(None) };
        let mut results = HashMap::new();
        if !origin.replay && origin.effects == ForkEffects::Reuse {
            for step in queries.steps(&task.tenant_id, origin.run_id).await? {
                let text = step.output.as_ref().and_then(|output| output.get("text")).and_then(Value::as_str);
                if let (StepKind::ToolCall, StepStatus::Succeeded, Some(text)) = (step.kind, step.status, text) {
                    results.insert(step.input_hash.clone(), text.to_owned());
                }
            }
        }
        Ok(Some(Arc::new(Self { run, results })))
    }

    /// The result that the origin got for a call.
    #[must_use]
    pub fn result(&self, input_hash: &str) -> Option<&str> {
        self.results.get(input_hash).map(String::as_str)
    }
}
