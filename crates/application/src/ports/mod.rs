//! Everything the use cases and the engine need from outside, one trait a file.
//!
//! A port's documentation states its semantics: what is idempotent, what a missing item is, which order, which
//! errors, which units. Outbound ports are used as `Arc<dyn Port>`.

mod approvals;
mod cache;
mod catalog;
mod clock;
mod duties;
mod egress;
mod event_stream;
mod files;
mod health;
mod limiter;
mod llm;
mod orders;
mod presence;
mod queries;
mod queue;
mod schedules;
mod security;
mod signal;
mod signing;
mod store;
mod tool;
mod webhooks;

pub use approvals::{ApprovalFilter, ApprovalQueries, ArgumentCheck};
pub use cache::{Cache, CacheKey, LARGEST_CACHED_VALUE};
pub use catalog::{CatalogEntry, CrewCatalog, CrewSource, SourceFile};
pub use clock::{Clock, IdGenerator};
pub use duties::{Duties, Duty};
pub use egress::{Outbound, OutboundError, OutboundMethod, OutboundRequest, OutboundResponse};
pub use event_stream::{EventStream, EventTail, StreamHint, StreamSubscription};
pub use files::{FileError, RunFiles};
pub use health::{HealthCheck, HealthStatus};
pub use limiter::{PlacesUnavailable, SharedPlace, SharedPlaces};
pub use llm::{
    CallLabels, FinishReason, LanguageModel, Message, ModelDelta, ModelError, ModelErrorKind, ModelRequest, ModelResponse,
    ModelStream, ResponseFormat, Role, Sampling, ToolCall, ToolChoice,
};
pub use orders::RunOrders;
pub use presence::WorkerPresence;
pub use queries::{
    CrewVersion, EventQuery, IdempotencyRecord, RunQueries, StoredCrew, TaskFilter, TaskPage, TaskProgress, TaskView,
};
pub use queue::{
    ClaimedRun, ControlItem, ControlRequest, DueRun, Fairness, LeaseRenewal, LostRun, QueuePlace, RunQueue, TenantLoad,
};
pub use schedules::{ScheduleStore, StoredFire, StoredSchedule};
pub use security::{Authenticator, Caller, RateAnswer, RateLimiter, RateState};
pub use signal::WorkSignal;
pub use signing::{KeyPurpose, SealError, SecretSealer, SigningError, WebhookSigner};
pub use store::{
    ApprovalUpdate, Change, DEDUP_KEY, DedupRecord, Durability, LeaseGuard, RunUpdate, SCHEDULE_FIRE, Store, StoreError,
    UnitOfWork,
};
pub use tool::{Reconciled, Tool, ToolCallContext, ToolError, ToolOutput, ToolSet};
pub use webhooks::{AttemptOutcome, Delivery, DueDelivery, OutboxMessage, WebhookStore};
