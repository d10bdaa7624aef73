//! Questions as people see them.

use std::sync::Arc;

use crewd_domain::approvals::{Approval, ApprovalStatus};
use crewd_domain::runs::{Run, WaitReason};
use crewd_domain::shared::ApprovalId;

use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::ports::{ApprovalFilter, ApprovalQueries, ArgumentCheck, Clock, IdGenerator, RunOrders, RunQueries, WorkSignal};
use crate::runs::Committer;

/// Digits of the arguments' hash in a revision.
const HASH_DIGITS: usize = 16;

/// What the service works with.
pub struct ApprovalServiceParts {
    /// Persist, then publish.
    pub committer: Committer,
    /// Questions.
    pub approvals: Arc<dyn ApprovalQueries>,
    /// The runs that asked.
    pub queries: Arc<dyn RunQueries>,
    /// Schemas of tools and answers.
    pub check: Arc<dyn ArgumentCheck>,
    /// Wakes workers.
    pub signal: Arc<dyn WorkSignal>,
    /// Reaches runs that are worked on in this process.
    pub orders: Arc<dyn RunOrders>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// A page of questions, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalPage {
    /// The questions.
    pub items: Vec<Approval>,
    /// Where the next page starts, if there is one.
    pub next_before: Option<ApprovalId>,
}

/// Lists questions to people and takes their answers.
pub struct ApprovalService {
    pub(super) parts: ApprovalServiceParts,
}

impl ApprovalService {
    /// A service over its parts.
    #[must_use]
    pub const fn new(parts: ApprovalServiceParts) -> Self {
        Self { parts }
    }

    /// A question.
    ///
    /// # Errors
    /// `not_found`, for a foreign id as well.
    pub async fn get(&self, context: &RequestContext, id: ApprovalId) -> Result<Approval> {
        self.parts.approvals.approval(&context.tenant, id).await?.ok_or_else(|| Error::not_found("approval"))
    }

    /// Questions, newest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn list(
        &self,
        context: &RequestContext,
        filter: &ApprovalFilter,
        before: Option<ApprovalId>,
        limit: u32,
    ) -> Result<ApprovalPage> {
        let more = limit.saturating_add(1);
        let mut items = self.parts.approvals.approvals(&context.tenant, filter, before, more).await?;
        let has_more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_before = items.last().filter(|_| has_more).map(|last| last.id);
        Ok(ApprovalPage { items, next_before })
    }

    /// The questions that a run waits for, oldest first; none unless it waits for a person's answer.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn awaited(&self, context: &RequestContext, run: &Run) -> Result<Vec<Approval>> {
        if !waits_for_answer(run) {
            return Ok(Vec::new());
        }
        let mut approvals = self.parts.approvals.approvals_of(&context.tenant, run.id).await?;
        approvals.retain(|approval| approval.status == ApprovalStatus::Pending);
        Ok(approvals)
    }
}

/// Whether an answer lets the run go on.
pub(super) const fn waits_for_answer(run: &Run) -> bool {
    matches!(run.waiting_for, Some(WaitReason::Approval | WaitReason::Input | WaitReason::Reconcile))
}

/// Names what a person has seen: the state of the question and its arguments. It is the entity tag of the surface,
/// without quotes.
#[must_use]
pub fn revision(approval: &Approval) -> String {
    let hash: String = approval.arguments_hash.chars().take(HASH_DIGITS).collect();
    format!("{}-{hash}", approval.version)
}
