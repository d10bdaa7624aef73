//! Keys of the caller's own business by which a task is done once.

use chrono::TimeDelta;
use crewd_domain::shared::TaskId;
use serde::{Deserialize, Serialize};

use super::service::TaskService;
use super::submit::SubmitTask;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{DedupRecord, TaskView};

/// How a business key is held, and what a second task with it gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupRule {
    /// Seconds from the acceptance of a task for which its key is held, whatever becomes of the task; without them it is
    /// held until the task has ended.
    pub ttl_seconds: Option<u32>,
    /// What a second task gets.
    pub on_conflict: DedupConflict,
}

/// What a second task with a held business key gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DedupConflict {
    /// The first one as the answer.
    #[default]
    ReturnExisting,
    /// A refusal.
    Reject,
}

/// Whether a business key can be had.
pub(super) enum Hold {
    /// It can: the record takes it.
    Free(Box<DedupRecord>),
    /// Another task holds it.
    Held(Box<TaskView>),
}

impl TaskService {
    /// Looks whether the business key of a submission is free.
    ///
    /// # Errors
    /// `conflict` with the reason `duplicate` where the caller wants that.
    pub(super) async fn business_key(&self, context: &RequestContext, request: &SubmitTask, id: TaskId) -> Result<Option<Hold>> {
        let Some(key) = &request.options.dedup_key else { return Ok(None) };
        let now = self.parts.clock.now();
        let known = self.parts.queries.dedup_key(&context.tenant, key).await?;
        let mut replaces = None;
        if let Some(record) = known {
            let holder = self.parts.queries.task(&context.tenant, record.task_id).await?;
            let is_held = |view: &TaskView| record.expires_at.map_or(!view.run.status.is_terminal(), |until| now < until);
            if let Some(view) = holder.filter(is_held) {
                return match request.dedup.on_conflict {
                    DedupConflict::ReturnExisting => Ok(Some(Hold::Held(Box::new(view)))),
                    DedupConflict::Reject => Err(duplicate(view.task.id)),
                };
            }
            replaces = Some(record.task_id);
        }
        let expires_at = request.dedup.ttl_seconds.map(|seconds| now + TimeDelta::seconds(seconds.into()));
        let tenant_id = context.tenant.clone();
        Ok(Some(Hold::Free(Box::new(DedupRecord { tenant_id, key: key.clone(), task_id: id, expires_at, replaces }))))
    }
}

fn duplicate(holder: TaskId) -> Error {
    Error::new(ErrorCode::Conflict, "another task holds this dedup_key").because("duplicate").about(holder)
}
