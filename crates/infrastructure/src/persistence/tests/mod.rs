//! What SQLite must do beyond the contract suite of the ports.

mod contract;
mod failures;
mod hooks;
mod leases;
mod planned;
mod plans;
mod processes;
mod schema;
mod servers;
mod support;
mod turns;
