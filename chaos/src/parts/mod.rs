//! One file for each kind of fault.

mod database;
mod disk;
mod kills;
mod leases;
mod matrix;
mod plan;
mod provider;
mod streams;
mod submits;
mod webhooks;

pub(crate) use leases::{CLAIMANT, claimant};
pub(crate) use plan::run;
