//! The one writer of a database: group commit.
//!
//! Commands come in over a bounded channel. The writer takes all that have queued up while it was busy, decides about
//! each in memory ([`plan`]), writes what is allowed with few multi-row statements ([`write`]), and commits once. So
//! the price of a commit, and above all of the disk's flush, is shared by everybody who waits.

mod bundle;
mod choice;
mod claim;
mod command;
mod evidence;
mod extras;
mod heads;
mod hooks;
mod lookup;
mod plan;
mod run_loop;
mod script;
mod transaction;
mod turns;
mod work;
mod write;

pub(super) use claim::lease_micros;
pub(super) use command::{ClaimRequest, WriterHandle};
#[cfg(test)]
pub(super) use heads::{first_runs, free_keys, oldest_runs, tenants};
#[cfg(test)]
pub(super) use hooks::IS_WANTED;
pub(super) use run_loop::start;
pub(super) use script::Script;
