//! A tenant with a long queue and another with one task.

use std::time::{Duration, Instant};

use super::Bench;
use crate::load::{Client, submission};
use crate::stats::Sample;

/// Tasks that the noisy tenant has queued.
const QUEUED: usize = 5_000;
/// Single tasks of the quiet tenant, one after the other.
const SINGLE: usize = 20;
/// Connections that fill the queue.
const CLIENTS: usize = 20;
const KEYS: &str = "noisy:sk-noisy-tenant,quiet:sk-quiet-tenant";
const NOISY: &str = "sk-noisy-tenant";
const QUIET: &str = "sk-quiet-tenant";

/// How much longer a single task takes beside 5,000 queued ones of somebody else.
pub(super) async fn noisy_neighbour(bench: &mut Bench) -> anyhow::Result<()> {
    for (name, slots, settings) in
        [("slots are free", "100", vec![("APP_MAX_ACTIVE_PER_TENANT", "50")]), ("no slot is free", "50", Vec::new())]
    {
        let mut all = vec![("APP_API_KEYS", KEYS), ("APP_WORKER_SLOTS", slots), ("APP_LLM_MAX_CONCURRENT", "200")];
        all.extend(settings);
        let site = bench.site().await?;
        let crewd = site.start(&all)?;
        let mut quiet = Client::connect_as(crewd.port, QUIET).await?;
        single(&mut quiet).await?;
        let mut idle = single(&mut quiet).await?;
        let work = (0..CLIENTS).map(|_| {
            let port = crewd.port;
            tokio::spawn(async move {
                let mut client = Client::connect_as(port, NOISY).await?;
                for _ in 0..QUEUED / CLIENTS {
                    client.submit(&submission("half_second")).await?;
                }
                anyhow::Ok(())
            })
        });
        for task in work.collect::<Vec<_>>() {
            task.await??;
        }
        let mut beside = single(&mut quiet).await?;
        bench.report.add(
            &format!("a single task beside {QUEUED} queued ones of another tenant, {name}"),
            format!(
                "+{:.0} ms p50, +{:.0} ms at most",
                beside.milliseconds(0.5) - idle.milliseconds(0.5),
                beside.milliseconds(1.0) - idle.milliseconds(0.5)
            ),
            "<= +1,000 ms",
            format!(
                "{SINGLE} tasks one after the other; {:.0} ms on an idle system; the others take 500 ms each on {slots} slots",
                idle.milliseconds(0.5)
            ),
        );
    }
    Ok(())
}

async fn single(client: &mut Client) -> anyhow::Result<Sample> {
    let mut sample = Sample::default();
    for _ in 0..SINGLE {
        let begin = Instant::now();
        let id = client.submit(&submission("single")).await?;
        anyhow::ensure!(client.wait(&id, Duration::from_millis(5)).await?, "a single task failed");
        sample.add(begin.elapsed());
    }
    Ok(sample)
}
