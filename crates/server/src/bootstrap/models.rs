//! The language model, with its layers.

use std::sync::Arc;

use anyhow::Context;
use crewd_application::ports::LanguageModel;
use crewd_infrastructure::llm::layers::{Endpoint, LimitedModel, ObservedModel};
use crewd_infrastructure::llm::offline::OfflineModel;
use crewd_infrastructure::llm::openai::{OpenAiConfig, OpenAiProvider};
use crewd_settings::{LlmProvider, ResolvedLlm, Settings};
use crewd_telemetry::Metrics;

/// The configured model: observed, and limited in how many calls it gets at once.
pub(crate) fn model(settings: &Settings, metrics: Arc<Metrics>) -> anyhow::Result<Arc<dyn LanguageModel>> {
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
    let observed = ObservedModel::new(Arc::new(openai), metrics, endpoint);
    Ok(Arc::new(LimitedModel::new(Arc::new(observed), limit)))
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
