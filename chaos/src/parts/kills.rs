//! Many workers and servers on one database; a worker is killed every other second, a server now and then, and workers are
//! stopped for longer than their lease.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crewd_tests::runtime::runtime;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::audit::{Entry, Figures, Known, audit, audit_rows};
use crate::dice::Dice;
use crate::fleet::{Fleet, Role};
use crate::follow::{Seen, follow};
use crate::ledger::KINDS;
use crate::marker::marker;
use crate::model::KILLED;
use crate::report::{Invariant, grouped, spread};
use crate::stage::{Context, SIX_STEPS, Stage};
use crate::waiting::Waiting;
use crate::wall;

const WORKERS: usize = 4;
const SERVERS: usize = 2;
/// Longer than a lease of 15 s.
const STOPPED: Duration = Duration::from_secs(20);
/// A worker that is asked to stop lets steps finish for 30 s; looked at every other second.
const DRAINED: Duration = Duration::from_secs(36);
/// A cancel reaches the worker of another process in this time, in microseconds.
const CANCELLED: i64 = 5_000_000;
/// All blows are over: the rest must end in this time.
const REST: Duration = Duration::from_secs(150);

/// Submitted tasks with those who follow them.
#[derive(Default)]
struct Book {
    entries: Vec<Entry>,
    followers: Vec<(usize, JoinHandle<Seen>)>,
    /// Orders to cancel, each with the time of its acknowledgement.
    cancels: Vec<(usize, JoinHandle<i64>)>,
}

