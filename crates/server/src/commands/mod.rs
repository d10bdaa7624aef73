//! One file a command.

mod completions;
mod config;
mod data;
mod dispatch;
mod doctor;
mod healthcheck;
mod migrate;
mod openapi;
mod progress;
mod run;
mod serve;
mod validate;

pub(crate) use completions::completions;
pub(crate) use config::config;
pub(crate) use dispatch::with_settings;
pub(crate) use openapi::openapi;
pub(crate) use validate::validate;
