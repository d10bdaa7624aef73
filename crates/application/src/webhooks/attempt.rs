//! One attempt: request, answer, what follows.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::webhooks::{Answered, DeliveryStatus, NextAttempt, WebhookEndpoint, next_attempt};
use tokio::time::Instant;

use super::body::body;
use super::dispatcher::DispatcherParts;
use super::retry_after::retry_after;
use crate::fault::{self, Point};
use crate::ports::{AttemptOutcome, DueDelivery, KeyPurpose, OutboundError, OutboundMethod, OutboundRequest, StoreError};

/// Bytes of an answer's body that are read; nobody looks at them.
const ANSWER_BYTES: usize = 64 * 1024;
/// An endpoint that has taken nothing for so long is disabled.
const PATIENCE: TimeDelta = TimeDelta::days(5);

/// What came of an attempt, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The receiver has it.
    Delivered,
    /// It will be tried again.
    Retried,
    /// It will not be tried again.
    GivenUp,
    /// It will not be tried again, and the endpoint is disabled.
    Disabled,
}

impl AttemptResult {
    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::GivenUp => "given_up",
            Self::Disabled => "disabled",
        }
    }
}

/// Counts attempts and hears of what went wrong on this side.
pub trait DeliveryObserver: Send + Sync {
    /// An attempt is over.
    fn attempted(&self, result: AttemptResult);

    /// What came of an attempt could not be written down: the delivery is sent once more.
    fn unreported(&self, error: &StoreError);
}

/// What an exchange gave.
struct Answer {
    answered: Answered,
    error: Option<String>,
}

/// Sends a delivery and decides what follows.
pub(super) async fn attempt(parts: &DispatcherParts, due: &DueDelivery) -> (AttemptOutcome, AttemptResult) {
    let start = Instant::now();
    let answer = exchange(parts, due).await;
    let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let now = parts.clock.now();
    let delivery = &due.delivery;
    let next = next_attempt(delivery.attempts, answer.answered, jitter(delivery.id.as_u64_pair().1, delivery.attempts));
    let (status, retry_after, disable_endpoint, result) = match next {
        NextAttempt::Done => (DeliveryStatus::Delivered, None, None, AttemptResult::Delivered),
        NextAttempt::Disable => {
            (DeliveryStatus::Failed, None, Some("the receiver answered 410 Gone".to_owned()), AttemptResult::Disabled)
        }
        NextAttempt::After(_) | NextAttempt::GiveUp if has_failed_too_long(&due.endpoint, now) => {
            (DeliveryStatus::Failed, None, Some("no delivery has arrived for five days".to_owned()), AttemptResult::Disabled)
        }
        NextAttempt::After(pause) => (DeliveryStatus::Pending, Some(pause), None, AttemptResult::Retried),
        NextAttempt::GiveUp => (DeliveryStatus::Failed, None, None, AttemptResult::GivenUp),
    };
    let response_status = match answer.answered {
        Answered::Status(status, _) => Some(status),
        Answered::Nothing => None,
    };
    let outcome = AttemptOutcome {
        delivery_id: delivery.id,
        status,
        retry_after,
        response_status,
        error: answer.error,
        duration_ms,
        disable_endpoint,
    };
    (outcome, result)
}

async fn exchange(parts: &DispatcherParts, due: &DueDelivery) -> Answer {
    let request = match request(parts, due).await {
        Ok(request) => request,
        Err(error) => return Answer { answered: Answered::Nothing, error: Some(error) },
    };
    fault::point(Point::BeforeOutboxSend);
    let sent = parts.outbound.send(request).await;
    fault::point(Point::AfterOutboxSend);
    match sent {
        Ok(response) => {
            let wish = response.header("retry-after").and_then(|value| retry_after(value, parts.clock.now()));
            answered(response.status, wish)
        }
        // Its head came, and that is all that is asked for.
        Err(OutboundError::TooLarge { status, .. }) => answered(status, None),
        Err(error) => Answer { answered: Answered::Nothing, error: Some(format!("{}: {error}", error.kind())) },
    }
}

fn answered(status: u16, wish: Option<Duration>) -> Answer {
    let error = match status {
        200..=299 => None,
        300..=399 => Some(format!("the receiver answered {status}; redirects are not followed")),
        _ => Some(format!("the receiver answered {status}")),
    };
    Answer { answered: Answered::Status(status, wish), error }
}

/// The signed request. Errors are in words for the log of deliveries.
async fn request(parts: &DispatcherParts, due: &DueDelivery) -> Result<OutboundRequest, String> {
    let DueDelivery { delivery, endpoint } = due;
    let message = &delivery.message;
    let task = parts.queries.task(&message.tenant_id, message.task_id).await.map_err(|_| "database: no answer".to_owned())?;
    let crew = task.as_ref().map(|view| view.task.crew.as_str());
    let body = body(message, crew, endpoint.payload).map_err(|error| format!("body: {error}"))?;
    let now = parts.clock.now();
    let id = message.id.to_string();
    let signature = sign(parts, endpoint, &id, now, &body)?;
    let header = |name: &str, value: String| (name.to_owned(), value);
    Ok(OutboundRequest {
        method: OutboundMethod::Post,
        url: endpoint.url.clone(),
        headers: vec![
            header("content-type", "application/json".to_owned()),
            header("webhook-id", id),
            header("webhook-timestamp", now.timestamp().to_string()),
            header("webhook-signature", signature),
        ],
        body,
        time_limit: Duration::from_secs(u64::from(endpoint.timeout_seconds)),
        max_response_bytes: ANSWER_BYTES,
    })
}

fn sign(
    parts: &DispatcherParts,
    endpoint: &WebhookEndpoint,
    id: &str,
    now: DateTime<Utc>,
    body: &Bytes,
) -> Result<String, String> {
    let previous = endpoint.previous_secret.as_ref().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
    let open = |sealed: &String| parts.sealer.open(KeyPurpose::WebhookSecrets, &endpoint.tenant_id, sealed);
    let secrets: Result<Vec<String>, _> = std::iter::once(&endpoint.secret).chain(previous).map(open).collect();
    let secrets = secrets.map_err(|error| format!("secret: {error}"))?;
    parts.signer.sign(&secrets, id, now.timestamp(), body).map_err(|error| format!("signature: {error}"))
}

fn has_failed_too_long(endpoint: &WebhookEndpoint, now: DateTime<Utc>) -> bool {
    endpoint.failing_since.is_some_and(|since| now - since >= PATIENCE)
}

/// A number from 0 to 1 for an attempt: ids of deliveries end in a hash, so they lie anywhere.
fn jitter(hash: u64, attempt: u32) -> f64 {
    let bits = hash.rotate_left(attempt.saturating_mul(7) % 64) & 0xffff;
    u16::try_from(bits).map_or(0.0, |bits| f64::from(bits) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_lies_between_0_and_1_and_differs() {
        let values: Vec<f64> = (1..=10).map(|attempt| jitter(0x9e37_79b9_7f4a_7c15, attempt)).collect();
        assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "{values:?}");
        assert!(values.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
