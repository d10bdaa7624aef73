//! The processes of an installation: started, killed, stopped, continued. Only processes started here are signalled.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crewd_tests::app::App;

use crate::stage::Stage;
use crate::wall;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `crewd`: API and worker.
    All,
    /// `crewd serve`.
    Serve,
    /// `crewd worker`.
    Worker,
}

/// A place in the fleet; the process in it changes.
struct Slot {
    role: Role,
    name: String,
    generation: usize,
    app: Option<App>,
    worker: Option<String>,
    paused: bool,
    /// Since when it was asked to stop.
    draining: Option<Instant>,
}

/// What was done to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// SIGKILL.
    Killed,
    /// SIGSTOP.
    Stopped,
}

/// A worker that is continued needs this long, in microseconds, to notice that it lost its lease; what it still sends
/// until then is counted apart, since nothing outside of a database can be fenced.
const NOTICE: i64 = 5_000_000;

impl History {
    /// Whether some worker had just been continued.
    pub(crate) fn was_just_continued(&self, at: i64) -> bool {
        self.continued.values().any(|continued| at >= *continued && at < continued + NOTICE)
    }

    /// Whether the process with this key had just been continued.
    pub(crate) fn has_just_continued(&self, key: &str, at: i64) -> bool {
        self.continued.get(key).is_some_and(|continued| at >= *continued && at < continued + NOTICE)
    }

    /// The last blow to a worker before an instant.
    pub(crate) fn blow(&self, worker: &str, before: i64) -> Option<(Blow, i64)> {
        self.blows.get(worker)?.iter().rev().find(|(_, at)| *at <= before).copied()
    }
}

/// When which worker was struck.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Blows by the worker's id.
    pub(crate) blows: HashMap<String, Vec<(Blow, i64)>>,
    /// When stopped workers were continued, by the key of their calls to the model.
    pub(crate) continued: HashMap<String, i64>,
    /// Starts that were refused because the database was busy.
    pub(crate) refused_starts: usize,
    /// Workers that were killed.
    pub(crate) kills: usize,
    /// Servers that were killed.
    pub(crate) server_kills: usize,
    /// How long workers took to stop that were asked to, and whether each ended with 0.
    pub(crate) drains: Vec<(Duration, bool)>,
    /// Workers that were stopped for longer than their lease.
    pub(crate) pauses: usize,
}

/// The processes.
pub(crate) struct Fleet<'a> {
    stage: &'a Stage,
    slots: Vec<Slot>,
    /// What was done so far.
    pub(crate) history: History,
}

impl<'a> Fleet<'a> {
    /// No process yet.
    pub(crate) fn new(stage: &'a Stage) -> Self {
        Self { stage, slots: Vec::new(), history: History::default() }
    }

    /// Starts one more process and waits for it.
    pub(crate) async fn add(&mut self, role: Role) -> usize {
        self.add_with(role, None).await
    }

    /// As [`Fleet::add`]; `abort_at` tells a debug build where to die.
    pub(crate) async fn add_with(&mut self, role: Role, abort_at: Option<&str>) -> usize {
        let number = self.slots.len();
        let name = format!("{role:?}-{number}").to_lowercase();
        self.slots.push(Slot { role, name, generation: 0, app: None, worker: None, paused: false, draining: None });
        self.start(number, abort_at).await;
        number
    }

    /// Starts the process of a slot that has none; `abort_at` tells a debug build where to die.
    pub(crate) async fn start(&mut self, number: usize, abort_at: Option<&str>) {
        let slot = &mut self.slots[number];
        assert!(slot.app.is_none(), "{} runs already", slot.name);
        slot.generation += 1;
        let mut plan = self.stage.plan(&format!("{}-{}", slot.name, slot.generation));
        if let Some(order) = abort_at {
            plan = plan.set("CREWD_ABORT_AT", order);
        }
        plan = match slot.role {
            Role::All => plan,
            Role::Serve => plan.arguments(["serve"]),
            Role::Worker => plan.arguments(["worker"]),
        };
        let mut app = plan.clone().spawn();
        // A database that is busy for long, or away, is a reason to refuse to start; who runs crewd starts it again then.
        while !app.becomes_ready().await {
            self.history.refused_starts += 1;
            let said = app.output().report();
            assert!(self.history.refused_starts < 50 && said.contains("database"), "it does not start: {said}");
            app = plan.clone().spawn();
        }
        slot.worker = if slot.role == Role::Serve { None } else { worker_id(app.pid()).await };
        slot.app = Some(app);
        self.tell_api();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        let Some(app) = slot.app.take() else { return };
        app.kill9();
        match slot.role {
            Role::Serve => self.history.server_kills += 1,
            Role::All | Role::Worker => self.history.kills += 1,
        }
        slot.paused = false;
        if let Some(worker) = slot.worker.take() {
            self.history.blows.entry(worker).or_default().push((Blow::Killed, wall::micros()));
        }
        self.keep_output(number, &app);
        self.tell_api();
    }

