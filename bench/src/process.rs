//! Processes under measurement: started, watched through `/proc`, ended by their id.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

/// Clock ticks a second in `/proc` (`USER_HZ`, 100 on Linux whatever the kernel's own rate).
const TICKS: f64 = 100.0;

/// A child that ends with this value.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
}

impl Process {
    /// The fake model: this program again.
    pub(crate) fn model() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("model");
        Self::start(command)
    }

    /// crewd with the bench's crews and everything on: journal on disk, logs in files, metrics.
    pub(crate) fn crewd(binary: &Path, data: &Path, model_port: Option<u16>, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::crewd_with(Command::new(binary), data, model_port, settings)
    }

    /// As [`Process::crewd`], with one of its roles: `serve` or `worker`.
    pub(crate) fn crewd_as(
        role: &str,
        binary: &Path,
        data: &Path,
        model_port: Option<u16>,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command.arg(role);
        Self::crewd_with(command, data, model_port, settings)
    }

    fn crewd_with(mut command: Command, data: &Path, model_port: Option<u16>, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        command
            .current_dir(data)
            .env_clear()
            .env("APP_PORT", "0")
            .env("APP_DATA_DIR", data.join("data"))
            .env("APP_LOG_DIR", data.join("logs"));
        command.env("APP_LOG_FORMAT", "json");
        if let Some(port) = model_port {
            let config = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
            command.env("APP_CONFIG_DIR", config).env("APP_LLM_PROVIDER", "openai_compatible").env("APP_LLM_MODEL", "mock");
            command.env("APP_LLM_BASE_URL", format!("http://127.0.0.1:{port}/v1")).env("APP_LLM_API_KEY", "sk-bench");
        }
        command.envs(settings.iter().copied());
        Self::start(command)
    }

    fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().context("the process cannot be started")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?);
        let mut seen = String::new();
        let port = loop {
            let mut line = String::new();
            anyhow::ensure!(lines.read_line(&mut line)? > 0, "the process ended before it was ready: {seen}");
            seen.push_str(&line);
            if let Some(rest) = line.split("http://127.0.0.1:").nth(1) {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                break digits.parse()?;
            }
        };
        // What else it prints is read and dropped, so that it never waits for a reader.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Ok(Self { child, port })
    }

    /// Resident memory in MB.
    pub(crate) fn memory(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kilobytes: f64 = line.split_whitespace().nth(1).context("no VmRSS")?.parse()?;
        Ok(kilobytes / 1024.0)
    }

    /// CPU time used so far, in seconds.
    pub(crate) fn cpu(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().context("no stat")?.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        Ok((ticks(11) + ticks(12)) / TICKS)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(8);
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
