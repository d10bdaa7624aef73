//! Streams: how late a token is, and what an idle client costs.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use serde_json::Value;

use super::Bench;
use crate::load::{Client, submission};
use crate::model::wall;
use crate::stats::Sample;

/// A token's way from the model to an SSE client, with one stream and with many.
pub(super) async fn token_latency(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let crewd = site.start(&[])?;
    for streams in [1, 50] {
        latency_of(bench, crewd.port, streams, "<= 60 ms").await?;
    }
    Ok(())
}

/// The same with many streams over one SQLite file.
pub(super) async fn many_streams(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let crewd = site.start(&[("APP_WORKER_SLOTS", "250"), ("APP_LLM_MAX_CONCURRENT", "250")])?;
    latency_of(bench, crewd.port, 200, "p99 <= 120 ms").await
}

async fn latency_of(bench: &mut Bench, port: u16, streams: usize, target: &str) -> anyhow::Result<()> {
    let work = (0..streams).map(|_| tokio::spawn(follow(port)));
    let mut sample = Sample::default();
    for task in work.collect::<Vec<_>>() {
        sample.extend(task.await??);
    }
    bench.report.add(
        &format!("token from model to SSE client, {streams} streams"),
        format!(
            "p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms",
            sample.milliseconds(0.5),
            sample.milliseconds(0.99),
            sample.milliseconds(1.0)
        ),
        target,
        format!("200 pieces a stream, 20 ms apart, {} measured", sample.len()),
    );
    Ok(())
}

async fn follow(port: u16) -> anyhow::Result<Sample> {
    let mut client = Client::connect(port).await?;
    let id = client.submit(&submission("stream")).await?;
    let mut body = open(&mut client, &id).await?;
    let mut sample = Sample::default();
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let now = wall();
        text.push_str(std::str::from_utf8(&data)?);
        while let Some((block, rest)) = text.split_once("\n\n").map(|(block, rest)| (block.to_owned(), rest.to_owned())) {
            text = rest;
            if !block.contains("event: llm.delta") {
                continue;
            }
            let payload = block.lines().find_map(|line| line.strip_prefix("data: ")).context("no data")?;
            let envelope: Value = serde_json::from_str(payload)?;
            let pieces = envelope.pointer("/data/text").and_then(Value::as_str).unwrap_or_default();
            for sent in pieces.split_whitespace().filter_map(|piece| piece.parse::<u64>().ok()) {
                sample.add(now.duration_since(UNIX_EPOCH)?.saturating_sub(Duration::from_micros(sent)));
            }
        }
    }
    Ok(sample)
}

pub(super) async fn open(client: &mut Client, id: &str) -> anyhow::Result<Incoming> {
    let answer =
        client.send(Method::GET, &format!("/api/v1/tasks/{id}/events"), "text/event-stream", &bytes::Bytes::new()).await?;
    anyhow::ensure!(answer.status().is_success(), "{}", answer.status());
    Ok(answer.into_body())
}

/// Clients that follow a task whose model is silent.
pub(super) async fn idle_clients(bench: &mut Bench) -> anyhow::Result<()> {
    const CLIENTS: usize = 1_000;
    let site = bench.site().await?;
    let crewd = site.start(&[])?;
    let mut submitter = Client::connect(crewd.port).await?;
    let id = submitter.submit(&submission("reference_slow")).await?;
    let before = crewd.memory()?;
    let mut open_streams = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        let mut client = Client::connect(crewd.port).await?;
        let mut body = open(&mut client, &id).await?;
        body.frame().await.context("no first frame")??;
        open_streams.push((client, body));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let growth = crewd.memory()? - before;
    bench.report.add("1,000 idle SSE clients", format!("{growth:.1} MB"), "<= 50 MB", format!("{before:.0} MB before"));
    drop(open_streams);
    Ok(())
}
