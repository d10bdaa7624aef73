//! Reading a long log from its beginning.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::{Value, json};

use super::Bench;
use super::streams::open;
use crate::load::{Client, submission};
use crate::stats::Sample;

/// A crew task of one agent that calls a tool 15 times leaves 54 events.
const CREW_TASKS: usize = 200;
/// Times that the log is read each way.
const READS: usize = 5;

/// The log of a task with 10,000 events, as a stream and page by page.
pub(super) async fn long_log(bench: &mut Bench) -> anyhow::Result<()> {
    let site = bench.site().await?;
    let crewd = site.start(&[])?;
    let mut client = Client::connect(crewd.port).await?;
    client.json(Method::PUT, "/api/v1/crews/long", &crew()?).await?;
    let id = client.submit(&submission("long")).await?;
    anyhow::ensure!(client.wait(&id, Duration::from_millis(100)).await?, "the long task failed");
    let (mut streamed, mut paged, mut count) = (Sample::default(), Sample::default(), 0);
    for _ in 0..READS {
        let begin = Instant::now();
        count = by_stream(crewd.port, &id).await?;
        streamed.add(begin.elapsed());
        let begin = Instant::now();
        let same = by_page(&mut client, &id).await?;
        paged.add(begin.elapsed());
        anyhow::ensure!(same == count && count >= 10_000, "{count} events streamed, {same} in pages");
    }
    for (way, sample) in [("SSE", &mut streamed), ("JSON, pages of 200", &mut paged)] {
        bench.report.add(
            &format!("replay of a long log, {way}"),
            format!("{:.0} ms", sample.milliseconds(0.5)),
            "<= 1,000 ms for 10,000 events",
            format!("{count} events, median of {READS} reads"),
        );
    }
    Ok(())
}

fn crew() -> anyhow::Result<Bytes> {
    let agents = "reader:\n  role: Reader\n  goal: Read\n  backstory: You read everything.\n  llm: mock-calls15\n  tools: [directory_read]\n";
    let mut tasks = String::new();
    for number in 0..CREW_TASKS {
        writeln!(tasks, "t{number}:\n  description: Read it.\n  expected_output: A word.\n  agent: reader\n  context: []")?;
    }
    Ok(Bytes::from(json!({ "agents": agents, "tasks": tasks }).to_string()))
}

async fn by_stream(port: u16, id: &str) -> anyhow::Result<usize> {
    let mut client = Client::connect(port).await?;
    let mut body = open(&mut client, id).await?;
    let (mut text, mut count) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        text.extend_from_slice(&data);
        // Whole lines alone; the rest waits for its end.
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        count +=
            text.drain(..end).collect::<Vec<u8>>().split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"id:")).count();
    }
    Ok(count)
}

async fn by_page(client: &mut Client, id: &str) -> anyhow::Result<usize> {
    let mut count = 0;
    loop {
        let path = format!("/api/v1/tasks/{id}/events?after={count}&limit=200");
        let page = client.json(Method::GET, &path, &Bytes::new()).await?;
        let items = page.get("items").and_then(Value::as_array).context("no items")?.len();
        if items == 0 {
            return Ok(count);
        }
        count += items;
    }
}
