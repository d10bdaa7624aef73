//! The port: one call from request to stream.

use std::sync::Arc;
use std::time::Duration;

use async_stream::stream;
use crewd_application::ports::{LanguageModel, ModelDelta, ModelError, ModelErrorKind, ModelRequest, ModelStream};
use crewd_telemetry::trace_context;
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::config::{Dialect, OpenAiConfig, OpenAiConfigError};
use super::exchange::{Asked, Exchange};
use super::faults::Faults;
use super::names::model_name;
use super::request;
use crate::egress::OperatorUrl;
use crate::http::{HttpClient, HttpLimits};
use crate::llm::tokens::estimate;

const CHAT_COMPLETIONS: &str = "/chat/completions";
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// A bound for calls whose own bound overflows the clock.
const LONGEST_CALL: Duration = Duration::from_secs(24 * 3600);
/// Tokens that frame each message, about.
const MESSAGE_FRAME: u64 = 4;

/// A provider that speaks OpenAI's chat completions. Clones are the same provider.
#[derive(Clone)]
pub struct OpenAiProvider {
    shared: Arc<Shared>,
}

struct Shared {
    http: HttpClient,
    faults: Arc<Faults>,
    authorization: Option<HeaderValue>,
    /// The model of requests that name none, without prefix.
    model: String,
    dialect: Dialect,
    host: String,
    port: u16,
}

impl OpenAiProvider {
    /// A provider; nothing is connected before its first call.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: OpenAiConfig) -> Result<Self, OpenAiConfigError> {
        Self::over(config, HttpClient::new)
    }

    /// A provider over a client of the caller's choice.
    pub(super) fn over(
        config: OpenAiConfig,
        client: impl FnOnce(OperatorUrl, HttpLimits) -> HttpClient,
    ) -> Result<Self, OpenAiConfigError> {
        let OpenAiConfig { provider_name, base_url, api_key, model, dialect, limits } = config;
        let url = endpoint(&base_url)?;
        let authorization = api_key
            .as_ref()
            .filter(|key| !key.expose_secret().trim().is_empty())
            .map(|key| HeaderValue::try_from(format!("Bearer {}", key.expose_secret().trim())))
            .transpose()
            .map_err(|_| OpenAiConfigError::ApiKey)?
            .map(|mut value| {
                value.set_sensitive(true);
                value
            });
        let model = model_name(&model, &provider_name, &model).map_err(|error| OpenAiConfigError::Model(error.message))?;
        if model.is_empty() {
            return Err(OpenAiConfigError::Model("it has no name".to_owned()));
        }
        let model = model.to_owned();
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        let faults = Arc::new(Faults { provider: provider_name, key: api_key });
        let http = client(OperatorUrl::from_settings(url), limits);
        Ok(Self { shared: Arc::new(Shared { http, faults, authorization, model, dialect, host, port }) })
    }

    /// The provider's name, as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.faults.provider
    }

    /// Host and port of the provider, for spans.
    #[must_use]
    pub fn server(&self) -> (&str, u16) {
        (&self.shared.host, self.shared.port)
    }
}

fn endpoint(base_url: &str) -> Result<Url, OpenAiConfigError> {
    let base = base_url.trim().trim_end_matches('/');
    let base = base.strip_suffix(CHAT_COMPLETIONS).unwrap_or(base);
    let wrong = || OpenAiConfigError::BaseUrl(base_url.to_owned());
    let url = Url::parse(&format!("{base}{CHAT_COMPLETIONS}")).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !url.username().is_empty() || url.query().is_some() {
        return Err(wrong());
    }
    Ok(url)
}

impl LanguageModel for OpenAiProvider {
    fn default_model(&self) -> &str {
        &self.shared.model
    }

    fn is_simulated(&self) -> bool {
        false
    }

    fn models(&self) -> Vec<String> {
        vec![self.shared.model.clone()]
    }

    fn call(&self, request: ModelRequest) -> ModelStream {
        let shared = Arc::clone(&self.shared);
        Box::pin(stream! {
            let mut exchange = match shared.begin(request).await {
                Ok(exchange) => exchange,
                Err(error) => {
                    yield Err(error);
                    return;
                }
            };
            loop {
                let outcome = exchange.advance().await;
                for piece in exchange.take_ready() {
                    yield Ok(piece);
                }
                match outcome {
                    Ok(None) => {}
                    Ok(Some(response)) => {
                        exchange.recycle();
                        yield Ok(ModelDelta::Finished(response));
                        return;
                    }
                    Err(error) => {
                        yield Err(error);
                        return;
                    }
                }
            }
        })
    }
}

impl Shared {
    /// Sends the request and waits for the head of the answer. The request is gone once it is written.
    async fn begin(&self, request: ModelRequest) -> Result<Exchange, ModelError> {
        let started = Instant::now();
        let deadline = started.checked_add(request.time_limit).unwrap_or(started + LONGEST_CALL);
        let (asked, headers, body) = self.write(request)?;
        // Whole answers come when all is done, and not before.
        let first_byte = (!asked.streams).then_some(LONGEST_CALL);
        let response = self.http.post(headers, body, deadline, first_byte).await;
        let response = response.map_err(|failure| self.faults.transport(&failure, false))?;
        Exchange::open(response, asked, Arc::clone(&self.faults)).await
    }

    fn write(&self, request: ModelRequest) -> Result<(Asked, HeaderMap, String), ModelError> {
        let model = match &request.model {
            Some(name) => model_name(name, &self.faults.provider, &self.model)?,
            None => &self.model,
        };
        let body = request::body(&request, model, self.dialect).map_err(|error| {
            ModelError::new(ModelErrorKind::InvalidRequest, format!("the request cannot be written as JSON: {error}"))
        })?;
        let asked = Asked { streams: request.stream, model: model.to_owned(), input_tokens: tokens_of(&request) };
        Ok((asked, self.headers(&request), body))
    }

    fn headers(&self, request: &ModelRequest) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accepted = if request.stream { "text/event-stream, application/json" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accepted));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Ok(key) = HeaderValue::from_str(&request.idempotency_key)
            && !key.is_empty()
        {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        // A gateway of the installation's own goes on with the trace; providers ignore the header.
        if let Some(value) = trace_context::current().and_then(|context| HeaderValue::from_str(&context.to_traceparent()).ok()) {
            headers.insert(TRACEPARENT, value);
        }
        headers
    }
}

/// The tokens of a request, about.
fn tokens_of(request: &ModelRequest) -> u64 {
    let messages = request.messages.iter().map(|message| {
        let calls: u64 = message.tool_calls.iter().map(|call| estimate(&call.name) + estimate(&call.arguments)).sum();
        MESSAGE_FRAME + estimate(&message.content) + calls
    });
    messages.sum()
}
