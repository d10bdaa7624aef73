//! Builds the rings, one function each, from the inside out.

mod admission;
mod database;
mod definitions;
mod engine;
mod hints;
mod models;
mod orders;
mod outbound;
mod secrets;
mod services;
mod storage;
mod telemetry;
mod tools;
mod webhooks;

pub(crate) use admission::{admission, api_keys, fairness, task_rates, tenants};
pub(crate) use database::{database_config, open_database, remedy};
pub(crate) use definitions::{crew_catalog, embedded_crews, tool_names};
pub(crate) use engine::{engine, tool_schemas, worker};
pub(crate) use hints::{Exchange, redis, signals, way};
pub(crate) use models::model;
pub(crate) use outbound::outbound;
pub(crate) use secrets::sealer;
pub(crate) use services::{Services, services};
pub(crate) use storage::storage;
pub(crate) use telemetry::{TelemetryOutput, telemetry};
pub(crate) use tools::{builtin_tool_names, declared_tools, tools};
pub(crate) use webhooks::webhooks;
