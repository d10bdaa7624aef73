//! So many calls at once, and no more.

use std::sync::Arc;

use async_stream::stream;
use crewd_application::ports::{LanguageModel, ModelDelta, ModelRequest, ModelStream};
use futures::StreamExt;
use tokio::sync::Semaphore;

/// Lets a number of calls run at once; the others wait in the order of their first poll. The wait is not part of a
/// request's `time_limit`.
pub struct LimitedModel {
    inner: Arc<dyn LanguageModel>,
    places: Arc<Semaphore>,
}

impl LimitedModel {
    /// `calls` at once, at least one.
    #[must_use]
    pub fn new(inner: Arc<dyn LanguageModel>, calls: usize) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS))) }
    }
}

impl LanguageModel for LimitedModel {
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
        let places = Arc::clone(&self.places);
        Box::pin(stream! {
            // The semaphore is never closed, so a place always comes.
            let place = places.acquire_owned().await;
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
