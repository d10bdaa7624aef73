//! Which provider a model's name means.

use crewd_application::ports::{ModelError, ModelErrorKind};

/// The name for a provider that is only known by its protocol.
const COMPATIBLE: &str = "openai_compatible";

/// Prefixes that mean a provider, and the provider's usual name.
const PREFIXES: &[(&str, &str)] = &[
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("claude", "anthropic"),
    ("azure", "azure"),
    ("azure_openai", "azure"),
    ("gemini", "gemini"),
    ("google", "gemini"),
    ("bedrock", "bedrock"),
    ("aws", "bedrock"),
    ("openrouter", "openrouter"),
    ("deepseek", "deepseek"),
    ("ollama", "ollama"),
    ("ollama_chat", "ollama"),
    ("hosted_vllm", "hosted_vllm"),
    ("vllm", "hosted_vllm"),
    ("cerebras", "cerebras"),
    ("dashscope", "dashscope"),
    ("snowflake", "snowflake"),
    ("deepinfra", "deepinfra"),
    ("groq", "groq"),
    ("mistral", "mistral"),
    ("nvidia_nim", "nvidia_nim"),
    ("huggingface", "huggingface"),
    ("moonshot", "moonshot"),
    ("openai_compatible", COMPATIBLE),
];

/// Providers whose own model names begin with the names of others.
const AGGREGATORS: &[&str] = &["openrouter", "deepinfra", "huggingface", "nvidia_nim"];

/// The name under which `provider` knows the model that a definition calls `name`.
///
/// # Errors
/// [`ModelErrorKind::UnknownModel`] when the name means another provider.
pub(super) fn model_name<'a>(name: &'a str, provider: &str, default_model: &str) -> Result<&'a str, ModelError> {
    let name = name.trim();
    let Some((prefix, rest)) = name.split_once('/') else { return Ok(name) };
    if rest.is_empty() {
        return Ok(name);
    }
    if prefix == provider || (provider == "dashscope" && matches!(prefix, "qwen" | "tongyi" | "aliyun")) {
        return Ok(rest);
    }
    let Some(meant) = PREFIXES.iter().find(|(known, _)| *known == prefix).map(|(_, meant)| *meant) else {
        // Not a provider: part of the model's own name, as in `Qwen/Qwen3-8B`.
        return Ok(name);
    };
    let configured = PREFIXES.iter().find(|(known, _)| *known == provider).map_or(provider, |(_, meant)| *meant);
    if meant == configured || configured == COMPATIBLE {
        return Ok(rest);
    }
    if AGGREGATORS.contains(&configured) {
        return Ok(name);
    }
    Err(ModelError::new(
        ModelErrorKind::UnknownModel,
        format!(
            "the model `{name}` belongs to the provider `{meant}`, but this installation is set up for `{provider}` \
             (model `{default_model}`)"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(name: &str, provider: &str) -> String {
        model_name(name, provider, "default").map_or_else(|error| error.message, str::to_owned)
    }

    #[test]
    fn the_prefix_of_the_configured_provider_is_taken_off() {
        assert_eq!(resolved("qwen-plus", "dashscope"), "qwen-plus");
        assert_eq!(resolved("dashscope/qwen-plus", "dashscope"), "qwen-plus");
        assert_eq!(resolved("qwen/qwen-plus", "dashscope"), "qwen-plus");
        assert_eq!(resolved("openai/gpt-4o", "openai"), "gpt-4o");
        assert_eq!(resolved("ollama_chat/llama3", "ollama"), "llama3");
        assert_eq!(resolved("myprovider/x", "myprovider"), "x");
    }

    #[test]
    fn another_providers_model_is_unknown_and_the_text_says_what_is_set_up() {
        let error = model_name("anthropic/claude-x", "dashscope", "qwen-plus").expect_err("another provider");
        assert_eq!(error.kind, ModelErrorKind::UnknownModel);
        for word in ["anthropic/claude-x", "`anthropic`", "`dashscope`", "qwen-plus"] {
            assert!(error.message.contains(word), "{} lacks {word}", error.message);
        }
    }

    #[test]
    fn a_compatible_server_gets_the_full_name_unless_a_known_provider_leads_it() {
        assert_eq!(resolved("Qwen/Qwen3-8B", "openai_compatible"), "Qwen/Qwen3-8B");
        assert_eq!(resolved("qwen/qwen3", "openai_compatible"), "qwen/qwen3");
        assert_eq!(resolved("openai/gpt-4o", "openai_compatible"), "gpt-4o");
    }

    #[test]
    fn names_with_a_slash_of_their_own_stay_whole() {
        assert_eq!(resolved("meta-llama/Llama-3", "hosted_vllm"), "meta-llama/Llama-3");
        assert_eq!(resolved("openai/gpt-4o", "openrouter"), "openai/gpt-4o");
        assert_eq!(resolved("openrouter/openai/gpt-4o", "openrouter"), "openai/gpt-4o");
        assert_eq!(resolved("odd/", "openai"), "odd/");
    }
}
