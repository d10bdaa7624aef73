//! Live hints in memory, and what every event stream must keep to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use crewd_domain::runs::{Event, EventDraft, EventKind};
use crewd_domain::shared::{RunId, TaskId};
use futures::FutureExt;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::ids::SequenceIds;
use crate::ports::{EventStream, StreamHint, StreamSubscription};

/// Spreads events without any bound, and remembers all that was published.
#[derive(Debug, Default)]
pub struct InMemoryEventStream {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    published: Vec<Arc<Event>>,
    readers: HashMap<TaskId, Vec<UnboundedSender<StreamHint>>>,
    newest: HashMap<TaskId, u64>,
}

impl InMemoryEventStream {
    /// Everything that was published, in its order.
    #[must_use]
    pub fn published(&self) -> Vec<Arc<Event>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).published.clone()
    }
}

impl EventStream for InMemoryEventStream {
    fn publish(&self, events: &[Arc<Event>]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            state.published.push(Arc::clone(event));
            let before = state.newest.insert(event.task_id, event.seq).unwrap_or(0);
            let hint = if event.seq > before + 1 { StreamHint::ReadAgain } else { StreamHint::Event(Arc::clone(event)) };
            if let Some(readers) = state.readers.get_mut(&event.task_id) {
                readers.retain(|reader| reader.send(hint.clone()).is_ok());
            }
        }
    }

    fn subscribe(&self, task_id: TaskId) -> Box<dyn StreamSubscription> {
        let (sender, hints) = unbounded_channel();
        self.state.lock().unwrap_or_else(PoisonError::into_inner).readers.entry(task_id).or_default().push(sender);
        Box::new(InMemorySubscription { hints })
    }
}

struct InMemorySubscription {
    hints: UnboundedReceiver<StreamHint>,
}

#[async_trait]
impl StreamSubscription for InMemorySubscription {
    async fn next(&mut self) -> StreamHint {
        match self.hints.recv().await {
            Some(hint) => hint,
            None => std::future::pending().await,
        }
    }
}

/// An event of a task, with a number and nothing else of interest.
#[must_use]
pub fn numbered_event(task_id: TaskId, seq: u64) -> Arc<Event> {
    let run_id = RunId::new(task_id.as_uuid());
    Arc::new(EventDraft::of_run(EventKind::Log, json!({})).number(seq, task_id, run_id, chrono::DateTime::UNIX_EPOCH))
}

/// Checks the promises of [`EventStream`]. The stream must be fresh.
///
/// # Panics
/// Where one is broken.
pub async fn check_event_stream(stream: &dyn EventStream) {
    every_reader_hears_its_task_in_order(stream, TaskId::new(SequenceIds::id(1)), TaskId::new(SequenceIds::id(2))).await;
    a_reader_hears_only_what_comes_after_it(stream, TaskId::new(SequenceIds::id(3))).await;
    a_slow_reader_learns_that_it_fell_behind(stream, TaskId::new(SequenceIds::id(4))).await;
    a_number_that_was_never_published_is_told(stream, TaskId::new(SequenceIds::id(5))).await;
    a_gone_reader_disturbs_nobody(stream, TaskId::new(SequenceIds::id(6))).await;
}

/// Checks what the streams of two processes promise, each to its own readers and to those of the other. A hint may be lost
/// between processes, and only the first ones are: those before both have found each other.
///
/// # Panics
/// Where a promise is broken.
pub async fn check_event_streams(one: &dyn EventStream, other: &dyn EventStream) {
    let mut place = 100;
    for (here, there) in [(one, other), (other, one)] {
        place += 10;
        readers_elsewhere_are_told_to_read_again(here, there, place).await;
    }
    check_event_stream(one).await;
}

/// Events themselves do not travel: the log has them.
async fn readers_elsewhere_are_told_to_read_again(here: &dyn EventStream, there: &dyn EventStream, place: u64) {
    let [task, silent] = [place, place + 1].map(|place| TaskId::new(SequenceIds::id(place)));
    let (mut near, mut far) = (here.subscribe(task), there.subscribe(task));
    let mut strangers = [here.subscribe(silent), there.subscribe(silent)];
    let mut published = 0;
    let mut publish_until_heard = async |far: &mut dyn StreamSubscription| {
        let mut heard = None;
        for _ in 0..200 {
            published += 1;
            here.publish(&[numbered_event(task, published)]);
            heard = tokio::time::timeout(Duration::from_millis(50), far.next()).await.ok();
            if heard.is_some() {
                break;
            }
        }
        assert!(matches!(heard, Some(StreamHint::ReadAgain)), "a number is all that travels, and it does: {heard:?}");
        published
    };
    publish_until_heard(far.as_mut()).await;
    let last = publish_until_heard(far.as_mut()).await;
    for expected in 1..=last {
        assert_eq!(seq(&hint(near.as_mut()).await), Some(expected));
    }
    assert!(near.next().now_or_never().is_none(), "one's own words are no news");
    for stranger in &mut strangers {
        assert!(stranger.next().now_or_never().is_none(), "nothing of another task");
    }
}

