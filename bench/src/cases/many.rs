//! Many workers on one database: nobody may lose a lease.

use std::time::{Duration, Instant};

use super::Bench;
use crate::load::submit_at_rate;

/// Workers; each holds few tasks at once.
const WORKERS: usize = 32;
const SLOTS: &str = "2";
/// Submissions a second: what the slots can do with a model of half a second.
const RATE: u32 = 120;
const TIME: Duration = Duration::from_secs(60);
/// Until the last task has ended.
const REST: Duration = Duration::from_secs(120);
/// Connections are counted: 33 processes share what the server allows.
const SETTINGS: [(&str, &str); 3] =
    [("APP_WORKER_SLOTS", SLOTS), ("APP_DATABASE_POOL_SIZE", "1"), ("APP_DATABASE_MAX_OVERFLOW", "1")];

/// Leases that were lost in a minute.
pub(super) async fn workers(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let serve = site.start_as("serve", &[])?;
    let mut processes = Vec::new();
    for _ in 0..WORKERS {
        processes.push(site.start_as("worker", &SETTINGS)?);
    }
    let (begin, database) = (Instant::now(), bench.target.cpu());
    let mut sample = submit_at_rate(serve.port, "half_second", RATE, TIME).await?;
    let mut connection = site.connection().await?;
    while connection.number("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await? > 0 {
        anyhow::ensure!(begin.elapsed() < TIME + REST, "the tasks do not end");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let used = bench
        .target
        .cpu()
        .zip(database)
        .map_or(String::new(), |(after, before)| format!("; database {:.2} cores", (after - before) / seconds));
    // A run that was taken from its worker has a second holder.
    let lost = connection.number("SELECT COUNT(*) FROM runs WHERE epoch > 1 OR crash_count > 0").await?;
    let resumed = connection.number("SELECT COUNT(*) FROM run_events WHERE type = 'task.resumed'").await?;
    let failed = connection.number("SELECT COUNT(*) FROM runs WHERE status <> 'succeeded'").await?;
    connection.close().await;
    bench.report.add(
        &format!("leases lost with {WORKERS} workers of {SLOTS} slots on one database"),
        format!("{lost} ({resumed} runs taken up again, {failed} not succeeded)"),
        "0",
        format!("{} tasks of 500 ms in {seconds:.0} s; POST p99 {:.1} ms{used}", sample.len(), sample.milliseconds(0.99)),
    );
    drop(processes);
    Ok(())
}
