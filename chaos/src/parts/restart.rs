//! The database server restarted under load, and sessions that it cuts off.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crewd_engines::Server;
use crewd_tests::runtime::runtime;

use super::load::{Trouble, is_alive, submit_once, under_load};
use crate::marker::marker;
use crate::report::{Invariant, spread};
use crate::stage::{Context, Stage};

/// Times that the server is restarted, spread over the tasks.
const RESTARTS: usize = 3;
/// A server must be back in this time.
const BACK: Duration = Duration::from_secs(120);
/// Work must go on in this time once it is.
const ACCEPTED: Duration = Duration::from_secs(30);
/// Sessions are cut off so often.
const CUT_EVERY: Duration = Duration::from_secs(3);
/// Markers of tasks that are submitted while the server is away.
const LATE: char = 'l';

/// Runs the part `restart`.
pub(crate) async fn restarted(context: &Context) {
    let (Some(server), Some(command)) = (&context.server, &context.restart) else {
        context.report.skip("restart", "there is no server, or nobody said how to restart it (--database-restart)");
        return;
    };
    let mut trouble = Restarts {
        server: Arc::clone(server),
        command: command.clone(),
        done: 0,
        late: Vec::new(),
        refused: 0,
        unready: 0,
        away: Vec::new(),
        again: Vec::new(),
    };
    under_load(context, "restart", 'r', &mut trouble).await;
    let report = &context.report;
    report.check(Invariant::Recovery, trouble.done == RESTARTS, || format!("restart: only {} restarts", trouble.done));
    report.figure("restart", "restarts, server away for", format!("{}, {}", trouble.done, spread(&mut trouble.away)));
    report.figure("restart", "submits accepted again after", spread(&mut trouble.again));
    let text = format!("{}, {}, {}", trouble.late.len(), trouble.refused, trouble.unready);
    report.figure("restart", "submits meanwhile, refused, looks at readiness that said no", text);
}

struct Restarts {
    server: Arc<Server>,
    command: String,
    done: usize,
    late: Vec<String>,
    refused: usize,
    unready: usize,
    away: Vec<Duration>,
    again: Vec<Duration>,
}

impl Trouble for Restarts {
    async fn look(&mut self, stage: &Stage, done: usize, all: usize) {
        if self.done < RESTARTS && done * (RESTARTS + 1) >= all * (self.done + 1) {
            self.restart(stage).await;
            self.done += 1;
        }
    }

    async fn after(&mut self, _stage: &Stage) -> Vec<String> {
        self.late.clone()
    }
}

impl Restarts {
    async fn restart(&mut self, stage: &Stage) {
        let over = Arc::new(AtomicBool::new(false));
        let server = {
            let (command, server, over) = (self.command.clone(), Arc::clone(&self.server), Arc::clone(&over));
            runtime().spawn(async move {
                let away = run(command, &server).await;
                over.store(true, Ordering::Release);
                away
            })
        };
        // What is asked of the process meanwhile is answered: done, or refused with a code.
        while !over.load(Ordering::Acquire) {
            is_alive(stage).await;
            let ready = stage.api.once("GET", "/health/ready", &[], None).await;
            self.unready += usize::from(ready.is_some_and(|ready| ready.status == 503));
            self.submit(stage).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let away = server.await.expect("the restart is waited for");
        stage.report().check(Invariant::Recovery, away.is_some(), || format!("the server is not back after {BACK:?}"));
        self.away.extend(away);
        let back = Instant::now();
        while !self.submit(stage).await && back.elapsed() < ACCEPTED {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let again = back.elapsed();
        stage.report().check(Invariant::Recovery, again < ACCEPTED, || format!("restart: submits took {again:?} to come back"));
        self.again.push(again);
    }

    /// The same key is used again in the end: whatever became of this attempt, there is one task of it.
    async fn submit(&mut self, stage: &Stage) -> bool {
        let marker = marker(LATE, self.late.len());
        let accepted = submit_once(stage, &marker).await;
        self.late.push(marker);
        self.refused += usize::from(!accepted);
        accepted
    }
}

/// Runs the command; how long it took until the server answered again, none if it does not.
async fn run(command: String, server: &Server) -> Option<Duration> {
    let started = Instant::now();
    let work = move || Command::new("sh").args(["-c", &command]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let ended = tokio::task::spawn_blocking(work).await.expect("the command is waited for");
    if !ended.is_ok_and(|status| status.success()) {
        println!("  the command that restarts the server has failed");
    }
    while !server.answers().await {
        if started.elapsed() > BACK {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Some(started.elapsed())
}

/// Runs the part `sessions`.
pub(crate) async fn cut_off(context: &Context) {
    if context.server.is_none() {
        context.report.skip("sessions", "SQLite's file has no sessions that somebody else could cut off");
        return;
    }
    let mut trouble = Cuts { next: Instant::now() + CUT_EVERY, times: 0, sessions: 0 };
    under_load(context, "sessions", 'c', &mut trouble).await;
    let text = format!("{}, {}", trouble.times, trouble.sessions);
    context.report.check(Invariant::Recovery, trouble.sessions > 0, || "sessions: none was cut off".to_owned());
    context.report.figure("sessions", "times that all sessions were cut off, sessions in all", text);
}

struct Cuts {
    next: Instant,
    times: usize,
    sessions: usize,
}

impl Trouble for Cuts {
    async fn look(&mut self, stage: &Stage, _done: usize, _all: usize) {
        let Some((server, place)) = stage.on_server() else { return };
        if Instant::now() >= self.next {
            self.next = Instant::now() + CUT_EVERY;
            match server.cut_off(place).await {
                Ok(sessions) => {
                    self.times += 1;
                    self.sessions += sessions;
                }
                Err(error) => println!("  no session was cut off: {error:#}"),
            }
        }
    }
}
