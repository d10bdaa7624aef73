//! What is to go wrong with a process under test. No settings of an installation: they are in no catalogue, and release
//! builds do not look.

/// `CREWD_ABORT_AT` of the process environment, such as `after_intent:7`.
#[cfg(debug_assertions)]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this crate is the one that reads the environment")]
pub fn abort_order() -> Option<String> {
    std::env::var("CREWD_ABORT_AT").ok().filter(|order| !order.is_empty())
}

/// `CREWD_CLOCK_ERROR` of the process environment: by how many seconds the machine's clock is to be ahead.
#[cfg(debug_assertions)]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this crate is the one that reads the environment")]
pub fn clock_error() -> Option<i64> {
    std::env::var("CREWD_CLOCK_ERROR").ok()?.parse().ok()
}
