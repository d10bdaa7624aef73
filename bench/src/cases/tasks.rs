//! Tasks: taking them in, running them, holding many at once.

use std::time::{Duration, Instant};

use super::Bench;
use super::start::disk_flush;
use crate::load::{Client, complete, submission, submit_for, submit_many};
use crate::process::Process;
use crate::stats::Sample;

pub(super) fn per_second(count: usize, time: Duration) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from) / time.as_secs_f64()
}

pub(super) fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(0.0, f64::from)
}

/// `POST /tasks`, with the workers running what comes in.
pub(super) async fn submissions(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let crewd = site.start(&[])?;
    submit_for(crewd.port, "single", 32, Duration::from_secs(1)).await?;
    let (begin, cpu) = (Instant::now(), crewd.cpu());
    let mut sample = submit_for(crewd.port, "single", 32, Duration::from_secs(5)).await?;
    let (time, used) = (begin.elapsed(), crewd.cpu() - cpu);
    let rate = per_second(sample.len(), time);
    bench.report.add(
        "POST /tasks, 32 clients",
        format!("{rate:.0}/s, p99 {:.1} ms", sample.milliseconds(0.99)),
        ">= 3,000/s, p99 <= 25 ms",
        format!("5 s, workers running the tasks meanwhile; {:.0} µs of CPU a task in all", used * 1e6 / count(sample.len())),
    );
    Ok(())
}

/// Tasks of one model call, from submission to end.
pub(super) async fn single_calls(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let crewd = site.start(&[])?;
    complete(crewd.port, "single", 64, 5, Duration::from_millis(5)).await?;
    let (rate, mut sample, cpu) = best_of(&crewd, "single", 64, 50, Duration::from_millis(5)).await?;
    bench.report.add(
        "tasks of one model call, end to end",
        format!("{rate:.0}/s"),
        ">= 1,000/s",
        format!("64 clients polling every 5 ms; p50 {:.1} ms; {cpu:.2} ms of CPU a task", sample.milliseconds(0.5)),
    );
    Ok(())
}

/// The reference crew: 2 agents, 2 crew tasks, 1 tool call each, so 4 model calls.
pub(super) async fn reference_crews(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let crewd = site.start(&[])?;
    complete(crewd.port, "reference", 16, 10, Duration::from_millis(20)).await?;
    let (rate, mut sample, cpu) = best_of(&crewd, "reference", 32, 40, Duration::from_millis(20)).await?;
    bench.report.add(
        "reference crews",
        format!("{rate:.0}/s"),
        ">= 400/s",
        format!("32 clients polling every 20 ms; p50 {:.1} ms", sample.milliseconds(0.5)),
    );
    bench.report.add("CPU of a reference crew", format!("{cpu:.2} ms"), "<= 2.5 ms", "crewd's process alone, polling included");
    Ok(())
}

/// The median of three rounds by rate.
async fn best_of(
    crewd: &Process,
    crew: &str,
    clients: usize,
    each: usize,
    pause: Duration,
) -> anyhow::Result<(f64, Sample, f64)> {
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let (begin, cpu) = (Instant::now(), crewd.cpu());
        let sample = complete(crewd.port, crew, clients, each, pause).await?;
        let milliseconds = (crewd.cpu() - cpu) * 1e3 / count(sample.len());
        rounds.push((per_second(sample.len(), begin.elapsed()), sample, milliseconds));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(rounds.swap_remove(1))
}

/// One client, one task at a time: what the framework adds to the disk.
pub(super) async fn one_at_a_time(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let crewd = site.start(&[])?;
    let mut client = Client::connect(crewd.port).await?;
    let body = submission("single");
    let mut sample = Sample::default();
    for round in 0..450 {
        let begin = Instant::now();
        client.run(&body).await?;
        // The first ones fill caches.
        if round >= 50 {
            sample.add(begin.elapsed());
        }
    }
    let (median, flush) = (sample.milliseconds(0.5), disk_flush()?);
    // Submission, claim, intent, result: four commits one after the other.
    let beyond = median - 4.0 * flush;
    bench.report.add(
        "one crew task at a time, submit to done",
        format!("{median:.2} ms p50, {beyond:.2} ms beyond the disk"),
        "<= 2 ms beyond the disk",
        format!("1 client that waits in the request; 4 commits of {flush:.2} ms each"),
    );
    Ok(())
}

/// Many crews waiting for a model that takes 10 s a call.
pub(super) async fn in_flight(bench: &mut Bench) -> anyhow::Result<()> {
    const CREWS: usize = 5_000;
    let site = bench.site().await?;
    let crewd = site.start(&[("APP_WORKER_SLOTS", "6000"), ("APP_LLM_MAX_CONCURRENT", "6000")])?;
    complete(crewd.port, "reference", 16, 5, Duration::from_millis(20)).await?;
    let before = crewd.memory()?;
    let begin = Instant::now();
    let ids = submit_many(crewd.port, "reference_slow", 25, CREWS / 25).await?;
    let submitted = begin.elapsed();
    let mut client = Client::connect(crewd.port).await?;
    let mut peak: f64 = 0.0;
    let mut done = 0;
    for id in &ids {
        loop {
            peak = peak.max(crewd.memory()?);
            let wait = client.wait(id, Duration::from_millis(200));
            match tokio::time::timeout(Duration::from_millis(500), wait).await {
                Ok(ended) => {
                    done += usize::from(ended?);
                    break;
                }
                // The connection was left in the middle of an answer.
                Err(_) => client = Client::connect(crewd.port).await?,
            }
        }
    }
    let growth = (peak - before) / count(CREWS) * 1e3;
    bench.report.add(
        "5,000 reference crews in flight",
        format!("{done} done in {:.1} s", begin.elapsed().as_secs_f64()),
        "all within 60 s",
        format!("10 s a model call, ideal 40 s; all submitted after {:.1} s", submitted.as_secs_f64()),
    );
    bench.report.add(
        "memory of 1,000 in flight",
        format!("{growth:.1} MB"),
        "<= 25 MB",
        format!("{before:.0} MB before, {peak:.0} MB at the peak"),
    );
    Ok(())
}
