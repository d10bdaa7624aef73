//! One file per section: its fields, its variables, how each value is read.

pub(crate) mod admission;
pub(crate) mod approvals;
pub(crate) mod database;
pub(crate) mod egress;
pub(crate) mod files;
pub(crate) mod limits;
pub(crate) mod llm;
pub(crate) mod log;
pub(crate) mod otlp;
pub(crate) mod redis;
pub(crate) mod security;
pub(crate) mod server;
pub(crate) mod tools;
pub(crate) mod worker;

pub use admission::{AdmissionSettings, RateSetting};
pub use approvals::{ApprovalFrom, ApprovalOnExpire, ApprovalsSettings};
pub use database::{DatabaseSettings, DatabaseTls};
pub use egress::{EgressAllowance, EgressHost, EgressSettings};
pub use files::FilesSettings;
pub use limits::LimitsSettings;
pub use llm::{LlmProvider, LlmSettings, ResolvedLlm};
pub use log::{LogFormat, LogLevel, LogSettings};
pub use otlp::{OtlpProtocol, OtlpSettings};
pub use redis::RedisSettings;
pub use security::{ApiKeySetting, SecuritySettings};
pub use server::{Environment, ServerSettings};
pub use tools::{TOOL_SECRET_PREFIX, ToolsSettings};
pub use worker::WorkerSettings;
