//! Answers by script.

use std::time::Duration;

use crate::fake_llm::Gate;

/// How a request is answered. Statuses below 400 come with an effect, others without, unless it is said otherwise.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) effect: bool,
    pub(super) before: Vec<Wait>,
    pub(super) after: Vec<Wait>,
    pub(super) drops: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Wait {
    For(Duration),
    Behind(Gate),
}

impl Answer {
    /// A status and a body.
    pub fn status(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.to_owned(),
            headers: Vec::new(),
            effect: status < 400,
            before: Vec::new(),
            after: Vec::new(),
            drops: false,
        }
    }

    /// 200 with a body, and the effect.
    pub fn ok(body: &str) -> Self {
        Self::status(200, body)
    }

    /// The connection is closed instead of an answer, without an effect.
    pub fn dropped() -> Self {
        Self { effect: false, drops: true, ..Self::ok("") }
    }

    /// A further header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The effect happens, whatever the status says.
    #[must_use]
    pub fn with_effect(mut self) -> Self {
        self.effect = true;
        self
    }

    /// No effect happens, whatever the status says.
    #[must_use]
    pub fn without_effect(mut self) -> Self {
        self.effect = false;
        self
    }

    /// Closes the connection instead of answering, after the effect if there is one.
    #[must_use]
    pub fn lost(mut self) -> Self {
        self.drops = true;
        self
    }

    /// Waits before the effect until the gate opens. A client that goes meanwhile leaves no effect.
    #[must_use]
    pub fn hold_first(mut self, gate: &Gate) -> Self {
        self.before.push(Wait::Behind(gate.clone()));
        self
    }

    /// Waits between the effect and the answer until the gate opens.
    #[must_use]
    pub fn hold(mut self, gate: &Gate) -> Self {
        self.after.push(Wait::Behind(gate.clone()));
        self
    }

    /// Waits before the effect.
    #[must_use]
    pub fn delay_first(mut self, pause: Duration) -> Self {
        self.before.push(Wait::For(pause));
        self
    }

    /// Waits between the effect and the answer.
    #[must_use]
    pub fn delay(mut self, pause: Duration) -> Self {
        self.after.push(Wait::For(pause));
        self
    }
}

impl Wait {
    pub(super) async fn pass(&self) {
        match self {
            Self::For(pause) => tokio::time::sleep(*pause).await,
            Self::Behind(gate) => gate.passed().await,
        }
    }
}
