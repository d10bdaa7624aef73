//! Which language model answers.

use std::time::Duration;

use secrecy::SecretString;

use crate::reader::{Choice, Reader};
use crate::sections::Environment;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("llm.provider", "APP_LLM_PROVIDER"),
    Variable::new("llm.base_url", "APP_LLM_BASE_URL").address(),
    Variable::new("llm.api_key", "APP_LLM_API_KEY").secret(),
    Variable::new("llm.model", "APP_LLM_MODEL"),
    Variable::new("llm.region", "APP_LLM_REGION"),
    Variable::new("llm.timeout", "APP_LLM_TIMEOUT"),
    Variable::new("llm.max_concurrent", "APP_LLM_MAX_CONCURRENT"),
    Variable::new("llm.max_concurrent_shared", "APP_LLM_MAX_CONCURRENT_SHARED"),
    Variable::new("llm.cache_ttl", "APP_LLM_CACHE_TTL"),
    Variable::new("llm.offline_pace_ms", "APP_LLM_OFFLINE_PACE_MS"),
];

/// Thirty days: providers change their models under the same name.
const LONGEST_CACHE_IN_SECONDS: f64 = 2_592_000.0;

/// Whose models are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LlmProvider {
    /// Aliyun Tongyi through DashScope's compatible mode.
    Aliyun,
    /// OpenAI.
    OpenAi,
    /// DeepSeek.
    DeepSeek,
    /// A local Ollama; needs no key.
    Ollama,
    /// Any endpoint that speaks OpenAI's wire format, given by `APP_LLM_BASE_URL`; a key is optional.
    OpenAiCompatible,
    /// The built-in deterministic stand-in: no network, no key.
    Offline,
}

impl Choice for LlmProvider {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("aliyun", Self::Aliyun),
        ("openai", Self::OpenAi),
        ("deepseek", Self::DeepSeek),
        ("ollama", Self::Ollama),
        ("openai_compatible", Self::OpenAiCompatible),
        ("offline", Self::Offline),
    ];
}

impl LlmProvider {
    /// The word used in `APP_LLM_PROVIDER`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aliyun => "aliyun",
            Self::OpenAi => "openai",
            Self::DeepSeek => "deepseek",
            Self::Ollama => "ollama",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Offline => "offline",
        }
    }

    /// Whether the provider refuses calls without a key.
    pub fn needs_key(self) -> bool {
        matches!(self, Self::Aliyun | Self::OpenAi | Self::DeepSeek)
    }

    fn default_base_url(self, region: &str) -> &'static str {
        match self {
            Self::Aliyun if region == "intl" => "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            Self::Aliyun => "https://dashscope.aliyuncs.com/compatible-mode/v1",
            Self::OpenAi => "https://api.openai.com/v1",
            Self::DeepSeek => "https://api.deepseek.com/v1",
            Self::Ollama => "http://127.0.0.1:11434/v1",
            Self::OpenAiCompatible | Self::Offline => "",
        }
    }

    fn default_model(self) -> &'static str {
        match self {
            Self::Aliyun | Self::OpenAiCompatible => "qwen-plus",
            Self::OpenAi => "gpt-4o-mini",
            Self::DeepSeek => "deepseek-chat",
            Self::Ollama => "qwen3",
            Self::Offline => "offline",
        }
    }
}

/// The `llm` section.
#[derive(Debug, Clone)]
pub struct LlmSettings {
    /// Whose models are called.
    pub provider: LlmProvider,
    /// Endpoint instead of the provider's own, without a slash at the end.
    pub base_url: Option<String>,
    /// The provider's key.
    pub api_key: Option<SecretString>,
    /// Model instead of the provider's default.
    pub model: Option<String>,
    /// Part of the world the provider is called in: `cn` or `intl`.
    pub region: String,
    /// The longest a model call may take.
    pub timeout: Duration,
    /// Model calls at once in this process.
    pub max_concurrent: usize,
    /// Model calls at once in all processes together; `None` for no such limit. Needs Redis.
    pub max_concurrent_shared: Option<u32>,
    /// How long answers are kept and given again to the same question; `None` for not at all.
    pub cache_ttl: Option<Duration>,
    /// Pause between streamed pieces of the offline model.
    pub offline_pace: Duration,
    /// Whether the offline model stands in when neither a key nor an endpoint is set: in development and test only.
    pub is_offline_without_key: bool,
}

