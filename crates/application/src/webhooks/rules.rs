//! What an endpoint may be like.

use crewd_domain::webhooks::{Payload, WebhookEvent};

use crate::error::FieldProblem;
use crate::ports::Outbound;

/// Endpoints of a tenant, those of single tasks not counted.
pub const MAX_WEBHOOKS: u32 = 100;
/// Seconds to wait for an answer unless the owner says otherwise.
pub(super) const DEFAULT_TIMEOUT: u32 = 15;
/// Deliveries at once unless the owner says otherwise.
pub(super) const DEFAULT_CONCURRENT: u32 = 10;
const MAX_TIMEOUT: u32 = 30;
const MAX_CONCURRENT: u32 = 50;
/// Characters of an address.
const MAX_URL: usize = 2_048;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 500;

/// An endpoint as its owner wants it; types have been checked, values have not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewWebhook {
    /// Where to.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it is told of; empty for everything.
    pub events: Vec<WebhookEvent>,
    /// How much it is told.
    pub payload: Payload,
    /// Seconds to wait for an answer, 1 to 30; 15 if it is not given.
    pub timeout_seconds: Option<u32>,
    /// Deliveries at once, 1 to 50; 10 if it is not given.
    pub max_concurrent: Option<u32>,
}

/// What is to be changed of an endpoint; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeWebhook {
    /// Where to.
    pub url: Option<String>,
    /// What it is for; `Some(None)` removes the text.
    pub description: Option<Option<String>>,
    /// What it is told of.
    pub events: Option<Vec<WebhookEvent>>,
    /// How much it is told.
    pub payload: Option<Payload>,
    /// Seconds to wait for an answer.
    pub timeout_seconds: Option<u32>,
    /// Deliveries at once.
    pub max_concurrent: Option<u32>,
    /// Whether it is told of anything. Taking it up again forgets its failures.
    pub disabled: Option<bool>,
}

/// The endpoint of one task, given with its submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskWebhook {
    /// Where to.
    pub url: String,
    /// What it is told of; empty for everything.
    pub events: Vec<WebhookEvent>,
    /// The secret to sign with, `whsec_…`, where the submitter has one already; a new one is made without it.
    pub secret: Option<String>,
}

/// Checks values; the pointers begin with `place`.
pub(super) fn check(
    place: &str,
    (url, description): (Option<&str>, Option<&str>),
    (timeout, concurrent): (Option<u32>, Option<u32>),
    outbound: &dyn Outbound,
) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let mut add = |name: &str, message: String| problems.push(FieldProblem::new(format!("{place}/{name}"), message));
    if let Some(url) = url {
        if url.chars().count() > MAX_URL {
            add("url", format!("is longer than {MAX_URL} characters"));
        } else if outbound.check_url(url).is_err() {
            add("url", "is no address that is called from here: https, a public host, port 443, no user name".to_owned());
        }
    }
    if description.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION || text.chars().any(char::is_control)) {
        add("description", format!("must have at most {MAX_DESCRIPTION} characters, none of them a control character"));
    }
    if timeout.is_some_and(|seconds| !(1..=MAX_TIMEOUT).contains(&seconds)) {
        add("timeout_seconds", format!("must be from 1 to {MAX_TIMEOUT}"));
    }
    if concurrent.is_some_and(|count| !(1..=MAX_CONCURRENT).contains(&count)) {
        add("max_concurrent", format!("must be from 1 to {MAX_CONCURRENT}"));
    }
    problems
}

/// A list of events without repetition, in the order of the contract.
pub(super) fn in_order(events: &[WebhookEvent]) -> Vec<WebhookEvent> {
    WebhookEvent::ALL.iter().copied().filter(|event| events.contains(event)).collect()
}
