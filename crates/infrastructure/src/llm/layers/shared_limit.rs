//! So many calls at once over all processes.

use std::sync::Arc;
use std::time::Duration;

use async_stream::stream;
use crewd_application::ports::{LanguageModel, ModelDelta, ModelRequest, ModelStream, SharedPlace, SharedPlaces};
use futures::StreamExt;
use tokio::sync::Mutex;

/// The name of the places.
const NAME: &str = "llm";
/// When the places of a dead process are free again.
const TTL: Duration = Duration::from_secs(30);
/// How often a process asks whether a place is free.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Lets a number of calls run at once in all processes together. In a process the others wait in the order of their
/// first poll; between processes whoever asks first gets a free place. While places cannot be counted, calls go on
/// without: the limit of each process holds alone.
pub struct SharedLimitModel {
    inner: Arc<dyn LanguageModel>,
    places: Arc<dyn SharedPlaces>,
    calls: u32,
    /// Held by the one that asks for a place.
    turn: Arc<Mutex<()>>,
}

impl SharedLimitModel {
    /// `calls` at once, at least one.
    #[must_use]
    pub fn new(inner: Arc<dyn LanguageModel>, places: Arc<dyn SharedPlaces>, calls: u32) -> Self {
        Self { inner, places, calls: calls.max(1), turn: Arc::default() }
    }
}

/// Waits for a place; `None` if nobody can count.
async fn place(places: &dyn SharedPlaces, calls: u32, turn: &Mutex<()>) -> Option<SharedPlace> {
    let _turn = turn.lock().await;
    loop {
        match places.acquire(NAME, calls, TTL).await {
            Ok(Some(place)) => return Some(place),
            Ok(None) => tokio::time::sleep(ASK_AGAIN).await,
            Err(_) => return None,
        }
    }
}

impl LanguageModel for SharedLimitModel {
    fn default_model(&self) -> &str {
        self.inner.default_model()
    }

    fn is_simulated(&self) -> bool {
        self.inner.is_simulated()
    }

    fn models(&self) -> Vec<String> {
        self.inner.models()
    }

    fn call(&self, request: ModelRequest) -> ModelStream {
        let mut call = self.inner.call(request);
        let (places, calls, turn) = (Arc::clone(&self.places), self.calls, Arc::clone(&self.turn));
        Box::pin(stream! {
            let place = place(&*places, calls, &turn).await;
            while let Some(item) = call.next().await {
                if matches!(item, Ok(ModelDelta::Finished(_)) | Err(_)) {
                    drop(call);
                    drop(place);
                    yield item;
                    return;
                }
                yield item;
            }
        })
    }
}
