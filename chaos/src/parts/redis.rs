//! A Redis that forgets everything, stands still and dies: runs go on without it.

use std::time::{Duration, Instant};

use crewd_engines::{RedisProcess, flush};
use serde_json::Value;

use super::load::{Trouble, is_alive, under_load};
use crate::api::is_terminal;
use crate::marker::marker;
use crate::report::{Invariant, spread};
use crate::stage::{Context, SIX_STEPS, Stage};
use crate::wall;

/// It forgets everything so often.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// It stands still, and is away, for so long.
const AWAY: Duration = Duration::from_secs(10);
/// Until readiness has noticed.
const NOTICED: Duration = Duration::from_secs(10);
/// Without it, an idle worker finds a task by polling in this time.
const POLLED: Duration = Duration::from_secs(5);
/// Tasks that are submitted one by one while it is away.
const PROBES: usize = 5;
/// Their markers.
const PROBE: char = 'w';

/// Runs the part.
pub(crate) async fn measure(context: &Context) {
    let own = RedisProcess::start().await.expect("an own Redis comes up");
    let Some(url) = own.as_ref().map(RedisProcess::url).or_else(|| context.redis.clone()) else {
        context.report.skip("redis", "redis-server is not installed, and no other Redis was named (--redis)");
        return;
    };
    let mut context = context.clone();
    context.redis = Some(url.clone());
    let mut trouble = Forgetful { url, own, next: Instant::now(), flushes: 0, faults: 0, probes: Vec::new() };
    under_load(&context, "redis", 'r', &mut trouble).await;
    let report = &context.report;
    report.check(Invariant::Recovery, trouble.flushes > 0, || "redis: it was never emptied".to_owned());
    report.figure("redis", "times emptied, one every 5 s", trouble.flushes);
    if trouble.own.is_some() {
        report.figure("redis", "stopped for 10 s, killed for 10 s, under load", trouble.faults);
        report.figure("redis", "idle worker begins a task while Redis stands still", spread(&mut trouble.probes));
    } else {
        report.skip("redis, stopped and killed", "redis-server is not installed, and the one that was named belongs to others");
    }
}

struct Forgetful {
    url: String,
    own: Option<RedisProcess>,
    next: Instant,
    flushes: usize,
    faults: usize,
    probes: Vec<Duration>,
}

impl Trouble for Forgetful {
    async fn look(&mut self, stage: &Stage, done: usize, all: usize) {
        if Instant::now() >= self.next {
            self.next = Instant::now() + FLUSH_EVERY;
            match flush(&self.url).await {
                Ok(()) => self.flushes += 1,
                Err(error) => println!("  Redis was not emptied: {error:#}"),
            }
        }
        if self.own.is_some() && self.faults < 2 && done * 3 >= all * (self.faults + 1) {
            self.faults += 1;
            self.take_away(stage).await;
        }
    }

    async fn after(&mut self, stage: &Stage) -> Vec<String> {
        let Some(redis) = &self.own else { return Vec::new() };
        redis.pause().expect("it can be stopped");
        let (mut words, mut begun) = (Vec::new(), Vec::new());
        for number in 0..PROBES {
            let word = marker(PROBE, number);
            let id = stage.api.submit(SIX_STEPS, &word).await;
            begun.push(begins_after(stage, &id).await);
            words.push(word);
        }
        redis.resume().expect("it can be continued");
        for waited in begun {
            let quick = waited.is_some_and(|waited| waited <= POLLED);
            stage.report().check(Invariant::Recovery, quick, || format!("redis: without it a task began after {waited:?}"));
            self.probes.extend(waited);
        }
        words
    }
}

impl Forgetful {
    /// The first time it stands still with all connections open, the second time it dies.
    async fn take_away(&mut self, stage: &Stage) {
        let stands_still = self.faults == 1;
        let Some(redis) = &mut self.own else { return };
        if stands_still {
            redis.pause().expect("it can be stopped");
        } else {
            redis.kill();
        }
        let gone = Instant::now();
        let what = if stands_still { "stopped" } else { "killed" };
        readiness(stage, what, true).await;
        while gone.elapsed() < AWAY {
            is_alive(stage).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if stands_still {
            redis.resume().expect("it can be continued");
        } else {
            redis.start_again().await.expect("it comes up again");
        }
        readiness(stage, what, false).await;
    }
}

/// Readiness says `degraded` while Redis is away and no longer once it is back; it never says that the process is down.
async fn readiness(stage: &Stage, what: &str, is_away: bool) {
    let started = Instant::now();
    loop {
        let answer = stage.api.once("GET", "/health/ready", &[], None).await;
        let status = answer.as_ref().map(|answer| answer.status);
        stage.report().check(Invariant::Health, status == Some(200), || format!("redis {what}: readiness says {answer:?}"));
        let says_so = answer.as_ref().is_some_and(|answer| answer.text.contains("degraded"));
        if says_so == is_away {
            return;
        }
        if started.elapsed() > NOTICED {
            let text = answer.map(|answer| answer.text);
            stage.report().check(Invariant::Health, false, || format!("redis {what}, away {is_away}: readiness says {text:?}"));
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How long a task waited for a worker that has nothing else to do; it has ended when this returns.
async fn begins_after(stage: &Stage, id: &str) -> Option<Duration> {
    let submitted = wall::micros();
    for _ in 0..600 {
        let task: Value = stage.api.task(id).await;
        if is_terminal(task["status"].as_str().unwrap_or_default()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = stage.api.log(id).await;
    let events = log.iter().map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
    let started = events.into_iter().find(|event| event["type"] == "task.started")?;
    let at = wall::parse(started["ts"].as_str().unwrap_or_default());
    Some(Duration::from_micros(u64::try_from(at - submitted).unwrap_or_default()))
}
