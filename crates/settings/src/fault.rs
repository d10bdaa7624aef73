//! Where a process under test is to die. No setting of an installation: it is in no catalogue, and release builds do
//! not look.

/// `CREWD_ABORT_AT` of the process environment, such as `after_intent:7`.
#[cfg(debug_assertions)]
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this crate is the one that reads the environment")]
pub fn abort_order() -> Option<String> {
    std::env::var("CREWD_ABORT_AT").ok().filter(|order| !order.is_empty())
}
