//! The figures, one file a group.

mod claims;
mod compare;
mod control;
mod dispatch;
mod fair;
mod many;
mod plan;
mod rate;
mod replay;
mod start;
mod streams;
mod tasks;
mod waiting;
mod workers;

pub(crate) use plan::{Bench, run};
