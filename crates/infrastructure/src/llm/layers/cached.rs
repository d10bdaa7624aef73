//! Answers that are given again to exactly the same question.

use std::sync::Arc;
use std::time::Duration;

use async_stream::stream;
use bytes::Bytes;
use crewd_application::ports::{
    Cache, CacheKey, FinishReason, LanguageModel, ModelDelta, ModelRequest, ModelResponse, ModelStream, ToolCall, ToolChoice,
};
use crewd_application::sha256_hex;
use crewd_domain::shared::Usage;
use futures::{StreamExt, stream};
use serde_json::json;

const SPACE: &str = "llm";

/// Keeps whole answers under a hash of everything that the answer depends on. An answer that is given again says so,
/// has cost nothing, and comes as a stream with the same text, thinking and calls.
///
/// Asked again are: requests with a temperature other than 0 (their caller wants variety), answers that were cut off,
/// and everything without a tenant.
pub struct CachedModel {
    inner: Arc<dyn LanguageModel>,
    cache: Arc<dyn Cache>,
    ttl: Duration,
    /// The provider that answers: another one may have a model of the same name.
    provider: String,
}

impl CachedModel {
    /// Keeps answers of `inner`, which speaks to `provider`, for `ttl`.
    #[must_use]
    pub fn new(inner: Arc<dyn LanguageModel>, cache: Arc<dyn Cache>, ttl: Duration, provider: String) -> Self {
        Self { inner, cache, ttl, provider }
    }

    fn key(&self, request: &ModelRequest) -> Option<CacheKey> {
        if request.sampling.temperature.is_some_and(|temperature| temperature != 0.0) {
            return None;
        }
        let tenant = request.labels.tenant.clone()?;
        let sampling = &request.sampling;
        let question = json!({
            "provider": self.provider,
            "model": request.model.as_deref().unwrap_or(self.inner.default_model()),
            "messages": request.messages,
            "tools": request.tools.iter().map(|tool| (&tool.name, &tool.description, &tool.parameters)).collect::<Vec<_>>(),
            "may_call": request.tool_choice == ToolChoice::Auto,
            "format": request.response_format.as_ref().map(|format| (&format.name, &format.schema)),
            "sampling": (sampling.temperature, sampling.top_p, sampling.max_tokens, &sampling.stop, sampling.seed),
        });
        Some(CacheKey { tenant, space: SPACE, name: sha256_hex(question.to_string()) })
    }
}

impl LanguageModel for CachedModel {
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
        let Some(key) = self.key(&request) else { return self.inner.call(request) };
        let (cache, ttl, is_streamed) = (Arc::clone(&self.cache), self.ttl, request.stream);
        let mut call = self.inner.call(request);
        Box::pin(stream! {
            if let Some(known) = cache.get(&key).await.and_then(|kept| again(&kept)) {
                drop(call);
                let pieces = if is_streamed { pieces(&known) } else { Vec::new() };
                for await piece in stream::iter(pieces) {
                    yield Ok(piece);
                }
                yield Ok(ModelDelta::Finished(Box::new(known)));
                return;
            }
            while let Some(item) = call.next().await {
                if let Ok(ModelDelta::Finished(response)) = &item {
                    keep(cache, key, response, ttl);
                    yield item;
                    return;
                }
                yield item;
            }
        })
    }
}

/// Keeps an answer, without anybody waiting for it.
fn keep(cache: Arc<dyn Cache>, key: CacheKey, response: &ModelResponse, ttl: Duration) {
    if !matches!(response.finish_reason, FinishReason::Stop | FinishReason::ToolCalls) {
        return;
    }
    if let Ok(bytes) = serde_json::to_vec(response) {
        tokio::spawn(async move { cache.set(&key, Bytes::from(bytes), ttl).await });
    }
}

/// The answer as it is given again; `None` if it is not of this version.
fn again(kept: &[u8]) -> Option<ModelResponse> {
    let response: ModelResponse = serde_json::from_slice(kept).ok()?;
    Some(ModelResponse { usage: Usage::default(), usage_estimated: false, cached: true, ..response })
}

fn pieces(response: &ModelResponse) -> Vec<ModelDelta> {
    let reasoning = (!response.reasoning.is_empty()).then(|| ModelDelta::Reasoning(response.reasoning.clone()));
    let text = (!response.text.is_empty()).then(|| ModelDelta::Text(response.text.clone()));
    let calls = response.tool_calls.iter().enumerate().map(|(index, call)| {
        let ToolCall { id, name, arguments } = call.clone();
        ModelDelta::ToolCall { index, id, name, arguments }
    });
    reasoning.into_iter().chain(text).chain(calls).collect()
}
