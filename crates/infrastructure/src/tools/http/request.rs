//! Address, headers and body out of arguments.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use crewd_application::ports::{OutboundMethod, OutboundRequest, ToolCallContext, ToolError};
use crewd_domain::tools::{HttpBody, HttpCall, HttpMethod, IDEMPOTENCY_KEY_NAME, TemplateError};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// Longer addresses are not in use.
const MOST_ADDRESS_BYTES: usize = 2_048;

/// The request of a call.
pub(super) fn of_call(
    call: &HttpCall,
    secrets: &[(String, SecretString)],
    context: &ToolCallContext,
    arguments: &Map<String, Value>,
) -> Result<OutboundRequest, ToolError> {
    let url = call.url.fill(arguments, &parameters(call, arguments)?).map_err(|error| wrong(&error))?;
    let mut request = bare(method(call.method), url, call, secrets, context)?;
    if call.body == HttpBody::Arguments {
        let placed: BTreeSet<&str> = call.placed_names().collect();
        let rest: Map<String, Value> = arguments
            .iter()
            .filter(|(name, _)| !placed.contains(name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        request.body = Bytes::from(Value::Object(rest).to_string());
        if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request.headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
    }
    Ok(request)
}

/// The request that asks what became of a call; nothing for a tool that cannot be asked.
pub(super) fn of_question(
    call: &HttpCall,
    secrets: &[(String, SecretString)],
    context: &ToolCallContext,
    arguments: &Map<String, Value>,
) -> Option<Result<OutboundRequest, ToolError>> {
    let address = call.reconcile_url.as_ref()?;
    let mut known = arguments.clone();
    known.insert(IDEMPOTENCY_KEY_NAME.to_owned(), context.idempotency_key.as_str().into());
    let url = address.fill(&known, &[]).map_err(|error| wrong(&error));
    Some(url.and_then(|url| bare(OutboundMethod::Get, url, call, secrets, context)))
}

fn bare(
    method: OutboundMethod,
    url: String,
    call: &HttpCall,
    secrets: &[(String, SecretString)],
    context: &ToolCallContext,
) -> Result<OutboundRequest, ToolError> {
    if url.len() > MOST_ADDRESS_BYTES {
        return Err(ToolError::InvalidArguments(format!(
            "the arguments make an address of more than {MOST_ADDRESS_BYTES} bytes"
        )));
    }
    let mut headers = call.headers.clone();
    headers.extend(secrets.iter().map(|(name, secret)| (name.clone(), secret.expose_secret().to_owned())));
    headers.push(("Idempotency-Key".to_owned(), context.idempotency_key.clone()));
    headers.push(("X-Crewd-Task-Id".to_owned(), context.task_id.to_string()));
    headers.push(("X-Crewd-Run-Id".to_owned(), context.run_id.to_string()));
    Ok(OutboundRequest {
        method,
        url,
        headers,
        body: Bytes::new(),
        time_limit: Duration::ZERO,
        max_response_bytes: OutboundRequest::MAX_RESPONSE_BYTES,
    })
}

/// Parameters of the query beside those of the address. One whose argument is absent is left out.
fn parameters(call: &HttpCall, arguments: &Map<String, Value>) -> Result<Vec<(String, String)>, ToolError> {
    let mut parameters = Vec::new();
    for (name, template) in &call.query {
        match template.plain(arguments) {
            Ok(value) => parameters.push((name.clone(), value)),
            Err(TemplateError::Missing(_)) => {}
            Err(error) => return Err(wrong(&error)),
        }
    }
    Ok(parameters)
}

fn wrong(error: &TemplateError) -> ToolError {
    ToolError::InvalidArguments(error.to_string())
}

const fn method(method: HttpMethod) -> OutboundMethod {
    match method {
        HttpMethod::Get => OutboundMethod::Get,
        HttpMethod::Head => OutboundMethod::Head,
        HttpMethod::Post => OutboundMethod::Post,
        HttpMethod::Put => OutboundMethod::Put,
        HttpMethod::Patch => OutboundMethod::Patch,
        HttpMethod::Delete => OutboundMethod::Delete,
    }
}
