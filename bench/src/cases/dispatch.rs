//! How soon an idle worker of another process begins with a task.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use chrono::DateTime;
use crewd_engines::RedisProcess;
use hyper::Method;
use serde_json::Value;

use super::Bench;
use crate::load::{Client, submission};
use crate::model::wall;
use crate::stats::Sample;

/// Tasks, one after the other.
const TASKS: u64 = 150;
/// The first ones fill caches.
const FIRST: u64 = 10;

/// Without Redis, and with it.
pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let own = if bench.target.redis.is_none() { RedisProcess::start().await? } else { None };
    let redis = bench.target.redis.clone().or_else(|| own.as_ref().map(RedisProcess::url));
    if redis.is_none() {
        eprintln!("dispatch with Redis is not measured: no --redis, and redis-server is not installed");
    }
    for (name, target, redis) in [("without Redis", "p95 <= 300 ms", None), ("with Redis", "p95 <= 20 ms", redis)] {
        if name == "with Redis" && redis.is_none() {
            continue;
        }
        let site = bench.site().await?.with_redis(redis);
        let serve = site.start_as("serve", &[])?;
        let _worker = site.start_as("worker", &[])?;
        let mut sample = one_by_one(serve.port).await?;
        bench.report.add(
            &format!("dispatch to an idle worker of another process, {name}"),
            format!(
                "p50 {:.1} ms, p95 {:.1} ms, max {:.0} ms",
                sample.milliseconds(0.5),
                sample.milliseconds(0.95),
                sample.milliseconds(1.0)
            ),
            target,
            format!("from the answer to `POST /tasks` to the time of `task.started`, {} tasks one by one", sample.len()),
        );
    }
    Ok(())
}

async fn one_by_one(port: u16) -> anyhow::Result<Sample> {
    let mut client = Client::connect(port).await?;
    let body = submission("single");
    let mut sample = Sample::default();
    for number in 0..TASKS + FIRST {
        let id = client.submit(&body).await?;
        let answered = wall().duration_since(UNIX_EPOCH)?;
        anyhow::ensure!(client.wait(&id, Duration::from_millis(10)).await?, "a task failed");
        let started = started(&mut client, &id).await?;
        if number >= FIRST {
            // A worker may begin before the client has its answer.
            sample.add(started.saturating_sub(answered));
        }
        // Pauses of many lengths, so that no rhythm of polling is met again and again.
        tokio::time::sleep(Duration::from_millis(150 + number * 137 % 250)).await;
    }
    Ok(sample)
}

async fn started(client: &mut Client, id: &str) -> anyhow::Result<Duration> {
    let path = format!("/api/v1/tasks/{id}/events?types=task.started");
    let page = client.json(Method::GET, &path, &Bytes::new()).await?;
    let text = page.pointer("/items/0/ts").and_then(Value::as_str).context("the task has not begun")?;
    let micros = DateTime::parse_from_rfc3339(text)?.timestamp_micros();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}
