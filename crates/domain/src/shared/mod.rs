//! Small values that every other module uses.

mod ids;
mod usage;

pub use ids::{InvalidTenantId, RunId, ScheduleId, TaskId, TenantId, WorkerId};
pub use usage::Usage;
