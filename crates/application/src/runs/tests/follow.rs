use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crewd_domain::runs::{Event, EventKind, RunStatus};
use crewd_domain::shared::TaskId;
use futures::FutureExt;

use super::desk::{Desk, ada, log_lines, stranger};
use crate::error::ErrorCode;
use crate::ports::{EventStream, StoreError, StreamHint, StreamSubscription};
use crate::runs::EventFeed;
use crate::testing::event_stream::InMemoryEventStream;

async fn rest(feed: &mut EventFeed) -> Vec<u64> {
    let mut seen = Vec::new();
    while let Some(event) = feed.next().await.unwrap() {
        seen.push(event.seq);
    }
    assert!(feed.next().await.unwrap().is_none(), "the end stays the end");
    seen
}

/// A task with `count` events, the last of which is its end.
async fn ended(desk: &Desk, count: usize) -> TaskId {
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    desk.say(&mut claimed, log_lines(count - 2)).await;
    desk.succeed(claimed).await;
    id
}

#[tokio::test]
async fn a_reader_that_comes_back_at_any_event_gets_exactly_what_follows() {
    let desk = Desk::new();
    let id = ended(&desk, 12).await;
    for after in 0..=12 {
        let (start, mut feed) = desk.tasks.follow(&ada(), id, after, Vec::new()).await.unwrap();
        assert_eq!((start.last_seq, start.view.run.status), (12, RunStatus::Succeeded));
        assert_eq!(rest(&mut feed).await, (after + 1..=12).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_long_log_is_read_page_by_page() {
    let desk = Desk::new();
    for count in [500, 501, 1_203] {
        let id = ended(&desk, count).await;
        let (_, mut feed) = desk.tasks.follow(&ada(), id, 0, Vec::new()).await.unwrap();
        assert_eq!(rest(&mut feed).await, (1..=count as u64).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_reader_at_every_place_sees_what_is_said_later() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    let mut readers = Vec::new();
    for _ in 0..5 {
        for after in 0..=claimed.last_seq {
            readers.push((after, desk.tasks.follow(&ada(), id, after, Vec::new()).await.unwrap().1));
        }
        desk.say(&mut claimed, log_lines(3)).await;
    }
    // Some have read a part already.
    for (after, feed) in readers.iter_mut().step_by(2) {
        *after = feed.next().await.unwrap().unwrap().seq;
    }
    let last = claimed.last_seq + 1;
    desk.succeed(claimed).await;
    for (after, mut feed) in readers {
        assert_eq!(rest(&mut feed).await, (after + 1..=last).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_waiting_reader_can_be_dropped_at_any_moment_and_loses_nothing() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    let (_, mut feed) = desk.tasks.follow(&ada(), id, 0, Vec::new()).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..20 {
        while let Some(event) = feed.next().now_or_never() {
            seen.push(event.unwrap().unwrap().seq);
        }
        assert!(feed.next().now_or_never().is_none(), "nothing new: it waits");
        desk.say(&mut claimed, log_lines(2)).await;
    }
    desk.succeed(claimed).await;
    seen.extend(rest(&mut feed).await);
    assert_eq!(seen, (1..=42).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_filter_leaves_events_out_and_numbers_alone() {
    let desk = Desk::new();
    let id = ended(&desk, 8).await;
    let kinds = vec![EventKind::TaskQueued, EventKind::TaskSucceeded];
    let (_, mut feed) = desk.tasks.follow(&ada(), id, 0, kinds.clone()).await.unwrap();
    assert_eq!(rest(&mut feed).await, [1, 8]);
    let (_, mut feed) = desk.tasks.follow(&ada(), id, 1, vec![EventKind::TaskQueued]).await.unwrap();
    assert_eq!(rest(&mut feed).await, [] as [u64; 0], "it ends although nothing passes the filter");
}

/// Hears badly: some hints come twice or late, others as a call to read again, and some not at all.
struct BadStream(Arc<InMemoryEventStream>);

struct BadEar {
    inner: Box<dyn StreamSubscription>,
    heard: usize,
    again: Option<StreamHint>,
}

impl EventStream for BadStream {
    fn publish(&self, events: &[Arc<Event>]) {
        self.0.publish(events);
    }

    fn subscribe(&self, task_id: TaskId) -> Box<dyn StreamSubscription> {
        Box::new(BadEar { inner: self.0.subscribe(task_id), heard: 0, again: None })
    }
}

#[async_trait]
impl StreamSubscription for BadEar {
    async fn next(&mut self) -> StreamHint {
        if let Some(hint) = self.again.take() {
            return hint;
        }
        let hint = self.inner.next().await;
        self.heard += 1;
        match self.heard % 4 {
            0 => StreamHint::ReadAgain,
            1 => {
                self.again = Some(hint.clone());
                hint
            }
            // Lost, but for a call to read again behind it.
            2 => {
                self.inner.next().await;
                StreamHint::ReadAgain
            }
            _ => hint,
        }
    }
}

#[tokio::test]
async fn a_reader_that_hears_badly_sees_everything_once_all_the_same() {
    let stream = Arc::new(InMemoryEventStream::default());
    let desk = Desk::with_stream(stream.clone(), Arc::new(BadStream(stream)));
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    let (_, mut feed) = desk.tasks.follow(&ada(), id, 0, Vec::new()).await.unwrap();
    let mut seen = Vec::new();
    for round in 0..30 {
        desk.say(&mut claimed, log_lines(1 + round % 3)).await;
        while let Some(event) = feed.next().now_or_never() {
            seen.push(event.unwrap().unwrap().seq);
        }
    }
    let last = claimed.last_seq + 1;
    desk.say(&mut claimed, log_lines(5)).await;
    desk.succeed(claimed).await;
    seen.extend(rest(&mut feed).await);
    assert_eq!(seen, (1..=last + 5).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_task_of_somebody_else_cannot_be_followed() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let answer = desk.tasks.follow(&stranger(), id, 0, Vec::new()).await;
    assert_eq!(answer.err().map(|error| error.code), Some(ErrorCode::NotFound));
    let answer = desk.tasks.wait(&stranger(), id, Duration::from_secs(1)).await;
    assert_eq!(answer.err().map(|error| error.code), Some(ErrorCode::NotFound));
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_task_or_with_its_time() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let start = tokio::time::Instant::now();
    let view = desk.tasks.wait(&ada(), id, Duration::from_secs(7)).await.unwrap();
    assert_eq!((view.run.status, start.elapsed()), (RunStatus::Queued, Duration::from_secs(7)));

    let mut claimed = desk.claim().await;
    desk.say(&mut claimed, log_lines(3)).await;
    let tasks = desk.tasks.clone();
    let waiting = tokio::spawn(async move { tasks.wait(&ada(), id, Duration::from_secs(60)).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    desk.succeed(claimed).await;
    let view = waiting.await.unwrap().unwrap();
    assert_eq!((view.run.status, start.elapsed()), (RunStatus::Succeeded, Duration::from_secs(9)));

    let view = desk.tasks.wait(&ada(), id, Duration::from_secs(60)).await.unwrap();
    assert_eq!((view.run.status, start.elapsed()), (RunStatus::Succeeded, Duration::from_secs(9)), "at once");
}

#[tokio::test]
async fn a_reading_error_is_told_and_the_feed_goes_on() {
    let desk = Desk::new();
    let id = ended(&desk, 4).await;
    let (_, mut feed) = desk.tasks.follow(&ada(), id, 0, Vec::new()).await.unwrap();
    desk.store.fail_next_read(StoreError::Unavailable("gone".into()));
    assert_eq!(feed.next().await.unwrap_err().code, ErrorCode::Unavailable);
    assert_eq!(rest(&mut feed).await, [1, 2, 3, 4]);
}
