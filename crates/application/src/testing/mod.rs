//! Fakes and contract suites.

pub mod approvals;
pub mod cache;
pub mod catalog;
pub mod clock;
pub mod duties;
pub mod egress;
pub mod event_stream;
pub mod files;
pub mod ids;
pub mod limiter;
pub mod llm;
pub mod memory;
pub mod orders;
pub mod presence;
pub mod schedules;
pub mod security;
pub mod signal;
pub mod signing;
pub mod store;
pub mod tool;
pub mod webhooks;