    /// SIGTERM: it finishes its steps, hands its runs over and ends.
    pub(crate) fn drain(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        let Some(app) = &slot.app else { return };
        app.sigterm();
        slot.draining = Some(Instant::now());
    }

    /// Takes note of processes that were asked to stop and have ended.
    pub(crate) async fn reap(&mut self) {
        for number in 0..self.slots.len() {
            let slot = &mut self.slots[number];
            let Some(since) = slot.draining else { continue };
            if slot.app.as_ref().is_some_and(|app| has_ended(app.pid()))
                && let Some(app) = slot.app.take()
            {
                slot.draining = None;
                slot.worker = None;
                let exit = app.wait_exit(Duration::from_secs(1)).await;
                self.history.drains.push((since.elapsed(), exit.code == Some(0)));
                self.keep_output(number, &app);
                self.tell_api();
            }
        }
    }

    /// SIGSTOP.
    pub(crate) fn pause(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        let Some(app) = &slot.app else { return };
        app.pause();
        slot.paused = true;
        self.history.pauses += 1;
        if let Some(worker) = &slot.worker {
            self.history.blows.entry(worker.clone()).or_default().push((Blow::Stopped, wall::micros()));
        }
    }

    /// SIGCONT.
    pub(crate) fn resume(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        let Some(app) = &slot.app else { return };
        if std::mem::take(&mut slot.paused) {
            self.history.continued.insert(format!("Bearer sk-{}-{}", slot.name, slot.generation), wall::micros());
            app.resume();
        }
    }

    /// Processes of a role that live, are not stopped and were not asked to stop.
    pub(crate) fn living(&self, role: Role) -> Vec<usize> {
        let lives = |slot: &Slot| slot.role == role && slot.app.is_some() && !slot.paused && slot.draining.is_none();
        self.slots.iter().enumerate().filter(|(_, slot)| lives(slot)).map(|(number, _)| number).collect()
    }

    /// Slots without a process.
    pub(crate) fn dead(&self) -> Vec<usize> {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.app.is_none()).map(|(number, _)| number).collect()
    }

    /// Processes that have ended although nobody asked them to.
    pub(crate) fn ended(&self) -> usize {
        let ended = |slot: &&Slot| slot.draining.is_none() && slot.app.as_ref().is_some_and(|app| has_ended(app.pid()));
        self.slots.iter().filter(ended).count()
    }

    /// Waits until a process ends by itself; whether it did within the limit.
    pub(crate) async fn wait_death(&mut self, number: usize, limit: Duration) -> bool {
        let started = Instant::now();
        while started.elapsed() < limit {
            if self.slots[number].app.as_ref().is_some_and(|app| has_ended(app.pid())) {
                self.bury(number);
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    fn bury(&mut self, number: usize) {
        let Some(app) = self.slots[number].app.take() else { return };
        app.kill9();
        if let Some(worker) = self.slots[number].worker.take() {
            self.history.blows.entry(worker).or_default().push((Blow::Killed, wall::micros()));
        }
        self.history.kills += 1;
        self.keep_output(number, &app);
        self.tell_api();
    }

    /// Ends everything that still runs, without ceremony, and keeps what it said.
    pub(crate) fn end(&mut self) {
        for number in 0..self.slots.len() {
            if let Some(app) = self.slots[number].app.take() {
                app.kill9();
                self.keep_output(number, &app);
            }
        }
        self.tell_api();
    }

    /// The id of a process; 0 where there is none.
    pub(crate) fn pid(&self, number: usize) -> u32 {
        self.slots[number].app.as_ref().map(App::pid).unwrap_or_default()
    }

    /// The id that the worker in a process has given itself.
    pub(crate) fn worker(&self, number: usize) -> Option<String> {
        self.slots[number].worker.clone()
    }

    fn keep_output(&self, number: usize, app: &App) {
        let slot = &self.slots[number];
        self.stage.keep(&format!("{}-{}.log", slot.name, slot.generation), &app.output().report());
    }

    fn tell_api(&self) {
        let serves = self.slots.iter().filter(|slot| slot.role != Role::Worker);
        self.stage.api.set_bases(serves.filter_map(|slot| Some(slot.app.as_ref()?.url().to_owned())).collect());
    }
}

/// A process that ended and was not reaped yet is a zombie.
fn has_ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with(['Z', 'X']) || rest.is_empty())
}

/// The id a worker has given itself: the name of the lock file that it holds open.
async fn worker_id(pid: u32) -> Option<String> {
    for _ in 0..500 {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let found = files.filter_map(|entry| std::fs::read_link(entry.path()).ok()).find_map(|target| {
            let name = target.file_name()?.to_str()?;
            name.strip_suffix(".lock").filter(|id| id.len() == 36).map(str::to_owned)
        });
        if found.is_some() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}
