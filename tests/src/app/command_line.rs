//! Commands that run to their end, such as `crewd validate`.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::builder::AppBuilder;
use super::output::Output;

/// What a finished command left behind.
#[derive(Clone, Debug)]
pub struct CommandOutput {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output as text.
    pub stdout: String,
    /// Standard error as text.
    pub stderr: String,
    /// Wall time.
    pub took: Duration,
}

impl CommandOutput {
    /// Panics with both streams unless the exit code is `code`.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs the plan's command with `stdin` as its input; ends it and panics when it takes longer than a minute.
pub fn command_line(plan: &AppBuilder, stdin: &str) -> CommandOutput {
    const LIMIT: Duration = Duration::from_secs(60);
    let started = Instant::now();
    let mut child = plan.command().stdin(Stdio::piped()).spawn().expect("the binary starts");
    let output = Output::collect(child.stdout.take().expect("stdout is piped"), child.stderr.take().expect("stderr is piped"));
    let mut input = child.stdin.take().expect("stdin is piped");
    // A command that does not read its input may have closed it; that is its right.
    input.write_all(stdin.as_bytes()).ok();
    drop(input);
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            break status;
        }
        if started.elapsed() > LIMIT {
            child.kill().ok();
            child.wait().ok();
            panic!("still running after {LIMIT:?}\n{}", output.report());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let settled = settle(&output);
    CommandOutput { code: status.code(), stdout: settled.0, stderr: settled.1, took: started.elapsed() }
}

/// Waits until the collecting threads have seen the end of both pipes: they drop their handles then.
fn settle(output: &Output) -> (String, String) {
    let started = Instant::now();
    while !output.ended() && started.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(2));
    }
    (output.stdout().join("\n"), output.stderr().join("\n"))
}
