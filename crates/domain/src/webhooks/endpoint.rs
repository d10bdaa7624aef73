//! An address that is told of events.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::runs::{EventKind, named};
use crate::shared::{TaskId, TenantId, WebhookId};

/// What endpoints are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the documentation; docs/webhooks.md explains each")]
pub enum WebhookEvent {
    #[serde(rename = "task.queued")]
    TaskQueued,
    #[serde(rename = "task.waiting")]
    TaskWaiting,
    #[serde(rename = "approval.requested")]
    ApprovalRequested,
    #[serde(rename = "task.succeeded")]
    TaskSucceeded,
    #[serde(rename = "task.failed")]
    TaskFailed,
    #[serde(rename = "task.cancelled")]
    TaskCancelled,
    #[serde(rename = "task.incomplete")]
    TaskIncomplete,
    #[serde(rename = "deadletter.added")]
    DeadLetterAdded,
}

named!(WebhookEvent {
    TaskQueued = "task.queued",
    TaskWaiting = "task.waiting",
    ApprovalRequested = "approval.requested",
    TaskSucceeded = "task.succeeded",
    TaskFailed = "task.failed",
    TaskCancelled = "task.cancelled",
    TaskIncomplete = "task.incomplete",
    DeadLetterAdded = "deadletter.added",
});

impl WebhookEvent {
    /// What endpoints are told when this happens; `None` for what stays inside.
    #[must_use]
    pub const fn of(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::TaskQueued => Some(Self::TaskQueued),
            EventKind::TaskWaiting => Some(Self::TaskWaiting),
            EventKind::ApprovalRequested => Some(Self::ApprovalRequested),
            EventKind::TaskSucceeded => Some(Self::TaskSucceeded),
            EventKind::TaskFailed => Some(Self::TaskFailed),
            EventKind::TaskCancelled => Some(Self::TaskCancelled),
            EventKind::TaskIncomplete => Some(Self::TaskIncomplete),
            _ => None,
        }
    }
}

/// How much a delivery tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// Ids, status and a link.
    #[default]
    Thin,
    /// The event's own data as well.
    Full,
}

named!(Payload { Thin = "thin", Full = "full" });

/// Where a delivery to one endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It is to be sent, for the first time or again.
    Pending,
    /// The receiver has taken it.
    Delivered,
    /// It was tried as often as the schedule says, or the endpoint is disabled.
    Failed,
}

named!(DeliveryStatus { Pending = "pending", Delivered = "delivered", Failed = "failed" });

/// An address that is told of events.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookEndpoint {
    /// Its id.
    pub id: WebhookId,
    /// Whose events.
    pub tenant_id: TenantId,
    /// The one task it is for; `None` for all tasks of the tenant.
    pub task_id: Option<TaskId>,
    /// Where to.
    pub url: String,
    /// What it is for, in the owner's words.
    pub description: Option<String>,
    /// What it is told of; empty means everything.
    pub events: Vec<WebhookEvent>,
    /// How much it is told.
    pub payload: Payload,
    /// Its secret, sealed; never shown again after its creation.
    pub secret: String,
    /// The secret before a rotation, sealed, and until when it signs as well.
    pub previous_secret: Option<(String, DateTime<Utc>)>,
    /// Seconds to wait for an answer, 1 to 30.
    pub timeout_seconds: u32,
    /// Deliveries at once.
    pub max_concurrent: u32,
    /// Since when it is not told of anything, and why.
    pub disabled: Option<(DateTime<Utc>, String)>,
    /// Since when every delivery fails.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From 1; counts changes.
    pub version: u64,
}

impl WebhookEndpoint {
    /// Whether it is to be told of an event.
    #[must_use]
    pub fn wants(&self, event: WebhookEvent, task: TaskId) -> bool {
        self.disabled.is_none()
            && self.task_id.is_none_or(|own| own == task)
            && (self.events.is_empty() || self.events.contains(&event))
    }
}
