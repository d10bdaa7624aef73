use std::collections::BTreeSet;

use crewd_application::testing::event_stream::{check_event_stream, numbered_event};
use crewd_application::testing::ids::SequenceIds;
use futures::FutureExt;

use super::super::mailbox::CAPACITY;
use super::*;

fn task(place: u64) -> TaskId {
    TaskId::new(SequenceIds::id(place))
}

#[tokio::test]
async fn the_local_stream_keeps_the_promises_of_the_port() {
    let stream = LocalEventStream::default();
    check_event_stream(&stream).await;
    assert!(stream.tasks.is_empty(), "no reader is left");
}

#[tokio::test]
async fn an_entry_goes_with_its_last_subscriber() {
    let stream = LocalEventStream::default();
    let (one, two) = (stream.subscribe(task(1)), stream.subscribe(task(1)));
    drop(one);
    assert_eq!(stream.subscribed_tasks(), [(task(1), 0)]);
    drop(two);
    assert!(stream.subscribed_tasks().is_empty());
    stream.publish(&[numbered_event(task(1), 1)]);
    stream.hint_read_again(task(1), 2);
    assert!(stream.tasks.is_empty(), "telling nobody leaves nothing behind");
}

#[tokio::test]
async fn a_full_mailbox_is_emptied_and_says_so_first() {
    let stream = LocalEventStream::default();
    let mut reader = stream.subscribe(task(1));
    let last = u64::try_from(CAPACITY).unwrap() + 1;
    for seq in 1..=last {
        stream.publish(&[numbered_event(task(1), seq)]);
    }
    stream.publish(&[numbered_event(task(1), last + 1)]);
    assert!(matches!(reader.next().await, StreamHint::ReadAgain));
    assert!(matches!(reader.next().await, StreamHint::Event(event) if event.seq == last + 1));
    assert!(reader.next().now_or_never().is_none());
}

#[tokio::test]
async fn who_joins_in_the_middle_reads_once_and_then_hears_everything() {
    let stream = LocalEventStream::default();
    let mut reader = stream.subscribe(task(1));
    stream.publish(&[numbered_event(task(1), 17), numbered_event(task(1), 18)]);
    assert!(matches!(reader.next().await, StreamHint::ReadAgain));
    assert!(matches!(reader.next().await, StreamHint::Event(event) if event.seq == 18));
}

#[tokio::test]
async fn an_event_that_was_read_already_is_not_told() {
    let stream = LocalEventStream::default();
    let mut reader = stream.subscribe(task(1));
    stream.hint_read_again(task(1), 5);
    stream.publish(&[numbered_event(task(1), 5), numbered_event(task(1), 6)]);
    assert!(matches!(reader.next().await, StreamHint::ReadAgain));
    assert!(matches!(reader.next().await, StreamHint::Event(event) if event.seq == 6));
    stream.hint_read_again(task(1), 6);
    assert!(reader.next().now_or_never().is_none(), "a hint about known events is no hint");
}

#[tokio::test]
async fn a_dropped_wait_loses_no_hint() {
    let stream = LocalEventStream::default();
    let mut reader = stream.subscribe(task(1));
    assert!(reader.next().now_or_never().is_none());
    stream.publish(&[numbered_event(task(1), 1)]);
    assert!(matches!(reader.next().await, StreamHint::Event(_)));
}

/// A reader that follows the hints and a database sees every number once, whatever is lost on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_and_database_together_give_the_whole_log() {
    const EVENTS: u64 = 5_000;
    let stream = LocalEventStream::default();
    let database = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let mut reader = stream.subscribe(task(1));
    let writer = tokio::task::spawn_blocking({
        let (stream, database) = (stream.clone(), Arc::clone(&database));
        move || {
            for seq in 1..=EVENTS {
                database.lock().unwrap().insert(seq);
                // Every seventh is written by a process that does not publish here.
                if seq % 7 != 0 {
                    stream.publish(&[numbered_event(task(1), seq)]);
                }
            }
        }
    });
    let mut seen = Vec::new();
    while seen.len() < usize::try_from(EVENTS).unwrap() {
        match reader.next().await {
            StreamHint::Event(event) if seen.last() < Some(&event.seq) => seen.push(event.seq),
            StreamHint::Event(_) => {}
            StreamHint::ReadAgain => {
                let after = seen.last().copied().unwrap_or(0);
                seen.extend(database.lock().unwrap().range(after + 1..));
            }
        }
    }
    writer.await.unwrap();
    assert!(seen.iter().copied().eq(1..=EVENTS));
}
