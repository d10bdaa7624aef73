//! Logs and traces.

use std::io::IsTerminal;
use std::sync::Arc;

use crewd_application::ports::{Clock, IdGenerator};
use crewd_infrastructure::clock::SystemClock;
use crewd_infrastructure::ids::UuidIds;
use crewd_settings::{LogLevel, OtlpProtocol, Settings};
use crewd_telemetry::{LogConfig, LogFormat, LogOutput, OtlpConfig, TelemetryGuard};
use secrecy::ExposeSecret;
use tracing::Level;

/// Where log lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TelemetryOutput {
    /// Standard output: a server's lines are its output.
    Server,
    /// Standard error, warnings and worse alone: the command's result stands on standard output.
    Command,
}

/// Starts logs and traces. Inside the runtime, which gRPC needs.
pub(crate) fn telemetry(settings: &Settings, output: TelemetryOutput) -> anyhow::Result<TelemetryGuard> {
    let is_server = output == TelemetryOutput::Server;
    let level = if is_server { level(settings.log.level) } else { level(settings.log.level).min(Level::WARN) };
    let json = settings.log.is_json(settings.server.environment);
    let config = LogConfig {
        level,
        format: if json { LogFormat::Json } else { LogFormat::Console },
        output: if is_server { LogOutput::Stdout } else { LogOutput::Stderr },
        is_coloured: !json && if is_server { std::io::stdout().is_terminal() } else { std::io::stderr().is_terminal() },
        dir: settings.log.dir.clone(),
        otlp: otlp(settings),
        service_version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: settings.server.environment.as_str().to_owned(),
        now: Arc::new(|| SystemClock.now().into()),
        random: Arc::new(random),
    };
    Ok(crewd_telemetry::init(config)?)
}

/// The random part of a fresh id.
fn random() -> u64 {
    let (_, low) = UuidIds.next_id().as_u64_pair();
    low
}

fn level(level: LogLevel) -> Level {
    level.as_str().parse().unwrap_or(Level::INFO)
}

fn otlp(settings: &Settings) -> Option<OtlpConfig> {
    let endpoint = settings.otlp.endpoint.clone()?;
    Some(OtlpConfig {
        endpoint,
        protocol: match settings.otlp.protocol {
            OtlpProtocol::Grpc => crewd_telemetry::OtlpProtocol::Grpc,
            OtlpProtocol::HttpProtobuf => crewd_telemetry::OtlpProtocol::HttpProtobuf,
        },
        headers: settings.otlp.headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect(),
        sample_ratio: settings.otlp.sample_ratio,
    })
}
