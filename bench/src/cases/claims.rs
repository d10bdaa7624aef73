//! What a claim and a submission cost in a database with a long past and a long queue, beside an empty one.

use std::time::{Duration, Instant};

use crewd_application::ports::RunQueue;
use crewd_domain::shared::WorkerId;
use crewd_engines::open;
use uuid::Uuid;

use super::Bench;
use super::rate::{RATE, TIME, report};
use crate::fill::{ROOMY, fill};
use crate::load::submit_at_rate;
use crate::site::Site;
use crate::stats::Sample;

/// Queued runs of the database that counts as empty: enough to be claimed.
const FEW: u64 = 20_000;
/// Claims that are measured: how many runs at once, how many times.
const CLAIMS: [(u32, usize); 2] = [(1, 1_000), (16, 300)];
const LEASE: Duration = Duration::from_secs(600);

/// Claims and submissions, first in a database without a past, then with it.
pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let rows = bench.arguments.rows;
    for (ended, waiting) in [(0, FEW), (rows, (rows / 10).max(FEW))] {
        let site = bench.site().await?;
        let took = fill(&site, ended, waiting).await?;
        let place = format!("{ended} ended and {waiting} queued runs");
        eprintln!("{place}: filled in {:.0} s", took.as_secs_f64());
        for (limit, times) in CLAIMS {
            let mut sample = claims(&site, limit, times, Duration::ZERO).await?;
            add(bench, &format!("claim of {limit}, {place}"), &mut sample, "nobody else at work");
        }
        let crewd = site.start_as("serve", &ROOMY)?;
        submit_at_rate(crewd.port, "single", RATE, Duration::from_secs(2)).await?;
        let mut sample = submit_at_rate(crewd.port, "single", RATE, TIME).await?;
        report(bench, &format!("POST /tasks at {RATE}/s, {place}"), "p99 <= 25 ms", &mut sample, ", nobody claims");
        // Both at once: a claim of 16 every 50 ms.
        let pause = Duration::from_millis(50);
        let stream = submit_at_rate(crewd.port, "single", RATE, TIME);
        let (claimed, submitted) = tokio::join!(claims(&site, 16, 250, pause), stream);
        let (mut claimed, mut submitted) = (claimed?, submitted?);
        add(bench, &format!("claim of 16 beside submissions, {place}"), &mut claimed, "every 50 ms, beside 500 submissions/s");
        let name = format!("POST /tasks at {RATE}/s beside claims, {place}");
        report(bench, &name, "p99 <= 25 ms", &mut submitted, ", 16 runs are claimed every 50 ms");
    }
    Ok(())
}

fn add(bench: &mut Bench, name: &str, sample: &mut Sample, note: &str) {
    let value = format!("p50 {:.1} ms, p99 {:.1} ms", sample.milliseconds(0.5), sample.milliseconds(0.99));
    bench.report.add(name, value, "p99 <= 10 ms", format!("{} claims through the product's own adapter, {note}", sample.len()));
}

/// Claims through the product's adapter; every claim must find what it looks for.
async fn claims(site: &Site, limit: u32, times: usize, pause: Duration) -> anyhow::Result<Sample> {
    /// The first ones open connections.
    const FIRST: usize = 20;
    let database = open(&site.url).await?;
    let (queue, worker) = (database.queue(), WorkerId::new(Uuid::from_u128(7)));
    let mut sample = Sample::default();
    for round in 0..times + FIRST {
        let begin = Instant::now();
        let claimed = queue.claim(worker, limit, LEASE).await?;
        let took = begin.elapsed();
        anyhow::ensure!(u32::try_from(claimed.len()) == Ok(limit), "{} of {limit} runs were claimed", claimed.len());
        if round >= FIRST {
            sample.add(took);
        }
        tokio::time::sleep(pause).await;
    }
    database.close().await?;
    Ok(sample)
}
