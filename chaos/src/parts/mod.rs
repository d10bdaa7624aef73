//! One file for each kind of fault.

mod database;
mod disk;
mod kills;
mod leases;
mod load;
mod matrix;
mod plan;
mod provider;
mod redis;
mod restart;
mod streams;
mod submits;
mod webhooks;

pub(crate) use leases::{CLAIMANT, claimant};
pub(crate) use plan::run;
