//! Server-sent events, read frame by frame from the socket.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;

use crate::runtime::SOON;

/// One frame of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseFrame {
    /// The `id:` line; none for control frames.
    pub id: Option<String>,
    /// The `event:` line; empty when there is none.
    pub event: String,
    /// The `data:` lines, joined.
    pub data: String,
    /// Comment lines inside the frame.
    pub comments: Vec<String>,
    /// The `retry:` line.
    pub retry: Option<String>,
}

impl SseFrame {
    /// The data as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("data of {self:?}: {error}"))
    }

    /// Whether it carries an event or a control frame, not just a comment or a hint.
    pub fn is_event(&self) -> bool {
        !self.event.is_empty() || !self.data.is_empty()
    }
}

/// A stream that is being read.
pub struct SseReader {
    /// Headers of the answer.
    pub headers: reqwest::header::HeaderMap,
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    buffer: BytesMut,
}

impl std::fmt::Debug for SseReader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SseReader").finish_non_exhaustive()
    }
}

impl SseReader {
    /// Reads frames from an answer of type `text/event-stream`.
    pub(crate) fn new(response: reqwest::Response) -> Self {
        let headers = response.headers().clone();
        let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(kind.starts_with("text/event-stream"), "content type of a stream: {kind:?}");
        Self { headers, body: response.bytes_stream().boxed(), buffer: BytesMut::new() }
    }

    /// The next frame that carries an event; none at the end of the stream. Panics when nothing comes for long.
    pub async fn next(&mut self) -> Option<SseFrame> {
        loop {
            let frame = self.next_any().await?;
            if frame.is_event() {
                return Some(frame);
            }
        }
    }

    /// The next frame of any kind, comments included.
    pub async fn next_any(&mut self) -> Option<SseFrame> {
        loop {
            if let Some(frame) = self.take_frame() {
                return Some(frame);
            }
            let chunk = tokio::time::timeout(SOON, self.body.next()).await.expect("the stream says something in time");
            match chunk {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(error)) => panic!("the stream broke: {error:?}"),
                None => return None,
            }
        }
    }

    /// Frames with events up to and including the one that `last` accepts, or to the end of the stream.
    pub async fn until(&mut self, mut last: impl FnMut(&SseFrame) -> bool) -> Vec<SseFrame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            let done = last(&frame);
            frames.push(frame);
            if done {
                break;
            }
        }
        frames
    }

    /// All frames with events to the end of the stream.
    pub async fn to_end(&mut self) -> Vec<SseFrame> {
        self.until(|_| false).await
    }

    /// Reads one piece as the socket gives it, without parsing; for readers that are slow on purpose.
    pub async fn read_some(&mut self, patience: Duration) -> Option<usize> {
        match tokio::time::timeout(patience, self.body.next()).await {
            Ok(Some(Ok(bytes))) => {
                self.buffer.extend_from_slice(&bytes);
                Some(bytes.len())
            }
            _ => None,
        }
    }

    fn take_frame(&mut self) -> Option<SseFrame> {
        let end = self.buffer.windows(2).position(|pair| pair == b"\n\n")?;
        let raw = self.buffer.split_to(end + 2);
        let text = std::str::from_utf8(&raw).expect("a stream of events is UTF-8");
        Some(parse_frame(text))
    }
}

fn parse_frame(text: &str) -> SseFrame {
    let mut frame = SseFrame::default();
    let mut data: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" => frame.comments.push(value.to_owned()),
            "id" => frame.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut frame.event),
            "data" => data.push(value),
            "retry" => frame.retry = Some(value.to_owned()),
            other => panic!("unknown field {other:?} in {text:?}"),
        }
    }
    frame.data = data.join("\n");
    frame
}

#[cfg(test)]
mod tests {
    use super::parse_frame;

    #[test]
    fn parses_fields_comments_and_several_data_lines() {
        let frame = parse_frame("id: 7\nevent: llm.delta\ndata: {\"a\":\ndata: 1}\n\n");
        assert_eq!(frame.id.as_deref(), Some("7"));
        assert_eq!(frame.event, "llm.delta");
        assert_eq!(frame.json()["a"], 1);
        let comment = parse_frame(": ping\n\n");
        assert!(!comment.is_event());
        assert_eq!(comment.comments, ["ping"]);
    }
}
