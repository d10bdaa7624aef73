//! Small values that every other module uses.

mod ids;
mod usage;

pub use ids::{ApprovalId, InvalidTenantId, RunId, ScheduleId, TaskId, TenantId, WebhookId, WorkerId};
pub use usage::Usage;
