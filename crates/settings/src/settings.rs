//! The sections together.

use std::collections::BTreeMap;

use crate::origins::{self, SettingRow};
use crate::problem::SettingsError;
use crate::reader::Reader;
use crate::rules;
use crate::sections::{
    AdmissionSettings, ApprovalsSettings, DatabaseSettings, EgressSettings, FilesSettings, LimitsSettings, LlmSettings,
    LogSettings, OtlpSettings, RedisSettings, SecuritySettings, ServerSettings, ToolsSettings, WorkerSettings,
};
use crate::sources::Sources;

/// All settings, checked. Printing them (`Debug`) shows no secret.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the server listens, which environment it is, its folders.
    pub server: ServerSettings,
    /// How much is logged, in which form, where to.
    pub log: LogSettings,
    /// Which database, how many connections.
    pub database: DatabaseSettings,
    /// Redis, where several processes use one.
    pub redis: RedisSettings,
    /// Which language model answers.
    pub llm: LlmSettings,
    /// How many runs at once, how far one may go.
    pub worker: WorkerSettings,
    /// How much work is taken in, and in which order.
    pub admission: AdmissionSettings,
    /// From which risk on a person decides.
    pub approvals: ApprovalsSettings,
    /// Where tools may read and write.
    pub files: FilesSettings,
    /// Secrets of the installation itself.
    pub security: SecuritySettings,
    /// Which addresses outside of the public web requests may go to.
    pub egress: EgressSettings,
    /// Sizes of what is accepted.
    pub limits: LimitsSettings,
    /// Where traces go.
    pub otlp: OtlpSettings,
    /// Secrets of the operator's own tools.
    pub tools: ToolsSettings,
    rows: Vec<SettingRow>,
}

impl Settings {
    /// Reads the process environment and the working directory. `arguments` are the overrides of the command line,
    /// by key (`server.port`) or variable name (`APP_PORT`).
    ///
    /// # Errors
    /// All problems of all sources at once.
    pub fn load_from_process(arguments: BTreeMap<String, String>) -> Result<Self, SettingsError> {
        Self::load(&Sources::of_process(arguments))
    }

    /// Merges the sources, reads every section and checks what the environment needs.
    ///
    /// # Errors
    /// All problems of all sources at once.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let merged = sources.merged();
        let mut reader = Reader::new(merged.figment, merged.problems);
        let server = ServerSettings::read(&mut reader);
        let mut settings = Self {
            log: LogSettings::read(&mut reader),
            database: DatabaseSettings::read(&mut reader),
            redis: RedisSettings::read(&mut reader),
            llm: LlmSettings::read(&mut reader, server.environment),
            worker: WorkerSettings::read(&mut reader),
            admission: AdmissionSettings::read(&mut reader),
            approvals: ApprovalsSettings::read(&mut reader),
            files: FilesSettings::read(&mut reader, &server.data_dir),
            security: SecuritySettings::read(&mut reader),
            egress: EgressSettings::read(&mut reader),
            limits: LimitsSettings::read(&mut reader),
            otlp: OtlpSettings::read(&mut reader),
            tools: ToolsSettings::default(),
            rows: Vec::new(),
            server,
        };
        settings.rows = origins::rows(&settings, &reader);
        for (name, (secret, origin)) in merged.tool_secrets {
            settings.rows.push(origins::tool_secret_row(&name, origin));
            settings.tools.secrets.insert(name, secret);
        }
        let mut problems = reader.problems;
        problems.extend(rules::check(&settings));
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems }) }
    }

    /// Every setting with its effective value and where it comes from, secrets masked.
    pub fn origins(&self) -> &[SettingRow] {
        &self.rows
    }
}
