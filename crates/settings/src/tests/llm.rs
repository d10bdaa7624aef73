//! Which model answers.

use secrecy::ExposeSecret;

use super::environment;
use crate::{LlmProvider, ResolvedLlm};

fn resolved(pairs: &[(&str, &str)]) -> ResolvedLlm {
    environment(pairs).settings().llm.resolved()
}

#[test]
fn without_key_and_endpoint_the_offline_model_answers() {
    let llm = resolved(&[]);
    assert!(llm.offline);
    assert_eq!((llm.provider, llm.model.as_str(), llm.base_url.as_str()), (LlmProvider::Offline, "offline", ""));
    assert!(resolved(&[("APP_ENV", "test")]).offline);
    assert!(resolved(&[("APP_LLM_PROVIDER", "offline"), ("APP_LLM_API_KEY", "k")]).offline);
}

#[test]
fn a_key_calls_the_provider() {
    let llm = resolved(&[("APP_LLM_API_KEY", "12345")]);
    assert!(!llm.offline);
    assert_eq!(llm.base_url, "https://dashscope.aliyuncs.com/compatible-mode/v1");
    assert_eq!(llm.model, "qwen-plus");
    assert_eq!(llm.timeout.as_secs(), 60);
    assert_eq!(llm.api_key.map(|key| key.expose_secret().to_owned()).as_deref(), Some("12345"));
}

#[test]
fn an_endpoint_alone_is_called() {
    let llm = resolved(&[("APP_LLM_BASE_URL", "http://127.0.0.1:9/v1/"), ("APP_LLM_MODEL", "m")]);
    assert!(!llm.offline);
    assert_eq!((llm.base_url.as_str(), llm.model.as_str()), ("http://127.0.0.1:9/v1", "m"));
    assert!(llm.api_key.is_none());
}

#[test]
fn every_provider_has_its_endpoint_and_model() {
    for (provider, region, base_url, model) in [
        ("aliyun", "intl", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen-plus"),
        ("openai", "cn", "https://api.openai.com/v1", "gpt-4o-mini"),
        ("deepseek", "cn", "https://api.deepseek.com/v1", "deepseek-chat"),
        ("ollama", "cn", "http://127.0.0.1:11434/v1", "qwen3"),
    ] {
        let llm = resolved(&[("APP_LLM_PROVIDER", provider), ("APP_LLM_REGION", region), ("APP_LLM_API_KEY", "k")]);
        assert_eq!((llm.provider.as_str(), llm.base_url.as_str(), llm.model.as_str()), (provider, base_url, model));
    }
    assert!(!resolved(&[("APP_LLM_PROVIDER", "ollama")]).offline);
}

#[test]
fn a_compatible_endpoint_must_be_named() {
    assert_eq!(environment(&[("APP_LLM_PROVIDER", "openai_compatible")]).problem_names(), ["APP_LLM_BASE_URL"]);
}

#[test]
fn the_model_in_effect_is_shown() {
    let installation = environment(&[("APP_LLM_API_KEY", "k")]);
    assert_eq!(installation.row("llm.model").value, "qwen-plus");
    assert_eq!(installation.row("llm.model").origin, "built in");
    assert_eq!(environment(&[]).row("llm.model").value, "offline");
}
