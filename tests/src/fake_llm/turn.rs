//! A well-behaved model turn: text, reasoning, tool calls, usage, and its timing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

/// A door that a test opens: an answer waits behind it.
#[derive(Clone, Debug)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: Arc::new(watch::Sender::new(false)) }
    }
}

impl Gate {
    /// A closed door.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything behind it go on, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    pub(crate) async fn passed(&self) {
        let mut door = self.open.subscribe();
        // The sender lives in `self`, so waiting cannot end otherwise.
        door.wait_for(|open| *open).await.ok();
    }
}

/// One tool call of a turn.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) id: Option<String>,
    pub(super) tool: String,
    pub(super) arguments: Arguments,
}

#[derive(Clone, Debug)]
pub(super) enum Arguments {
    /// Exactly this text, JSON or not.
    Text(String),
    /// These fields; other required ones are filled in from the offered schema.
    Fields(Value),
}

impl Call {
    /// A call whose missing required arguments are made up from the schema that was offered.
    pub fn tool(name: &str, fields: Value) -> Self {
        Self { id: None, tool: name.to_owned(), arguments: Arguments::Fields(fields) }
    }

    /// A call with exactly this text as its arguments.
    pub fn text(name: &str, arguments: &str) -> Self {
        Self { id: None, tool: name.to_owned(), arguments: Arguments::Text(arguments.to_owned()) }
    }

    /// The same call with a chosen id.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }
}

/// One step of a turn's stream.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    Reasoning(String),
    Pause(Duration),
    Hold(Gate),
}

/// What the model says in one turn.
#[derive(Clone, Debug)]
pub struct Turn {
    pub(super) before: Vec<Piece>,
    pub(super) pieces: Vec<Piece>,
    pub(super) calls: Vec<Call>,
    pub(super) usage: Option<(u64, u64)>,
    pub(super) finish: Option<&'static str>,
    pub(super) duplicate_finish: bool,
}

impl Turn {
    fn new() -> Self {
        Self {
            before: Vec::new(),
            pieces: Vec::new(),
            calls: Vec::new(),
            usage: Some((12, 5)),
            finish: None,
            duplicate_finish: false,
        }
    }

    /// A final text in one piece.
    pub fn text(text: &str) -> Self {
        Self::pieces([text])
    }

    /// A final text in several pieces.
    pub fn pieces<const N: usize>(pieces: [&str; N]) -> Self {
        let mut turn = Self::new();
        turn.pieces = pieces.map(|piece| Piece::Text(piece.to_owned())).to_vec();
        turn
    }

    /// Tool calls without text.
    pub fn calls<const N: usize>(calls: [Call; N]) -> Self {
        let mut turn = Self::new();
        turn.calls = calls.to_vec();
        turn
    }

    /// More text after what is there.
    #[must_use]
    pub fn and_text(mut self, text: &str) -> Self {
        self.pieces.push(Piece::Text(text.to_owned()));
        self
    }

    /// Reasoning deltas before the text.
    #[must_use]
    pub fn reasoning(mut self, text: &str) -> Self {
        self.pieces.insert(0, Piece::Reasoning(text.to_owned()));
        self
    }

    /// Waits at this place of the stream until the gate opens.
    #[must_use]
    pub fn hold(mut self, gate: &Gate) -> Self {
        self.pieces.push(Piece::Hold(gate.clone()));
        self
    }

    /// Waits before the answer's headers until the gate opens.
    #[must_use]
    pub fn hold_first(mut self, gate: &Gate) -> Self {
        self.before.push(Piece::Hold(gate.clone()));
        self
    }

    /// Waits before the answer's headers.
    #[must_use]
    pub fn delay(mut self, pause: Duration) -> Self {
        self.before.push(Piece::Pause(pause));
        self
    }

    /// Waits after each piece of text.
    #[must_use]
    pub fn drip(mut self, pause: Duration) -> Self {
        self.pieces = self.pieces.into_iter().flat_map(|piece| [piece, Piece::Pause(pause)]).collect();
        self
    }

    /// Prompt and completion tokens to report.
    #[must_use]
    pub fn usage(mut self, prompt: u64, completion: u64) -> Self {
        self.usage = Some((prompt, completion));
        self
    }

    /// Reports no usage at all.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.usage = None;
        self
    }

    /// Another finish reason than `stop` or `tool_calls`.
    #[must_use]
    pub fn finish(mut self, reason: &'static str) -> Self {
        self.finish = Some(reason);
        self
    }

    /// Sends the finishing chunk twice.
    #[must_use]
    pub fn duplicate_finish(mut self) -> Self {
        self.duplicate_finish = true;
        self
    }

    pub(super) fn finish_reason(&self) -> &'static str {
        self.finish.unwrap_or(if self.calls.is_empty() { "stop" } else { "tool_calls" })
    }
}
