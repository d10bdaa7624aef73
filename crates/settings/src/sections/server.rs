//! Where the server listens, which environment it is, and its folders.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::reader::{Choice, Reader};
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("server.env", "APP_ENV"),
    Variable::new("server.host", "APP_HOST"),
    Variable::new("server.port", "APP_PORT"),
    Variable::new("server.config_dir", "APP_CONFIG_DIR"),
    Variable::new("server.data_dir", "APP_DATA_DIR"),
    Variable::new("server.allowed_origins", "APP_ALLOWED_ORIGINS"),
    Variable::new("server.shutdown_grace", "APP_SHUTDOWN_GRACE"),
    Variable::new("server.duties", "APP_DUTIES"),
];

const TEN_MINUTES_IN_SECONDS: f64 = 600.0;

/// What kind of installation this is; switches strictness, the form of logs and what is shown in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine: runs without any setting.
    Development,
    /// Like production, for trying out; logs as JSON, a real model.
    Staging,
    /// Refuses to start without keys, secret and database.
    Production,
    /// Automatic tests.
    Test,
}

impl Choice for Environment {
    const WORDS: &'static [(&'static str, Self)] =
        &[("development", Self::Development), ("staging", Self::Staging), ("production", Self::Production), ("test", Self::Test)];
}

impl Environment {
    /// The word used in `APP_ENV`, in file names (`.env.production`) and in telemetry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Test => "test",
        }
    }

    /// Whether an installation of this kind serves others: real models, logs for machines.
    pub fn is_deployed(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }
}

/// The `server` section.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// What kind of installation this is.
    pub environment: Environment,
    /// Address to listen on: an IP address or a host name.
    pub host: String,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Folder with definitions and settings files; may be missing when it is the default.
    pub config_dir: PathBuf,
    /// Folder of the database and files of an embedded installation.
    pub data_dir: PathBuf,
    /// Origins that browsers may call from (`https://example.org`), or `*`.
    pub allowed_origins: Vec<String>,
    /// How long requests are still taken after readiness was withdrawn, so that load balancers notice.
    pub shutdown_grace: Duration,
    /// Whether the process takes part in what one process at a time does for all. A scheduler always does.
    pub duties: bool,
}

impl Choice for bool {
    const WORDS: &'static [(&'static str, Self)] = &[("on", true), ("off", false), ("true", true), ("false", false)];
}

impl ServerSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let host = reader.text("server.host").unwrap_or_default();
        if host.is_empty() || host.contains(['/', ' ']) {
            reader.reject_value("server.host", "an IP address or a host name");
        }
        let allowed_origins = reader.list("server.allowed_origins");
        if !allowed_origins.iter().all(|origin| is_origin(origin)) {
            reader.reject_value("server.allowed_origins", "a list of origins such as https://example.org, comma separated");
        }
        Self {
            environment: reader.choice("server.env").unwrap_or(Environment::Development),
            host,
            port: reader.number("server.port", 0..=u16::MAX),
            config_dir: reader.text("server.config_dir").unwrap_or_default().into(),
            data_dir: reader.text("server.data_dir").unwrap_or_default().into(),
            allowed_origins,
            shutdown_grace: Duration::from_secs_f64(reader.fraction("server.shutdown_grace", 0.0..=TEN_MINUTES_IN_SECONDS)),
            duties: reader.choice("server.duties").unwrap_or(true),
        }
    }

    /// Whether only this machine can reach the server.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => bare.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// Scheme, host and port only: what a browser sends as `Origin`.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ']))
}
