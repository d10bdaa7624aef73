//! A steady stream of submissions that does not wait for answers.

use std::time::Duration;

use super::Bench;
use crate::load::submit_at_rate;
use crate::stats::Sample;

/// Submissions a second.
pub(super) const RATE: u32 = 500;
/// How long it goes on.
pub(super) const TIME: Duration = Duration::from_secs(20);

/// `POST /tasks` at a rate, with nobody else at work and with the tasks being run meanwhile.
pub(super) async fn steady(bench: &mut Bench) -> anyhow::Result<()> {
    for (role, note) in [("serve", "nobody runs the tasks"), ("all", "the same process runs the tasks meanwhile")] {
        let site = bench.site().await?;
        let crewd = if role == "serve" { site.start_as("serve", &[])? } else { site.start(&[])? };
        submit_at_rate(crewd.port, "single", RATE, Duration::from_secs(2)).await?;
        let mut sample = submit_at_rate(crewd.port, "single", RATE, TIME).await?;
        report(bench, &format!("POST /tasks at {RATE}/s, {note}"), "p99 <= 20 ms", &mut sample, "");
    }
    Ok(())
}

/// A line of the table for such a stream.
pub(super) fn report(bench: &mut Bench, name: &str, target: &str, sample: &mut Sample, note: &str) {
    bench.report.add(
        name,
        format!(
            "p50 {:.1} ms, p99 {:.1} ms, max {:.0} ms",
            sample.milliseconds(0.5),
            sample.milliseconds(0.99),
            sample.milliseconds(1.0)
        ),
        target,
        format!("open loop, {} requests in {} s{note}", sample.len(), TIME.as_secs()),
    );
}