async fn every_reader_hears_its_task_in_order(stream: &dyn EventStream, task: TaskId, other: TaskId) {
    let mut readers = [stream.subscribe(task), stream.subscribe(task)];
    let mut stranger = stream.subscribe(other);
    let mixed = [numbered_event(task, 1), numbered_event(other, 1), numbered_event(task, 2)];
    stream.publish(&mixed);
    stream.publish(&[numbered_event(task, 3)]);
    for reader in &mut readers {
        for expected in 1..=3 {
            assert_eq!(seq(&hint(reader.as_mut()).await), Some(expected));
        }
        assert!(reader.next().now_or_never().is_none(), "nothing was said twice");
    }
    assert_eq!(seq(&hint(stranger.as_mut()).await), Some(1));
    assert!(stranger.next().now_or_never().is_none(), "nothing of another task");
}

async fn a_reader_hears_only_what_comes_after_it(stream: &dyn EventStream, task: TaskId) {
    let mut early = stream.subscribe(task);
    stream.publish(&[numbered_event(task, 1)]);
    let mut late = stream.subscribe(task);
    assert!(late.next().now_or_never().is_none());
    stream.publish(&[numbered_event(task, 2)]);
    assert_eq!(seq(&hint(late.as_mut()).await), Some(2));
    assert_eq!(seq(&hint(early.as_mut()).await), Some(1), "what was missed by one is not missed by the other");
}

async fn a_slow_reader_learns_that_it_fell_behind(stream: &dyn EventStream, task: TaskId) {
    const MANY: u64 = 20_000;
    let mut reader = stream.subscribe(task);
    for seq in 1..=MANY {
        stream.publish(&[numbered_event(task, seq)]);
    }
    let mut heard = 0;
    let told = loop {
        match hint(reader.as_mut()).await {
            StreamHint::ReadAgain => break true,
            StreamHint::Event(event) => {
                assert_eq!(event.seq, heard + 1, "without a ReadAgain there is no gap");
                heard = event.seq;
            }
        }
        if heard == MANY {
            break false;
        }
    };
    stream.publish(&[numbered_event(task, MANY + 1)]);
    let mut last = hint(reader.as_mut()).await;
    while told && seq(&last).is_some_and(|number| number <= MANY) {
        last = hint(reader.as_mut()).await;
    }
    assert_eq!(seq(&last), Some(MANY + 1), "after it caught up it hears again");
}

async fn a_number_that_was_never_published_is_told(stream: &dyn EventStream, task: TaskId) {
    let mut reader = stream.subscribe(task);
    stream.publish(&[numbered_event(task, 1)]);
    assert_eq!(seq(&hint(reader.as_mut()).await), Some(1));
    stream.publish(&[numbered_event(task, 4)]);
    assert_eq!(seq(&hint(reader.as_mut()).await), None, "2 and 3 were written by somebody else: read again");
    stream.publish(&[numbered_event(task, 5)]);
    assert_eq!(seq(&hint(reader.as_mut()).await), Some(5));
}

async fn a_gone_reader_disturbs_nobody(stream: &dyn EventStream, task: TaskId) {
    let gone = stream.subscribe(task);
    let mut reader = stream.subscribe(task);
    drop(gone);
    stream.publish(&[numbered_event(task, 1)]);
    assert_eq!(seq(&hint(reader.as_mut()).await), Some(1));
    drop(reader);
    stream.publish(&[numbered_event(task, 2)]);
}

fn seq(hint: &StreamHint) -> Option<u64> {
    match hint {
        StreamHint::Event(event) => Some(event.seq),
        StreamHint::ReadAgain => None,
    }
}

/// The next hint; a stream that forgot it must fail the test, not hang it.
async fn hint(reader: &mut dyn StreamSubscription) -> StreamHint {
    let heard = tokio::time::timeout(Duration::from_secs(10), reader.next()).await;
    assert!(heard.is_ok(), "a hint was lost");
    heard.unwrap_or(StreamHint::ReadAgain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_keeps_the_promises_of_the_port() {
        let stream = InMemoryEventStream::default();
        check_event_stream(&stream).await;
        assert_eq!(stream.published()[0].seq, 1);
    }
}
