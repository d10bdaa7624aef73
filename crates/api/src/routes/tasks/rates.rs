//! How often tasks are submitted, and what is said about it (IETF draft on RateLimit headers, structured fields).

use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, HeaderValue};
use crewd_application::context::RequestContext;
use crewd_application::error::ErrorCode;
use crewd_application::ports::RateState;

use crate::error::{ApiError, whole_seconds};
use crate::state::ApiState;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Counts a submission of the caller; the headers that tell what is left.
///
/// # Errors
/// `rate_limited`, with the time after which the next one is let in.
pub(super) async fn take_rate(state: &ApiState, context: &RequestContext) -> Result<Vec<(HeaderName, HeaderValue)>, ApiError> {
    let Some(rates) = &state.task_rates else { return Ok(Vec::new()) };
    let answer = rates.take(&context.tenant, &context.actor).await;
    let headers = headers(&answer.states);
    let Some(wait) = answer.wait else { return Ok(headers) };
    let error =
        ApiError::new(ErrorCode::RateLimited, "this key submits tasks too often").header(RETRY_AFTER, whole_seconds(wait));
    Err(headers.into_iter().fold(error, |error, (name, value)| error.header(name, value)))
}

fn headers(states: &[RateState]) -> Vec<(HeaderName, HeaderValue)> {
    let policies = states.iter().map(|state| format!("\"{}\";q={};w={}", state.name, state.count, seconds(state.period)));
    let left = states.iter().map(|state| format!("\"{}\";r={};t={}", state.name, state.remaining, seconds(state.resets_after)));
    let lines = [(RATE_LIMIT_POLICY, policies.collect::<Vec<_>>()), (RATE_LIMIT, left.collect())];
    lines.into_iter().filter_map(|(name, parts)| Some((name, HeaderValue::from_str(&parts.join(", ")).ok()?))).collect()
}

/// Whole seconds, never less than it takes.
fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told_as_structured_fields() {
        let minute = RateState {
            name: "minute",
            count: 30,
            period: Duration::from_secs(60),
            remaining: 29,
            resets_after: Duration::from_millis(1_500),
        };
        let hour = RateState { name: "hour", count: 100, period: Duration::from_secs(3_600), remaining: 0, ..minute };
        let told: Vec<_> = headers(&[minute, hour]).into_iter().map(|(_, value)| value.to_str().unwrap().to_owned()).collect();
        assert_eq!(told, [r#""minute";q=30;w=60, "hour";q=100;w=3600"#, r#""minute";r=29;t=2, "hour";r=0;t=2"#]);
    }
}