/// Runs the part and counts.
pub(crate) async fn measure(context: &Context) {
    let mut stage = Stage::new(context, "kills", &context.binary).await;
    stage.set("APP_WORKER_SLOTS", &context.sizes.slots.to_string());
    let stage = Arc::new(stage);
    let mut fleet = Fleet::new(&stage);
    for _ in 0..SERVERS {
        fleet.add(Role::Serve).await;
    }
    for _ in 0..WORKERS {
        fleet.add(Role::Worker).await;
    }
    let book = Arc::new(Mutex::new(Book::default()));
    let (open, _) = watch::channel(0_usize);
    let open = Arc::new(open);
    let submitter = runtime().spawn(submit_all(Arc::clone(&stage), Arc::clone(&book), Arc::clone(&open)));
    let started = Instant::now();
    let mut blows = Blows {
        dice: Dice::new(context.seed, "kills"),
        stopped: VecDeque::new(),
        since: None,
        first: true,
        under_way: 0,
        landed: 0,
    };
    let mut waiting = Waiting::default();
    let mut next = Instant::now() + context.sizes.kill_every;
    let mut orphans = 0;
    loop {
        let entries = book.lock().unwrap_or_else(PoisonError::into_inner).entries.clone();
        let left = waiting.look(&stage, &entries, blows.calm()).await;
        open.send_replace(left);
        if submitter.is_finished() && left == 0 {
            break;
        }
        if started.elapsed()
            > context.sizes.time + Duration::from_secs(120) + REST * u32::try_from(context.sizes.tasks / 400 + 1).unwrap_or(1)
        {
            break;
        }
        if Instant::now() >= next {
            next += context.sizes.kill_every;
            blows.strike(&mut fleet, &stage).await;
            let mut rows = stage.rows().await;
            orphans = orphans.max(rows.orphans().await);
            rows.close().await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = started.elapsed();
    context.report.check(Invariant::NoOrphan, orphans == 0, || format!("kills: {orphans} runs were left with a dead worker"));
    // What is checked below was read from the file by a process that has seen nothing of it.
    fleet.end();
    fleet.start(0, None).await;
    check(&stage, &fleet, &book, &waiting, (&blows, took)).await;
    fleet.end();
}

/// Submits everything, some of it twice, a window ahead of what is done.
async fn submit_all(stage: Arc<Stage>, book: Arc<Mutex<Book>>, open: Arc<watch::Sender<usize>>) {
    let sizes = stage.context.sizes.clone();
    let mut dice = Dice::new(stage.context.seed, "submits");
    let started = Instant::now();
    let mut number = 0;
    while number < sizes.tasks || started.elapsed() < sizes.time {
        let marker = marker(KILLED, number);
        let id = stage.api.submit(SIX_STEPS, &marker).await;
        if dice.percent(10) {
            let again = stage.api.submit(SIX_STEPS, &marker).await;
            stage.report().check(Invariant::Idempotency, again == id, || format!("{marker} became {id} and {again}"));
        }
        let follower = dice.percent(8).then(|| {
            let (stage, id) = (Arc::clone(&stage), id.clone());
            let dice = Dice::new(stage.context.seed, &format!("follow {marker}"));
            runtime().spawn(async move { follow(&stage.api, &id, dice, 3..25).await })
        });
        let cancel = dice.percent(4).then(|| {
            let (stage, id) = (Arc::clone(&stage), id.clone());
            let dice = Dice::new(stage.context.seed, &format!("cancel {marker}"));
            runtime().spawn(async move { cancel(&stage, &id, dice).await })
        });
        {
            let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
            book.cancels.extend(cancel.map(|handle| (number, handle)));
            book.followers.extend(follower.map(|handle| (number, handle)));
            book.entries.push(Entry { crew: SIX_STEPS, marker, id });
        }
        number += 1;
        // Twice of what the workers hold is enough to keep them busy.
        let mut room = open.subscribe();
        if number.is_multiple_of(16) {
            tokio::time::timeout(Duration::from_secs(60), room.wait_for(|open| *open < 2 * WORKERS * sizes.slots)).await.ok();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Cancels a task at some time of its life; gives the time of the acknowledgement.
async fn cancel(stage: &Stage, id: &str, mut dice: Dice) -> i64 {
    tokio::time::sleep(dice.pause(0..4_000)).await;
    let body = json!({ "mode": dice.pick(&["graceful", "immediate"]) });
    let answer = stage.api.call("POST", &format!("/api/v1/tasks/{id}/cancel"), &[], Some(&body)).await;
    assert!(matches!(answer.status, 200 | 202), "cancel of {id}: {} {}", answer.status, answer.text);
    wall::micros()
}

/// What is done to the processes.
struct Blows {
    dice: Dice,
    stopped: VecDeque<(usize, Instant)>,
    /// When the last stopped worker was continued.
    since: Option<Instant>,
    /// The first blow is a stop, so that every run of this program has one.
    first: bool,
    under_way: i64,
    landed: usize,
}

impl Blows {
    /// Whether no stopped or just continued worker can have a call on its way.
    fn calm(&self) -> bool {
        self.stopped.is_empty() && self.since.is_none_or(|since| since.elapsed() > Duration::from_secs(5))
    }

    async fn strike(&mut self, fleet: &mut Fleet<'_>, stage: &Stage) {
        if let Some((number, since)) = self.stopped.front().copied()
            && since.elapsed() > STOPPED
        {
            fleet.resume(number);
            self.stopped.pop_front();
            self.since = Some(Instant::now());
        }
        fleet.reap().await;
        for number in fleet.dead() {
            fleet.start(number, None).await;
        }
        let workers = fleet.living(Role::Worker);
        if self.stopped.is_empty()
            && workers.len() == WORKERS
            && self.calm()
            && (std::mem::take(&mut self.first) || self.dice.percent(stage.context.sizes.stops))
        {
            let number = *self.dice.pick(&workers);
            fleet.pause(number);
            self.stopped.push_back((number, Instant::now()));
            return;
        }
        if workers.len() > 1 && self.dice.percent(8) {
            fleet.drain(*self.dice.pick(&workers));
        }
        let workers = fleet.living(Role::Worker);
        if let Some(number) = (!workers.is_empty()).then(|| *self.dice.pick(&workers)) {
            let mut rows = stage.rows().await;
            let worker = fleet.worker(number).unwrap_or_default();
            fleet.kill(number);
            let under_way = rows.steps_under_way(&worker).await;
            rows.close().await;
            self.under_way += under_way;
            self.landed += usize::from(under_way > 0);
        }
        if self.dice.percent(15) {
            let servers = fleet.living(Role::Serve);
            if servers.len() > 1 {
                fleet.kill(*self.dice.pick(&servers));
            }
        }
    }
}

async fn check(stage: &Stage, fleet: &Fleet<'_>, book: &Mutex<Book>, waiting: &Waiting, (blows, took): (&Blows, Duration)) {
    let Book { entries, followers, cancels } = std::mem::take(&mut *book.lock().unwrap_or_else(PoisonError::into_inner));
    let mut seen: Vec<Vec<Seen>> = vec![Vec::new(); entries.len()];
    let mut reconnects = 0;
    let followed = followers.len();
    for (number, handle) in followers {
        let one = handle.await.expect("a follower ends");
        reconnects += one.reconnects;
        seen[number].push(one);
    }
    let mut figures = Figures::default();
    for (entry, seen) in entries.iter().zip(&seen) {
        audit(stage, entry, Known { seen, history: &fleet.history, waiting }, &mut figures).await;
    }
    let cancelled = check_cancels(stage, fleet, &entries, cancels).await;
    let succeeded = figures.succeeded();
    let (report, sizes) = (stage.report(), &stage.context.sizes);
    report.check(Invariant::NoLoss, succeeded + cancelled == entries.len(), || {
        format!("kills: {} tasks ended as {:?}", entries.len(), figures.ends)
    });
    audit_rows(stage, entries.len()).await;
    figures.pickups.sort_unstable();
    let slowest = figures.pickups.get(figures.pickups.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default();
    report.check(Invariant::Recovery, slowest <= Duration::from_secs(20), || format!("kills: pick-up p99 {slowest:?}"));
    let mut drains: Vec<Duration> = fleet.history.drains.iter().map(|(took, _)| *took).collect();
    for (took, clean) in &fleet.history.drains {
        report.check(Invariant::Recovery, *clean && *took < DRAINED, || format!("kills: SIGTERM took {took:?}, cleanly {clean}"));
    }
    let (effects, repeated) = stage.ledger.totals();
    let count = |number: usize| grouped(u64::try_from(number).unwrap_or_default());
    let history = &fleet.history;
    let rate = f64::from(u32::try_from(entries.len()).unwrap_or(u32::MAX)) / took.as_secs_f64();
    for (what, value) in [
        ("tasks", format!("{} in {:.0} s ({rate:.1}/s): {:?}", count(entries.len()), took.as_secs_f64(), figures.ends)),
        (
            "processes",
            format!("{WORKERS} workers of {} slots, {SERVERS} servers, {}", sizes.slots, stage.context.database_title()),
        ),
        ("workers killed", format!("{}, {} of them in the middle of {} steps", history.kills, blows.landed, blows.under_way)),
        ("servers killed, workers stopped for 20 s", format!("{}, {}", history.server_kills, history.pauses)),
        ("starts refused by a busy database", count(history.refused_starts)),
        ("workers asked to stop (SIGTERM)", spread(&mut drains)),
        ("steps finished, begun again after a death", format!("{}, {}", count(figures.steps), count(figures.restarted))),
        ("calls of the model", count(stage.model.total())),
        ("effects outside, repeated with their key", format!("{}, {}", count(effects), count(repeated))),
        ("calls of unknown outcome that a person decided", count(figures.reconciled)),
        ("tasks cancelled", count(cancelled)),
        ("calls of a continued worker before it noticed", count(figures.late)),
        ("events, followers, reconnects", format!("{}, {followed}, {}", count(figures.events), count(reconnects))),
        ("pick-up after a kill", spread(&mut figures.pickups)),
        ("pick-up after a stop", spread(&mut figures.pickups_after_stop)),
    ] {
        report.figure("kills", what, value);
    }
}

/// Nothing with an effect begins once a cancel was acknowledged and had time to reach its worker. How many were cancelled.
async fn check_cancels(stage: &Stage, fleet: &Fleet<'_>, entries: &[Entry], cancels: Vec<(usize, JoinHandle<i64>)>) -> usize {
    let mut cancelled = 0;
    for (number, handle) in cancels {
        let (entry, acknowledged) = (&entries[number], handle.await.expect("a cancel ends"));
        let status = stage.api.task(&entry.id).await["status"].as_str().unwrap_or_default().to_owned();
        let is_late = |at: i64| at > acknowledged + CANCELLED && !fleet.history.was_just_continued(at);
        let late =
            KINDS.iter().flat_map(|kind| stage.ledger.effects(kind, &entry.marker)).filter(|effect| is_late(effect.at)).count();
        stage.report().check(Invariant::OneEnd, ["cancelled", "succeeded"].contains(&status.as_str()) && late == 0, || {
            format!("kills: {} was cancelled and is {status}, {late} effects began later", entry.id)
        });
        cancelled += usize::from(status == "cancelled");
    }
    cancelled
}
