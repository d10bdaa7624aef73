//! `crewd healthcheck`: readiness without curl.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use crewd_settings::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Time for the whole question.
const LIMIT: Duration = Duration::from_secs(3);

/// Asks the server of these settings whether it is ready.
pub(crate) async fn healthcheck(settings: &Settings) -> anyhow::Result<ExitCode> {
    // A server that listens on every address answers on the loopback one.
    let host = match settings.server.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let port = settings.server.port;
    let answer = tokio::time::timeout(LIMIT, ask(host, port)).await.context("the server does not answer")??;
    let status = answer.lines().next().unwrap_or_default().to_owned();
    if status.contains(" 200 ") {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("crewd: not ready: {}", answer.rsplit("\r\n\r\n").next().unwrap_or(&status));
    Ok(ExitCode::FAILURE)
}

async fn ask(host: &str, port: u16) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect((host, port)).await.with_context(|| format!("nothing listens on {host}:{port}"))?;
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
