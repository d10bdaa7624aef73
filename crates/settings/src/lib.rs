//! Typed settings: where they come from, what they mean, what is wrong with them.
//!
//! Rule: this crate imports nothing of the workspace, and it alone reads the process environment.
//! Every problem of an installation is reported in one go, with the variable's name and a way to mend it;
//! no secret is ever part of a message.
//!
//! Sources, strongest first: command line, environment, `.env.<env>.local`, `.env.<env>`, `.env.local`, `.env`,
//! `config/<env>.toml`, `config/default.toml`, built in (the two shipped files, compiled in).
//!
//! | module | holds |
//! |---|---|
//! | `settings` | [`Settings`]: the sections together, loading |
//! | `sections` | one file per section: its fields, its variables, how each value is read |
//! | `variable`, `catalogue` | what a variable is; all of them, looked up by name or key |
//! | `sources` | where values come from: [`Sources`] and the layers in order |
//! | `layer`, `dotenv`, `config_file` | one layer of values and the two file forms |
//! | `reader` | turns merged values into typed ones and collects problems |
//! | `rules` | what production needs |
//! | `origins` | [`SettingRow`]: effective values with their origin, secrets masked |
//! | `fault` | what is to go wrong with a debug build under test |
//! | `masking` | how a secret or an address is shown |
//! | `problem`, `suggestion` | what is wrong, and the nearest known name |

mod catalogue;
mod config_file;
mod dotenv;
#[cfg(debug_assertions)]
mod fault;
mod layer;
mod masking;
mod origins;
mod problem;
mod reader;
mod rules;
mod sections;
mod settings;
mod sources;
mod suggestion;
mod variable;

#[cfg(test)]
mod tests;

pub use catalogue::variables;
#[cfg(debug_assertions)]
pub use fault::{abort_order, clock_error};
pub use origins::SettingRow;
pub use problem::{Problem, SettingsError};
pub use sections::{
    AdmissionSettings, ApiKeySetting, ApprovalFrom, ApprovalOnExpire, ApprovalsSettings, DatabaseSettings, DatabaseTls,
    EgressAllowance, EgressHost, EgressSettings, Environment, FilesSettings, LimitsSettings, LlmProvider, LlmSettings, LogFormat,
    LogLevel, LogSettings, OtlpProtocol, OtlpSettings, RateSetting, RedisSettings, ResolvedLlm, SecuritySettings, ServerSettings,
    TOOL_SECRET_PREFIX, ToolsSettings, WorkerSettings,
};
pub use settings::Settings;
pub use sources::Sources;
pub use variable::{Mask, Variable};
