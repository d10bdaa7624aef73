//! What a model has said so far in a call that is going on.

use crewd_application::ports::ModelDelta;
use crewd_domain::runs::StepPath;
use tokio::time::Instant;

use super::deltas::DeltaBuffer;
use crate::run::RunContext;

/// Follows one call. However the call ends, also by being dropped (a cancel, a deadline), nothing of what was said is
/// lost: the pieces are in the log, and the text is kept for the task's output unless the call was finished.
pub(super) struct Spoken<'a> {
    context: &'a RunContext,
    buffer: DeltaBuffer,
    text: String,
}

impl<'a> Spoken<'a> {
    pub(super) const fn new(context: &'a RunContext, path: StepPath) -> Self {
        Self { context, buffer: DeltaBuffer::new(path), text: String::new() }
    }

    /// Adds a piece. Returns whether it is time to write.
    pub(super) fn hear(&mut self, delta: ModelDelta, now: Instant) -> bool {
        if let ModelDelta::Text(more) = &delta {
            self.text.push_str(more);
        }
        let full = self.buffer.push(delta, now);
        full || self.buffer.due().is_some_and(|due| due <= now)
    }

    /// When the pieces are to be written; `None` while there are none.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.buffer.due()
    }

    /// The text so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Says the pieces; they are written with the next commit.
    pub(super) fn say(&mut self) {
        for event in self.buffer.drain(Instant::now()) {
            self.context.journal.say(event);
        }
    }

    /// The answer is whole: nothing is partial any more.
    pub(super) fn finish(mut self) {
        self.text.clear();
        self.context.set_partial(String::new());
    }
}

impl Drop for Spoken<'_> {
    fn drop(&mut self) {
        self.say();
        if !self.text.is_empty() {
            self.context.set_partial(std::mem::take(&mut self.text));
        }
    }
}
