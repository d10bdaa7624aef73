//! Spans, metrics and one log line for each call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crewd_application::ports::{
    CallLabels, FinishReason, LanguageModel, ModelDelta, ModelError, ModelErrorKind, ModelRequest, ModelResponse, ModelStream,
};
use crewd_telemetry::Metrics;
use crewd_telemetry::gen_ai::{self, ChatRequest, ChatResponse, TokenUsage};
use crewd_telemetry::metrics::LlmCall;
use futures::Stream;
use tracing::Span;

/// Whom the inner model calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The provider's name: `dashscope`, `openai`, `offline` …
    pub provider: String,
    /// Its host; the offline model has none.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<u16>,
}

/// Records every call: a `chat` span under the span that is current when [`LanguageModel::call`] is made, metrics by
/// model and agent, and one line of log at the end. A call that is dropped before its end counts as `cancelled`.
pub struct ObservedModel {
    inner: Arc<dyn LanguageModel>,
    metrics: Arc<Metrics>,
    endpoint: Arc<Endpoint>,
}

impl ObservedModel {
    /// Records what `inner` does.
    #[must_use]
    pub fn new(inner: Arc<dyn LanguageModel>, metrics: Arc<Metrics>, endpoint: Endpoint) -> Self {
        Self { inner, metrics, endpoint: Arc::new(endpoint) }
    }
}

impl LanguageModel for ObservedModel {
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
        let record = Record {
            metrics: Arc::clone(&self.metrics),
            endpoint: Arc::clone(&self.endpoint),
            labels: Arc::clone(&request.labels),
            model: request.model.clone().unwrap_or_else(|| self.inner.default_model().to_owned()),
            streams: request.stream,
            temperature: request.sampling.temperature,
            max_tokens: request.sampling.max_tokens.map(u64::from),
            parent: Span::current(),
            state: State::New,
        };
        Box::pin(ObservedCall { inner: self.inner.call(request), record })
    }
}

/// A call and what is noted of it.
struct ObservedCall {
    inner: ModelStream,
    record: Record,
}

impl Stream for ObservedCall {
    type Item = Result<ModelDelta, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inner, record } = &mut *self;
        let span = record.begin();
        let item = ready!(span.in_scope(|| inner.as_mut().poll_next(context)));
        match &item {
            Some(Ok(ModelDelta::Finished(response))) => record.finish(Outcome::Answered(response)),
            Some(Ok(_)) => record.piece(),
            Some(Err(error)) => record.finish(Outcome::Failed(error)),
            None => record.finish(Outcome::Silent),
        }
        Poll::Ready(item)
    }
}

/// How a call ended.
enum Outcome<'a> {
    Answered(&'a ModelResponse),
    Failed(&'a ModelError),
    /// Without an answer and without an error.
    Silent,
    Dropped,
}

struct Record {
    metrics: Arc<Metrics>,
    endpoint: Arc<Endpoint>,
    labels: Arc<CallLabels>,
    model: String,
    streams: bool,
    temperature: Option<f64>,
    max_tokens: Option<u64>,
    parent: Span,
    state: State,
}

/// How far a call is.
enum State {
    /// Not polled.
    New,
    /// Polled, and not over.
    Running(Running),
    /// Noted.
    Over,
}

struct Running {
    span: Span,
    started: Instant,
    first_piece: Option<Duration>,
}

impl Record {
    /// The call's span; the first poll starts it.
    fn begin(&mut self) -> Span {
        match &self.state {
            State::Running(running) => return running.span.clone(),
            State::Over => return Span::none(),
            State::New => {}
        }
        let request = ChatRequest {
            model: &self.model,
            provider: &self.endpoint.provider,
            stream: self.streams,
            temperature: self.temperature,
            max_tokens: self.max_tokens,
            server_address: self.endpoint.address.as_deref(),
            server_port: self.endpoint.port,
        };
        let span = self.parent.in_scope(|| gen_ai::chat_span(&request));
        self.state = State::Running(Running { span: span.clone(), started: Instant::now(), first_piece: None });
        span
    }

    fn piece(&mut self) {
        if let State::Running(running) = &mut self.state
            && running.first_piece.is_none()
        {
            running.first_piece = Some(running.started.elapsed());
        }
    }

    fn finish(&mut self, outcome: Outcome<'_>) {
        let State::Running(running) = std::mem::replace(&mut self.state, State::Over) else { return };
        let Running { span, started, first_piece } = running;
        let took = started.elapsed();
        let status = match &outcome {
            Outcome::Answered(_) => "ok",
            Outcome::Failed(error) => error.kind.as_str(),
            Outcome::Silent => ModelErrorKind::Interrupted.as_str(),
            Outcome::Dropped => "cancelled",
        };
        let response = if let Outcome::Answered(response) = &outcome { Some(*response) } else { None };
        let usage = response.map(|response| response.usage).unwrap_or_default();
        self.metrics.record_llm(&LlmCall {
            model: &self.model,
            agent: &self.labels.agent,
            status,
            seconds: took.as_secs_f64(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            seconds_to_first_token: first_piece.map(|first| first.as_secs_f64()),
        });
        gen_ai::record_response(
            &span,
            &ChatResponse {
                id: response.map(|response| response.id.as_str()).filter(|id| !id.is_empty()),
                model: response.map(|response| response.model.as_str()),
                finish_reason: response.map(|response| name_of(response.finish_reason)),
                time_to_first_chunk: first_piece,
            },
        );
        if response.is_some() {
            let cached_input = Some(usage.cached_input_tokens).filter(|cached| *cached > 0);
            let (input, output) = (usage.input_tokens, usage.output_tokens);
            gen_ai::record_usage(&span, &TokenUsage { input, output, cached_input, reasoning_output: None });
        } else {
            gen_ai::record_error(&span, status);
        }
        let _entered = span.entered();
        self.log(&outcome, took);
    }

    fn log(&self, outcome: &Outcome<'_>, took: Duration) {
        let (model, agent) = (self.model.as_str(), self.labels.agent.as_str());
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match outcome {
            Outcome::Answered(response) => tracing::info!(
                model,
                agent,
                duration_ms,
                input_tokens = response.usage.input_tokens,
                output_tokens = response.usage.output_tokens,
                tool_calls = response.tool_calls.len(),
                finish_reason = name_of(response.finish_reason),
                "model call finished"
            ),
            Outcome::Failed(error) => tracing::warn!(
                model,
                agent,
                duration_ms,
                kind = error.kind.as_str(),
                status = error.status,
                error = %error,
                "model call failed"
            ),
            Outcome::Silent => tracing::warn!(model, agent, duration_ms, "model call ended without an answer"),
            Outcome::Dropped => tracing::debug!(model, agent, duration_ms, "model call cancelled"),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.finish(Outcome::Dropped);
    }
}

const fn name_of(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
    }
}
