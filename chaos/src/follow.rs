//! Followers of a task's log that break off and come back, by stream, by socket and by page.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures::StreamExt;
use serde_json::Value;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::api::Api;
use crate::dice::Dice;

/// A follower gives up after this long.
const PATIENCE: Duration = Duration::from_secs(240);
/// Longest silence before a follower comes back by itself; servers say something every 15 s.
const SILENCE: Duration = Duration::from_secs(25);

/// What a follower has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Events as they were sent, in order.
    pub(crate) events: Vec<String>,
    /// How often it came back.
    pub(crate) reconnects: usize,
    /// Gaps, repeats, and other breaches.
    pub(crate) faults: Vec<String>,
    /// Whether it was told the end.
    pub(crate) ended: bool,
}

impl Seen {
    fn last(&self) -> u64 {
        u64::try_from(self.events.len()).unwrap_or(u64::MAX)
    }

    /// Takes an event if it is the next one.
    fn take(&mut self, text: &str) {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        let seq = event["seq"].as_u64().unwrap_or_default();
        if seq == self.last() + 1 {
            self.events.push(text.to_owned());
        } else {
            self.faults.push(format!("after {} came {seq}", self.last()));
        }
    }
}

/// The ways to follow.
#[derive(Clone, Copy, Debug)]
enum Way {
    Stream,
    Socket,
    Page,
}

/// Follows a task to its end. Breaks off after some events, again and again, and comes back another way.
pub(crate) async fn follow(api: &Api, id: &str, mut dice: Dice, breaks: std::ops::Range<usize>) -> Seen {
    let mut seen = Seen::default();
    let started = Instant::now();
    let mut first = true;
    while !seen.ended {
        if started.elapsed() > PATIENCE || seen.faults.len() > 20 {
            seen.faults.push(format!("no end after {:?} at {}", started.elapsed(), seen.last()));
            break;
        }
        if !std::mem::take(&mut first) {
            seen.reconnects += 1;
        }
        let limit = dice.within(breaks.clone());
        let Some(base) = api.base() else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        match dice.pick(&[Way::Stream, Way::Stream, Way::Socket, Way::Page]) {
            Way::Stream => by_stream(api, &base, id, &mut seen, limit, dice.percent(50)).await,
            Way::Socket => by_socket(&base, id, &mut seen, limit).await,
            Way::Page => by_page(api, &base, id, &mut seen).await,
        }
        tokio::time::sleep(dice.pause(0..30)).await;
    }
    seen
}

async fn by_stream(api: &Api, base: &str, id: &str, seen: &mut Seen, limit: usize, by_header: bool) {
    let last = seen.last().to_string();
    let path = if by_header { format!("/api/v1/tasks/{id}/events") } else { format!("/api/v1/tasks/{id}/events?after={last}") };
    let mut request = api.request("GET", base, &path).header("accept", "text/event-stream");
    if by_header && last != "0" {
        request = request.header("last-event-id", &last);
    }
    let Ok(response) = request.send().await else { return };
    if response.status().as_u16() != 200 {
        if !matches!(response.status().as_u16(), 429 | 503) {
            seen.faults.push(format!("stream answered {}", response.status()));
        }
        return;
    }
    let mut body = response.bytes_stream();
    let mut buffer = BytesMut::new();
    let mut left = limit;
    while let Ok(Some(Ok(bytes))) = tokio::time::timeout(SILENCE, body.next()).await {
        buffer.extend_from_slice(&bytes);
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let raw = buffer.split_to(end + 2);
            let text = String::from_utf8_lossy(&raw);
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name).map(str::trim_start));
            if field("event:") == Some("end") {
                seen.ended = true;
                return;
            }
            if field("id:").is_some() {
                seen.take(field("data:").unwrap_or_default());
                left -= 1;
                if left == 0 {
                    return;
                }
            }
        }
    }
}

async fn by_socket(base: &str, id: &str, seen: &mut Seen, limit: usize) {
    let url = format!("{}/api/v1/tasks/{id}/ws?after={}", base.replacen("http://", "ws://", 1), seen.last());
    let Ok(Ok((mut socket, _))) = tokio::time::timeout(Duration::from_secs(10), connect_async(&url)).await else { return };
    let mut left = limit;
    while let Ok(Some(Ok(message))) = tokio::time::timeout(SILENCE, socket.next()).await {
        let Message::Text(text) = message else { continue };
        let event: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
        if event["type"] == "stream.end" {
            seen.ended = true;
            return;
        }
        if event["seq"].is_u64() {
            seen.take(text.as_str());
            left -= 1;
            if left == 0 {
                return;
            }
        }
    }
}

async fn by_page(api: &Api, base: &str, id: &str, seen: &mut Seen) {
    let path = format!("/api/v1/tasks/{id}/events?after={}&limit=50", seen.last());
    let request = api.request("GET", base, &path).header("accept", "application/json").timeout(Duration::from_secs(20));
    let Ok(response) = request.send().await else { return };
    let Ok(text) = response.text().await else { return };
    let Some(items) = crate::api::items(&text) else { return };
    for item in &items {
        seen.take(item);
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn gaps_and_repeats_are_seen() {
        let mut seen = Seen::default();
        for seq in [1, 2, 2, 4, 3] {
            seen.take(&format!("{{\"seq\":{seq}}}"));
        }
        assert_eq!(seen.events.len(), 3);
        assert_eq!(seen.faults, ["after 2 came 2", "after 2 came 4"]);
        seen.take("no event");
        assert_eq!(seen.faults.len(), 3);
    }
}
