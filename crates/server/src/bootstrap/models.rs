//! The language model, with its layers.

use std::sync::Arc;

use anyhow::Context;
use crewd_application::ports::{Cache, LanguageModel};
use crewd_infrastructure::cache::MemoryCache;
use crewd_infrastructure::llm::layers::{CachedModel, Endpoint, LimitedModel, ObservedModel, SharedLimitModel};
use crewd_infrastructure::llm::offline::OfflineModel;
use crewd_infrastructure::llm::openai::{OpenAiConfig, OpenAiProvider};
use crewd_infrastructure::redis::{RedisCache, RedisLink, RedisPlaces};
use crewd_settings::{LlmProvider, ResolvedLlm, Settings};
use crewd_telemetry::Metrics;

/// Bytes of answers that a process keeps where there is no Redis.
const MOST_CACHED_BYTES: u64 = 64 * 1024 * 1024;

/// The configured model: observed, limited in how many calls it gets at once, in this process and in all, and not asked
/// again what it was asked before.
pub(crate) fn model(
    settings: &Settings,
    metrics: Arc<Metrics>,
    redis: Option<&RedisLink>,
) -> anyhow::Result<Arc<dyn LanguageModel>> {
    let resolved = settings.llm.resolved();
    let limit = settings.llm.max_concurrent;
    if resolved.offline {
        let offline = OfflineModel::new(settings.llm.offline_pace);
        let endpoint = Endpoint { provider: "offline".to_owned(), address: None, port: None };
        return Ok(Arc::new(LimitedModel::new(Arc::new(ObservedModel::new(Arc::new(offline), metrics, endpoint)), limit)));
    }
    let provider = provider_name(resolved.provider);
    let openai = OpenAiProvider::new(openai_config(&resolved, provider))
        .context("the model provider cannot be used (APP_LLM_BASE_URL)")?;
    let (address, port) = openai.server();
    let endpoint = Endpoint { provider: provider.to_owned(), address: Some(address.to_owned()), port: Some(port) };
    let observed: Arc<dyn LanguageModel> = Arc::new(ObservedModel::new(Arc::new(openai), metrics, endpoint));
    let shared = match (settings.llm.max_concurrent_shared, redis) {
        (Some(calls), Some(link)) => Arc::new(SharedLimitModel::new(observed, Arc::new(RedisPlaces::new(link.clone())), calls)),
        _ => observed,
    };
    let limited: Arc<dyn LanguageModel> = Arc::new(LimitedModel::new(shared, limit));
    Ok(match settings.llm.cache_ttl {
        Some(ttl) => Arc::new(CachedModel::new(limited, cache(redis), ttl, format!("{provider} {}", resolved.base_url))),
        None => limited,
    })
}

fn cache(redis: Option<&RedisLink>) -> Arc<dyn Cache> {
    match redis {
        Some(link) => Arc::new(RedisCache::new(link.clone())),
        None => Arc::new(MemoryCache::new(MOST_CACHED_BYTES)),
    }
}

fn openai_config(resolved: &ResolvedLlm, provider: &str) -> OpenAiConfig {
    let mut config = OpenAiConfig::new(provider, resolved.base_url.clone(), resolved.model.clone());
    config.api_key.clone_from(&resolved.api_key);
    config
}

/// The provider's name in the conventions of telemetry: Tongyi's service is called DashScope there.
fn provider_name(provider: LlmProvider) -> &'static str {
    match provider {
        LlmProvider::Aliyun => "dashscope",
        other => other.as_str(),
    }
}
