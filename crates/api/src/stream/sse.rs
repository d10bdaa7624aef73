//! The body of a stream of server-sent events.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use crewd_application::runs::{EventFeed, FeedStart};
use futures::StreamExt;
use futures::stream::unfold;
use tokio::time::{Instant, interval_at};

use super::frames::{end_json, snapshot_json, write_control, write_event, write_retry};
use super::{EventFilter, KEEP_ALIVE, Pace};

/// Events that are written at once when many are waiting.
const CHUNK: usize = 64;

/// The stream of a task: its state, its log from the feed's place on, `end`. Where it breaks off without `end`, the
/// reader comes back with the last number it has seen.
pub(crate) fn sse_body(start: &FeedStart, feed: EventFeed, filter: EventFilter, pace: Pace) -> Body {
    let task_id = start.view.task.id;
    let mut first = BytesMut::new();
    write_retry(&mut first, pace.retry_ms);
    write_control(&mut first, "stream.snapshot", &snapshot_json(start));
    let mut last = BytesMut::new();
    write_control(&mut last, "end", &end_json(task_id));
    let frames = async_stream::stream! {
        yield first.freeze();
        let events = unfold(feed, |mut feed| async move { feed.next().await.transpose().map(|event| (event, feed)) });
        let mut chunks = std::pin::pin!(events.ready_chunks(CHUNK));
        let mut alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        loop {
            let chunk = tokio::select! {
                // Events go first: a server that stops lets its runs end before its streams.
                biased;
                chunk = chunks.next() => chunk,
                () = pace.shutdown.cancelled() => {
                    yield farewell("the server is stopping", pace.retry_ms);
                    return;
                }
                _ = alive.tick() => {
                    yield Bytes::from_static(b": keep-alive\n\n");
                    continue;
                }
            };
            let Some(chunk) = chunk else { break };
            let mut buffer = BytesMut::new();
            for event in chunk {
                match event {
                    Ok(event) if filter.wants(&event) => write_event(&mut buffer, &event),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(task.id = %task_id, %error, "an event stream broke off");
                        yield buffer.freeze();
                        yield farewell("the log cannot be read right now", pace.retry_ms);
                        return;
                    }
                }
            }
            if !buffer.is_empty() {
                yield buffer.freeze();
            }
        }
        yield last.freeze();
    };
    Body::from_stream(frames.map(Ok::<Bytes, std::convert::Infallible>))
}

/// What a reader hears before the stream breaks off.
fn farewell(reason: &str, retry_ms: u64) -> Bytes {
    let mut buffer = BytesMut::from(format!(": {reason}\n").as_bytes());
    write_retry(&mut buffer, retry_ms);
    buffer.extend_from_slice(b"\n");
    buffer.freeze()
}
