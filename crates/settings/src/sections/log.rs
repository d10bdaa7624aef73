//! How much is logged, in which form, and where to.

use std::path::PathBuf;

use crate::reader::{Choice, Reader};
use crate::sections::Environment;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("log.level", "APP_LOG_LEVEL"),
    Variable::new("log.format", "APP_LOG_FORMAT"),
    Variable::new("log.dir", "APP_LOG_DIR"),
];

/// The least important messages that are still logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything, for hunting a fault in the program itself.
    Trace,
    /// Details for developers.
    Debug,
    /// What happened.
    Info,
    /// What should not happen but did no harm.
    Warn,
    /// What failed.
    Error,
}

impl Choice for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("DEBUG", Self::Debug),
        ("INFO", Self::Info),
        ("WARN", Self::Warn),
        ("WARNING", Self::Warn),
        ("ERROR", Self::Error),
        ("TRACE", Self::Trace),
    ];
}

impl LogLevel {
    /// The word in lower case, as filters of logs want it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON in staging and production, console otherwise.
    Auto,
    /// For people.
    Console,
    /// One JSON object per line, for machines.
    Json,
}

impl Choice for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("auto", Self::Auto), ("console", Self::Console), ("json", Self::Json)];
}

/// The `log` section.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The least important messages that are still logged.
    pub level: LogLevel,
    /// The form of log lines.
    pub format: LogFormat,
    /// Folder for hourly files, if they are wanted.
    pub dir: Option<PathBuf>,
}

impl LogSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        Self {
            level: reader.choice("log.level").unwrap_or(LogLevel::Info),
            format: reader.choice("log.format").unwrap_or(LogFormat::Auto),
            dir: reader.text("log.dir").map(PathBuf::from),
        }
    }

    /// Whether lines are JSON objects, `auto` decided.
    pub fn is_json(&self, environment: Environment) -> bool {
        match self.format {
            LogFormat::Auto => environment.is_deployed(),
            LogFormat::Console => false,
            LogFormat::Json => true,
        }
    }
}
