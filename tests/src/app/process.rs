//! A running process: its address, its signals, its end.

use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::builder::AppBuilder;
use super::home::Home;
use super::output::Output;
use crate::client::Client;
use crate::runtime::{SOON, eventually};

/// How long the last lines of a process that has ended are waited for.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Time from the call that waited to the end.
    pub took: Duration,
}

/// One started binary. Dropping it ends the process; so does the end of the test binary, even for apps in statics.
#[derive(Debug)]
pub struct App {
    builder: AppBuilder,
    child: Mutex<Child>,
    guard: Child,
    output: Output,
    url: Option<String>,
}

impl App {
    /// A plan for starting `binary`.
    pub fn builder(binary: &str) -> AppBuilder {
        AppBuilder::new(binary)
    }

    pub(crate) fn spawn(builder: AppBuilder) -> Self {
        let mut child = builder.command().stdin(Stdio::null()).spawn().expect("the binary starts");
        let output =
            Output::collect(child.stdout.take().expect("stdout is piped"), child.stderr.take().expect("stderr is piped"));
        let guard = guard(child.id(), builder.home.root());
        Self { builder, child: Mutex::new(child), guard, output, url: None }
    }

    /// Waits for the address in the banner and for readiness behind it.
    pub async fn wait_ready(&mut self) {
        assert!(self.becomes_ready().await, "ended before it was ready\n{}", self.output.report());
    }

    /// As [`App::wait_ready`], for a process that may refuse to start: false when it ended before it was ready.
    pub async fn becomes_ready(&mut self) -> bool {
        let url = eventually("the banner names the address", SOON, async || {
            if self.exit_status().is_some() { Some(None) } else { self.output.first_url().map(Some) }
        })
        .await;
        if url.is_none() {
            return false;
        }
        self.url = url;
        let client = self.client();
        eventually("the process is ready", SOON, async || {
            client.try_status("/health/ready").await.filter(|status| *status == 200)
        })
        .await;
        true
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.url.as_deref().expect("the app was waited for")
    }

    /// A client of this process without a key.
    pub fn client(&self) -> Client {
        Client::new(self.url())
    }

    /// The folders of this process.
    pub fn home(&self) -> &Home {
        &self.builder.home
    }

    /// What it printed so far.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Lines of its log: JSON objects on either stream, as text.
    pub fn log_lines(&self) -> Vec<String> {
        let mut lines = self.output.stdout();
        lines.extend(self.output.stderr());
        lines.retain(|line| line.starts_with('{'));
        lines
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.lock().expect("child lives").id()
    }

    /// SIGKILL, and waits for the end.
    pub fn kill9(&self) {
        let mut child = self.child.lock().expect("child lives");
        child.kill().expect("SIGKILL can be sent");
        child.wait().expect("the child can be reaped");
    }

    /// SIGTERM, without waiting.
    pub fn sigterm(&self) {
        self.signal("TERM");
    }

    /// SIGINT, without waiting.
    pub fn sigint(&self) {
        self.signal("INT");
    }

    /// SIGSTOP: the process stands still and keeps everything it holds.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT after [`App::pause`].
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.expect("`kill` can be run").success(), "SIG{name} was refused");
    }

    /// Waits until the process has ended by itself; panics with its output when it has not within `limit`.
    pub async fn wait_exit(&self, limit: Duration) -> Exit {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.exit_status() {
                break status;
            }
            assert!(started.elapsed() < limit, "still running after {limit:?}\n{}", self.output.report());
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let took = started.elapsed();
        // What it said last is on its way still. A process of its own that lives on may keep the pipes open.
        while !self.output.ended() && started.elapsed() < took + LAST_WORDS {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Exit { code: status.code(), took }
    }

    /// Resident memory in KiB, as the kernel says.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
    }

    /// Starts the same binary on the same installation; the old process must have ended.
    pub async fn restart(self) -> Self {
        assert!(self.exit_status().is_some(), "end the process before a restart");
        let builder = self.builder.clone();
        drop(self);
        builder.start().await
    }

    fn exit_status(&self) -> Option<ExitStatus> {
        self.child.lock().expect("child lives").try_wait().expect("the child can be asked")
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // The guard first: it must never signal an id that was reaped and given to somebody else.
        self.guard.kill().ok();
        self.guard.wait().ok();
        if let Ok(child) = self.child.get_mut() {
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking() {
            println!("{}", self.output.report());
        }
    }
}

/// A shared app as one test sees it: when that test fails, the app's output is printed with it.
#[derive(Debug)]
pub struct SharedApp(pub &'static App);

impl Deref for SharedApp {
    type Target = App;

    fn deref(&self) -> &App {
        self.0
    }
}

impl Drop for SharedApp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0.output.report());
        }
    }
}

/// A shell that waits for the end of this test binary (end of file on its standard input), then ends the child and
/// removes its folder: what stands in a static is never dropped.
fn guard(child: u32, home: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "read -r line; kill -KILL \"$1\" 2>/dev/null; rm -rf -- \"$2\"", "guard", &child.to_string()])
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell can be started")
}
