//! Start, idle memory, size; and what the disk needs for a commit.

use std::io::Write;
use std::time::{Duration, Instant};

use hyper::Method;

use super::Bench;
use crate::load::Client;
use crate::stats::Sample;

/// Starts that are measured.
const STARTS: usize = 7;

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut ready = Sample::default();
    let mut memory: f64 = 0.0;
    for _ in 0..STARTS {
        let site = bench.site().await?;
        let begin = Instant::now();
        let crewd = site.start_offline()?;
        let mut client = Client::connect(crewd.port).await?;
        client.json(Method::GET, "/health/ready", &bytes::Bytes::new()).await?;
        ready.add(begin.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
        memory = memory.max(crewd.memory()?);
    }
    let size = std::fs::metadata(&bench.arguments.binary)?.len();
    bench.report.add(
        if bench.target.server.is_some() { "start to ready, new database" } else { "start to ready, fresh SQLite file" },
        format!("{:.0} ms", ready.milliseconds(0.5)),
        "<= 150 ms",
        format!("median of {STARTS} starts, until /health/ready answers 200"),
    );
    bench.report.add(
        "idle memory",
        format!("{memory:.0} MB"),
        "<= 50 MB",
        "resident, half a second after ready, the largest of the starts",
    );
    bench.report.add("binary", format!("{:.1} MB", megabytes(size)), "<= 60 MB", "stripped");
    bench.report.add(
        "disk flush",
        format!("{:.2} ms", disk_flush()?),
        "-",
        "median time to append 4 KiB to a file and make it durable",
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files are far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// What one durable commit costs at least, in milliseconds.
pub(super) fn disk_flush() -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile()?;
    let mut sample = Sample::default();
    for _ in 0..200 {
        let begin = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        sample.add(begin.elapsed());
    }
    Ok(sample.milliseconds(0.5))
}
