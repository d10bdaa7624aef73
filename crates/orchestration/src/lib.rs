//! The engine: definitions in, journaled runs out.
//!
//! Rule of this crate: every effect passes through a journaled step. No SQL, no HTTP; models, tools and the store are ports.
//!
//! | module | what is in it |
//! |---|---|
//! | [`definition`] | crew definitions from YAML files: reading, checking, watching |
//! | [`worker`] | takes runs from the queue, holds their leases, stops cleanly |
//! | [`run`] | one run from claim to end: deadline, budgets, orders from outside |
//! | [`crew`] | the sequential process: crew tasks, their context, their output |
//! | [`agent`] | the loop of model calls and tool calls, native and in text |
//! | [`tools`] | calling a tool: arguments checked, time limited, result trimmed |
//! | [`journal`] | intent, act, result; what recovery finds |

pub mod agent;
pub mod crew;
pub mod definition;
pub mod journal;
pub mod run;
#[cfg(test)]
mod testing;
pub mod tools;
pub mod worker;
