//! The vocabulary and the rules of crewd, and nothing else.
//!
//! Rule of this crate: pure. No async runtime, no I/O, no clock, no randomness; `now` and ids arrive as
//! arguments. It imports no other crate of the workspace, so that other teams can depend on it alone.
//!
//! | module | what is in it |
//! |---|---|
//! | [`shared`] | ids, token usage, names of tenants |
//! | [`crews`] | crew definitions: agents, crew tasks, placeholders, diagnostics |
//! | [`runs`] | tasks, runs and their state machine, steps, events, failures |
//! | [`approvals`] | questions to people and their answers, who is asked about what |
//! | [`webhooks`] | who is told of events, and when it is tried again |
//! | [`schedules`] | cron and interval, time zones, which times are run and which were missed |
//! | [`tools`] | what a tool says about itself: schema, risk level, effect class |

pub mod approvals;
pub mod crews;
#[cfg(doctest)]
mod readme;
pub mod runs;
pub mod schedules;
pub mod shared;
pub mod tools;
pub mod webhooks;
