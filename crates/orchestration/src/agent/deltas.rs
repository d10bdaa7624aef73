//! Pieces of an answer on their way into the log: joined, so that a stream costs some twenty rows a second instead of
//! one a token, and late by no more than [`WINDOW`].

use std::time::Duration;

use crewd_application::ports::ModelDelta;
use crewd_domain::runs::{EventDraft, EventKind, StepPath};
use serde_json::json;
use tokio::time::Instant;

/// Longest wait of a piece that follows others. Together with a commit it stays below 60 ms (ADR 3).
pub(super) const WINDOW: Duration = Duration::from_millis(40);
/// Wait of the first piece: an answer that comes whole is written with its result instead.
const FIRST_WAIT: Duration = Duration::from_millis(5);
/// Bytes that are written at once.
const MAX_BYTES: usize = 2048;

/// Collects deltas of one model call.
#[derive(Debug)]
pub(super) struct DeltaBuffer {
    path: StepPath,
    parts: Vec<ModelDelta>,
    bytes: usize,
    due: Option<Instant>,
    last_flush: Option<Instant>,
}

impl DeltaBuffer {
    /// An empty buffer for a step.
    #[must_use]
    pub(super) const fn new(path: StepPath) -> Self {
        Self { path, parts: Vec::new(), bytes: 0, due: None, last_flush: None }
    }

    /// Adds a piece. Returns whether the buffer should be written at once.
    pub(super) fn push(&mut self, delta: ModelDelta, now: Instant) -> bool {
        let bytes = size(&delta);
        if bytes == 0 {
            return false;
        }
        self.bytes += bytes;
        match (self.parts.last_mut(), delta) {
            (Some(ModelDelta::Text(text)), ModelDelta::Text(more))
            | (Some(ModelDelta::Reasoning(text)), ModelDelta::Reasoning(more)) => text.push_str(&more),
            (
                Some(ModelDelta::ToolCall { index, arguments, .. }),
                ModelDelta::ToolCall { index: same, id, name, arguments: more },
            ) if *index == same && id.is_empty() && name.is_empty() => {
                arguments.push_str(&more);
            }
            (_, delta) => self.parts.push(delta),
        }
        if self.due.is_none() {
            let earliest = self.last_flush.map_or(now + FIRST_WAIT, |last| (last + WINDOW).max(now));
            self.due = Some(earliest);
        }
        self.bytes >= MAX_BYTES
    }

    /// When the buffer is to be written; `None` while it is empty.
    #[must_use]
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Empties the buffer into events.
    pub(super) fn drain(&mut self, now: Instant) -> Vec<EventDraft> {
        self.bytes = 0;
        self.due = None;
        self.last_flush = Some(now);
        let path = self.path.clone();
        let event = |data| EventDraft::of_step(EventKind::LlmDelta, path.clone(), data);
        let parts = std::mem::take(&mut self.parts).into_iter();
        parts
            .filter_map(|part| match part {
                ModelDelta::Text(text) => Some(event(json!({"text": text}))),
                ModelDelta::Reasoning(text) => Some(event(json!({"reasoning": text}))),
                ModelDelta::ToolCall { index, id, name, arguments } => {
                    Some(event(json!({"tool_call": {"index": index, "id": id, "name": name, "arguments": arguments}})))
                }
                ModelDelta::Finished(_) => None,
            })
            .collect()
    }
}

fn size(delta: &ModelDelta) -> usize {
    match delta {
        ModelDelta::Text(text) | ModelDelta::Reasoning(text) => text.len(),
        ModelDelta::ToolCall { id, name, arguments, .. } => id.len() + name.len() + arguments.len(),
        ModelDelta::Finished(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> ModelDelta {
        ModelDelta::Text(text.to_owned())
    }

    #[test]
    fn pieces_of_one_kind_become_one_event() {
        let now = Instant::now();
        let mut buffer = DeltaBuffer::new(StepPath::crew_task(0));
        for piece in [text("a"), text("b"), text("")] {
            assert!(!buffer.push(piece, now));
        }
        let call = |id: &str, arguments: &str| ModelDelta::ToolCall {
            index: 0,
            id: id.into(),
            name: id.into(),
            arguments: arguments.into(),
        };
        buffer.push(call("x", "{"), now);
        buffer.push(call("", "}"), now);
        let events = buffer.drain(now);
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].data, json!({"text": "ab"}));
        assert_eq!(events[1].data["tool_call"]["arguments"], "{}");
        assert_eq!(buffer.due(), None);
    }

    #[test]
    fn the_first_piece_waits_a_moment_and_later_ones_a_window() {
        let start = Instant::now();
        let mut buffer = DeltaBuffer::new(StepPath::crew_task(0));
        buffer.push(text("a"), start);
        assert_eq!(buffer.due(), Some(start + FIRST_WAIT));
        buffer.drain(start);
        buffer.push(text("b"), start + Duration::from_millis(1));
        assert_eq!(buffer.due(), Some(start + WINDOW));
        buffer.drain(start);
        buffer.push(text("c"), start + WINDOW * 3);
        assert_eq!(buffer.due(), Some(start + WINDOW * 3), "after a quiet while a piece is written at once");
        assert!(buffer.push(text(&"x".repeat(MAX_BYTES)), start));
    }
}
