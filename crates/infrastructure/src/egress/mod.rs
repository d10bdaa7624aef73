//! The one guard of requests to addresses that users name: webhooks, tools and whatever comes later.
//!
//! An address is parsed once, by `url`; the host's name is looked up once; the addresses it stands for are filtered;
//! and the connection goes to one of those that are left, without a second look-up, and is asked for its peer before
//! anything is sent. So there is no gap between what was judged and what is called, whatever a name means a moment
//! later. Nothing is followed: a redirect is an answer. Proxies of the environment are not asked.
//!
//! # Addresses of the operator
//!
//! What the operator writes into the settings is not judged: a model on loopback (`APP_LLM_BASE_URL`) or a collector in
//! the same network (`APP_OTLP_ENDPOINT`) is the usual case, and whoever writes settings can reach these hosts anyway.
//! [`OperatorUrl`] says so in the type: [`crate::http::HttpClient`] takes no other address. An address out of a request,
//! a definition or a row must never become one; it takes the way of [`GuardedClient`].
//!
//! | module | what is in it |
//! |---|---|
//! | `policy` | which addresses are allowed |
//! | `ranges` | which IP addresses are public |
//! | `allowed` | destinations that the operator exempts |
//! | `operator` | addresses out of the settings |
//! | `resolver` | what a name stands for |
//! | `connection` | a connection to one of the allowed addresses |
//! | `trust` | which certificates are trusted |
//! | `exchange` | one request and its answer, bounded |
//! | `client` | all of it together: the port `Outbound` |

mod allowed;
mod client;
mod connection;
mod exchange;
mod operator;
mod policy;
mod ranges;
mod resolver;
#[cfg(test)]
mod tests;
mod trust;

pub use allowed::{AllowedDestination, AllowedHost};
pub use client::GuardedClient;
pub use operator::OperatorUrl;
pub use policy::{EgressDenied, EgressPolicy};
pub use resolver::{NameResolver, SystemResolver};
