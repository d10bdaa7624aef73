//! Orders from outside: how soon a cancel takes effect.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

use super::Bench;
use crate::load::{Client, submission};
use crate::stats::Sample;

/// Tasks that wait for a model which says nothing for ten minutes.
const TASKS: usize = 100;

/// Time from a cancel to the end of its task, in one process and where another process runs it.
pub(super) async fn cancels(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let crewd = site.start(&[])?;
    let mut sample = cancel_all(crewd.port).await?;
    report(bench, "one process", "p99 <= 1 s", &mut sample);
    drop(crewd);

    let site = bench.site().await?;
    let (serve, _worker) = (site.start_as("serve", &[])?, site.start_as("worker", &[])?);
    let mut sample = cancel_all(serve.port).await?;
    report(bench, "from `serve` to `worker`", "p99 <= 5 s", &mut sample);
    Ok(())
}

fn report(bench: &mut Bench, where_to: &str, target: &str, sample: &mut Sample) {
    bench.report.add(
        &format!("cancel takes effect, {where_to}"),
        format!("p50 {:.0} ms, p99 {:.0} ms", sample.milliseconds(0.5), sample.milliseconds(0.99)),
        target,
        format!("`immediate`, from the request to `cancelled`, {} tasks in a model call", sample.len()),
    );
}

async fn cancel_all(port: u16) -> anyhow::Result<Sample> {
    let mut client = Client::connect(port).await?;
    let body = submission("silent");
    let mut ids = Vec::with_capacity(TASKS);
    for _ in 0..TASKS {
        ids.push(client.submit(&body).await?);
    }
    for id in &ids {
        while !in_a_model_call(&mut client, id).await? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let order = Bytes::from_static(b"{\"mode\":\"immediate\"}");
    let mut sample = Sample::default();
    for id in &ids {
        let begin = Instant::now();
        client.json(Method::POST, &format!("/api/v1/tasks/{id}/cancel"), &order).await?;
        let task = client.json(Method::GET, &format!("/api/v1/tasks/{id}?wait=30"), &Bytes::new()).await?;
        anyhow::ensure!(task.get("status").and_then(Value::as_str) == Some("cancelled"), "not cancelled: {task}");
        sample.add(begin.elapsed());
    }
    Ok(sample)
}

async fn in_a_model_call(client: &mut Client, id: &str) -> anyhow::Result<bool> {
    let page = client.json(Method::GET, &format!("/api/v1/tasks/{id}/events?types=llm.started"), &Bytes::new()).await?;
    Ok(page.get("items").and_then(Value::as_array).is_some_and(|items| !items.is_empty()))
}
