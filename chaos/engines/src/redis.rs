//! Redis: one that is there, or an own process that can be stopped, continued and killed.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use redis::Client;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

/// How long a Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// An own Redis that keeps nothing on disk. Dropping it ends it.
#[derive(Debug)]
pub struct RedisProcess {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl RedisProcess {
    /// Starts one on a free port; none where the program is not installed.
    ///
    /// # Errors
    /// Where it is installed and does not come up.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let is_there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !is_there.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = Self { folder: tempfile::tempdir()?, port, child: None };
        server.start_again().await?;
        Ok(Some(server))
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Starts it again, empty, on the same port; nothing where it runs.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(self.port.to_string())
            .arg("--dir")
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.child = Some(child);
        for _ in 0..250 {
            if version(&self.url()).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("redis-server does not answer on port {}", self.port)
    }

    /// SIGSTOP: connections stay open and nobody answers.
    ///
    /// # Errors
    /// Where the signal is refused.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT after [`RedisProcess::pause`].
    ///
    /// # Errors
    /// Where the signal is refused.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    /// SIGKILL: connections break, and nobody listens.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let id = self.child.as_ref().context("it does not run")?.id();
        let sent = Command::new("kill").arg(format!("-{name}")).arg(id.to_string()).status()?;
        anyhow::ensure!(sent.success(), "SIG{name} was refused");
        Ok(())
    }
}

impl Drop for RedisProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Forgets everything that a Redis holds, whoever put it there.
///
/// # Errors
/// Where nobody answers.
pub async fn flush(url: &str) -> anyhow::Result<()> {
    let mut connection = connect(url).await?;
    let command = redis::cmd("FLUSHALL");
    let answer = tokio::time::timeout(PATIENCE, command.query_async::<String>(&mut connection)).await;
    answer.context("Redis does not answer")??;
    Ok(())
}

/// The version of a Redis.
///
/// # Errors
/// Where nobody answers.
pub async fn version(url: &str) -> anyhow::Result<String> {
    let mut connection = connect(url).await?;
    let info = redis::cmd("INFO").arg("server").query_async::<String>(&mut connection).await?;
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    Ok(version.context("Redis names no version")?.trim().to_owned())
}

async fn connect(url: &str) -> anyhow::Result<MultiplexedConnection> {
    let client = Client::open(url)?;
    let connection = tokio::time::timeout(PATIENCE, client.get_multiplexed_async_connection()).await;
    Ok(connection.context("Redis does not answer")??)
}
