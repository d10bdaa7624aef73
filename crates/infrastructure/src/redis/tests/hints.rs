//! Hints over a real Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crewd_application::ports::{EventStream, RunOrders, StreamHint};
use crewd_application::testing::event_stream::check_event_streams;
use crewd_application::testing::ids::SequenceIds;
use crewd_application::testing::orders::NoWorker;
use crewd_domain::shared::{RunId, TaskId};
use crewd_telemetry::{HintWay, Metrics};
use futures::FutureExt;

use super::support::{PATIENCE, address, ask, links, until};
use crate::queue::hints::tests::shared_stream;
use crate::queue::hints::{HintBatch, HintReceiver, HintTransport, Hints};
use crate::queue::{LocalEventStream, LocalSignal};
use crate::redis::{RedisHints, RedisLink};

fn receiver(stream: &LocalEventStream, orders: Arc<dyn RunOrders>) -> HintReceiver {
    HintReceiver {
        signal: Arc::new(LocalSignal::default()),
        stream: stream.clone(),
        orders,
        hints: Hints::new(Arc::new(Metrics::new("0").unwrap()), HintWay::Redis),
    }
}

fn work(runs: usize) -> HintBatch {
    HintBatch { work: runs, ..HintBatch::default() }
}

async fn length(link: &RedisLink) -> u64 {
    ask(link, redis::cmd("XLEN").arg(link.key("queue"))).await
}

#[tokio::test]
async fn a_log_that_has_grown_is_told_to_the_others() {
    let Some(url) = address() else { return };
    let links: [RedisLink; 2] = links(&url).await;
    let streams = [(); 2].map(|()| LocalEventStream::default());
    let task = TaskId::new(SequenceIds::id(1));
    let [mut own, mut other] = [&streams[0], &streams[1]].map(|stream| stream.subscribe(task));
    for (link, stream) in links.iter().zip(&streams) {
        let (transport, receiver) = (RedisHints::new(link.clone()), receiver(stream, Arc::new(NoWorker)));
        tokio::spawn(async move { transport.listen(&receiver).await });
    }
    let speaker = RedisHints::new(links[0].clone());
    let mut seq = 0;
    until("the other hears it", async || {
        seq += 1;
        let orders = vec![RunId::new(SequenceIds::id(2))];
        speaker.send(&HintBatch { work: 0, events: vec![(task, seq)], orders }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        matches!(other.next().now_or_never(), Some(StreamHint::ReadAgain))
    })
    .await;
    assert!(own.next().now_or_never().is_none(), "one's own words are no news");
}

#[tokio::test]
async fn streams_of_two_processes_keep_the_promises_of_the_port() {
    let Some(url) = address() else { return };
    let links: [RedisLink; 2] = links(&url).await;
    let [one, other] = links.map(|link| shared_stream(Arc::new(RedisHints::new(link)), HintWay::Redis));
    check_event_streams(&one, &other).await;
}

#[tokio::test]
async fn queued_work_goes_to_one_reader_and_is_gone_then() {
    let Some(url) = address() else { return };
    let links: [RedisLink; 3] = links(&url).await;
    let speaker = RedisHints::new(links[0].clone());
    let readers: Vec<_> = links[1..]
        .iter()
        .map(|link| {
            let transport = RedisHints::new(link.clone());
            tokio::spawn(async move {
                loop {
                    match transport.next_work(4).await {
                        Ok(0) => {}
                        other => return other,
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    speaker.send(&work(1)).await.unwrap();
    let (first, _, rest) = futures::future::select_all(readers).await;
    assert_eq!(first.unwrap(), Ok(1));
    assert!(began.elapsed() < Duration::from_secs(1), "at once: {:?}", began.elapsed());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(rest.iter().all(|reader| !reader.is_finished()), "the other is not woken");
    assert_eq!(length(&links[0]).await, 0);
    speaker.send(&work(1)).await.unwrap();
    for reader in rest {
        assert_eq!(reader.await.unwrap(), Ok(1));
    }
    let pending: redis::Value = ask(&links[0], redis::cmd("XPENDING").arg(links[0].key("queue")).arg("workers")).await;
    assert!(matches!(pending, redis::Value::Array(parts) if parts.first() == Some(&redis::Value::Int(0))));
}

#[tokio::test]
async fn what_nobody_reads_is_seen_by_a_scaler() {
    let Some(url) = address() else { return };
    let [link] = links(&url).await;
    let transport = RedisHints::new(link.clone());
    transport.correct(0).await.unwrap();
    transport.send(&work(7)).await.unwrap();
    assert_eq!(length(&link).await, 7);
    assert_eq!(transport.next_work(3).await, Ok(3));
    assert_eq!(length(&link).await, 4);
    transport.hand_on(1).await.unwrap();
    let groups: Vec<std::collections::HashMap<String, redis::Value>> =
        ask(&link, redis::cmd("XINFO").arg("GROUPS").arg(link.key("queue"))).await;
    assert_eq!(groups[0].get("lag"), Some(&redis::Value::Int(5)), "the lag of the group is the backlog, too");
}

#[tokio::test]
async fn an_emptied_redis_is_put_in_order_by_whoever_comes_first() {
    let Some(url) = address() else { return };
    let [link, other] = links(&url).await;
    let (reader, speaker) = (RedisHints::new(link.clone()), RedisHints::new(other));
    speaker.send(&work(1)).await.unwrap();
    assert_eq!(reader.next_work(1).await, Ok(1), "the group is made");
    let _: u64 = ask(&link, redis::cmd("DEL").arg(link.key("queue"))).await;
    speaker.send(&work(2)).await.unwrap();
    assert_eq!(reader.next_work(5).await, Ok(2), "and made again");
    // Emptied while somebody waits.
    let waiting = tokio::spawn(async move {
        loop {
            match reader.next_work(1).await {
                Ok(0) | Err(_) => {}
                Ok(runs) => return runs,
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _: u64 = ask(&link, redis::cmd("DEL").arg(link.key("queue"))).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    speaker.send(&work(1)).await.unwrap();
    assert_eq!(tokio::time::timeout(PATIENCE, waiting).await.expect("it hears again").unwrap(), 1);
}

#[tokio::test]
async fn the_stream_is_made_as_long_as_the_queue() {
    let Some(url) = address() else { return };
    let [link, other] = links(&url).await;
    let transport = RedisHints::new(link.clone());
    let mut turns = Vec::new();
    for of in [&transport, &RedisHints::new(other)] {
        turns.push(of.is_time_to_compare().await.unwrap());
    }
    assert_eq!(turns, [true, false], "one of them does it");
    for queued in [5, 2, 2, 0, 3] {
        transport.correct(queued).await.unwrap();
        assert_eq!(length(&link).await, queued);
    }
    assert_eq!(transport.next_work(10).await, Ok(3), "what was added can be read");
    transport.correct(u64::MAX).await.unwrap();
    assert_eq!(length(&link).await, 10_000, "bounded at a time");
}
