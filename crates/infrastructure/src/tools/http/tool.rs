//! One tool.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{
    Outbound, OutboundError, OutboundRequest, OutboundResponse, Reconciled, Tool, ToolCallContext, ToolError, ToolOutput,
};
use crewd_domain::tools::{HttpCall, HttpToolDefinition, ToolDescriptor};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use super::redaction::Redaction;
use super::{answer, request, retry};

/// So much longer waits whoever calls the tool: its own words about a call that is too slow are better.
const GRACE: Duration = Duration::from_secs(1);

/// A tool that calls an address.
pub(super) struct HttpTool {
    descriptor: ToolDescriptor,
    call: HttpCall,
    /// Names and values of secret headers.
    secrets: Vec<(String, SecretString)>,
    redaction: Redaction,
    outbound: Arc<dyn Outbound>,
}

impl HttpTool {
    pub(super) fn new(definition: HttpToolDefinition, secrets: Vec<(String, SecretString)>, outbound: Arc<dyn Outbound>) -> Self {
        let redaction = Redaction::of(secrets.iter().map(|(_, secret)| secret));
        Self { descriptor: definition.descriptor(), call: definition.http, secrets, redaction, outbound }
    }

    fn own_limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.call.timeout_seconds))
    }

    /// Sends the request, again after a passing trouble where `may_repeat`, until the time is over.
    async fn exchange(
        &self,
        request: &OutboundRequest,
        context: &ToolCallContext,
        may_repeat: bool,
    ) -> Result<OutboundResponse, OutboundError> {
        let deadline = Instant::now() + self.own_limit().min(context.time_limit);
        let mut retries = 0;
        loop {
            let time_limit = deadline.saturating_duration_since(Instant::now());
            let answer = self.outbound.send(OutboundRequest { time_limit, ..request.clone() }).await;
            let pause = retry::pause(&answer, retries, &context.idempotency_key).filter(|_| may_repeat);
            let Some(pause) = pause.filter(|pause| Instant::now() + *pause < deadline) else { return answer };
            tracing::debug!(tool = self.descriptor.name, step = %context.step, retries, "a tool's call is tried again");
            sleep(pause).await;
            retries += 1;
        }
    }
}

#[async_trait]
impl Tool for HttpTool {
    fn descriptor(&self) -> &ToolDescriptor {
        &self.descriptor
    }

    async fn call(&self, context: &ToolCallContext, arguments: &Map<String, Value>) -> Result<ToolOutput, ToolError> {
        let request = request::of_call(&self.call, &self.secrets, context, arguments)?;
        let is_repeatable = self.descriptor.effect.is_repeatable();
        let result = match self.exchange(&request, context, is_repeatable).await {
            Ok(response) => answer::of_response(&response),
            Err(error) => answer::of_error(&error, is_repeatable),
        };
        match result {
            Ok(output) => Ok(ToolOutput { text: self.redaction.apply(output.text) }),
            Err(ToolError::Failed(text)) => Err(ToolError::Failed(self.redaction.apply(text))),
            Err(other) => Err(other),
        }
    }

    async fn reconcile(&self, context: &ToolCallContext, arguments: &Map<String, Value>) -> Reconciled {
        let Some(Ok(request)) = request::of_question(&self.call, &self.secrets, context, arguments) else {
            return Reconciled::Unknown;
        };
        match self.exchange(&request, context, true).await {
            Ok(response) if response.status == 200 => {
                Reconciled::Happened(ToolOutput { text: self.redaction.apply(answer::result_text(&response)) })
            }
            Ok(response) if response.status == 404 => Reconciled::DidNotHappen,
            other => {
                let status = other.ok().map(|response| response.status);
                tracing::warn!(tool = self.descriptor.name, step = %context.step, status, "what became of a call cannot be told");
                Reconciled::Unknown
            }
        }
    }

    fn time_limit(&self) -> Option<Duration> {
        Some(self.own_limit() + GRACE)
    }
}