/// What the model adapter needs, every default filled in.
#[derive(Debug, Clone)]
pub struct ResolvedLlm {
    /// Whose models are called; [`LlmProvider::Offline`] whenever `offline`.
    pub provider: LlmProvider,
    /// Endpoint without a slash at the end; empty when `offline`.
    pub base_url: String,
    /// The provider's key, where there is one.
    pub api_key: Option<SecretString>,
    /// The model an agent uses unless it names its own.
    pub model: String,
    /// The longest a model call may take.
    pub timeout: Duration,
    /// Whether the built-in stand-in answers: banner, tasks and console have to say so.
    pub offline: bool,
}

impl LlmSettings {
    pub(crate) fn read(reader: &mut Reader, environment: Environment) -> Self {
        let provider = reader.choice("llm.provider").unwrap_or(LlmProvider::Aliyun);
        let base_url = reader.text("llm.base_url").map(|url| url.trim_end_matches('/').to_owned());
        if base_url.as_deref().is_some_and(|url| !is_endpoint(url)) {
            reader.reject_value("llm.base_url", "an address such as https://example.org/v1");
        }
        if provider == LlmProvider::OpenAiCompatible && base_url.is_none() {
            reader.reject(
                "llm.base_url",
                "must be set because APP_LLM_PROVIDER is openai_compatible",
                "set it to the endpoint's address, such as http://127.0.0.1:8000/v1",
            );
        }
        let region = reader.text("llm.region").unwrap_or_default().to_ascii_lowercase();
        if !["cn", "intl"].contains(&region.as_str()) {
            reader.reject_value("llm.region", "one of cn, intl");
        }
        let has_shared = reader.find("llm.max_concurrent_shared").is_some();
        let has_cache = reader.find("llm.cache_ttl").is_some();
        Self {
            provider,
            base_url,
            api_key: reader.secret("llm.api_key"),
            model: reader.text("llm.model"),
            region,
            timeout: reader.seconds("llm.timeout", 3_600.0),
            max_concurrent: reader.number("llm.max_concurrent", 1..=100_000),
            max_concurrent_shared: has_shared.then(|| reader.number("llm.max_concurrent_shared", 1..=100_000)),
            cache_ttl: has_cache.then(|| reader.seconds("llm.cache_ttl", LONGEST_CACHE_IN_SECONDS)),
            offline_pace: Duration::from_millis(reader.number("llm.offline_pace_ms", 0..=60_000)),
            is_offline_without_key: !environment.is_deployed(),
        }
    }

    /// An endpoint that is not Aliyun's own, with nothing said about the provider, is some compatible server: it must
    /// not be spoken to in DashScope's dialect.
    fn spoken_to(&self) -> LlmProvider {
        let is_elsewhere = self.base_url.as_ref().is_some_and(|url| !url.contains(".aliyuncs.com"));
        if self.provider == LlmProvider::Aliyun && is_elsewhere { LlmProvider::OpenAiCompatible } else { self.provider }
    }

    /// Fills in every default and decides whether the offline model answers: when it is asked for, or when there is
    /// neither a key nor an endpoint for a provider that needs a key, outside staging and production.
    pub fn resolved(&self) -> ResolvedLlm {
        let has_nothing_to_call = self.provider.needs_key() && self.api_key.is_none() && self.base_url.is_none();
        let is_offline = self.provider == LlmProvider::Offline || (has_nothing_to_call && self.is_offline_without_key);
        if is_offline {
            return ResolvedLlm {
                provider: LlmProvider::Offline,
                base_url: String::new(),
                api_key: None,
                model: LlmProvider::Offline.default_model().to_owned(),
                timeout: self.timeout,
                offline: is_offline,
            };
        }
        let base_url = self.base_url.clone();
        ResolvedLlm {
            provider: self.spoken_to(),
            base_url: base_url.unwrap_or_else(|| self.provider.default_base_url(&self.region).to_owned()),
            api_key: self.api_key.clone(),
            model: self.model.clone().unwrap_or_else(|| self.provider.default_model().to_owned()),
            timeout: self.timeout,
            offline: is_offline,
        }
    }
}

pub(crate) fn is_endpoint(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}
