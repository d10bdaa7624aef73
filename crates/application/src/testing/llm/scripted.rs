//! A model that says what the test wrote down.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};

use super::ScriptedTurn;
use super::turn::{Ending, Item};
use crate::ports::{LanguageModel, ModelDelta, ModelError, ModelErrorKind, ModelRequest, ModelStream};

type Script = dyn Fn(usize, &ModelRequest) -> ScriptedTurn + Send + Sync;

/// A [`LanguageModel`] that follows a script and remembers what it was asked. Clones share script and memory.
#[derive(Clone)]
pub struct ScriptedModel {
    inner: Arc<Inner>,
}

struct Inner {
    script: Box<Script>,
    requests: Mutex<Vec<ModelRequest>>,
    abandoned: AtomicUsize,
    simulated: bool,
}

impl ScriptedModel {
    /// Answers the first call with the first turn and so on; a call too many fails as an invalid request.
    #[must_use]
    pub fn new(turns: impl IntoIterator<Item = ScriptedTurn>) -> Self {
        let turns: Mutex<VecDeque<ScriptedTurn>> = Mutex::new(turns.into_iter().collect());
        Self::from_fn(move |call, _| {
            let next = turns.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            next.unwrap_or_else(|| {
                ScriptedTurn::error(ModelErrorKind::InvalidRequest, format!("the script has no turn for call {call}"))
            })
        })
    }

    /// Answers each call with what `script` makes of its number (from 0) and its request.
    #[must_use]
    pub fn from_fn(script: impl Fn(usize, &ModelRequest) -> ScriptedTurn + Send + Sync + 'static) -> Self {
        Self::build(Box::new(script), false)
    }

    /// Like [`Self::from_fn`], and claims to be simulated as the offline model does.
    #[must_use]
    pub fn simulated(script: impl Fn(usize, &ModelRequest) -> ScriptedTurn + Send + Sync + 'static) -> Self {
        Self::build(Box::new(script), true)
    }

    fn build(script: Box<Script>, simulated: bool) -> Self {
        let inner = Inner { script, requests: Mutex::default(), abandoned: AtomicUsize::new(0), simulated };
        Self { inner: Arc::new(inner) }
    }

    /// What was asked so far, in the order of the first polls.
    #[must_use]
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many calls were begun (polled at least once).
    #[must_use]
    pub fn calls(&self) -> usize {
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many begun calls were dropped before their end.
    #[must_use]
    pub fn abandoned(&self) -> usize {
        self.inner.abandoned.load(Ordering::SeqCst)
    }
}

impl LanguageModel for ScriptedModel {
    fn default_model(&self) -> &str {
        "scripted"
    }

    fn is_simulated(&self) -> bool {
        self.inner.simulated
    }

    fn models(&self) -> Vec<String> {
        vec!["scripted".to_owned()]
    }

    fn call(&self, request: ModelRequest) -> ModelStream {
        let inner = Arc::clone(&self.inner);
        stream::once(async move { Playback::start(inner, request) })
            .flat_map(|playback| stream::unfold(playback, Playback::step))
            .boxed()
    }
}

/// One call being played.
struct Playback {
    inner: Arc<Inner>,
    items: VecDeque<Item>,
    ending: Option<Ending>,
    streams: bool,
}

impl Playback {
    fn start(inner: Arc<Inner>, request: ModelRequest) -> Self {
        let mut requests = inner.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let number = requests.len();
        requests.push(request.clone());
        drop(requests);
        let turn = (inner.script)(number, &request);
        Self { items: turn.items.into(), ending: Some(turn.ending), streams: request.stream, inner }
    }

    async fn step(mut self) -> Option<(Result<ModelDelta, ModelError>, Self)> {
        while let Some(item) = self.items.pop_front() {
            match item {
                Item::Hold(gate) => gate.pass().await,
                Item::Piece(piece) if self.streams => return Some((Ok(piece), self)),
                Item::Piece(_) => {}
            }
        }
        if matches!(self.ending, Some(Ending::Hang)) {
            std::future::pending::<()>().await;
        }
        match self.ending.take()? {
            Ending::Answer(response) => Some((Ok(ModelDelta::Finished(response)), self)),
            Ending::Failure(error) => Some((Err(error), self)),
            Ending::Silence | Ending::Hang => None,
        }
    }
}

impl Drop for Playback {
    fn drop(&mut self) {
        if self.ending.is_some() {
            self.inner.abandoned.fetch_add(1, Ordering::SeqCst);
        }
    }
}
