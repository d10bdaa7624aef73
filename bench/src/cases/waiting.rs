//! Runs that wait for a person: they must cost nothing but rows.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

use super::Bench;
use crate::load::{Client, submit_many};

/// Runs that wait before the first look: caches and pools have their size then.
const BEFORE: usize = 1_000;
/// Runs that come to wait between the two looks.
const WAITING: usize = 10_000;
const CLIENTS: usize = 20;
/// For what is written and freed in the background.
const SETTLE: Duration = Duration::from_secs(3);

/// Memory of a process with many waiting runs, beyond that with few.
pub(super) async fn memory_of_waiting(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let crewd = site.start(&[])?;
    let begin = Instant::now();
    let mut sizes = Vec::new();
    for more in [BEFORE, WAITING] {
        submit_many(crewd.port, "asks", CLIENTS, more / CLIENTS).await?;
        let mut client = Client::connect(crewd.port).await?;
        while somebody_is_not_waiting(&mut client).await? {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        tokio::time::sleep(SETTLE).await;
        sizes.push(crewd.memory()?);
    }
    let [before, after] = sizes.as_slice() else { anyhow::bail!("two sizes were measured") };
    bench.report.add(
        "memory of 10,000 waiting runs",
        format!("{:.1} MB", after - before),
        "not measurable: <= 5 MB",
        format!(
            "{before:.0} MB with {BEFORE} waiting, {after:.0} MB with {WAITING} more, after {:.0} s",
            begin.elapsed().as_secs_f64()
        ),
    );
    Ok(())
}

async fn somebody_is_not_waiting(client: &mut Client) -> anyhow::Result<bool> {
    let path = "/api/v1/tasks?status=queued,running,failed,succeeded&limit=1";
    let page = client.json(Method::GET, path, &Bytes::new()).await?;
    let first = page.pointer("/items/0/status").and_then(Value::as_str);
    anyhow::ensure!(!matches!(first, Some("failed" | "succeeded")), "a task ended instead of waiting");
    Ok(first.is_some())
}
