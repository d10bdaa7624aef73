//! Against a real Redis. Each test has a prefix of its own; nothing of other
//! tests is touched.

mod faults;
mod hints;
pub(crate) mod proxy;
mod shared;
mod support;
