//! Telling addresses of events: endpoints and their secrets, and the deliveries on their way.
//!
//! | module | what is in it |
//! |---|---|
//! | `service` | [`WebhookService`]: read, change and remove endpoints, rotate secrets |
//! | `create` | adding endpoints, for all tasks and for one |
//! | `log` | what was sent, and sending it again |
//! | `rules` | what an endpoint may be like |
//! | `dispatcher` | [`WebhookDispatcher`]: takes what is due and sends it |
//! | `attempt` | one attempt: request, answer, what follows |
//! | `body` | what is told |
//! | `retry_after` | for how long a receiver wants to be left alone |

mod attempt;
mod body;
mod create;
mod dispatcher;
mod log;
mod retry_after;
mod rules;
mod service;
#[cfg(test)]
mod tests;

pub use attempt::{AttemptResult, DeliveryObserver};
pub use dispatcher::{DispatcherParts, WebhookDispatcher};
pub use log::DeliveryPage;
pub use rules::{ChangeWebhook, MAX_WEBHOOKS, NewWebhook, TaskWebhook};
pub use service::{WebhookPage, WebhookService, WebhookServiceParts, WebhookWithSecret};
